//! Drift: somebody changed the options of an instance.

use imds_core::decide::{BecauseWord, Decision, Discovery, Evidence, Question, Quota, decide};
use imds_core::instance::Instance;
use imds_core::options::{HttpTokens, MetadataOptions};
use imds_core::policy::Action;
use imds_core::usage::RejectedCalls;

use crate::{
    HOUR, Outcome, ago, in_use, launched, non_compliant, now, of_unknown_age, open, outcome,
    tokens_and_hops, unused,
};

/// Somebody made tokens optional.
const DRIFT: Discovery = Discovery::Drift {
    at: None,
    set: MetadataOptions {
        http_tokens: Some(HttpTokens::Optional),
        http_endpoint: None,
        hop_limit: None,
        http_protocol_ipv6: None,
        instance_metadata_tags: None,
    },
};
const NONE_REJECTED: Evidence = Evidence::RejectedCalls(None);

pub(crate) fn rejected() -> RejectedCalls {
    RejectedCalls {
        calls: 40,
        last_at: ago(2 * HOUR),
    }
}

fn some_rejected() -> Evidence {
    Evidence::RejectedCalls(Some(rejected()))
}

fn of_any_age() -> [Instance; 4] {
    let (new, recent, old) = (open(), launched(9 * HOUR), launched(900 * HOUR));
    [new, recent, old, of_unknown_age()]
}

fn asked() -> Outcome {
    let because = Some(BecauseWord::UsageUnknown);
    (Action::Report, because, Some(Question::RejectedCalls))
}

#[test]
fn drift_is_enforced_at_any_age_and_never_disrupted() {
    for instance in of_any_age() {
        for required in ["stop", "terminate"] {
            let found = outcome(required, &instance, DRIFT, &NONE_REJECTED);
            assert_eq!(found, (Action::Enforce, Some(BecauseWord::Drift), None));
        }
        let found = outcome("enforce", &instance, DRIFT, &NONE_REJECTED);
        assert_eq!(found, (Action::Enforce, None, None));
    }
}

#[test]
fn rejected_calls_are_asked_first_and_until_then_drift_is_reported() {
    for instance in of_any_age() {
        for required in ["enforce", "stop", "terminate"] {
            for evidence in [
                Evidence::NotAsked,
                Evidence::Usage(unused()),
                Evidence::Usage(in_use()),
            ] {
                assert_eq!(outcome(required, &instance, DRIFT, &evidence), asked());
            }
        }
    }
}

#[test]
fn drift_after_rejected_calls_is_reported_with_them() {
    for instance in of_any_age() {
        for required in ["enforce", "stop", "terminate"] {
            let found = outcome(required, &instance, DRIFT, &some_rejected());
            let because = Some(BecauseWord::RejectedCalls);
            assert_eq!(found, (Action::Report, because, None));
        }
    }
    let policy = tokens_and_hops("enforce", "");
    let decided = non_compliant(decide(&policy, &open(), now(), DRIFT, &some_rejected()));
    assert_eq!(decided.rejected_calls(), Some(&rejected()));
    assert!(
        decided.to_string().contains(
            "not enforced, because 40 calls without a token had been rejected before its options \
             were changed, the last at 2026-06-15T10:00:00Z"
        ),
        "{decided}"
    );
}

#[test]
fn where_no_call_was_rejected_there_is_none_to_report() {
    let policy = tokens_and_hops("terminate", "");
    let decided = non_compliant(decide(&policy, &open(), now(), DRIFT, &NONE_REJECTED));
    assert_eq!(decided.rejected_calls(), None);
}

#[test]
fn when_the_options_were_changed_does_not_matter_to_the_decision() {
    for at in [None, Some(ago(5)), Some(ago(9 * HOUR)), Some(ago(-HOUR))] {
        let Discovery::Drift { set, .. } = DRIFT else {
            panic!()
        };
        let drift = Discovery::Drift { at, set };
        let found = outcome("terminate", &launched(HOUR), drift, &NONE_REJECTED);
        assert_eq!(found, (Action::Enforce, Some(BecauseWord::Drift), None));
    }
}

#[test]
fn only_drift_that_would_be_enforced_counts_towards_the_limit_of_drift() {
    let policy = tokens_and_hops("terminate", "");
    let quota = |discovery, evidence: &Evidence| {
        non_compliant(decide(&policy, &open(), now(), discovery, evidence)).quota
    };
    assert_eq!(quota(DRIFT, &NONE_REJECTED), Some(Quota::Drift));
    assert_eq!(quota(DRIFT, &some_rejected()), None);
    assert_eq!(quota(Discovery::Sweep, &NONE_REJECTED), None);
}

#[test]
fn nothing_is_asked_about_drift_that_is_only_reported_or_exempt() {
    let found = outcome("report", &open(), DRIFT, &Evidence::NotAsked);
    assert_eq!(found, (Action::Report, None, None));
    let exempt = r#"{"name": "a", "when": {"regions": "eu-*"}, "action": "exempt"}"#;
    let policy = tokens_and_hops("terminate", exempt);
    let decided = decide(&policy, &open(), now(), DRIFT, &Evidence::NotAsked);
    assert!(matches!(decided, Decision::Exempt(_)));
    let perhaps = r#"{"name": "a", "when": {"principals": "arn:x"}, "action": "exempt"}"#;
    let policy = tokens_and_hops("terminate", perhaps);
    let found = crate::outcome_by(&policy, &open(), DRIFT, &Evidence::NotAsked);
    assert_eq!(
        found,
        (Action::Report, Some(BecauseWord::LauncherUnknown), None)
    );
}
