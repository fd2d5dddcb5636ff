//! Every way in which an instance can be found when a journal is undone.

use imds_core::instance::{HopLimit, InstanceId, Toggle};
use proptest::prelude::*;

use super::*;
use crate::journal::Call;

fn before() -> MetadataOptions {
    MetadataOptions {
        http_tokens: Some(HttpTokens::Optional),
        http_endpoint: Some(Toggle::Enabled),
        hop_limit: HopLimit::try_from(3).ok(),
        http_protocol_ipv6: Some(Toggle::Disabled),
        instance_metadata_tags: Some(Toggle::Disabled),
    }
}

fn tokens(tokens: HttpTokens) -> MetadataOptions {
    MetadataOptions {
        http_tokens: Some(tokens),
        ..Default::default()
    }
}

fn required() -> MetadataOptions {
    tokens(HttpTokens::Required)
}

fn after() -> MetadataOptions {
    over(&before(), &required())
}

fn call(answer: Option<Result<MetadataOptions, String>>) -> Call<MetadataOptions> {
    let sent = required();
    Call { sent, answer }
}

fn change(calls: Vec<Call<MetadataOptions>>) -> InstanceChange {
    InstanceChange {
        region: "eu-central-1".to_owned(),
        id: InstanceId::try_from("i-1").unwrap(),
        before: before(),
        calls,
    }
}

fn enforced() -> InstanceChange {
    change(vec![call(Some(Ok(after())))])
}

fn seen(options: MetadataOptions) -> Seen {
    let id = InstanceId::try_from("i-1").unwrap();
    Seen::Instance(Box::new(Instance {
        options,
        ..Instance::unknown(id, "eu-central-1")
    }))
}

fn hops(options: MetadataOptions, hops: i64) -> MetadataOptions {
    MetadataOptions {
        hop_limit: HopLimit::try_from(hops).ok(),
        ..options
    }
}

#[track_caller]
fn check(change: &InstanceChange, found: MetadataOptions, expected: &Verdict) {
    assert_eq!(&decide(change, &seen(found), false, false), expected);
}

fn restore() -> Verdict {
    Verdict::Restore {
        send: MetadataOptions {
            http_endpoint: Some(Toggle::Enabled),
            ..tokens(HttpTokens::Optional)
        },
        stays: MetadataOptions::default(),
    }
}

#[test]
fn what_is_as_the_journal_left_it_is_restored_by_what_differs() {
    check(&enforced(), after(), &restore());
}

#[test]
fn what_is_as_it_was_before_is_left() {
    check(&enforced(), before(), &Verdict::AsItWas);
}

#[test]
fn what_changed_since_is_left_even_if_another_option_changed() {
    let found = hops(after(), 1);
    let verdict = decide(&enforced(), &seen(found), false, false);
    let expected = after();
    assert_eq!(verdict, Verdict::ChangedSince { expected, found });
    assert_eq!(
        verdict.to_string(),
        "changed since: it was left with hop_limit=3, and has hop_limit=1"
    );
}

#[test]
fn an_option_that_is_no_longer_known_has_changed() {
    let found = MetadataOptions {
        hop_limit: None,
        ..after()
    };
    let verdict = decide(&enforced(), &seen(found), false, false);
    assert_eq!(
        verdict.to_string(),
        "changed since: it was left with hop_limit=3, and has others that are not known"
    );
}

#[test]
fn an_option_that_neither_the_answer_nor_ec2_shows_has_not_changed() {
    let silent = MetadataOptions {
        http_protocol_ipv6: None,
        instance_metadata_tags: None,
        ..after()
    };
    let send = |found| Verdict::Restore {
        send: to_send(0, &found, &before()),
        stays: MetadataOptions::default(),
    };
    for answer in [Some(Ok(silent)), Some(Err("no answer".to_owned())), None] {
        let change = change(vec![call(answer)]);
        check(&change, silent, &send(silent));
        // What it shows may still tell of one.
        let found = hops(silent, 1);
        let verdict = decide(&change, &seen(found), false, false);
        assert!(
            matches!(verdict, Verdict::ChangedSince { .. }),
            "{verdict:?}"
        );
        // Nor is what a call has set taken for granted.
        let found = MetadataOptions {
            http_tokens: None,
            ..silent
        };
        let verdict = decide(&change, &seen(found), false, false);
        assert!(
            matches!(verdict, Verdict::ChangedSince { .. }),
            "{verdict:?}"
        );
    }
}

#[test]
fn force_restores_all_options_whatever_changed() {
    let verdict = decide(&enforced(), &seen(hops(after(), 1)), false, true);
    let Verdict::Restore { send, .. } = verdict else {
        panic!("{verdict:?}")
    };
    assert_eq!(
        words(&send),
        "http_tokens=optional http_endpoint=enabled hop_limit=3"
    );
}

#[test]
fn a_call_without_an_answer_may_or_may_not_have_taken_effect() {
    for answer in [None, Some(Err("no answer".to_owned()))] {
        let change = change(vec![call(answer)]);
        check(&change, after(), &restore());
        check(&change, before(), &Verdict::AsItWas);
        let found = hops(after(), 1);
        let expected = after();
        check(&change, found, &Verdict::ChangedSince { expected, found });
    }
}

#[test]
fn an_answer_after_an_error_tells_what_is_there() {
    let refused = call(Some(Err("throttled".to_owned())));
    let change = change(vec![refused, call(Some(Ok(after())))]);
    check(&change, after(), &restore());
}

#[test]
fn an_answer_that_shows_other_options_than_asked_for_is_what_the_journal_left() {
    let reset = hops(after(), 1);
    let change = change(vec![call(Some(Ok(reset)))]);
    let verdict = decide(&change, &seen(reset), false, false);
    assert!(matches!(verdict, Verdict::Restore { .. }), "{verdict:?}");
}

#[test]
fn an_answer_that_leaves_options_out_means_those_asked_for() {
    let change = change(vec![call(Some(Ok(MetadataOptions::default())))]);
    check(&change, after(), &restore());
    let found = hops(after(), 1);
    let expected = after();
    check(&change, found, &Verdict::ChangedSince { expected, found });
}

#[test]
fn tokens_cannot_become_optional_where_the_account_enforces_them() {
    for force in [false, true] {
        let verdict = decide(&enforced(), &seen(after()), true, force);
        assert_eq!(verdict, Verdict::TokensEnforced);
    }
}

#[test]
fn enforcement_keeps_nothing_from_going_back_but_optional_tokens() {
    let mut hop = enforced();
    hop.before = hops(after(), 2);
    let verdict = decide(&hop, &seen(after()), true, false);
    assert!(matches!(verdict, Verdict::Restore { .. }), "{verdict:?}");
    let mut closed = enforced();
    closed.before.http_tokens = None;
    closed.calls[0].sent = MetadataOptions::default();
    assert_eq!(
        decide(&closed, &seen(after()), true, false),
        Verdict::AsItWas
    );
}

#[test]
fn what_ended_is_gone_and_what_was_not_seen_is_not_taken_for_gone() {
    for state in [State::ShuttingDown, State::Terminated] {
        let Seen::Instance(mut instance) = seen(after()) else {
            panic!("not seen")
        };
        instance.state = Some(state);
        let verdict = decide(&enforced(), &Seen::Instance(instance), false, true);
        assert_eq!(verdict, Verdict::Gone(Some(state)));
    }
    let verdict = decide(&enforced(), &Seen::Unknown, false, true);
    assert_eq!(verdict, Verdict::Gone(None));
    let verdict = decide(&enforced(), &Seen::Not("no".to_owned()), false, true);
    assert_eq!(verdict, Verdict::NotSeen("no".to_owned()));
}

#[test]
fn an_option_not_known_before_is_left_alone_and_told() {
    let mut change = enforced();
    change.before.http_tokens = None;
    check(&change, after(), &Verdict::NotKnownBefore(required()));
    check(
        &change,
        hops(after(), 1),
        &Verdict::NotKnownBefore(required()),
    );
    let verdict = decide(&change, &seen(hops(after(), 1)), false, true);
    let Verdict::Restore { send, stays } = verdict else {
        panic!("{verdict:?}")
    };
    assert_eq!((words(&send).as_str(), stays), ("hop_limit=3", required()));
    let verdict = decide(&change, &seen(after()), false, true);
    assert_eq!(verdict, Verdict::NotKnownBefore(required()));
}

#[test]
fn an_option_not_known_before_that_nobody_set_is_no_hindrance() {
    let mut change = enforced();
    change.before.hop_limit = None;
    check(&change, after(), &restore());
}

#[test]
fn an_endpoint_is_disabled_alone_and_first() {
    let mut change = enforced();
    change.before.http_endpoint = Some(Toggle::Disabled);
    let verdict = decide(&change, &seen(after()), false, true);
    let Verdict::Restore { send, .. } = verdict else {
        panic!("{verdict:?}")
    };
    assert_eq!(words(&send), "http_endpoint=disabled");
}

#[test]
fn an_endpoint_is_enabled_only_where_it_was() {
    let mut change = enforced();
    change.before.http_endpoint = Some(Toggle::Disabled);
    let found = over(&change.before, &required());
    change.calls[0].answer = Some(Ok(found));
    let verdict = decide(&change, &seen(found), false, false);
    let Verdict::Restore { send, .. } = verdict else {
        panic!("{verdict:?}")
    };
    assert_eq!(send, tokens(HttpTokens::Optional));
}

fn defaults(enforced: Option<Toggle>) -> MetadataDefaults {
    MetadataDefaults {
        http_tokens: Some(HttpTokens::Required),
        http_tokens_enforced: enforced,
        managed_by: Some("account".to_owned()),
        ..Default::default()
    }
}

#[track_caller]
fn check_defaults(
    answer: Option<Result<MetadataDefaults, String>>,
    found: MetadataDefaults,
    expected: &str,
) {
    let sent = defaults(Some(Toggle::Enabled));
    let change = DefaultsChange {
        region: "eu-central-1".to_owned(),
        before: MetadataDefaults::default(),
        calls: vec![Call { sent, answer }],
    };
    let verdict = decide_defaults(&change, &Ok(found), false);
    assert_eq!(verdict.to_string(), expected);
}

#[test]
fn defaults_go_back_to_no_preference() {
    let left = defaults(Some(Toggle::Enabled));
    let back = "set http_tokens=no-preference http_tokens_enforced=no-preference";
    check_defaults(Some(Ok(left.clone())), left.clone(), back);
    check_defaults(None, left.clone(), back);
    check_defaults(Some(Err("no answer".to_owned())), left, back);
}

#[test]
fn defaults_that_are_as_they_were_are_left_whoever_manages_them() {
    let managed = MetadataDefaults {
        managed_by: Some("account".to_owned()),
        ..Default::default()
    };
    check_defaults(None, managed, "they are as they were before");
}

#[test]
fn defaults_that_changed_since_are_left() {
    check_defaults(
        Some(Ok(defaults(Some(Toggle::Enabled)))),
        defaults(Some(Toggle::Disabled)),
        "changed since: they were left with http_tokens_enforced=enabled, and have http_tokens_enforced=disabled",
    );
}

#[test]
fn an_answer_tells_what_defaults_were_left_after_all() {
    let call = |sent: &MetadataDefaults, answer| Call {
        sent: sent.clone(),
        answer,
    };
    let first = defaults(Some(Toggle::Disabled));
    let second = defaults(Some(Toggle::Enabled));
    let change = DefaultsChange {
        region: "eu-central-1".to_owned(),
        before: MetadataDefaults::default(),
        calls: vec![call(&first, None), call(&second, Some(Ok(second.clone())))],
    };
    let verdict = decide_defaults(&change, &Ok(first.clone()), false);
    let changed = matches!(verdict, DefaultsVerdict::ChangedSince { .. });
    assert!(changed, "{verdict:?}");
    let verdict = decide_defaults(&change, &Ok(first), true);
    let restores = matches!(verdict, DefaultsVerdict::Restore { .. });
    assert!(restores, "{verdict:?}");
}

#[test]
fn defaults_of_an_organisation_are_left() {
    let found = MetadataDefaults {
        managed_by: Some("declarative-policy".to_owned()),
        ..defaults(Some(Toggle::Enabled))
    };
    check_defaults(
        None,
        found,
        "managed by declarative-policy: the account cannot set them",
    );
}

fn toggle() -> impl Strategy<Value = Option<Toggle>> {
    prop::option::weighted(
        0.8,
        prop_oneof![Just(Toggle::Enabled), Just(Toggle::Disabled)],
    )
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
    options().prop_map(|options| over(&before(), &options))
}

/// Whether a call takes effect, and whether it is answered.
fn fates() -> impl Strategy<Value = Vec<(MetadataOptions, bool, bool)>> {
    prop::collection::vec((options(), any::<bool>(), any::<bool>()), 1..4)
}

/// An EC2 that keeps what a call leaves out, or as some stand-ins sets it to what launches get.
fn takes(keeps: bool, before: &MetadataOptions, sent: &MetadataOptions) -> MetadataOptions {
    let launched = hops(super::tests::before(), 1);
    over(if keeps { before } else { &launched }, sent)
}

proptest! {
    /// Whatever was done, answered and lost: where nobody else changed anything, the calls of the
    /// rollback bring back exactly what was there, on an EC2 that keeps what a call leaves out and
    /// on one that does not.
    #[test]
    fn what_only_the_journal_changed_comes_back(
        first in known(),
        fates in fates(),
        keeps in any::<bool>(),
    ) {
        let mut now = first;
        let mut calls = Vec::new();
        for (sent, effective, answered) in fates {
            if effective || answered {
                now = over(&now, &sent);
            }
            let answer = answered.then_some(Ok(now));
            calls.push(Call { sent, answer });
        }
        let change = InstanceChange { before: first, ..change(calls) };
        match decide(&change, &seen(now), false, false) {
            Verdict::AsItWas => prop_assert_eq!(now, first),
            Verdict::Restore { send, stays } => {
                prop_assert_eq!(stays, MetadataOptions::default());
                prop_assert_eq!(send, to_send(0, &now, &first));
                for n in 0..super::super::options::CALLS {
                    if now == first {
                        break;
                    }
                    now = takes(keeps, &now, &to_send(n, &now, &first));
                }
                prop_assert_eq!(now, first);
            }
            other => prop_assert!(false, "{:?}", other),
        }
    }

    /// No call of a rollback enables an endpoint that is to be disabled, loosens tokens beside an
    /// endpoint that is still to be disabled, or carries what was not known before.
    #[test]
    fn no_call_opens_more_than_was_open(found in options(), wanted in options(), n in 0..3_usize) {
        let send = to_send(n, &found, &wanted);
        if wanted.http_endpoint == Some(Toggle::Disabled) {
            prop_assert_ne!(send.http_endpoint, Some(Toggle::Enabled));
            if send.http_tokens.is_some() {
                prop_assert!([found.http_endpoint, send.http_endpoint].contains(&Some(Toggle::Disabled)));
            }
        }
        if send.http_endpoint == Some(Toggle::Enabled) {
            let was = wanted.http_endpoint.or(found.http_endpoint);
            prop_assert_eq!(was, Some(Toggle::Enabled));
        }
        let beside_demand = MetadataOptions { http_endpoint: None, ..send };
        prop_assert_eq!(without(&beside_demand, &wanted), MetadataOptions::default());
    }

    /// What is neither as before nor as the journal may have left it is never touched.
    #[test]
    fn what_somebody_else_changed_is_left(first in known(), sent in options(), found in known(), answered in any::<bool>()) {
        let after = over(&first, &sent);
        let answer = answered.then_some(Ok(after));
        let change = InstanceChange { before: first, ..change(vec![Call { sent, answer }]) };
        let verdict = decide(&change, &seen(found), false, false);
        if found == first {
            prop_assert_eq!(verdict, Verdict::AsItWas);
        } else if found == after {
            let restores = matches!(verdict, Verdict::Restore { .. });
            prop_assert!(restores, "{:?}", verdict);
        } else {
            let expected = after;
            prop_assert_eq!(verdict, Verdict::ChangedSince { expected, found });
        }
    }
}
