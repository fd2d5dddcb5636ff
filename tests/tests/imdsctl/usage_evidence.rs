//! What shows that IMDSv1 is not used, for `usage`, `scan --usage` and `enforce --unused-only`.

use std::time::Duration;

use imds_tests::{FakeAws, launch};
use serde_json::{Value, json};

use crate::enforce::enforced;
use crate::reading::*;

const USED: &str = "MetadataNoToken";
const REJECTED: &str = "MetadataNoTokenRejected";

fn old(ec2: &FakeAws) -> String {
    ec2.launch(launch(REGION).launched(DAY * 100))
}

/// The usage as `usage`, `scan --usage` and `enforce --unused-only --dry-run` tell it, which is the same.
#[track_caller]
fn usage(ec2: &FakeAws, id: &str) -> Value {
    let of = |arguments: &str| {
        let ran = imdsctl(ec2, &format!("{arguments} --format json")).run();
        entry(&json(&ran), id)["usage"].clone()
    };
    let answers = ["usage", "scan --usage", "enforce --unused-only --dry-run"].map(of);
    let since = |usage: &Value| {
        let mut usage = usage.clone();
        usage.as_object_mut().unwrap().remove("since");
        usage
    };
    assert_eq!(since(&answers[0]), since(&answers[1]));
    assert_eq!(since(&answers[0]), since(&answers[2]));
    let [usage, _, _] = answers;
    usage
}

#[test]
fn an_answer_that_is_not_complete_is_unknown_and_nothing_is_enforced() {
    for code in ["PartialData", "InternalError", "Forbidden"] {
        for metric in [USED, REJECTED] {
            let ec2 = FakeAws::start();
            let id = old(&ec2);
            ran_without_calls(&ec2, &id, DAY * 6, 5 * 24);
            ec2.set_status_code(&id, metric, code);
            assert_eq!(
                usage(&ec2, &id),
                json!({ "verdict": "unknown", "because": { "incomplete": code } }),
                "{metric}"
            );
            let ran = imdsctl(&ec2, "usage").run();
            says(&ran.ended_with(0).stdout, &["unknown: incomplete"]);
            let report = enforced(&ec2, "--unused-only", 1);
            assert_eq!(entry(&report, &id)["because"], "usage_unknown");
            says(&entry(&report, &id)["reason"].to_string(), &[code]);
            assert_eq!(ec2.changing_calls().len(), 0);
        }
    }
}

#[test]
fn calls_in_the_part_that_cloudwatch_left_out_do_not_make_it_unused() {
    let ec2 = FakeAws::start();
    let id = old(&ec2);
    ec2.datapoint(&id, USED, ago(DAY * 6), 5000.0);
    ran_without_calls(&ec2, &id, DAY * 5, 4 * 24);
    ec2.set_status_code(&id, USED, "PartialData");
    assert_eq!(usage(&ec2, &id)["verdict"], "unknown");
    ec2.set_status_code(&id, USED, "Complete");
    assert_eq!(usage(&ec2, &id)["calls"], 5000);
}

#[test]
fn an_answer_in_several_pages_is_complete() {
    let ec2 = FakeAws::start();
    ec2.set_metric_page(7);
    let id = old(&ec2);
    ran_without_calls(&ec2, &id, DAY * 3, 48);
    assert_eq!(usage(&ec2, &id)["verdict"], "unused");
}

#[test]
fn rejected_calls_are_use() {
    let ec2 = FakeAws::start();
    let id = old(&ec2);
    ran_without_calls(&ec2, &id, DAY * 3, 48);
    ec2.datapoint(&id, REJECTED, ago(DAY * 4), 12.0);
    let found = usage(&ec2, &id);
    assert_eq!(
        (&found["verdict"], &found["calls"]),
        (&json!("in_use"), &json!(12))
    );
    ec2.datapoint(&id, USED, ago(DAY), 3.0);
    assert_eq!(usage(&ec2, &id)["calls"], 15);
    let report = enforced(&ec2, "--unused-only", 1);
    assert_eq!(entry(&report, &id)["because"], "in_use");
    assert_eq!(tokens(&ec2, &id), "optional");
}

#[test]
fn unused_says_where_no_start_lies_within_the_window() {
    let ec2 = FakeAws::start();
    let [before, within] = [DAY * 20, DAY * 3].map(|started| {
        let launch = launch(REGION).launched(DAY * 100).started(started);
        ec2.launch(launch)
    });
    for id in [&before, &within] {
        ran_without_calls(&ec2, id, DAY * 3, 48);
        assert_eq!(usage(&ec2, id)["verdict"], "unused");
    }
    let not_started = |id: &str| usage(&ec2, id)["not_started_within_window"].clone();
    assert_eq!(not_started(&before), true);
    assert_eq!(not_started(&within), Value::Null);
    let report = enforced(&ec2, "--unused-only", 0);
    let found = &entry(&report, &before)["usage"];
    assert_eq!(found["not_started_within_window"], true);
}

#[test]
fn a_fleet_that_is_stopped_at_night_is_enforced_where_it_is_unused() {
    let ec2 = FakeAws::start();
    let stopped = || {
        launch(REGION)
            .launched(DAY * 100)
            .started(DAY)
            .state("stopped")
    };
    let [unused, used, seldom] = [(); 3].map(|()| ec2.launch(stopped()));
    let begin = |day: u32| DAY * day + Duration::from_hours(2);
    for day in 1..=10 {
        ran_without_calls(&ec2, &unused, begin(day), 9);
        ran_without_calls(&ec2, &used, begin(day), 9);
    }
    ran_without_calls(&ec2, &seldom, begin(3), 9);
    ran_without_calls(&ec2, &seldom, begin(6), 9);
    ec2.datapoint(&used, USED, ago(DAY * 7), 2.0);
    let report = enforced(&ec2, "--unused-only", 1);
    let outcome = |id: &str| entry(&report, id)["outcome"].clone();
    assert_eq!(
        [&unused, &used, &seldom].map(|id| outcome(id)),
        ["enforced", "reported", "reported"]
    );
    assert_eq!(
        entry(&report, &seldom)["usage"],
        json!({ "verdict": "unknown", "because": { "too_little_data": 18 } })
    );
    assert_eq!(
        [&unused, &used, &seldom].map(|id| tokens(&ec2, id)),
        ["required", "optional", "optional"]
    );
}
