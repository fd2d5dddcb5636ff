//! When an instance was first launched, by all combinations of the times that EC2 shows.

use imds_core::age::Attachments;
use imds_core::decide::{BecauseWord, Discovery, Evidence};
use imds_core::instance::Instance;
use imds_core::policy::Action;
use jiff::Timestamp;

use crate::{HOUR, MINUTE, ago, launch_event, non_compliant, now, outcome, unused, with};

/// An instance with these interfaces (device index, seconds ago), volumes and last start.
fn shown(interfaces: &[(i32, i64)], volumes: &[i64], started: Option<i64>) -> Instance {
    with(|i| {
        i.started_at = started.map(ago);
        i.attachments = Attachments::default();
        for &(device_index, seconds_ago) in interfaces {
            i.attachments.add_interface(device_index, ago(seconds_ago));
        }
        for &seconds_ago in volumes {
            i.attachments.add_volume(ago(seconds_ago));
        }
    })
}

#[track_caller]
fn first(instance: &Instance, expected: Option<i64>) {
    assert_eq!(instance.first_launched_at(now()), expected.map(ago));
}

/// Why an instance of unused IMDSv1 is not terminated; `None`: it is.
fn not_terminated(instance: &Instance) -> Option<BecauseWord> {
    let evidence = Evidence::Usage(unused());
    let found = outcome("terminate", instance, launch_event(), &evidence);
    let (action, because, _) = found;
    assert_eq!(because.is_none(), action == Action::Terminate);
    because
}

#[test]
fn the_last_start_alone_proves_nothing() {
    for started in [Some(10), Some(HOUR), Some(9000 * HOUR), None] {
        let instance = shown(&[], &[], started);
        first(&instance, None);
        assert_eq!(not_terminated(&instance), Some(BecauseWord::AgeUnknown));
    }
}

#[test]
fn a_volume_without_an_interface_proves_nothing() {
    let instance = shown(&[], &[10], Some(10));
    first(&instance, None);
    assert_eq!(not_terminated(&instance), Some(BecauseWord::AgeUnknown));
}

#[test]
fn an_interface_that_is_not_the_primary_one_proves_nothing() {
    let instance = shown(&[(1, 10), (2, 12)], &[10], Some(10));
    first(&instance, None);
    assert_eq!(not_terminated(&instance), Some(BecauseWord::AgeUnknown));
}

#[test]
fn the_primary_interface_alone_is_enough() {
    let instance = shown(&[(0, 10)], &[], None);
    first(&instance, Some(10));
    assert_eq!(not_terminated(&instance), None);
}

#[test]
fn an_instance_without_volumes_is_known_by_its_interface() {
    first(&shown(&[(0, 10)], &[], Some(8)), Some(10));
    first(&shown(&[(0, HOUR)], &[], Some(8)), Some(HOUR));
}

#[test]
fn the_earliest_of_all_times_counts_whichever_it_is() {
    first(&shown(&[(0, 50), (1, 20)], &[30], Some(40)), Some(50));
    first(&shown(&[(0, 20), (1, 50)], &[30], Some(40)), Some(50));
    first(
        &shown(&[(0, 20), (1, 30)], &[40, 50, 10], Some(40)),
        Some(50),
    );
    first(&shown(&[(0, 20), (1, 30)], &[40], Some(50)), Some(50));
}

#[test]
fn what_was_started_just_now_and_launched_long_ago_is_not_new() {
    for event in [launch_event(), Discovery::Start, Discovery::Sweep] {
        let instance = shown(&[(0, 400 * HOUR)], &[400 * HOUR], Some(10));
        first(&instance, Some(400 * HOUR));
        let evidence = Evidence::Usage(unused());
        assert_eq!(
            outcome("terminate", &instance, event, &evidence),
            (Action::Enforce, Some(BecauseWord::NotNew), None)
        );
    }
}

#[test]
fn an_old_volume_makes_an_instance_old() {
    let instance = shown(&[(0, 10)], &[10, HOUR], Some(10));
    first(&instance, Some(HOUR));
    assert_eq!(not_terminated(&instance), Some(BecauseWord::NotNew));
}

#[test]
fn an_old_last_start_makes_an_instance_old() {
    let instance = shown(&[(0, 10)], &[10], Some(HOUR));
    first(&instance, Some(HOUR));
    assert_eq!(not_terminated(&instance), Some(BecauseWord::NotNew));
}

#[test]
fn a_volume_and_an_interface_that_are_attached_later_do_not_make_an_old_instance_new() {
    let instance = shown(&[(0, 30 * HOUR), (1, 5)], &[30 * HOUR, 5], Some(5));
    first(&instance, Some(30 * HOUR));
    assert_eq!(not_terminated(&instance), Some(BecauseWord::Restored));
}

#[test]
fn clocks_may_differ_by_five_minutes() {
    let ahead = -5 * MINUTE;
    let instance = shown(&[(0, ahead)], &[ahead], Some(ahead));
    first(&instance, Some(ahead));
    assert_eq!(not_terminated(&instance), None);
}

#[test]
fn any_time_further_ahead_makes_the_age_unknown() {
    let ahead = -5 * MINUTE - 1;
    for instance in [
        shown(&[(0, ahead)], &[10], Some(10)),
        shown(&[(0, 10), (1, ahead)], &[10], Some(10)),
        shown(&[(0, 10)], &[10, ahead], Some(10)),
        shown(&[(0, 10)], &[10], Some(ahead)),
        shown(&[(0, ahead)], &[ahead], Some(ahead)),
    ] {
        first(&instance, None);
        assert!(not_terminated(&instance).is_some(), "{instance:?}");
    }
}

#[test]
fn ends_of_time_are_ages_as_well() {
    let mut instance = shown(&[(0, 10)], &[10], None);
    instance.started_at = Some(Timestamp::MIN);
    assert_eq!(not_terminated(&instance), Some(BecauseWord::NotNew));
    instance.started_at = Some(Timestamp::MAX);
    assert_eq!(not_terminated(&instance), Some(BecauseWord::AgeUnknown));
}

#[test]
fn the_decision_says_when_the_instance_was_first_launched() {
    for (instance, expected) in [
        (shown(&[(0, 20)], &[25], Some(10)), Some(ago(25))),
        (shown(&[], &[25], Some(10)), None),
    ] {
        let decided = non_compliant(crate::launch(
            &crate::tokens_and_hops("report", ""),
            &instance,
        ));
        assert_eq!(decided.first_launched_at, expected);
    }
}
