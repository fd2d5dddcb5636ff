//! Enforcement that waits for tags, and ids that can be none.

use imds_tests::{FakeAws, Settle, launch};
use serde_json::json;

use crate::support::*;

fn with_grace(enforce_grace_seconds: u64, on_violation: &str) -> String {
    json!({
        "version": 1, "require": { "http_tokens": "required" }, "on_violation": on_violation,
        "new_instances": { "enforce_grace_seconds": enforce_grace_seconds, "grace_seconds": 0 },
        "rules": [{ "name": "keep", "when": { "tags": { "keep": "yes" } }, "action": "exempt" }]
    })
    .to_string()
}

#[test]
fn a_tag_that_comes_late_exempts_an_instance_from_enforcement() {
    for on_violation in ["enforce", "stop", "terminate"] {
        let ec2 = FakeAws::start();
        let young = || launch(REGION).launched(seconds(0));
        let tagged = ec2.launch(young().late_tag("keep", "yes", Settle::Describes(1)));
        let other = ec2.launch(young());
        let event = launched_ids(&ec2, &[tagged.clone(), other.clone()]);
        let run = function(&ec2, &with_grace(3, on_violation)).invoke(&event);
        assert_eq!(done(report(&run), &tagged), ["exempt", "", ""]);
        assert_eq!(ec2.instance(&tagged).options.tokens, "optional");
        assert_eq!(done(report(&run), &other)[1], "");
        assert_ne!(outcome(report(&run), &other), "exempt");
        assert!(run.duration >= seconds(1), "{:?}", run.duration);
    }
}

#[test]
fn without_a_grace_period_an_instance_is_enforced_at_once() {
    let ec2 = FakeAws::start();
    let tagged = ec2.launch(launch(REGION).launched(seconds(0)).late_tag(
        "keep",
        "yes",
        Settle::Describes(1),
    ));
    let run = function(&ec2, &with_grace(0, "enforce")).invoke(&launched_one(&ec2, &tagged));
    assert_eq!(outcome(report(&run), &tagged), "enforced");
}

#[test]
fn an_instance_that_is_old_enough_does_not_wait() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION).launched(seconds(10)));
    let run = function(&ec2, &with_grace(8, "enforce")).invoke(&launched_one(&ec2, &id));
    assert_eq!(outcome(report(&run), &id), "enforced");
    assert_eq!(ec2.count("DescribeInstances"), 1);
}

#[test]
fn a_sweep_leaves_an_instance_in_its_grace_period_to_the_next() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION).launched(seconds(5)));
    let run = function(&ec2, &with_grace(60, "enforce")).invoke(&sweep(&[REGION]));
    assert_eq!(done(report(&run), &id), ["reported", "enforce", "grace"]);
    assert_eq!(ec2.changing_calls().len(), 0);
}

#[test]
fn an_id_that_can_be_none_is_a_malformed_event_and_takes_no_call() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION));
    let function = function(&ec2, ENFORCE);
    for placeholder in ["i-YOUR_ID", "i-", "i-123", "i-0123456789abcdefg", "<id>"] {
        let mut launch = launched_one(&ec2, &id);
        launch["detail"]["responseElements"]["instancesSet"]["items"][0]["instanceId"] =
            json!(placeholder);
        let events = [
            launch,
            state_changed(placeholder, "running"),
            modified(placeholder, "ada", &json!({ "HttpTokens": "optional" })),
            started(&[&id, placeholder]),
        ];
        for event in &events {
            let error = function.invoke(event).result.unwrap_err();
            assert_eq!(error.error_type, "MalformedEvent", "{event}");
            let message = &error.error_message;
            assert!(message.contains(placeholder), "{message}");
        }
    }
    assert_eq!(ec2.calls().len(), 0);
}
