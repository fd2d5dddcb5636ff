//! `imdsctl rollback`: rejected changes and invalid journals.

use imds_tests::{InjectedFault, RecordedCall};
use serde_json::json;

use crate::reading::*;
use crate::rollback::{EnforcedFleet, rollback};

#[test]
fn regions_that_enforce_tokens_are_reported_and_the_others_rolled_back() {
    let regions = ["eu-central-1", "us-east-1"];
    let run = EnforcedFleet::new(&regions);
    let enforced = options(&run.ec2, &regions);
    run.ec2.enforce_tokens("us-east-1");
    let ran = run.rollback("--dry-run");
    says(
        &ran.ended_with(1).stdout,
        &["us-east-1", "HttpTokensEnforced", "24 of 32 to restore"],
    );
    let ran = run.rollback("--yes --json");
    let report = json(ran.ended_with(1));
    assert_eq!(
        report["summary"],
        json!({ "restored": 24, "unchanged": 0, "skipped": 8, "gone": 0, "failed": 0 })
    );
    for instance in list(&report, "instances") {
        let id = instance["instance_id"].as_str().unwrap();
        if instance["outcome"] == "skipped" {
            assert_eq!(instance["region"], "us-east-1");
            assert_eq!(without_state(run.ec2.instance(id).options), enforced[id]);
        }
    }
    let changes = run.ec2.calls_to(MODIFY);
    let asks = |call: &RecordedCall| {
        call.region == "us-east-1" && call.param("HttpTokens") == Some("optional")
    };
    assert!(
        !changes.iter().any(asks),
        "a change that cannot succeed is not attempted"
    );
}

#[test]
fn the_journal_of_another_account_is_rejected() {
    let run = EnforcedFleet::new(&[REGION]);
    run.ec2.set_account("444455556666");
    let ran = run.rollback("--yes");
    says(&ran.ended_with(2).stderr, &["111122223333", "444455556666"]);
    assert_eq!(run.ec2.changing_calls().len(), 0);
}

#[test]
fn a_rejected_change_does_not_affect_the_other_instances() {
    let regions = ["eu-central-1", "us-east-1"];
    let run = EnforcedFleet::new(&regions);
    run.ec2.fault(
        InjectedFault::unauthorized()
            .action(MODIFY)
            .region("us-east-1"),
    );
    let ran = run.rollback("--yes --json");
    let report = json(ran.ended_with(3));
    assert_eq!(
        (&report["summary"]["restored"], &report["summary"]["failed"]),
        (&json!(16), &json!(16))
    );
    says(&report.to_string(), &["UnauthorizedOperation"]);
    run.ec2.clear_faults();
    run.ec2.fault(
        InjectedFault::unauthorized()
            .action("DescribeInstances")
            .region("us-east-1"),
    );
    let report = json(run.rollback("--yes --json").ended_with(3));
    assert_eq!(
        (
            &report["summary"]["unchanged"],
            &report["summary"]["failed"]
        ),
        (&json!(16), &json!(16))
    );
    run.ec2.clear_faults();
    run.ec2
        .fault(InjectedFault::throttle().action(MODIFY).times(5));
    let report = json(run.rollback("--yes --json").ended_with(0));
    assert_eq!(
        (
            &report["summary"]["unchanged"],
            &report["summary"]["restored"]
        ),
        (&json!(16), &json!(16))
    );
}

#[test]
fn an_invalid_journal_is_rejected_with_the_file_and_the_line() {
    let run = EnforcedFleet::new(&[REGION]);
    let text = std::fs::read_to_string(run.journal()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let with = |n: usize, line: &str| {
        let mut lines = lines.clone();
        lines[n] = line;
        format!("{}\n", lines.join("\n"))
    };
    let newer = lines[0].replace("\"version\":2", "\"version\":3");
    // Calls are concurrent, so that their lines are in any order.
    let open = |line: &&str| line.contains("\"intent\"") && line.contains("\"optional\"");
    let n = lines.iter().position(open).unwrap();
    let edited = lines[n].replace("optional", "optionally");
    let at = format!("broken`, line {}", n + 1);
    for (text, words) in [
        (String::new(), ["broken`", "journal"]),
        ("remember the milk\n".to_owned(), ["broken`", "journal"]),
        (with(n, "remember the milk"), [at.as_str(), "expected"]),
        (with(n, &edited), [at.as_str(), "optionally"]),
        (with(0, &newer), ["version 3", "expected 1 to 2"]),
    ] {
        let broken = run.place.file("broken", &text);
        run.ec2.forget_calls();
        let ran = rollback(&run.ec2, &broken, "--yes").run();
        says(&ran.ended_with(2).stderr, &words);
        assert_eq!(run.ec2.changing_calls().len(), 0);
    }
    let ran = rollback(&run.ec2, &run.place.path("missing"), "--yes").run();
    says(&ran.ended_with(2).stderr, &["journal", "missing"]);
}

#[test]
fn a_hostile_journal_cannot_forge_output() {
    let run = EnforcedFleet::new(&[REGION]);
    let text = std::fs::read_to_string(run.journal()).unwrap();
    let forged = text.replace("eu-central-1", "eu-west-1\\u001b[2J\\nforged");
    let hostile = run.place.file("hostile", &forged);
    let ran = rollback(&run.ec2, &hostile, "--yes").run();
    assert_ne!(ran.code, Some(0));
    for text in [&ran.stdout, &ran.stderr] {
        assert!(
            !text.contains('\u{1b}') && text.lines().all(|line| !line.starts_with("forged")),
            "{text}"
        );
    }
    assert_eq!(run.ec2.changing_calls().len(), 0);
}
