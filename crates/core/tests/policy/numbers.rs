//! Numbers, up to both ends, and those that must fit together.

use imds_core::policy::{Existing, Limits, NewInstances, Policy};

use crate::{document, parse};

fn new_instances(fields: &str) -> NewInstances {
    parse(&document(&format!(r#""new_instances": {{{fields}}}"#))).new_instances
}

fn existing(fields: &str) -> Existing {
    parse(&document(&format!(r#""existing": {{{fields}}}"#))).existing
}

#[test]
fn limits_are_accepted_up_to_both_ends() {
    let existing = [Some(0), Some(51), Some(10_000), None];
    let limits = [(0, 1), (11, 7), (1000, 1000), (12, 8)];
    for ((disruptions_per_hour, enforcements_per_hour), existing_per_hour) in
        limits.into_iter().zip(existing)
    {
        let shown = existing_per_hour.map_or("null".to_owned(), |limit: u32| limit.to_string());
        let policy = parse(&document(&format!(
            r#""limits": {{"disruptions_per_hour": {disruptions_per_hour},
                "enforcements_per_hour": {enforcements_per_hour}, "existing_per_hour": {shown}}}"#
        )));
        let expected = Limits {
            disruptions_per_hour,
            enforcements_per_hour,
            existing_per_hour,
        };
        assert_eq!(policy.limits, expected);
    }
}

#[test]
fn the_ages_of_new_instances_are_accepted_up_to_both_ends() {
    for (minutes, hours) in [(1, 1), (16, 25), (60, 168)] {
        let given = new_instances(&format!(
            r#""disrupt_within_minutes": {minutes}, "enforce_within_hours": {hours}, "grace_seconds": 0"#
        ));
        assert_eq!(given.disrupt_within_minutes, minutes);
        assert_eq!(given.enforce_within_hours, hours);
    }
}

#[test]
fn graces_are_accepted_up_to_both_ends() {
    for (grace, enforce_grace) in [(0, 0), (61, 1), (600, 600), (0, 600)] {
        let given = new_instances(&format!(
            r#""grace_seconds": {grace}, "enforce_grace_seconds": {enforce_grace}"#
        ));
        assert_eq!(given.grace_seconds, grace);
        assert_eq!(given.enforce_grace_seconds, enforce_grace);
    }
}

#[test]
fn numbers_about_existing_instances_are_accepted_up_to_both_ends() {
    for (days, hours, watch) in [(1, 1, 0), (15, 25, 1), (63, 168, 63)] {
        let given = existing(&format!(
            r#""usage_window_days": {days}, "usage_data_hours": {hours}, "watch_days": {watch}"#
        ));
        assert_eq!(given.usage_window_days, days);
        assert_eq!(given.usage_data_hours, hours);
        assert_eq!(given.watch_days, watch);
    }
}

#[test]
fn a_grace_leaves_a_minute_of_the_time_in_which_instances_are_disrupted() {
    for (minutes, grace, fits) in [
        (1, 0, true),
        (1, 1, false),
        (2, 60, true),
        (2, 61, false),
        (10, 540, true),
        (10, 541, false),
        (11, 600, true),
    ] {
        for graces in [
            format!(r#""grace_seconds": {grace}"#),
            format!(r#""grace_seconds": 0, "enforce_grace_seconds": {grace}"#),
        ] {
            let fields =
                format!(r#""new_instances": {{"disrupt_within_minutes": {minutes}, {graces}}}"#);
            let read = Policy::parse(&document(&fields));
            assert_eq!(read.is_ok(), fits, "{fields}");
        }
    }
}

#[test]
fn a_default_that_does_not_fit_is_refused_too() {
    let one_minute = document(r#""new_instances": {"disrupt_within_minutes": 1}"#);
    assert!(Policy::parse(&one_minute).is_err());
    let one_day = document(r#""existing": {"usage_window_days": 1}"#);
    assert!(Policy::parse(&one_day).is_ok());
}

#[test]
fn the_hours_of_data_fit_into_the_window() {
    for (days, hours, fits) in [
        (1, 24, true),
        (1, 25, false),
        (2, 48, true),
        (2, 49, false),
        (7, 168, true),
        (6, 168, false),
    ] {
        let fields =
            format!(r#""existing": {{"usage_window_days": {days}, "usage_data_hours": {hours}}}"#);
        let read = Policy::parse(&document(&fields));
        assert_eq!(read.is_ok(), fits, "{fields}");
    }
}
