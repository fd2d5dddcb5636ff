//! What a person asks for is enforced at most. Its use of IMDSv1 counts not at all, as in a sweep, or whatever
//! the policy and the age allow.

use imds_core::decide::{BecauseWord, Discovery, Evidence, Question, UsageGate, decide};
use imds_core::instance::Instance;
use imds_core::policy::Action;
use imds_core::usage::NotKnown;

use crate::{
    HOUR, Outcome, in_use, launched, non_compliant, now, of_unknown_age, open, outcome, outcome_by,
    policy, tokens_and_hops, unknown, unused,
};

const REQUESTED: Outcome = (Action::Enforce, Some(BecauseWord::Requested), None);
const IN_USE: Outcome = (Action::Report, Some(BecauseWord::InUse), None);
const USAGE_UNKNOWN: Outcome = (Action::Report, Some(BecauseWord::UsageUnknown), None);
const TO_ASK: Outcome = (
    Action::Report,
    Some(BecauseWord::UsageUnknown),
    Some(Question::Usage),
);

fn recent() -> Instance {
    launched(9 * HOUR)
}

fn old() -> [Instance; 2] {
    [launched(900 * HOUR), of_unknown_age()]
}

fn of_every_age() -> Vec<Instance> {
    [open(), recent()].into_iter().chain(old()).collect()
}

#[track_caller]
fn requested(gate: UsageGate, instance: &Instance, evidence: &Evidence, expected: Outcome) {
    for required in ["stop", "terminate"] {
        let found = outcome(required, instance, Discovery::Request(gate), evidence);
        assert_eq!(found, expected, "{gate:?} {evidence:?}");
    }
}

#[test]
fn where_use_is_ignored_it_is_enforced_and_nothing_is_asked() {
    let ignored = Discovery::Request(UsageGate::Ignored);
    for instance in of_every_age() {
        for evidence in [Evidence::NotAsked, Evidence::Usage(in_use())] {
            requested(UsageGate::Ignored, &instance, &evidence, REQUESTED);
            for (required, action) in [("report", Action::Report), ("enforce", Action::Enforce)] {
                let found = outcome(required, &instance, ignored, &evidence);
                assert_eq!(found, (action, None, None));
            }
        }
    }
}

#[test]
fn a_policy_that_only_reports_asks_nothing() {
    for gate in [UsageGate::Policy, UsageGate::UnusedOnly] {
        for instance in of_every_age() {
            let found = outcome(
                "report",
                &instance,
                Discovery::Request(gate),
                &Evidence::NotAsked,
            );
            assert_eq!(found, (Action::Report, None, None));
        }
    }
}

#[test]
fn the_policy_s_gate_asks_for_the_use_of_all_but_new_instances() {
    requested(UsageGate::Policy, &open(), &Evidence::NotAsked, REQUESTED);
    for instance in [recent()].into_iter().chain(old()) {
        requested(UsageGate::Policy, &instance, &Evidence::NotAsked, TO_ASK);
        let evidence = Evidence::Usage(unused());
        requested(UsageGate::Policy, &instance, &evidence, REQUESTED);
        let evidence = Evidence::Usage(in_use());
        requested(UsageGate::Policy, &instance, &evidence, IN_USE);
    }
}

#[test]
fn by_the_policy_s_gate_too_little_data_counts_against_old_instances_alone() {
    for because in [NotKnown::NoData, NotKnown::TooLittleData(3)] {
        let evidence = Evidence::Usage(unknown(because));
        requested(UsageGate::Policy, &recent(), &evidence, REQUESTED);
        for instance in old() {
            requested(UsageGate::Policy, &instance, &evidence, USAGE_UNKNOWN);
        }
    }
    let evidence = Evidence::Usage(unknown(NotKnown::Unreadable("AccessDenied".to_owned())));
    requested(UsageGate::Policy, &recent(), &evidence, USAGE_UNKNOWN);
}

#[test]
fn the_policy_s_gate_is_what_the_policy_says_for_the_age_of_the_instance() {
    for (new_in_use, existing_in_use, of_recent, of_old) in [
        ("enforce", "report", REQUESTED, IN_USE),
        ("report", "enforce", IN_USE, REQUESTED),
    ] {
        let policy = policy(&format!(
            r#"{{"require": {{"http_tokens": "required"}}, "on_violation": "terminate",
                "new_instances": {{"in_use": "{new_in_use}"}},
                "existing": {{"in_use": "{existing_in_use}"}}}}"#
        ));
        let evidence = Evidence::Usage(in_use());
        let gate = Discovery::Request(UsageGate::Policy);
        assert_eq!(outcome_by(&policy, &recent(), gate, &evidence), of_recent);
        for instance in old() {
            assert_eq!(outcome_by(&policy, &instance, gate, &evidence), of_old);
        }
    }
}

#[test]
fn no_hourly_limit_counts_what_a_person_asks_for() {
    for gate in [UsageGate::Ignored, UsageGate::Policy, UsageGate::UnusedOnly] {
        for evidence in [Evidence::NotAsked, Evidence::Usage(unused())] {
            let (policy, gate) = (tokens_and_hops("enforce", ""), Discovery::Request(gate));
            let decided = decide(&policy, &old()[0], now(), gate, &evidence);
            assert_eq!(non_compliant(decided).quota, None, "{gate:?}");
        }
    }
}

#[test]
fn unused_only_enforces_what_is_unused_at_any_age_and_whatever_the_policy_allows() {
    let policy = policy(
        r#"{"require": {"http_tokens": "required"}, "on_violation": "terminate",
            "new_instances": {"in_use": "enforce"},
            "existing": {"in_use": "enforce", "unknown": "enforce"}}"#,
    );
    let gate = Discovery::Request(UsageGate::UnusedOnly);
    for instance in of_every_age() {
        for (evidence, expected) in [
            (Evidence::NotAsked, TO_ASK),
            (Evidence::Usage(unused()), REQUESTED),
            (Evidence::Usage(in_use()), IN_USE),
            (Evidence::Usage(unknown(NotKnown::NoData)), USAGE_UNKNOWN),
        ] {
            assert_eq!(outcome_by(&policy, &instance, gate, &evidence), expected);
        }
    }
}
