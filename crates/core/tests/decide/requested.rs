//! What a person asks for is enforced at most; where its use was asked for, `existing` decides by it,
//! whatever its age.

use imds_core::decide::{BecauseWord, Discovery, Evidence};
use imds_core::instance::Instance;
use imds_core::policy::Action;
use imds_core::usage::{NotKnown, Usage};

use crate::{
    HOUR, Outcome, in_use, launched, of_unknown_age, open, outcome, outcome_by, policy, unknown,
    unused,
};

const REQUESTED: Outcome = (Action::Enforce, Some(BecauseWord::Requested), None);
const IN_USE: Outcome = (Action::Report, Some(BecauseWord::InUse), None);
const USAGE_UNKNOWN: Outcome = (Action::Report, Some(BecauseWord::UsageUnknown), None);

fn recent() -> Instance {
    launched(9 * HOUR)
}

fn old() -> [Instance; 2] {
    [launched(900 * HOUR), of_unknown_age()]
}

#[track_caller]
fn requested(instance: &Instance, usage: Usage, expected: Outcome) {
    for required in ["stop", "terminate"] {
        let evidence = Evidence::Usage(usage.clone());
        let found = outcome(required, instance, Discovery::Request, &evidence);
        assert_eq!(found, expected, "{usage}");
    }
}

#[test]
fn without_a_question_about_use_it_is_enforced_and_nothing_is_asked() {
    for instance in [open(), recent()].into_iter().chain(old()) {
        for evidence in [Evidence::NotAsked, Evidence::RejectedCalls(None)] {
            for required in ["stop", "terminate"] {
                let found = outcome(required, &instance, Discovery::Request, &evidence);
                assert_eq!(found, REQUESTED);
            }
            for (required, action) in [("report", Action::Report), ("enforce", Action::Enforce)] {
                let found = outcome(required, &instance, Discovery::Request, &evidence);
                assert_eq!(found, (action, None, None));
            }
        }
    }
}

#[test]
fn what_is_unused_is_enforced_at_any_age() {
    for instance in [open(), recent()].into_iter().chain(old()) {
        requested(&instance, unused(), REQUESTED);
    }
}

#[test]
fn what_is_in_use_or_without_data_is_reported_at_any_age() {
    for instance in [open(), recent()].into_iter().chain(old()) {
        requested(&instance, in_use(), IN_USE);
        for because in [
            NotKnown::NoData,
            NotKnown::TooLittleData(3),
            NotKnown::Incomplete("PartialData".to_owned()),
            NotKnown::Unreadable("AccessDenied".to_owned()),
        ] {
            requested(&instance, unknown(because), USAGE_UNKNOWN);
        }
    }
}

#[test]
fn what_the_policy_says_of_recent_instances_in_use_does_not_count() {
    for (new_in_use, in_use_or_not, expected) in [
        ("enforce", "report", IN_USE),
        ("report", "enforce", REQUESTED),
    ] {
        let policy = policy(&format!(
            r#"{{"require": {{"http_tokens": "required"}}, "on_violation": "terminate",
                "new_instances": {{"in_use": "{new_in_use}"}},
                "existing": {{"in_use": "{in_use_or_not}"}}}}"#
        ));
        for instance in [open(), recent()] {
            let evidence = Evidence::Usage(in_use());
            let found = outcome_by(&policy, &instance, Discovery::Request, &evidence);
            assert_eq!(found, expected);
        }
    }
}

#[test]
fn the_policy_may_allow_to_enforce_what_is_in_use() {
    let policy = policy(
        r#"{"require": {"http_tokens": "required"}, "on_violation": "terminate",
            "existing": {"in_use": "enforce", "unknown": "enforce"}}"#,
    );
    for instance in [open(), recent()].into_iter().chain(old()) {
        for usage in [in_use(), unknown(NotKnown::NoData)] {
            let evidence = Evidence::Usage(usage);
            let found = outcome_by(&policy, &instance, Discovery::Request, &evidence);
            assert_eq!(found, REQUESTED);
        }
    }
}
