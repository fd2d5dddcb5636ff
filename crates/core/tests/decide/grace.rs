//! Waiting, because tags come late.

use imds_core::decide::{Because, Discovery, Instead, UsageGate};
use imds_core::plan::{Plan, Waiting};
use imds_core::policy::{Action, Policy};

use crate::{HOUR, MINUTE, ago, done, launch_event, launched, now, of_unknown_age, open, policy};

fn with_grace(on_violation: &str, grace: u32, enforce_grace: u32) -> Policy {
    policy(&format!(
        r#"{{"require": {{"http_tokens": "required"}}, "on_violation": "{on_violation}",
            "new_instances": {{"grace_seconds": {grace}, "enforce_grace_seconds": {enforce_grace}}}}}"#
    ))
}

fn waits(policy: &Policy, seconds_old: i64, discovery: Discovery) -> Option<Waiting> {
    Plan::new(policy, [launched(seconds_old)], now(), discovery).split_off_waiting(policy, now())
}

/// How old an instance that is 10 seconds old is when it is described again.
#[track_caller]
fn waits_until_age(policy: &Policy) -> Option<i64> {
    let waiting = waits(policy, 10, launch_event())?;
    Some(waiting.until.duration_since(ago(10)).as_secs())
}

#[test]
fn what_is_to_be_disrupted_waits_until_it_is_old_enough() {
    for action in ["stop", "terminate"] {
        let policy = with_grace(action, 60, 0);
        let old = launched(60);
        let unknown = of_unknown_age();
        let instances = [open(), old.clone(), unknown.clone()];
        let mut plan = Plan::new(&policy, instances, now(), launch_event());
        let waiting = plan.split_off_waiting(&policy, now()).unwrap();
        let ready: Vec<_> = plan.steps.iter().map(|s| &s.instance).collect();
        assert_eq!(ready, [&old, &unknown]);
        assert_eq!(waiting.instances, [open()]);
        assert_eq!(waiting.until, ago(10 - 60));
    }
}

#[test]
fn what_is_to_be_enforced_waits_only_for_its_own_grace() {
    assert_eq!(waits_until_age(&with_grace("enforce", 600, 0)), None);
    assert_eq!(waits_until_age(&with_grace("enforce", 0, 30)), Some(30));
    assert_eq!(waits_until_age(&with_grace("enforce", 600, 30)), Some(30));
}

#[test]
fn what_is_to_be_disrupted_waits_for_the_longer_grace_because_enforcing_is_its_fallback() {
    assert_eq!(waits_until_age(&with_grace("stop", 60, 30)), Some(60));
    assert_eq!(waits_until_age(&with_grace("stop", 30, 90)), Some(90));
    assert_eq!(waits_until_age(&with_grace("terminate", 0, 0)), None);
}

#[test]
fn what_is_only_reported_does_not_wait() {
    assert_eq!(waits_until_age(&with_grace("report", 600, 600)), None);
}

#[test]
fn the_grace_is_over_at_its_last_second_whoever_tells_of_the_instance() {
    let policy = with_grace("terminate", 60, 0);
    for discovery in [launch_event(), Discovery::Start, Discovery::Sweep] {
        assert_eq!(
            waits(&policy, 59, discovery).map(|it| it.until),
            Some(ago(-1))
        );
        assert_eq!(waits(&policy, 60, discovery), None);
    }
}

#[test]
fn without_a_grace_nothing_waits_though_the_clock_of_ec2_is_ahead() {
    for action in ["enforce", "stop", "terminate"] {
        let policy = with_grace(action, 0, 0);
        for seconds_old in [-300, -1, 0] {
            assert_eq!(waits(&policy, seconds_old, launch_event()), None);
        }
    }
    let waiting = waits(&with_grace("stop", 30, 0), -20, launch_event());
    assert_eq!(waiting.unwrap().until, ago(-50));
}

#[test]
fn the_youngest_instance_decides_how_long_all_wait() {
    let policy = with_grace("terminate", 60, 0);
    let instances = [launched(40), launched(3), launched(20)];
    let mut plan = Plan::new(&policy, instances, now(), launch_event());
    let waiting = plan.split_off_waiting(&policy, now()).unwrap();
    assert_eq!(waiting.until, ago(3 - 60));
    assert_eq!(waiting.instances.len(), 3);
}

#[test]
fn what_is_not_new_does_not_wait_although_it_was_started_just_now() {
    let policy = with_grace("enforce", 600, 600);
    for age in [16 * MINUTE, 30 * HOUR] {
        let mut restarted = launched(age);
        restarted.started_at = Some(ago(1));
        let late = Discovery::Request(UsageGate::Ignored);
        let mut plan = Plan::new(&policy, [restarted], now(), late);
        assert_eq!(plan.split_off_waiting(&policy, now()), None);
        assert_eq!(plan.steps.len(), 1);
    }
}

#[test]
fn a_sweep_reports_what_would_have_to_wait() {
    let policy = with_grace("stop", 60, 0);
    let mut plan = Plan::new(&policy, [open(), launched(61)], now(), Discovery::Sweep);
    plan.leave_waiting(&policy, now());
    let instead = Instead {
        of: Action::Stop,
        because: Because::Grace,
    };
    let [young, old] = plan.steps.as_slice() else {
        panic!()
    };
    assert_eq!(
        done(young.non_compliant().unwrap()),
        (Action::Report, Some(&instead))
    );
    assert_eq!(done(old.non_compliant().unwrap()), (Action::Stop, None));
}
