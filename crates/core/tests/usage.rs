//! Whether an instance uses IMDSv1, by what CloudWatch answers.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at what it did not expect"
)]

use std::collections::BTreeMap;

use imds_core::instance::{Instance, InstanceId};
use imds_core::policy::Existing;
use imds_core::usage::{CallData, Datapoint, NotKnown, RejectedCalls, Usage, UsageWindow};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

fn now() -> Timestamp {
    "2026-06-15T12:00:00Z".parse().unwrap()
}

fn hours_ago(hours: i64) -> Timestamp {
    now()
        .checked_sub(SignedDuration::from_hours(hours))
        .unwrap()
}

fn id() -> InstanceId {
    InstanceId::try_from("i-0123456789abcdef0").unwrap()
}

fn window() -> UsageWindow {
    Existing::default().usage_window(now())
}

/// So many hours with so many calls in each, the last of them so many hours ago.
fn hours(count: i64, last: i64, calls: f64) -> Vec<Datapoint> {
    (0..count).map(|n| (hours_ago(last + n), calls)).collect()
}

fn accepted(accepted: Vec<Datapoint>) -> CallData {
    CallData {
        accepted,
        ..CallData::default()
    }
}

fn started(at: Option<Timestamp>) -> Instance {
    Instance {
        started_at: at,
        ..Instance::unknown(id(), "eu-central-1")
    }
}

fn evaluate(data: &CallData) -> Usage {
    window().evaluate(&started(Some(hours_ago(48))), data)
}

fn unknown(because: NotKnown) -> Usage {
    Usage::Unknown { because }
}

fn unused(not_started_within_window: bool) -> Usage {
    Usage::Unused {
        since: window().since,
        not_started_within_window,
    }
}

#[test]
fn the_window_is_as_long_as_the_policy_says_and_ends_now() {
    assert_eq!(window().since, hours_ago(14 * 24));
    assert_eq!(window().data_hours, 24);
    let existing = Existing {
        usage_window_days: 63,
        usage_data_hours: 168,
        ..Existing::default()
    };
    let window = existing.usage_window(now());
    assert_eq!((window.since, window.data_hours), (hours_ago(63 * 24), 168));
    let first = existing.usage_window(Timestamp::MIN);
    assert_eq!(first.since, Timestamp::MIN);
}

#[test]
fn no_data_is_unknown_and_never_zero_calls() {
    assert_eq!(evaluate(&CallData::default()), unknown(NotKnown::NoData));
}

#[test]
fn enough_hours_without_a_call_are_unused_and_one_hour_less_is_unknown() {
    assert_eq!(evaluate(&accepted(hours(24, 1, 0.0))), unused(false));
    let too_little = unknown(NotKnown::TooLittleData(23));
    assert_eq!(evaluate(&accepted(hours(23, 1, 0.0))), too_little);
    let one = unknown(NotKnown::TooLittleData(1));
    assert_eq!(evaluate(&accepted(hours(1, 1, 0.0))), one);
}

#[test]
fn hours_of_an_instance_that_is_stopped_every_night_add_up() {
    let days = (0..3).flat_map(|day| hours(8, 24 * day, 0.0)).collect();
    assert_eq!(evaluate(&accepted(days)), unused(false));
}

#[test]
fn one_call_is_use_however_little_data_there_is() {
    let usage = evaluate(&accepted(hours(1, 5, 1.0)));
    let (calls, last_at) = (1, hours_ago(5));
    assert_eq!(usage, Usage::InUse { calls, last_at });
}

#[test]
fn accepted_and_rejected_calls_add_up_and_the_last_of_both_counts() {
    let data = CallData {
        accepted: hours(3, 10, 2.0),
        rejected: hours(2, 4, 5.0),
        incomplete: None,
    };
    let (calls, last_at) = (16, hours_ago(4));
    assert_eq!(evaluate(&data), Usage::InUse { calls, last_at });
}

#[test]
fn rejected_calls_alone_are_use() {
    let data = CallData {
        rejected: hours(1, 4, 5.0),
        ..CallData::default()
    };
    let (calls, last_at) = (5, hours_ago(4));
    assert_eq!(evaluate(&data), Usage::InUse { calls, last_at });
}

#[test]
fn hours_of_rejected_calls_are_no_hours_of_data() {
    let data = CallData {
        accepted: hours(3, 1, 0.0),
        rejected: hours(100, 1, 0.0),
        incomplete: None,
    };
    assert_eq!(evaluate(&data), unknown(NotKnown::TooLittleData(3)));
}

#[test]
fn a_partial_sum_of_zero_is_not_zero() {
    for status in ["PartialData", "InternalError", "Forbidden"] {
        let mut data = accepted(hours(300, 1, 0.0));
        data.incomplete = Some(status.to_owned());
        let because = NotKnown::Incomplete(status.to_owned());
        assert_eq!(evaluate(&data), unknown(because));
        data.accepted.clear();
        let because = NotKnown::Incomplete(status.to_owned());
        assert_eq!(evaluate(&data), unknown(because));
    }
}

#[test]
fn what_is_unused_says_where_its_start_was_not_observed() {
    let data = accepted(hours(100, 1, 0.0));
    let since = window().since;
    let just_before = since.checked_sub(SignedDuration::from_secs(1)).unwrap();
    for (started_at, not_started_within_window) in [
        (Some(hours_ago(1)), false),
        (Some(since), false),
        (Some(just_before), true),
        (None, true),
    ] {
        let usage = window().evaluate(&started(started_at), &data);
        assert_eq!(usage, unused(not_started_within_window));
    }
    assert_eq!(
        unused(true).to_string(),
        "IMDSv1 has not been used since 2026-06-01T12:00:00Z, in which time it was not started"
    );
}

#[test]
fn an_instance_that_the_answer_leaves_out_has_no_data() {
    let instance = started(None);
    let mut answer = BTreeMap::new();
    let evaluate =
        |answer: &BTreeMap<_, _>| window().evaluate_answer(&instance, &Ok(answer.clone()));
    assert_eq!(evaluate(&answer), unknown(NotKnown::NoData));
    let other = InstanceId::try_from("i-00000001").unwrap();
    answer.insert(other, accepted(hours(100, 1, 9.0)));
    assert_eq!(evaluate(&answer), unknown(NotKnown::NoData));
    answer.insert(id(), accepted(hours(100, 1, 0.0)));
    assert_eq!(evaluate(&answer), unused(true));
}

#[test]
fn without_an_answer_the_usage_is_unknown_and_the_error_is_shown_on_one_line() {
    let why = "Access\nDenied".to_owned();
    let usage = window().evaluate_answer(&started(None), &Err(why.clone()));
    assert_eq!(usage, unknown(NotKnown::Unreadable(why)));
    assert_eq!(
        usage.to_string(),
        "it is not known whether IMDSv1 is used: CloudWatch could not be asked: Access\u{fffd}Denied"
    );
}

#[test]
fn rejected_calls_are_counted_with_the_last_of_them() {
    assert_eq!(RejectedCalls::count(&[]), None);
    assert_eq!(RejectedCalls::count(&hours(9, 1, 0.0)), None);
    let (calls, last_at) = (8, hours_ago(3));
    let expected = Some(RejectedCalls { calls, last_at });
    assert_eq!(RejectedCalls::count(&hours(4, 3, 2.0)), expected);
}

#[test]
fn a_usage_reads_the_same_from_its_json_and_an_older_one_without_the_new_field() {
    for usage in [
        unused(true),
        unused(false),
        unknown(NotKnown::TooLittleData(3)),
        unknown(NotKnown::Incomplete("PartialData".to_owned())),
    ] {
        let json = serde_json::to_string(&usage).unwrap();
        assert_eq!(serde_json::from_str::<Usage>(&json).unwrap(), usage);
    }
    let older = json!({ "verdict": "unused", "since": "2026-06-01T12:00:00Z" });
    assert_eq!(
        serde_json::from_value::<Usage>(older).unwrap(),
        unused(false)
    );
    let json = serde_json::to_value(unused(false)).unwrap();
    assert_eq!(json.get("not_started_within_window"), None);
}
