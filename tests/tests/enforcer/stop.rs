//! A stop also requires tokens, so that the instance is compliant when it is started again.

use std::thread::{scope, sleep};
use std::time::Instant;

use imds_tests::{FakeAws, InjectedFault, Settle, launch, wait_until};
use serde_json::json;

use crate::support::*;

const MODIFY: &str = "ModifyInstanceMetadataOptions";

#[test]
fn tokens_are_required_before_the_stop() {
    let ec2 = FakeAws::start();
    let ids = ec2.launch_many(launch(REGION), 3);
    let run = function(&ec2, &without_grace("stop")).invoke(&launched_ids(&ec2, &ids));
    for id in &ids {
        let instance = entry(report(&run), id);
        assert_eq!(done(report(&run), id), ["stopped", "", ""]);
        assert_eq!(instance["before"]["http_tokens"], "optional");
        assert_eq!(instance["after"]["http_tokens"], "required");
        assert_eq!(ec2.instance(id).options.tokens, "required");
        assert_eq!(ec2.instance(id).state, "stopping");
    }
    let calls = ec2.changing_calls();
    let actions: Vec<&str> = calls.iter().map(|call| call.action.as_str()).collect();
    assert_eq!(actions, [MODIFY, MODIFY, MODIFY, "StopInstances"]);
    assert_eq!(ec2.count("DescribeInstances"), 1);
}

#[test]
fn a_pending_instance_is_enforced_at_once_and_stopped_when_it_runs() {
    let ec2 = FakeAws::start();
    let starts = launch(REGION).becomes_running(Settle::After(seconds(3)));
    let id = ec2.launch(starts.launched(seconds(1)));
    let event = launched_one(&ec2, &id);
    let function = function(&ec2, &without_grace("stop"));
    let run = scope(|scope| {
        let run = scope.spawn(|| function.invoke(&event));
        wait_until("the change", || {
            ec2.instance(&id).options.tokens == "required"
        });
        assert_eq!(ec2.instance(&id).state, "pending");
        run.join().unwrap()
    });
    assert_eq!(done(report(&run), &id), ["stopped", "", ""]);
    assert_eq!(ec2.count(MODIFY), 1);
    let calls = ec2.calls();
    let stops = calls.iter().enumerate();
    let stops: Vec<usize> = stops
        .filter(|(_, call)| call.action == "StopInstances")
        .map(|(n, _)| n)
        .collect();
    assert!(stops.len() > 1, "{}", stops.len());
    for stop in &stops[1..] {
        assert_eq!(calls[stop - 1].action, "DescribeInstances");
    }
}

#[test]
fn an_instance_that_never_runs_is_enforced_and_the_function_succeeds() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION).state("pending"));
    let running = ec2.launch(launch(REGION));
    let event = launched_ids(&ec2, &[id.clone(), running.clone()]);
    let run = function(&ec2, &without_grace("stop")).invoke_with_timeout(&event, seconds(6));
    assert_eq!(done(report(&run), &id), ["enforced", "stop", "refused"]);
    let why = reason(report(&run), &id);
    assert!(why.contains("has never reached"), "{why}");
    assert_eq!(ec2.instance(&id).options.tokens, "required");
    assert_eq!(done(report(&run), &running), ["stopped", "", ""]);
}

#[test]
fn a_pending_instance_that_is_no_longer_new_is_not_stopped_when_it_runs() {
    let ec2 = FakeAws::start();
    let old = launch(REGION).launched(seconds(15 * MINUTE - 9));
    let id = ec2.launch(old.becomes_running(Settle::After(seconds(9))));
    let run = function(&ec2, &without_grace("stop")).invoke(&launched_one(&ec2, &id));
    assert!(ec2.count("StopInstances") > 1);
    assert_eq!(done(report(&run), &id), ["enforced", "stop", "not_new"]);
    assert_eq!(ec2.disruptions(), []);
}

#[test]
fn a_pending_instance_that_a_late_tag_exempts_is_not_stopped() {
    let policy = json!({
        "version": 1, "require": { "http_tokens": "required" }, "on_violation": "stop",
        "new_instances": { "grace_seconds": 0 },
        "rules": [{ "name": "keep", "when": { "tags": { "keep": "yes" } }, "action": "exempt" }]
    });
    let ec2 = FakeAws::start();
    let starts = launch(REGION).becomes_running(Settle::After(seconds(3)));
    let id = ec2.launch(starts.late_tag("keep", "yes", Settle::After(seconds(2))));
    let run = function(&ec2, &policy.to_string()).invoke(&launched_one(&ec2, &id));
    assert_eq!(
        done(report(&run), &id),
        ["enforced", "stop", "rule_changed"]
    );
    assert_eq!(ec2.disruptions(), []);
}

#[test]
fn an_instance_that_terminates_before_its_stop_is_gone() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION).state("pending"));
    let event = launched_one(&ec2, &id);
    let function = function(&ec2, &without_grace("stop"));
    let run = scope(|scope| {
        let run = scope.spawn(|| function.invoke(&event));
        wait_until("the first attempt", || ec2.count("StopInstances") > 0);
        ec2.terminate(&id);
        run.join().unwrap()
    });
    assert_eq!(outcome(report(&run), &id), "gone");
}

#[test]
fn a_new_instance_that_is_stopped_already_is_enforced() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION).state("stopped"));
    let run = function(&ec2, &without_grace("stop")).invoke(&launched_one(&ec2, &id));
    assert_eq!(
        done(report(&run), &id),
        ["enforced", "stop", "already_stopped"]
    );
    assert_eq!(ec2.count("StopInstances"), 0);
    assert_eq!(ec2.instance(&id).options.tokens, "required");
}

#[test]
fn an_instance_whose_options_cannot_be_set_yet_keeps_no_other_from_being_stopped() {
    let ec2 = FakeAws::start();
    let stuck = ec2.launch(launch(REGION).refuse_modify(1000));
    let other = ec2.launch(launch(REGION));
    let event = launched_ids(&ec2, &[stuck.clone(), other.clone()]);
    let run = function(&ec2, &without_grace("stop")).invoke_with_timeout(&event, seconds(6));
    assert_eq!(ec2.instance(&other).options.tokens, "required");
    assert_eq!(ec2.instance(&other).state, "stopping");
    assert!(failure(&run).contains(&stuck), "{}", failure(&run));
    let calls = ec2.calls();
    let at = |action: &str| calls.iter().find(|call| call.action == action).unwrap().at;
    let waited = at("StopInstances").duration_since(at(MODIFY));
    assert!(waited < seconds(2), "{waited:?}");
}

#[test]
fn an_instance_is_stopped_even_where_its_options_cannot_be_set() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION));
    ec2.fault(InjectedFault::unauthorized().action(MODIFY));
    let run = function(&ec2, &without_grace("stop")).invoke(&launched_one(&ec2, &id));
    assert_eq!(ec2.instance(&id).state, "stopping");
    // It opens again when it is started, and so the event is retried.
    assert!(
        failure(&run).contains("UnauthorizedOperation"),
        "{}",
        failure(&run)
    );
}

#[test]
fn an_instance_whose_enforcement_took_over_a_minute_is_described_again_before_it_is_stopped() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION));
    ec2.fault(InjectedFault::error("IncorrectInstanceState", 400).action(MODIFY));
    let event = launched_one(&ec2, &id);
    let function = function(&ec2, &without_grace("stop"));
    let begun = Instant::now();
    let run = scope(|scope| {
        let run = scope.spawn(|| function.invoke_with_timeout(&event, seconds(120)));
        wait_until("the first attempt", || ec2.count(MODIFY) > 0);
        ec2.tag(&id, "aws:autoscaling:groupName", "web");
        sleep(seconds(61).saturating_sub(begun.elapsed()));
        ec2.clear_faults();
        run.join().unwrap()
    });
    assert_eq!(done(report(&run), &id), ["enforced", "stop", "replaced"]);
    assert_eq!(ec2.count("StopInstances"), 0);
}
