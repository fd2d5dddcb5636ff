//! Pauses that people have written: the function reports instead of acting, and says so.

use imds_tests::{FakeAws, Invocation, launch};
use serde_json::{Value, json};

use crate::support::*;
use crate::support_state::*;

const EVERYWHERE: &str = "pause#111122223333";
const HERE: &str = "pause#111122223333#eu-central-1";

/// Drift of an old instance.
fn drifted(ec2: &FakeAws) -> (String, Invocation) {
    let id = ec2.launch(launch(REGION).launched(seconds(90 * DAY)));
    let event = modified(&id, "mallory", &json!({ "HttpTokens": "optional" }));
    let run = function(ec2, ENFORCE).invoke(&event);
    (id, run)
}

#[test]
fn a_pause_of_the_account_or_the_region_makes_the_function_report() {
    for key in [EVERYWHERE, HERE] {
        let ec2 = FakeAws::start();
        let end = ahead(DAY);
        ec2.put_item(key, until(end));
        let (id, run) = drifted(&ec2);
        assert_eq!(done(report(&run), &id), ["reported", "enforce", "paused"]);
        let why = reason(report(&run), &id);
        for part in ["paused until 2", "by ada", "vendor ticket 4711"] {
            assert!(why.contains(part), "{why}");
        }
        let paused =
            json!({ "until": end.to_string(), "reason": "vendor ticket 4711", "by": "ada" });
        assert_eq!(report(&run)["paused"], paused);
        assert_eq!(metric(&run, "Reported"), [1]);
        assert_eq!(ec2.changing_calls_of_ec2(), 0);
    }
}

#[test]
fn a_pause_keeps_new_instances_from_being_disrupted() {
    let ec2 = FakeAws::start();
    ec2.put_item(HERE, until(ahead(HOUR)));
    let id = ec2.launch(launch(REGION));
    let run = function(&ec2, &limited("terminate", 10)).invoke(&launched_one(&ec2, &id));
    assert_eq!(done(report(&run), &id), ["reported", "terminate", "paused"]);
    assert!(report(&run)["paused"].is_object());
    assert_eq!(ec2.changing_calls_of_ec2(), 0);
}

#[test]
fn a_pause_that_has_ended_or_is_of_others_pauses_nothing() {
    let pauses = [
        (EVERYWHERE, ago(1)),
        (HERE, ago(1)),
        ("pause#111122223333#us-east-1", ahead(DAY)),
        ("pause#999988887777", ahead(DAY)),
        ("pause#999988887777#eu-central-1", ahead(DAY)),
    ];
    for (key, end) in pauses {
        let ec2 = FakeAws::start();
        ec2.put_item(key, until(end));
        let (id, run) = drifted(&ec2);
        assert_eq!(done(report(&run), &id), ["enforced", "", ""], "{key}");
        assert_eq!(report(&run)["paused"], Value::Null);
    }
}

#[test]
fn a_pause_that_cannot_be_read_holds() {
    let items = [
        json!({}),
        json!({ "until": "tomorrow" }),
        json!({ "until": 1_772_359_200 }),
        json!({ "until": ago(DAY).to_string(), "reason": ["a", "list"] }),
    ];
    for item in items {
        let ec2 = FakeAws::start();
        ec2.put_item(EVERYWHERE, item.clone());
        let (id, run) = drifted(&ec2);
        assert_eq!(
            done(report(&run), &id),
            ["reported", "enforce", "paused"],
            "{item}"
        );
        let paused = &report(&run)["paused"];
        assert_eq!(
            (&paused["until"], &paused["by"]),
            (&Value::Null, &Value::Null)
        );
        let why = paused["reason"].as_str().unwrap();
        assert!(why.contains("`pause#111122223333`"), "{why}");
    }
}

#[test]
fn one_of_two_pauses_that_has_ended_does_not_end_the_other() {
    for (ended, holds) in [(EVERYWHERE, HERE), (HERE, EVERYWHERE)] {
        let ec2 = FakeAws::start();
        ec2.put_item(ended, until(ago(DAY)));
        ec2.put_item(holds, until(ahead(DAY)));
        let (id, run) = drifted(&ec2);
        assert_eq!(done(report(&run), &id), ["reported", "enforce", "paused"]);
    }
}

#[test]
fn an_exemption_counts_before_a_pause() {
    let ec2 = FakeAws::start();
    let ids = ec2.launch_many(launch(REGION), 2);
    ec2.put_item(EVERYWHERE, until(ahead(DAY)));
    ec2.put_item(&format!("exempt#{}", ids[0]), until(ahead(DAY)));
    let run = function(&ec2, &limited("terminate", 10)).invoke(&launched_ids(&ec2, &ids));
    assert_eq!(outcome(report(&run), &ids[0]), "exempt");
    assert_eq!(
        done(report(&run), &ids[1]),
        ["reported", "terminate", "paused"]
    );
}

#[test]
fn a_sweep_reports_in_a_paused_region_acts_in_others_and_has_a_gauge() {
    let ec2 = FakeAws::start();
    ec2.put_item("pause#111122223333#us-east-1", until(ahead(DAY)));
    let old = |region| {
        let id = ec2.launch(launch(region).launched(seconds(90 * DAY)));
        unused(&ec2, &id);
        id
    };
    let (here, there) = (old(REGION), old("us-east-1"));
    let function = function(&ec2, ENFORCE);
    let run = function.invoke(&sweep(&[REGION, "us-east-1"]));
    assert_eq!(done(report(&run), &here), ["enforced", "", ""]);
    assert_eq!(
        done(report(&run), &there),
        ["reported", "enforce", "paused"]
    );
    assert_eq!(report(&run)["paused"]["by"], "ada");
    assert_eq!(metric(&run, "Paused"), [1]);
    assert_eq!(metric(&run, "NonCompliant"), [1]);
    assert_eq!(metric(&run, "SweepIncomplete"), [0]);
    let run = function.invoke(&sweep_here());
    assert_eq!(report(&run)["paused"], Value::Null);
    assert_eq!(metric(&run, "Paused"), [] as [Value; 0]);
}

/// The alarm on the gauge rings while a pause holds, also where there is nothing to be done.
#[test]
fn a_sweep_tells_of_a_pause_where_everything_is_compliant() {
    let ec2 = FakeAws::start();
    ec2.launch(launch(REGION).tokens("required"));
    for key in [EVERYWHERE, HERE] {
        ec2.put_item(key, until(ahead(DAY)));
        let run = function(&ec2, ENFORCE).invoke(&sweep_here());
        assert_eq!(report(&run)["paused"]["by"], "ada", "{key}");
        assert_eq!(metric_names(&run.stdout), ["Paused", "SweepIncomplete"]);
        assert_eq!(metric(&run, "Paused"), [1]);
        ec2.remove_item(key);
    }
}

#[test]
fn paused_instances_use_up_no_limit() {
    let ec2 = FakeAws::start();
    ec2.put_item(EVERYWHERE, until(ahead(DAY)));
    let id = ec2.launch(launch(REGION).launched(seconds(90 * DAY)));
    unused(&ec2, &id);
    drifted(&ec2);
    let new = ec2.launch(launch(REGION));
    let function = function(&ec2, &limited("terminate", 10));
    function.invoke(&launched_one(&ec2, &new));
    function.invoke(&sweep_here());
    let keys: Vec<String> = ec2.items().into_keys().collect();
    assert_eq!(keys, [LEASE, EVERYWHERE]);
}
