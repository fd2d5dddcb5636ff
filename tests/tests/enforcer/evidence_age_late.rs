//! The age of an instance is shown late, or changes while a call waits.

use std::thread::{scope, sleep};
use std::time::Duration;

use imds_tests::{FakeAws, InjectedFault, Settle, launch, wait_until};

use crate::support::*;

#[test]
fn an_instance_whose_interface_is_shown_late_is_described_again_and_then_terminated() {
    let ec2 = FakeAws::start();
    let late = ec2.launch(launch(REGION).interface_visible(Settle::Describes(2)));
    let other = ec2.launch(launch(REGION));
    let event = launched_ids(&ec2, &[late.clone(), other.clone()]);
    let run = function(&ec2, &without_grace("terminate")).invoke(&event);
    for id in [&late, &other] {
        assert_eq!(done(report(&run), id), ["terminated", "", ""]);
    }
    assert_eq!(ec2.disruptions().len(), 2);
}

#[test]
fn an_instance_whose_interface_is_not_shown_in_time_fails_so_that_the_event_is_retried() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION).interface_visible(Settle::Never));
    let event = launched_one(&ec2, &id);
    let function = function(&ec2, &without_grace("terminate"));
    let run = function.invoke_with_timeout(&event, seconds(3));
    let error = failure(&run);
    assert!(
        error.contains(&id) && error.contains("network interface"),
        "{error}"
    );
    assert_eq!(ec2.changing_calls().len(), 0);
    assert!(ec2.count("DescribeInstances") > 2);
}

#[test]
fn a_compliant_instance_without_an_interface_is_not_described_again() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION).no_interface());
    let event = launched_one(&ec2, &id);
    ec2.set_options(&id, |options| options.tokens = "required".to_owned());
    let run = function(&ec2, &without_grace("terminate")).invoke(&event);
    assert_eq!(outcome(report(&run), &id), "compliant");
    assert_eq!(ec2.calls().len(), 1);
}

#[test]
fn a_new_instance_without_a_volume_is_terminated() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION).no_volumes());
    let run = function(&ec2, &without_grace("terminate")).invoke(&launched_one(&ec2, &id));
    assert_eq!(done(report(&run), &id), ["terminated", "", ""]);
}

#[test]
fn a_clock_that_is_four_minutes_ahead_makes_no_age_unknown() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION).launched_at(ahead(4 * MINUTE)));
    let run = function(&ec2, &without_grace("terminate")).invoke(&launched_one(&ec2, &id));
    assert_eq!(done(report(&run), &id), ["terminated", "", ""]);
}

/// EC2 would do it right after the instance has become 15 minutes old.
#[test]
fn an_instance_that_turns_15_minutes_old_while_its_call_waits_is_only_enforced() {
    for (on_violation, action, seconds_left) in [
        ("terminate", "TerminateInstances", 14),
        ("stop", "StopInstances", 10),
    ] {
        let ec2 = FakeAws::start();
        let id = ec2.launch(launch(REGION).launched(seconds(15 * MINUTE - seconds_left)));
        let event = launched_one(&ec2, &id);
        ec2.fault(InjectedFault::throttle().action(action));
        let function = function(&ec2, &without_grace(on_violation));
        let first = ec2.instance(&id).first_launched;
        let run = scope(|scope| {
            let run = scope.spawn(|| function.invoke(&event));
            wait_until("the first attempt", || ec2.count(action) > 0);
            assert!(ago(15 * MINUTE) < first, "the first attempt came too late");
            while ago(15 * MINUTE) <= first {
                sleep(Duration::from_millis(10));
            }
            ec2.clear_faults();
            run.join().unwrap()
        });
        assert_eq!(ec2.disruptions(), []);
        assert_eq!(
            done(report(&run), &id),
            ["enforced", on_violation, "not_new"]
        );
        assert_eq!(ec2.instance(&id).options.tokens, "required");
        assert_eq!(ec2.instance(&id).state, "running");
    }
}
