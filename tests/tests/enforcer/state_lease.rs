//! One sweep at a time for an account, the first of a day, and the accounts that events name.

use std::thread::scope;

use imds_tests::{FakeAws, InjectedFault, launch, wait_until};
use jiff::Timestamp;
use jiff::tz::Offset;
use serde_json::{Value, json};

use crate::support::*;
use crate::support_state::*;

fn lease(holder: &str, until: Timestamp) -> Value {
    json!({ "holder": holder, "until": until.as_millisecond() })
}

fn lease_until(ec2: &FakeAws) -> Timestamp {
    let until = ec2.item(LEASE).unwrap()["until"].as_i64().unwrap();
    Timestamp::from_millisecond(until).unwrap()
}

fn today() -> String {
    Offset::UTC.to_datetime(Timestamp::now()).date().to_string()
}

#[test]
fn of_two_sweeps_at_once_the_second_is_ignored() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION));
    ec2.fault(InjectedFault::delay(seconds(4)).action("DescribeInstances"));
    let functions = [(); 2].map(|()| function(&ec2, ENFORCE));
    for function in &functions {
        assert_eq!(function.init_error(), None);
    }
    let [first, second] = &functions;
    scope(|scope| {
        let running = scope.spawn(|| first.invoke(&sweep_here()));
        wait_until("the lease", || ec2.item(LEASE).is_some());
        let until = lease_until(&ec2);
        let run = second.invoke(&sweep_here());
        let holder = ec2.item(LEASE).unwrap()["holder"].clone();
        let first = running.join().unwrap();
        assert_eq!(holder, first.request_id);
        assert_eq!(outcome(report(&first), &id), "enforced");
        let ignored = report(&run);
        assert_eq!(ignored["trigger"], "ignored");
        assert_eq!(
            (&ignored["account"], &ignored["instances"]),
            (&json!(ACCOUNT), &json!([]))
        );
        let why = ignored["reason"].as_str().unwrap();
        for part in [&first.request_id, &until.to_string()] {
            assert!(why.contains(part.as_str()), "{why}");
        }
        assert_eq!(metric_names(&run.stdout), [] as [&str; 0]);
        assert_eq!(metric(&first, "SweepIncomplete"), [0]);
    });
    assert_eq!(ec2.count("DescribeInstances"), 1);
}

#[test]
fn a_lease_that_has_ended_is_taken_and_one_that_has_not_is_respected() {
    for (until, expected) in [(ago(1), "sweep"), (ahead(HOUR), "ignored")] {
        let ec2 = FakeAws::start();
        let before = lease("8476a536-e9f4-11e8-9739-other", until);
        ec2.put_item(LEASE, before.clone());
        let run = function(&ec2, ENFORCE).invoke(&sweep_here());
        assert_eq!(report(&run)["trigger"], expected);
        let holder = &ec2.item(LEASE).unwrap()["holder"];
        match expected {
            "sweep" => assert_eq!(holder, &json!(run.request_id)),
            _ => assert_eq!(ec2.item(LEASE), Some(before)),
        }
    }
}

#[test]
fn a_sweep_gives_its_lease_back() {
    let ec2 = FakeAws::start();
    let function = function(&ec2, ENFORCE);
    for _ in 0..3 {
        let run = function.invoke(&sweep_here());
        assert_eq!(report(&run)["trigger"], "sweep");
        assert!(lease_until(&ec2) <= Timestamp::now());
    }
}

#[test]
fn the_lease_of_a_sweep_that_was_killed_ends_soon_after_its_time() {
    let ec2 = FakeAws::start();
    ec2.fault(InjectedFault::delay(seconds(20)).action("DescribeInstances"));
    let function = function(&ec2, ENFORCE);
    assert_eq!(function.init_error(), None);
    let process = function.process_id();
    scope(|scope| {
        let run = scope.spawn(|| function.invoke_with_timeout(&sweep_here(), seconds(20)));
        wait_until("the lease", || ec2.item(LEASE).is_some());
        kill(process);
        assert!(run.join().unwrap().result.is_err());
    });
    ec2.clear_faults();
    let until = lease_until(&ec2);
    assert!(until < ahead(20 + 60), "{until}");
    let run = function.invoke(&sweep_here());
    assert_eq!(report(&run)["trigger"], "ignored");
    let mut item = ec2.item(LEASE).unwrap();
    item["until"] = json!(ago(1).as_millisecond());
    ec2.put_item(LEASE, item);
    let run = function.invoke(&sweep_here());
    assert_eq!(report(&run)["trigger"], "sweep");
}

#[test]
fn a_lease_of_another_account_or_events_hold_nothing_up() {
    let ec2 = FakeAws::start();
    ec2.put_item("lease#999988887777", lease("other", ahead(HOUR)));
    let function = function(&ec2, ENFORCE);
    assert_eq!(report(&function.invoke(&sweep_here()))["trigger"], "sweep");
    ec2.put_item(LEASE, lease("other", ahead(HOUR)));
    let id = ec2.launch(launch(REGION));
    let run = function.invoke(&launched_one(&ec2, &id));
    assert_eq!(outcome(report(&run), &id), "enforced");
}

#[test]
fn a_lease_whose_write_is_answered_late_is_held_all_the_same() {
    let ec2 = FakeAws::start();
    let fault = InjectedFault::reset_after().action("UpdateItem");
    ec2.fault(fault.times(1));
    let run = function(&ec2, ENFORCE).invoke(&sweep_here());
    assert_eq!(report(&run)["trigger"], "sweep");
    assert_eq!(report(&run)["first_of_day"], true);
}

#[test]
fn only_the_first_complete_sweep_of_a_day_is_the_first() {
    let ec2 = FakeAws::start();
    let function = function(&ec2, ENFORCE);
    let first_of_day = |regions: &[&str]| {
        let run = function.invoke(&sweep(regions));
        report(&run)["first_of_day"].clone()
    };
    ec2.fault(InjectedFault::unauthorized().region("us-east-1"));
    assert_eq!(first_of_day(&[REGION, "us-east-1"]), Value::Null);
    assert_eq!(ec2.item(LEASE).unwrap()["day"], Value::Null);
    ec2.clear_faults();
    assert_eq!(first_of_day(&[REGION]), true);
    assert_eq!(ec2.item(LEASE).unwrap()["day"], today());
    assert_eq!(first_of_day(&[REGION]), Value::Null);
    assert_eq!(first_of_day(&[REGION]), Value::Null);
    let mut yesterday = ec2.item(LEASE).unwrap();
    yesterday["day"] = json!("2026-01-01");
    ec2.put_item(LEASE, yesterday);
    assert_eq!(first_of_day(&[REGION]), true);
    assert_eq!(first_of_day(&[REGION]), Value::Null);
}

#[test]
fn a_sweep_may_name_its_own_account_or_none_and_no_other() {
    let ec2 = FakeAws::start();
    ec2.launch(launch(REGION).tokens("required"));
    let function = function(&ec2, ENFORCE);
    let mut own = sweep_here();
    own["detail"]["accounts"] = json!([ACCOUNT]);
    let mut none = sweep_here();
    none.as_object_mut().unwrap().remove("account");
    for event in [own, none] {
        let run = function.invoke(&event);
        assert_eq!(report(&run)["summary"]["compliant"], 1);
    }
    ec2.forget_calls();
    let mut other = sweep_here();
    other["account"] = json!("999988887777");
    let mut of_other = sweep_here();
    of_other["detail"]["accounts"] = json!([ACCOUNT, "999988887777"]);
    for event in [other, of_other] {
        let run = function.invoke(&event);
        let error = run.result.unwrap_err();
        assert_eq!(error.error_type, "OtherAccount");
        assert!(error.error_message.contains("999988887777"), "{error}");
    }
    assert_eq!(ec2.calls().len(), 0);
}

#[test]
fn any_other_event_must_name_its_account() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION));
    let function = function(&ec2, ENFORCE);
    let events = [
        launched_one(&ec2, &id),
        started(&[&id]),
        state_changed(&id, "running"),
        modified(&id, "mallory", &json!({ "HttpTokens": "optional" })),
    ];
    for mut event in events {
        event.as_object_mut().unwrap().remove("account");
        let detail = event["detail"].as_object_mut().unwrap();
        detail.remove("recipientAccountId");
        let run = function.invoke(&event);
        let error = run.result.unwrap_err();
        assert_eq!(error.error_type, "OtherAccount", "{event}");
        assert!(error.error_message.contains("names no account"), "{error}");
    }
    assert_eq!(ec2.calls().len(), 0);
}
