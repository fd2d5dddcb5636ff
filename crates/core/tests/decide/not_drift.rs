//! A change of options that caused none of the violations only says where to look.

use imds_core::decide::{Discovery, Evidence, Question, Quota, decide};
use imds_core::instance::Instance;
use imds_core::options::{HttpTokens, MetadataOptions, Toggle};
use imds_core::policy::Action;

use crate::{
    HOUR, ago, hops, in_use, launched, non_compliant, now, of_unknown_age, open, outcome,
    tokens_and_hops, unused, with,
};

fn change(set: impl FnOnce(&mut MetadataOptions)) -> Discovery {
    let mut options = MetadataOptions::default();
    set(&mut options);
    Discovery::Drift {
        at: Some(ago(5)),
        set: options,
    }
}

#[track_caller]
fn asks(instance: &Instance, change: Discovery, expected: Question) {
    for required in ["enforce", "stop", "terminate"] {
        let (action, _, question) = outcome(required, instance, change, &Evidence::NotAsked);
        assert_eq!((action, question), (Action::Report, Some(expected)));
    }
}

#[track_caller]
fn is_drift(instance: &Instance, change: Discovery) {
    asks(instance, change, Question::RejectedCalls);
}

#[track_caller]
fn is_not_drift(instance: &Instance, change: Discovery) {
    asks(instance, change, Question::Usage);
}

/// Old, and with optional tokens and too many hops.
fn open_and_far() -> Instance {
    let mut instance = launched(900 * HOUR);
    instance.options.hop_limit = Some(hops(5));
    instance
}

#[test]
fn a_change_that_set_what_violates_the_policy_is_drift() {
    let optional = |o: &mut MetadataOptions| o.http_tokens = Some(HttpTokens::Optional);
    is_drift(&open_and_far(), change(optional));
    is_drift(
        &open_and_far(),
        change(|o| {
            optional(o);
            o.hop_limit = Some(hops(1));
        }),
    );
}

#[test]
fn a_change_of_another_option_is_drift_only_where_tokens_were_required() {
    let far = change(|o| o.hop_limit = Some(hops(5)));
    is_not_drift(&open_and_far(), far);
    let mut required = open_and_far();
    required.options.http_tokens = Some(HttpTokens::Required);
    is_drift(&required, far);
}

#[test]
fn a_change_of_something_else_is_not() {
    is_not_drift(&open_and_far(), change(|_| ()));
    is_not_drift(
        &open_and_far(),
        change(|o| o.instance_metadata_tags = Some(Toggle::Enabled)),
    );
    is_not_drift(
        &open_and_far(),
        change(|o| o.http_endpoint = Some(Toggle::Enabled)),
    );
}

#[test]
fn a_change_that_was_changed_again_is_not() {
    let required = change(|o| o.http_tokens = Some(HttpTokens::Required));
    is_not_drift(&open_and_far(), required);
    is_not_drift(&open_and_far(), change(|o| o.hop_limit = Some(hops(4))));
}

#[test]
fn a_change_that_set_what_the_policy_allows_is_not() {
    let mut far = open_and_far();
    far.options.http_tokens = Some(HttpTokens::Required);
    let required = change(|o| o.http_tokens = Some(HttpTokens::Required));
    is_not_drift(&far, required);
}

#[test]
fn nothing_caused_an_option_that_is_not_known() {
    let mut unknown = open_and_far();
    unknown.options = MetadataOptions::default();
    is_not_drift(&unknown, change(|_| ()));
    let optional = change(|o| o.http_tokens = Some(HttpTokens::Optional));
    is_not_drift(&unknown, optional);
}

#[test]
fn what_is_not_drift_is_decided_as_in_a_sweep() {
    let change = change(|o| o.instance_metadata_tags = Some(Toggle::Enabled));
    for instance in [
        open(),
        launched(HOUR),
        launched(900 * HOUR),
        of_unknown_age(),
    ] {
        for evidence in [
            Evidence::NotAsked,
            Evidence::RejectedCalls(None),
            Evidence::Usage(unused()),
            Evidence::Usage(in_use()),
        ] {
            for required in ["report", "enforce", "stop", "terminate"] {
                let outcome = |discovery| outcome(required, &instance, discovery, &evidence);
                assert_eq!(outcome(change), outcome(Discovery::Sweep));
            }
        }
    }
}

#[test]
fn what_is_not_drift_does_not_count_towards_the_limit_of_drift() {
    let other = change(|o| o.hop_limit = Some(hops(1)));
    for instance in [with(|_| {}), launched(HOUR)] {
        let policy = tokens_and_hops("enforce", "");
        let evidence = Evidence::Usage(unused());
        let decided = non_compliant(decide(&policy, &instance, now(), other, &evidence));
        assert_eq!((decided.action, decided.quota), (Action::Enforce, None));
    }
    let old = launched(900 * HOUR);
    let policy = tokens_and_hops("enforce", "");
    let evidence = Evidence::Usage(unused());
    let decided = non_compliant(decide(&policy, &old, now(), other, &evidence));
    assert_eq!(decided.quota, Some(Quota::Existing));
}
