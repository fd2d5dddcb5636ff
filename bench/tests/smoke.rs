//! The benchmark runs, and the figures that do not depend on the machine are as expected.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests panic on the unexpected"
)]

use std::process::{Command, Output};

use imds_tests::binary;
use serde_json::Value;

fn bench(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bench"))
        .args(arguments)
        .output()
        .unwrap()
}

#[test]
fn one_round_fills_every_row_and_counts_the_least_calls() {
    let folder = tempfile::tempdir().unwrap();
    let (enforcer, floor, imdsctl) = (binary("enforcer"), binary("floor"), binary("imdsctl"));
    let ended = bench(&[
        "--rounds=1",
        "--enforcer",
        enforcer.to_str().unwrap(),
        "--floor",
        floor.to_str().unwrap(),
        "--imdsctl",
        imdsctl.to_str().unwrap(),
        "--fleet=1000",
        "--out",
        folder.path().to_str().unwrap(),
    ]);
    let table = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success(), "{ended:#?}");
    for part in ["| cold start, TLS", "| ≤ 1.4 × floor", "bench.json"] {
        assert!(table.contains(part), "`{part}` in\n{table}");
    }

    let json = std::fs::read(folder.path().join("bench.json")).unwrap();
    let json: Value = serde_json::from_slice(&json).unwrap();
    let rows = json["rows"].as_array().unwrap();
    let median = |row: &Value, program: &str| row[program]["median"].as_f64();
    for row in rows.iter().filter(|row| row["what"] != "release zip") {
        assert!(median(row, "measured") > Some(0.0), "{row:#}");
    }
    let find = |section: &str, what: &str| -> &Value {
        let found = rows.iter().find(|row| {
            row["what"] == what && row["section"].as_str().unwrap().starts_with(section)
        });
        found.unwrap_or_else(|| panic!("no `{what}` in\n{table}"))
    };
    let time = |section: &str, what: &str| median(find(section, what), "measured").unwrap();
    let start = "process start → ";
    for section in ["cold start, plain", "cold start, TLS"] {
        let ready = time(section, &format!("{start}ready for the first event"));
        let changed = time(section, &format!("{start}EC2 has the first change"));
        let answered = time(
            section,
            &format!("{start}non-compliant instance enforced and answered"),
        );
        // The figures are of one start each, and cannot be compared with those of another.
        assert!(ready > 0.0 && changed < answered, "{table}");
    }
    let section = "imdsctl, 17 regions";
    let sequential = time(section, "the same, --sequential");
    let scan = time(section, "scan of 1000; floor: of us-east-1 alone, 1 pages");
    assert!(scan < sequential, "{table}");
    // One call to describe, and one to enforce.
    assert!(
        time(
            "warm events, plain",
            "1 non-compliant, 25 ms a call: latency"
        ) >= 0.050
    );

    let calls = |section, what| find(section, what)["calls"].clone();
    assert_eq!(calls("warm events, plain", "1000 compliant: latency"), 0);
    assert_eq!(
        calls(
            "warm events, plain",
            "50 non-compliant, 25 ms a call: latency"
        ),
        51
    );
    assert_eq!(
        calls(
            "warm events, TLS",
            "1000 non-compliant, 0 ms a call: latency"
        ),
        1005
    );
}

#[test]
fn a_missing_program_is_an_error() {
    let ended = bench(&["--enforcer=/no/such/file", "--floor=/no/such/file"]);
    let error = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(2));
    assert!(
        error.contains("'/no/such/file' for '--enforcer <FILE>'"),
        "{error}"
    );
}
