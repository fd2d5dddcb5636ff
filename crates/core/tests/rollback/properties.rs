//! What holds for all options, calls and answers.

use imds_core::options::{HopLimit, HttpTokens, MetadataOptions, Toggle};
use imds_core::rollback::*;
use proptest::prelude::*;

use crate::{before, enforced, hops, step};

fn toggle() -> impl Strategy<Value = Option<Toggle>> {
    let toggle = prop_oneof![Just(Toggle::Enabled), Just(Toggle::Disabled)];
    prop::option::weighted(0.8, toggle)
}

fn options() -> impl Strategy<Value = MetadataOptions> {
    let tokens = prop_oneof![Just(HttpTokens::Optional), Just(HttpTokens::Required)];
    let hops = (1..=4_i64).prop_map(|hops| HopLimit::try_from(hops).unwrap());
    let tokens = prop::option::weighted(0.8, tokens);
    let hops = prop::option::weighted(0.8, hops);
    (tokens, toggle(), hops, toggle(), toggle()).prop_map(
        |(http_tokens, http_endpoint, hop_limit, http_protocol_ipv6, instance_metadata_tags)| {
            MetadataOptions {
                http_tokens,
                http_endpoint,
                hop_limit,
                http_protocol_ipv6,
                instance_metadata_tags,
            }
        },
    )
}

/// Options of which all are known.
fn known() -> impl Strategy<Value = MetadataOptions> {
    options().prop_map(|options| options.or(&before()))
}

proptest! {
    /// Whatever was done, answered and lost: where nobody else changed anything, the calls of the
    /// rollback restore exactly what was there, on an EC2 that keeps the options that a call leaves out
    /// and on one that resets them.
    #[test]
    fn what_only_the_journal_changed_is_restored(
        first in known(),
        calls in prop::collection::vec((options(), any::<bool>(), any::<bool>()), 1..4),
        keeps in any::<bool>(),
    ) {
        let mut now = first;
        let mut record = InstanceRecord { before: first, calls: Vec::new(), ..enforced() };
        for (sent, effective, answered) in calls {
            if effective || answered {
                now = sent.or(&now);
            }
            let answer = answered.then_some(AnswerRecord::After(now));
            record.calls.push(CallRecord { sent, answer });
        }
        match step(&record, now, IfChanged::Leave).verdict {
            Err(Leave::AsBefore) => prop_assert_eq!(now, first),
            Ok(restore) => {
                prop_assert_eq!(restore.send, restore.call(0, &now));
                let mut calls = 0;
                while now != first && calls < CALLS {
                    let kept = if keeps { now } else { hops(before(), 1) };
                    now = restore.call(calls, &now).or(&kept);
                    calls += 1;
                }
                prop_assert_eq!(now, first);
            }
            other => prop_assert!(false, "{:?}", other),
        }
    }

    /// No call enables an endpoint that is to be disabled, makes tokens optional while an endpoint is
    /// still to be disabled, or carries an option that is not known from before.
    #[test]
    fn no_call_opens_more_than_was_open(found in options(), wanted in options(), n in 0..CALLS) {
        let stay = MetadataOptions::default();
        let send = OptionsRestore::new(wanted, &found, stay).call(n, &found);
        if wanted.http_endpoint == Some(Toggle::Disabled) {
            prop_assert_ne!(send.http_endpoint, Some(Toggle::Enabled));
            if send.http_tokens.is_some() {
                let endpoints = [found.http_endpoint, send.http_endpoint];
                prop_assert!(endpoints.contains(&Some(Toggle::Disabled)));
            }
        }
        if send.http_endpoint == Some(Toggle::Enabled) {
            let endpoint = wanted.http_endpoint.or(found.http_endpoint);
            prop_assert_eq!(endpoint, Some(Toggle::Enabled));
        }
        let rest = MetadataOptions { http_endpoint: None, ..send };
        prop_assert!(rest.are_in(&wanted));
    }

    /// What is neither as before nor as the journal may have left it is never restored.
    #[test]
    fn what_somebody_else_changed_is_left(
        first in known(),
        sent in options(),
        found in known(),
        answered in any::<bool>(),
    ) {
        let after = sent.or(&first);
        let answer = answered.then_some(AnswerRecord::After(after));
        let record = InstanceRecord {
            before: first,
            calls: vec![CallRecord { sent, answer }],
            ..enforced()
        };
        let verdict = step(&record, found, IfChanged::Leave).verdict;
        if found == first {
            prop_assert_eq!(verdict, Err(Leave::AsBefore));
        } else if found == after {
            prop_assert!(verdict.is_ok(), "{:?}", verdict);
        } else {
            let changed = matches!(verdict, Err(Leave::Changed { .. }));
            prop_assert!(changed, "{:?}", verdict);
        }
    }
}
