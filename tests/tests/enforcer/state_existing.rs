//! `existing_per_hour`: how many existing instances are enforced in an hour and region.

use imds_tests::{FakeAws, InjectedFault, launch};
use serde_json::{Value, json};

use crate::support::*;
use crate::support_state::*;

const MODIFY: &str = "ModifyInstanceMetadataOptions";

fn limited_to(existing_per_hour: Value) -> String {
    json!({
        "version": 1, "require": { "http_tokens": "required" }, "on_violation": "enforce",
        "existing": { "unknown": "enforce" }, "limits": { "existing_per_hour": existing_per_hour }
    })
    .to_string()
}

fn old(ec2: &FakeAws, region: &str, count: usize) -> Vec<String> {
    ec2.launch_many(launch(region).launched(seconds(90 * DAY)), count)
}

/// How many instances of a sweep were enforced, reported and left for another.
fn counts(report: &Value) -> [u64; 3] {
    let summary = &report["summary"];
    let count = |value: &Value| value.as_u64().unwrap_or_default();
    [&summary["enforced"], &summary["reported"], &report["left"]].map(count)
}

#[test]
fn a_first_sweep_enforces_fifty_and_later_ones_go_on_when_their_hour_is_over() {
    let ec2 = FakeAws::start();
    let ids = old(&ec2, REGION, 60);
    let function = function(&ec2, &enforcing(json!({ "unknown": "enforce" })));
    let run = function.invoke(&sweep_here());
    assert_eq!(counts(report(&run)), [50, 10, 10]);
    let instances = report(&run)["instances"].as_array().unwrap();
    let left = instances
        .iter()
        .filter(|it| it["because"] == "existing_limit");
    assert_eq!(left.count(), 10);
    for (gauge, value) in [
        ("Enforced", 50),
        ("NonCompliant", 10),
        ("LeftForNextSweep", 10),
    ] {
        assert_eq!(metric(&run, gauge), [value], "{gauge}");
    }
    assert_eq!(metric(&run, "SweepIncomplete"), [0]);

    let run = function.invoke(&sweep_here());
    assert_eq!(counts(report(&run)), [0, 10, 10]);
    assert_eq!(metric(&run, "LeftForNextSweep"), [10]);
    assert_eq!(ec2.count(MODIFY), 50);

    let entries = entries(&ec2, EXISTING);
    assert_eq!(entries.len(), 50);
    let hour_later: Vec<(&str, _)> = entries
        .iter()
        .map(|(id, at)| (id.as_str(), *at - seconds(63 * MINUTE)))
        .collect();
    ec2.put_item(EXISTING, counted(&hour_later));
    let run = function.invoke(&sweep_here());
    assert_eq!(counts(report(&run)), [10, 0, 0]);
    assert_eq!(metric(&run, "LeftForNextSweep"), [] as [Value; 0]);
    assert!(
        ids.iter()
            .all(|id| ec2.instance(id).options.tokens == "required")
    );
}

/// More than a sweep evaluates in a region.
#[test]
fn a_sweep_of_a_large_fleet_says_how_many_are_left() {
    let ec2 = FakeAws::start();
    old(&ec2, REGION, 2000);
    let function = builder(&ec2, &limited_to(json!(50))).timeout(seconds(120));
    let run = function.start().invoke(&sweep_here());
    assert_eq!(counts(report(&run)), [50, 1950, 1950]);
    assert_eq!(metric(&run, "LeftForNextSweep"), [1950]);
    assert_eq!(metric(&run, "NonCompliant"), [1950]);
    assert_eq!(ec2.count(MODIFY), 50);
}

#[test]
fn the_limit_holds_for_each_region() {
    let ec2 = FakeAws::start();
    old(&ec2, REGION, 3);
    old(&ec2, "us-east-1", 3);
    let regions = [REGION, "us-east-1"];
    let run = function(&ec2, &limited_to(json!(2))).invoke(&sweep(&regions));
    assert_eq!(counts(report(&run)), [4, 2, 2]);
    for region in regions {
        let key = format!("existing#{ACCOUNT}#{region}");
        assert_eq!(entries(&ec2, &key).len(), 2, "{key}");
    }
}

#[test]
fn without_a_limit_all_are_enforced_and_with_zero_none_and_neither_is_counted() {
    for (limit, expected) in [(Value::Null, [60, 0, 0]), (json!(0), [0, 60, 60])] {
        let ec2 = FakeAws::start();
        old(&ec2, REGION, 60);
        let run = function(&ec2, &limited_to(limit)).invoke(&sweep_here());
        assert_eq!(counts(report(&run)), expected);
        assert_eq!(calls_for(&ec2, "existing#").len(), 0);
    }
}

#[test]
fn an_instance_that_is_tried_again_is_not_counted_again() {
    let ec2 = FakeAws::start();
    old(&ec2, REGION, 5);
    let function = function(&ec2, &limited_to(json!(3)));
    ec2.fault(InjectedFault::unauthorized().action(MODIFY));
    let run = function.invoke(&sweep_here());
    assert_eq!(report(&run)["summary"]["failed"], 3);
    assert_eq!(counts(report(&run)), [0, 2, 2]);
    assert_eq!(metric(&run, "SweepIncomplete"), [3]);
    ec2.clear_faults();
    let run = function.invoke(&sweep_here());
    assert_eq!(counts(report(&run)), [3, 2, 2]);
    assert_eq!(entries(&ec2, EXISTING).len(), 3);
}

#[test]
fn existing_instances_that_start_count_too_and_new_ones_do_not() {
    let ec2 = FakeAws::start();
    let ids = old(&ec2, REGION, 3);
    let new = ec2.launch(launch(REGION).launched(seconds(2 * HOUR)));
    unused(&ec2, &new);
    let function = function(&ec2, &limited_to(json!(2)));
    let started_all: Vec<&str> = ids.iter().chain([&new]).map(String::as_str).collect();
    let run = function.invoke(&started(&started_all));
    assert_eq!(done(report(&run), &new), ["enforced", "", ""]);
    assert_eq!(counts(report(&run))[..2], [3, 1]);
    let run = function.invoke(&sweep_here());
    assert_eq!(counts(report(&run)), [0, 1, 1]);
}

#[test]
fn nothing_that_exists_is_enforced_where_the_item_cannot_be_read() {
    let ec2 = FakeAws::start();
    old(&ec2, REGION, 2);
    let item = json!({ "version": 1, "entries": { "i-1": "now" } });
    ec2.put_item(EXISTING, item.clone());
    let run = function(&ec2, &limited_to(json!(50))).invoke(&sweep_here());
    assert_eq!(report(&run)["summary"]["failed"], 2);
    assert_eq!(metric(&run, "StateUnavailable"), [2]);
    assert_eq!(ec2.item(EXISTING), Some(item));
    assert_eq!(ec2.count(MODIFY), 0);
}
