//! Whether IMDSv1 is used: what CloudWatch must show, and what is done where it does not.

use imds_tests::{FakeAws, launch};
use serde_json::{Value, json};

use crate::support::*;

const CALLS: &str = "MetadataNoToken";
const REJECTED: &str = "MetadataNoTokenRejected";

fn old(ec2: &FakeAws) -> String {
    ec2.launch(launch(REGION).launched(seconds(90 * DAY)))
}

fn usage(report: &Value, id: &str) -> Value {
    entry(report, id)["usage"].clone()
}

/// An instance with 5,000 calls two weeks ago, which `PartialData` leaves out.
fn once_in_use(ec2: &FakeAws) -> String {
    let id = old(ec2);
    ec2.datapoint(&id, CALLS, ago(13 * DAY), 5000.0);
    hourly(ec2, &id, CALLS, 60, 1, 0.0);
    id
}

#[test]
fn an_answer_that_is_not_complete_leaves_the_use_unknown() {
    for code in ["PartialData", "InternalError", "Forbidden"] {
        for metric in [CALLS, REJECTED] {
            let ec2 = FakeAws::start();
            let id = if code == "PartialData" {
                once_in_use(&ec2)
            } else {
                let id = old(&ec2);
                unused(&ec2, &id);
                id
            };
            ec2.set_status_code(&id, CALLS, if metric == CALLS { code } else { "Complete" });
            ec2.set_status_code(&id, metric, code);
            let policy = enforcing(json!({ "unknown": "enforce" }));
            let run = function(&ec2, &policy).invoke(&sweep(&[REGION]));
            let report = report(&run);
            if code == "PartialData" && metric == REJECTED {
                assert_eq!(done(report, &id), ["reported", "enforce", "in_use"]);
                continue;
            }
            assert_eq!(
                done(report, &id),
                ["reported", "enforce", "usage_unknown"],
                "{code} of {metric}"
            );
            assert_eq!(
                usage(report, &id),
                json!({ "verdict": "unknown", "because": { "incomplete": code } })
            );
            assert_eq!(ec2.changing_calls().len(), 0);
        }
    }
}

#[test]
fn an_answer_that_is_not_complete_is_no_reason_to_enforce_a_launch_that_the_sweep_finds() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION).launched(seconds(30 * MINUTE)));
    ec2.datapoint(&id, CALLS, ago(20 * MINUTE), 0.0);
    ec2.set_status_code(&id, CALLS, "InternalError");
    let run = function(&ec2, ENFORCE).invoke(&sweep(&[REGION]));
    assert_eq!(
        done(report(&run), &id),
        ["reported", "enforce", "usage_unknown"]
    );
}

#[test]
fn calls_in_an_answer_that_is_not_complete_are_use() {
    let ec2 = FakeAws::start();
    let id = old(&ec2);
    in_use(&ec2, &id);
    ec2.set_status_code(&id, CALLS, "PartialData");
    let run = function(&ec2, ENFORCE).invoke(&sweep(&[REGION]));
    assert_eq!(done(report(&run), &id), ["reported", "enforce", "in_use"]);
    assert_eq!(usage(report(&run), &id)["calls"], 5000);
}

#[test]
fn a_fleet_that_is_stopped_at_night_is_judged_by_its_days() {
    let ec2 = FakeAws::start();
    let nightly = || {
        let old = launch(REGION).launched(seconds(90 * DAY));
        ec2.launch(old.started(seconds(2 * HOUR)))
    };
    let (three_days, two_days, busy) = (nightly(), nightly(), nightly());
    for (id, days) in [(&three_days, 3), (&two_days, 2), (&busy, 3)] {
        for day in 0..days {
            hourly(&ec2, id, CALLS, 10, 24 * day + 1, 0.0);
        }
    }
    ec2.datapoint(&busy, CALLS, ago(2 * DAY + 5 * HOUR), 3.0);
    let run = function(&ec2, ENFORCE).invoke(&sweep(&[REGION]));
    let report = report(&run);
    assert_eq!(done(report, &three_days), ["enforced", "", ""]);
    assert_eq!(usage(report, &three_days)["verdict"], "unused");
    assert_eq!(
        done(report, &two_days),
        ["reported", "enforce", "usage_unknown"]
    );
    assert_eq!(
        usage(report, &two_days)["because"],
        json!({ "too_little_data": 20 })
    );
    assert_eq!(done(report, &busy), ["reported", "enforce", "in_use"]);
}

#[test]
fn the_policy_says_how_many_hours_of_data_are_enough() {
    let ec2 = FakeAws::start();
    let (enough, too_little) = (old(&ec2), old(&ec2));
    hourly(&ec2, &enough, CALLS, 12, 1, 0.0);
    hourly(&ec2, &too_little, CALLS, 11, 1, 0.0);
    let policy = enforcing(json!({ "usage_data_hours": 12 }));
    let run = function(&ec2, &policy).invoke(&sweep(&[REGION]));
    assert_eq!(outcome(report(&run), &enough), "enforced");
    assert_eq!(outcome(report(&run), &too_little), "reported");
}

#[test]
fn an_unused_instance_that_was_not_started_within_the_window_says_so() {
    let ec2 = FakeAws::start();
    let running = old(&ec2);
    let started = ec2.launch(
        launch(REGION)
            .launched(seconds(90 * DAY))
            .started(seconds(5 * DAY)),
    );
    for id in [&running, &started] {
        unused(&ec2, id);
    }
    let run = function(&ec2, ENFORCE).invoke(&sweep(&[REGION]));
    let report = report(&run);
    let not_started = |id: &str| usage(report, id).get("not_started_within_window").cloned();
    assert_eq!(not_started(&running), Some(json!(true)));
    assert_eq!(not_started(&started), None);
}

#[test]
fn rejected_calls_count_as_use() {
    let policy = json!({
        "version": 1, "require": { "http_tokens": "required", "hop_limit": { "at_most": 1 } },
        "on_violation": "enforce"
    });
    let ec2 = FakeAws::start();
    let far = launch(REGION).launched(seconds(90 * DAY)).hop_limit(3);
    let failing = ec2.launch(far.clone().tokens("required"));
    let both = ec2.launch(far.clone());
    let quiet = ec2.launch(far.tokens("required"));
    for id in [&failing, &both, &quiet] {
        unused(&ec2, id);
    }
    ec2.datapoint(&failing, REJECTED, ago(5 * DAY), 7.0);
    ec2.datapoint(&both, CALLS, ago(6 * DAY), 30.0);
    ec2.datapoint(&both, REJECTED, ago(5 * DAY), 12.0);
    let run = function(&ec2, &policy.to_string()).invoke(&sweep(&[REGION]));
    let report = report(&run);
    for (id, calls) in [(&failing, 7), (&both, 42)] {
        assert_eq!(done(report, id), ["reported", "enforce", "in_use"]);
        assert_eq!(usage(report, id)["calls"], calls);
    }
    assert_eq!(done(report, &quiet), ["enforced", "", ""]);
}

#[test]
fn a_launch_that_no_event_told_is_enforced_by_the_next_sweep_unless_imdsv1_is_in_use() {
    for on_violation in ["enforce", "stop", "terminate"] {
        let ec2 = FakeAws::start();
        let missed = || ec2.launch(launch(REGION).launched(seconds(30 * MINUTE)));
        let [no_data, little_data, busy] = [(); 3].map(|()| missed());
        ec2.datapoint(&little_data, CALLS, ago(10 * MINUTE), 0.0);
        ec2.datapoint(&busy, CALLS, ago(10 * MINUTE), 4.0);
        let run = function(&ec2, &without_grace(on_violation)).invoke(&sweep(&[REGION]));
        let enforced = match on_violation {
            "enforce" => ["enforced", "", ""],
            _ => ["enforced", on_violation, "not_new"],
        };
        assert_eq!(done(report(&run), &no_data), enforced);
        assert_eq!(done(report(&run), &little_data), enforced);
        assert_eq!(
            done(report(&run), &busy),
            ["reported", on_violation, "in_use"]
        );
        assert_eq!(ec2.disruptions(), []);
        assert_eq!(ec2.count("ModifyInstanceMetadataOptions"), 2);
    }
}

#[test]
fn a_launch_event_that_comes_an_hour_late_asks_for_the_use() {
    let ec2 = FakeAws::start();
    let late = || ec2.launch(launch(REGION).launched(seconds(HOUR)));
    let (quiet, busy) = (late(), late());
    ec2.datapoint(&busy, CALLS, ago(10 * MINUTE), 4.0);
    let event = launched_ids(&ec2, &[quiet.clone(), busy.clone()]);
    let run = function(&ec2, ENFORCE).invoke(&happened(event, ago(HOUR)));
    assert_eq!(outcome(report(&run), &quiet), "enforced");
    assert_eq!(done(report(&run), &busy), ["reported", "enforce", "in_use"]);
}

#[test]
fn the_policy_may_enforce_a_recent_instance_that_uses_imdsv1() {
    let policy = json!({
        "version": 1, "require": { "http_tokens": "required" }, "on_violation": "enforce",
        "new_instances": { "in_use": "enforce", "enforce_within_hours": 2 }
    });
    let ec2 = FakeAws::start();
    let recent = ec2.launch(launch(REGION).launched(seconds(HOUR)));
    let older = ec2.launch(launch(REGION).launched(seconds(3 * HOUR)));
    for id in [&recent, &older] {
        ec2.datapoint(id, CALLS, ago(10 * MINUTE), 4.0);
    }
    let run = function(&ec2, &policy.to_string()).invoke(&sweep(&[REGION]));
    assert_eq!(outcome(report(&run), &recent), "enforced");
    assert_eq!(
        done(report(&run), &older),
        ["reported", "enforce", "in_use"]
    );
}
