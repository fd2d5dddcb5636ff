//! What waits for what, and how many calls there are.

use imds_tests::{FakeAws, InjectedFault, launch};
use serde_json::json;

use crate::support::*;

const MODIFY: &str = "ModifyInstanceMetadataOptions";

#[test]
fn what_is_over_the_limit_is_enforced_with_the_others_and_before_any_termination() {
    let policy = json!({
        "version": 1, "require": { "http_tokens": "required" }, "on_violation": "enforce",
        "new_instances": { "grace_seconds": 0 }, "limits": { "disruptions_per_hour": 2 },
        "rules": [{ "name": "sandbox", "when": { "tags": { "app": "sandbox" } }, "action": "terminate" }]
    });
    let ec2 = FakeAws::start();
    let sandboxes = ec2.launch_many(launch(REGION).tag("app", "sandbox"), 6);
    let others = ec2.launch_many(launch(REGION), 2);
    let all = [sandboxes, others].concat();
    ec2.fault(InjectedFault::delay(seconds(1)).action("GetItem"));
    let run = function(&ec2, &policy.to_string()).invoke(&launched_ids(&ec2, &all));
    let summary = &report(&run)["summary"];
    assert_eq!(
        (&summary["terminated"], &summary["enforced"]),
        (&json!(2), &json!(6))
    );
    let modified = ec2.calls_to(MODIFY);
    let [terminated] = ec2.calls_to("TerminateInstances").try_into().unwrap();
    assert_eq!(modified.len(), 6);
    let first = modified[0].at;
    for call in &modified {
        assert!(call.at.duration_since(first) < seconds(1) / 2);
    }
    assert!(terminated.at.duration_since(first) > seconds(1) / 2);
}

#[test]
fn the_exposure_of_each_instance_ends_with_its_own_change() {
    let ec2 = FakeAws::start();
    let ids = ec2.launch_many(launch(REGION).launched(seconds(10)), 2);
    let slow = InjectedFault::delay(seconds(3)).action(MODIFY);
    ec2.fault(slow.instance(&ids[1]));
    let run = function(&ec2, ENFORCE).invoke(&launched_ids(&ec2, &ids));
    let [exposed] = metric(&run, "SecondsExposed").try_into().unwrap();
    let exposed = exposed.as_array().unwrap();
    let [fast, slow] = [0, 1].map(|n| exposed[n].as_f64().unwrap());
    assert!((10.0..13.0).contains(&fast), "{exposed:?}");
    assert!((2.5..4.5).contains(&(slow - fast)), "{exposed:?}");
}

#[test]
fn a_disrupted_instance_was_not_exposed() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION));
    let run = function(&ec2, &without_grace("stop")).invoke(&launched_one(&ec2, &id));
    assert_eq!(metric(&run, "Stopped"), [1]);
    assert_eq!(metric(&run, "SecondsExposed"), [] as [serde_json::Value; 0]);
}

#[test]
fn a_launch_record_that_shows_200_compliant_instances_costs_no_call() {
    let ec2 = FakeAws::start();
    let ids = ec2.launch_many(launch(REGION).tokens("required"), 200);
    let run = function(&ec2, ENFORCE).invoke(&launched_ids(&ec2, &ids));
    assert_eq!(report(&run)["summary"]["compliant"], 200);
    assert_eq!(ec2.calls().len(), 0);
}

#[test]
fn up_to_200_non_compliant_instances_cost_one_describe_and_one_change_each() {
    for count in [1, 7, 200] {
        let ec2 = FakeAws::start();
        let ids = ec2.launch_many(launch(REGION), count);
        ec2.launch_many(launch(REGION).tokens("required"), 3);
        let run = function(&ec2, ENFORCE).invoke(&launched_ids(&ec2, &ids));
        assert_eq!(report(&run)["summary"]["enforced"], count);
        assert_eq!(
            (ec2.count("DescribeInstances"), ec2.count(MODIFY)),
            (1, count)
        );
        assert_eq!(ec2.calls().len(), count + 1);
    }
}
