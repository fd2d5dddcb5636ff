//! `imdsctl diff`: the files that it reads.

use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use imds_tests::{Imdsctl, launch};
use serde_json::{Value, json};

use crate::diff::{Reports, change};
use crate::reading::*;

#[test]
fn reports_are_read_compressed_and_from_standard_input() {
    let ec2 = two_regions();
    ec2.launch(launch(HERE));
    let reports = Reports::new();
    reports.scan(&ec2, "old.json", "");
    let text = std::fs::read(reports.folder.path("old.json")).unwrap();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(&text).unwrap();
    std::fs::write(reports.folder.path("old.json.gz"), gzip.finish().unwrap()).unwrap();
    let diff = Imdsctl::offline().args(["diff", "old.json.gz", "-"]);
    let diff = diff.current_dir(reports.folder.folder.path()).stdin(&text);
    says(&diff.run().ended_with(0).stdout, &["1 still non-compliant"]);
    let both = reports.diff(&["-", "-"]);
    says(&both.ended_with(2).stderr, &["both `-`"]);
}

#[test]
fn the_later_report_as_the_first_is_refused() {
    let ec2 = two_regions();
    let reports = Reports::new();
    reports.scan(&ec2, "old.json", "");
    reports.scan(&ec2, "new.json", "");
    let ran = reports.diff(&["new.json", "old.json"]);
    says(
        &ran.ended_with(2).stderr,
        &[
            "OLD `new.json` finished at ",
            "after NEW `old.json`",
            "name the earlier report first",
        ],
    );
}

#[test]
fn a_report_of_the_function_is_read_and_what_it_lacks_is_said() {
    let ec2 = two_regions();
    let reports = Reports::new();
    let id = ec2.launch(launch(HERE));
    reports.scan(&ec2, "new.json", "");
    let text = std::fs::read_to_string(reports.folder.path("new.json")).unwrap();
    let scan: Value = serde_json::from_str(&text).unwrap();
    let fields = [
        "instance_id",
        "account",
        "region",
        "rule",
        "refused",
        "before",
        "reason",
    ];
    let mut instance: serde_json::Map<String, Value> = serde_json::Map::new();
    for field in fields {
        instance.insert(field.to_owned(), scan["instances"][0][field].clone());
    }
    instance.extend([
        ("outcome".to_owned(), json!("compliant")),
        ("violations".to_owned(), json!([])),
        ("after".to_owned(), Value::Null),
    ]);
    let old = json!({
        "version": 1, "trigger": "sweep", "account": "111122223333", "region": null,
        "summary": scan["summary"], "instances": [instance], "unreachable": [], "omitted": 3
    });
    reports.folder.file("old.json", &old.to_string());
    let ran = reports.diff(&["old.json", "new.json", "--format", "json"]);
    let compared = json(ran.ended_with(1));
    assert_eq!(change(&compared, &id), Some("reopened"));
    says(
        &ran.stderr,
        &["`old.json` is a report of the function", "no names"],
    );
    // What it does not list is not gone.
    reports.edit("old.json", |report| report["instances"] = json!([]));
    let ran = reports.diff(&["new.json", "old.json", "--format", "json"]);
    let compared = json(ran.ended_with(3));
    assert_eq!(change(&compared, &id), Some("unknown"));
    says(
        &compared["unreachable"].to_string(),
        &["counts 3 more instances"],
    );
}

#[test]
fn a_file_that_is_no_report_is_refused_with_its_path_and_what_was_expected() {
    let ec2 = two_regions();
    ec2.launch(launch(HERE));
    let reports = Reports::new();
    reports.scan(&ec2, "whole.json", "--templates --defaults");
    let refused = |change: &dyn Fn(&mut Value), words: &[&str]| {
        std::fs::copy(
            reports.folder.path("whole.json"),
            reports.folder.path("bad.json"),
        )
        .unwrap();
        reports.edit("bad.json", change);
        let ran = reports.diff(&["bad.json", "whole.json"]);
        says(&ran.ended_with(2).stderr, &["`bad.json`"]);
        says(&ran.stderr, words);
        assert_eq!(ran.stdout, "");
    };
    refused(
        &|report| report["version"] = json!(2),
        &["format version 2; expected 1"],
    );
    refused(
        &|report| drop(report.as_object_mut().unwrap().remove("instances")),
        &["is not a report", "missing field `instances`"],
    );
    refused(
        &|report| report["instances"][0]["before"]["http_tokens"] = json!("maybe"),
        &[
            "`$.instances[0].before.http_tokens`",
            "`maybe`",
            "expected `optional` or `required`",
        ],
    );
    refused(
        &|report| report["instances"][0]["state"] = json!("asleep"),
        &["`$.instances[0]", "`asleep`", "`running`"],
    );
    refused(
        &|report| report["defaults"][0]["hop_limit"] = json!(65),
        &["`$.defaults[0]", "65"],
    );
    refused(
        &|report| {
            let twice = report["instances"][0].clone();
            report["instances"].as_array_mut().unwrap().push(twice);
        },
        &["`$.instances[1].instance_id`", "listed twice"],
    );
    for (content, words) in [
        ("{", "not a report"),
        ("[1]", "not a report"),
        ("", "not a report"),
    ] {
        reports.folder.file("bad.json", content);
        let ran = reports.diff(&["whole.json", "bad.json"]);
        says(&ran.ended_with(2).stderr, &["`bad.json`", words]);
    }
    let missing = reports.diff(&["whole.json", "none.json"]);
    assert!(!Path::new("none.json").exists());
    says(
        &missing.ended_with(2).stderr,
        &["could not read the report `none.json`"],
    );
}
