//! What the item of the disruption limit holds, and what counts in it.

use imds_tests::{FakeAws, Settle, launch};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::support::*;
use crate::support_state::*;

const LIMITED: [&str; 3] = ["enforced", "terminate", "disruption_limit"];
const TERMINATED: [&str; 3] = ["terminated", "", ""];

/// What is done about a new launch.
#[track_caller]
fn one_launch(ec2: &FakeAws, limit: u32) -> [String; 3] {
    let id = ec2.launch(launch(REGION));
    let run = function(ec2, &limited("terminate", limit)).invoke(&launched_one(ec2, &id));
    done(report(&run), &id).map(str::to_owned)
}

#[test]
fn an_entry_counts_for_62_minutes_and_one_of_the_future_counts() {
    let cases = [
        (ago(61 * MINUTE), LIMITED),
        (ago(63 * MINUTE), TERMINATED),
        (ago(MINUTE), LIMITED),
        (ahead(10 * MINUTE), LIMITED),
        (ahead(365 * DAY), LIMITED),
    ];
    for (at, expected) in cases {
        let ec2 = FakeAws::start();
        ec2.put_item(LIMIT, counted(&[("i-0123456789abcdef0", at)]));
        assert_eq!(one_launch(&ec2, 1), expected, "{at}");
        let terminated = usize::from(expected == TERMINATED);
        assert_eq!(ec2.disruptions().len(), terminated);
        assert_eq!(entries(&ec2, LIMIT).len(), 1);
    }
}

/// A process's clock decides nothing: an entry has the time of the header `Date` of DynamoDB's answer, and
/// what it is compared with is of the same answer. Functions with clocks five minutes apart see this:
/// for each, `Date` is that much ahead of or behind its own clock.
#[test]
fn entries_have_dynamodb_s_time_whatever_the_function_s_clock_says() {
    for minutes in [-5, 0, 5, 90] {
        let ec2 = FakeAws::start();
        let skew = SignedDuration::from_mins(minutes);
        ec2.set_clock_skew(skew);
        let there =
            |minutes_ago: i64| Timestamp::now() + skew - SignedDuration::from_mins(minutes_ago);
        ec2.put_item(
            LIMIT,
            counted(&[("i-counts", there(61)), ("i-counts-no-more", there(63))]),
        );
        assert_eq!(one_launch(&ec2, 2), TERMINATED, "{minutes}");
        let entries = entries(&ec2, LIMIT);
        let (_, at) = entries
            .iter()
            .find(|(id, _)| *id == disrupted(&ec2)[0])
            .unwrap();
        assert!(apart(*at, there(0)) < seconds(10), "{at}, {minutes}");
        assert_eq!(entries.len(), 2, "{entries:?}");
        assert_eq!(one_launch(&ec2, 2), LIMITED, "{minutes}");
        assert_eq!(most_in_an_hour(&ec2), 1);
    }
}

#[test]
fn entries_expire_two_hours_after_the_last_of_them() {
    let ec2 = FakeAws::start();
    one_launch(&ec2, 1);
    let expires = ec2.item(LIMIT).unwrap()["expires_at"].as_i64().unwrap();
    let expires = Timestamp::from_second(expires).unwrap();
    assert!(apart(expires, ahead(2 * HOUR)) < seconds(20), "{expires}");
}

#[test]
fn reads_that_are_not_consistent_would_change_nothing() {
    let ec2 = FakeAws::start();
    ec2.set_written(Settle::Never);
    let exempt = ec2.launch(launch(REGION));
    ec2.put_item(&format!("exempt#{exempt}"), until(ahead(DAY)));
    let policy = limited("terminate", 1);
    let run = function(&ec2, &policy).invoke(&launched_one(&ec2, &exempt));
    assert_eq!(outcome(report(&run), &exempt), "exempt");
    assert_eq!(one_launch(&ec2, 1), TERMINATED);
    assert_eq!(one_launch(&ec2, 1), LIMITED);
    assert_eq!(most_in_an_hour(&ec2), 1);
}

#[test]
fn keys_that_dynamodb_leaves_unprocessed_are_asked_for_again() {
    let ec2 = FakeAws::start();
    let ids = ec2.launch_many(launch(REGION), 3);
    let key = format!("exempt#{}", ids[1]);
    ec2.put_item(&key, until(ahead(DAY)));
    ec2.leave_unprocessed(&key, 2);
    let run = function(&ec2, &limited("terminate", 9)).invoke(&launched_ids(&ec2, &ids));
    assert_eq!(outcome(report(&run), &ids[1]), "exempt");
    assert_eq!(report(&run)["summary"]["terminated"], 2);
    assert_eq!(ec2.count("BatchGetItem"), 3);
}

#[test]
fn a_limit_of_zero_counts_nothing() {
    let ec2 = FakeAws::start();
    assert_eq!(one_launch(&ec2, 0), LIMITED);
    assert_eq!(calls_for(&ec2, "limit#").len(), 0);
    assert_eq!(ec2.count("UpdateItem"), 0);
    assert_eq!(ec2.disruptions(), []);
}

#[test]
fn an_item_that_cannot_be_read_disrupts_nothing_and_stays_as_it_is() {
    let now = Timestamp::now().as_millisecond();
    let items = [
        json!({}),
        json!({ "version": 1 }),
        json!({ "entries": {} }),
        json!({ "version": "1", "entries": {} }),
        json!({ "version": 1.5, "entries": {} }),
        json!({ "version": 1, "entries": [] }),
        json!({ "version": 1, "entries": { "i-1": now, "i-2": "now" } }),
        json!({ "version": 1, "entries": { "i-1": null } }),
    ];
    for item in items {
        let ec2 = FakeAws::start();
        ec2.put_item(LIMIT, item.clone());
        assert_eq!(
            one_launch(&ec2, 10),
            ["enforced", "terminate", "state_unavailable"],
            "{item}"
        );
        assert_eq!(ec2.item(LIMIT), Some(item));
        assert_eq!(ec2.disruptions(), []);
    }
}

#[test]
fn all_instances_of_an_invocation_take_one_read_and_one_write() {
    let ec2 = FakeAws::start();
    let stop = ec2.launch_many(launch(REGION).tag("stop", "yes"), 4);
    let terminate = ec2.launch_many(launch(REGION), 5);
    let run = function(&ec2, &limited("terminate", 8))
        .invoke(&launched_ids(&ec2, &[stop, terminate].concat()));
    let summary = &report(&run)["summary"];
    let done = ["stopped", "terminated", "enforced"].map(|it| summary[it].as_u64().unwrap());
    assert_eq!((done.iter().sum::<u64>(), done[2]), (9, 1));
    let calls = ec2.table_calls();
    let actions: Vec<&str> = calls.iter().map(|call| call.action.as_str()).collect();
    assert_eq!(actions, ["BatchGetItem", "GetItem", "UpdateItem"]);
    assert_eq!(most_in_an_hour(&ec2), 8);
}

#[test]
fn an_instance_that_counts_already_is_not_kept_back_by_a_full_limit() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION));
    ec2.put_item(LIMIT, counted(&[(&id, ago(5 * MINUTE))]));
    let run = function(&ec2, &limited("terminate", 1)).invoke(&launched_one(&ec2, &id));
    assert_eq!(done(report(&run), &id), TERMINATED);
    assert_eq!(entries(&ec2, LIMIT).len(), 1);
    assert_eq!(metric(&run, "DisruptionLimitReached"), [] as [Value; 0]);
}

#[test]
fn each_account_and_region_has_an_item_of_its_own() {
    let ec2 = FakeAws::start();
    let function = function(&ec2, &limited("terminate", 1));
    for region in ["eu-central-1", "us-east-1"] {
        let id = ec2.launch(launch(region));
        let run = function.invoke(&launched_one(&ec2, &id));
        assert_eq!(done(report(&run), &id), TERMINATED);
    }
    let keys: Vec<String> = ec2.items().into_keys().collect();
    assert_eq!(keys, [LIMIT, "limit#111122223333#us-east-1"]);
}
