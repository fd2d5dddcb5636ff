//! Options: which are violations, and what is sent.

use imds_core::decide::{Compliant, Decision};
use imds_core::options::{HttpTokens, MetadataOptions, OptionSetting, Toggle};
use imds_core::policy::{Action, Policy};
use imds_core::requirement::{RequiredTokens, Requirement};
use imds_core::violation::Violation;

use crate::{done, hops, launch, non_compliant, open, policy, tokens_and_hops, with};

#[track_caller]
fn options(decision: Decision) -> Vec<&'static str> {
    non_compliant(decision)
        .violations
        .iter()
        .map(|violation| violation.option().name())
        .collect()
}

/// A policy that requires every option.
fn all_options(on_violation: &str) -> Policy {
    policy(&format!(
        r#"{{"version": 1, "require": {{"http_tokens": "required", "hop_limit": {{"at_least": 2, "at_most": 3}},
            "http_protocol_ipv6": "disabled", "instance_metadata_tags": "enabled"}},
            "on_violation": "{on_violation}"}}"#
    ))
}

#[test]
fn required_tokens_are_compliant() {
    let instance = with(|i| i.options.http_tokens = Some(HttpTokens::Required));
    let decision = launch(&tokens_and_hops("enforce", ""), &instance);
    assert_eq!(
        decision,
        Decision::Compliant(Compliant::AsRequired { rule: None })
    );
}

#[test]
fn optional_tokens_are_enforced() {
    let non_compliant = non_compliant(launch(&tokens_and_hops("enforce", ""), &open()));
    assert_eq!(
        non_compliant.violations,
        [Violation {
            found: Some(OptionSetting::HttpTokens(HttpTokens::Optional)),
            required: Requirement::Tokens(RequiredTokens::Required),
            remediation: OptionSetting::HttpTokens(HttpTokens::Required),
        }]
    );
    assert_eq!(done(&non_compliant), (Action::Enforce, None));
    assert_eq!(non_compliant.change.to_string(), "http_tokens=required");
}

#[test]
fn options_that_are_not_known_are_never_compliant() {
    let instance = with(|i| i.options = MetadataOptions::default());
    let decision = launch(&tokens_and_hops("enforce", ""), &instance);
    assert_eq!(options(decision), ["http_tokens", "hop_limit"]);
}

#[test]
fn each_required_option_that_is_not_known_is_a_violation() {
    let all = policy(
        r#"{"version": 1, "require": {"http_tokens": "required", "hop_limit": {"at_most": 2}, "http_protocol_ipv6": "disabled",
            "instance_metadata_tags": "disabled"}, "on_violation": "enforce"}"#,
    );
    let unknowns: [fn(&mut MetadataOptions); 4] = [
        |o| o.http_tokens = None,
        |o| o.hop_limit = None,
        |o| o.http_protocol_ipv6 = None,
        |o| o.instance_metadata_tags = None,
    ];
    let expected = [
        "http_tokens",
        "hop_limit",
        "http_protocol_ipv6",
        "instance_metadata_tags",
    ];
    for (unknown, option) in unknowns.into_iter().zip(expected) {
        let instance = with(|i| {
            i.options.http_tokens = Some(HttpTokens::Required);
            unknown(&mut i.options);
        });
        assert_eq!(options(launch(&all, &instance)), [option]);
    }
}

#[test]
fn a_disabled_endpoint_is_compliant_whatever_the_tokens() {
    let instance = with(|i| i.options.http_endpoint = Some(Toggle::Disabled));
    let decision = launch(&tokens_and_hops("terminate", ""), &instance);
    assert_eq!(decision, Decision::Compliant(Compliant::EndpointDisabled));
}

#[test]
fn an_endpoint_required_to_be_disabled_is_disabled_and_nothing_else_is_sent() {
    let policy = policy(
        r#"{"version": 1, "require": {"http_tokens": "required", "http_endpoint": "disabled"}, "on_violation": "enforce"}"#,
    );
    let non_compliant = non_compliant(launch(&policy, &open()));
    assert_eq!(non_compliant.change.to_string(), "http_endpoint=disabled");
}

#[test]
fn a_policy_that_requires_an_enabled_endpoint_is_refused() {
    let policy =
        r#"{"version": 1, "require": {"http_endpoint": "enabled"}, "on_violation": "enforce"}"#;
    let faults = Policy::parse(policy).unwrap_err().to_string();
    assert!(faults.starts_with("$.require.http_endpoint"), "{faults}");
}

#[test]
fn a_hop_limit_is_moved_to_the_nearer_end_of_its_range() {
    let range = r#"{"version": 1, "require": {"hop_limit": {"at_least": 2, "at_most": 4}}, "on_violation": "enforce"}"#;
    for (found, expected) in [(1, "hop_limit=2"), (5, "hop_limit=4"), (64, "hop_limit=4")] {
        let instance = with(|i| i.options.hop_limit = Some(hops(found)));
        assert_eq!(
            non_compliant(launch(&policy(range), &instance))
                .change
                .to_string(),
            expected
        );
    }
    for found in 2..=4 {
        let instance = with(|i| i.options.hop_limit = Some(hops(found)));
        assert!(matches!(
            launch(&policy(range), &instance),
            Decision::Compliant(_)
        ));
    }
}

#[test]
fn hop_limits_stay_as_they_are_where_the_policy_does_not_require_any() {
    let policy = policy(
        r#"{"version": 1, "require": {"http_tokens": "required"}, "on_violation": "enforce"}"#,
    );
    let instance = with(|i| i.options.hop_limit = Some(hops(64)));
    let non_compliant = non_compliant(launch(&policy, &instance));
    assert_eq!(non_compliant.change.set().hop_limit, None);
    assert_eq!(
        non_compliant.change.applied_to(&instance.options).hop_limit,
        Some(hops(64))
    );
}

#[test]
fn the_endpoint_is_never_sent_with_tokens() {
    for endpoint in [Some(Toggle::Enabled), None] {
        let instance = with(|i| i.options.http_endpoint = endpoint);
        let change = non_compliant(launch(&tokens_and_hops("enforce", ""), &instance)).change;
        assert_eq!(change.set().http_endpoint, None);
        assert_eq!(
            change.applied_to(&instance.options).http_endpoint,
            endpoint,
            "what a call leaves out stays as it is"
        );
    }
}

#[test]
fn in_every_mixture_of_options_only_the_violations_are_remediated() {
    let toggles = [None, Some(Toggle::Enabled), Some(Toggle::Disabled)];
    let policy = all_options("enforce");
    let mut remediated = 0;
    for http_tokens in [None, Some(HttpTokens::Optional), Some(HttpTokens::Required)] {
        for hop_limit in [
            None,
            Some(hops(1)),
            Some(hops(2)),
            Some(hops(3)),
            Some(hops(4)),
        ] {
            for http_protocol_ipv6 in toggles {
                for instance_metadata_tags in toggles {
                    for http_endpoint in [None, Some(Toggle::Enabled)] {
                        let before = MetadataOptions {
                            http_tokens,
                            http_endpoint,
                            hop_limit,
                            http_protocol_ipv6,
                            instance_metadata_tags,
                        };
                        let Decision::NonCompliant(non_compliant) =
                            launch(&policy, &with(|i| i.options = before))
                        else {
                            continue;
                        };
                        let set = non_compliant.change.set();
                        let either =
                            |compliant: bool, set: bool| assert!(compliant != set, "{before:?}");
                        either(
                            http_tokens == Some(HttpTokens::Required),
                            set.http_tokens.is_some(),
                        );
                        either(
                            matches!(hop_limit, Some(h) if (2..=3).contains(&u8::from(h))),
                            set.hop_limit.is_some(),
                        );
                        either(
                            http_protocol_ipv6 == Some(Toggle::Disabled),
                            set.http_protocol_ipv6.is_some(),
                        );
                        either(
                            instance_metadata_tags == Some(Toggle::Enabled),
                            set.instance_metadata_tags.is_some(),
                        );
                        assert_eq!(set.http_endpoint, None);
                        let after = with(|i| i.options = non_compliant.change.applied_to(&before));
                        assert!(
                            matches!(launch(&policy, &after), Decision::Compliant(_)),
                            "{before:?}"
                        );
                        remediated += 1;
                    }
                }
            }
        }
    }
    // 270 mixtures, 4 of which are compliant: two hop limits, with the endpoint known or not.
    assert_eq!(remediated, 270 - 4);
}

#[test]
fn only_changes_that_the_policy_would_make_can_be_the_function_s_own() {
    let policy = all_options("enforce");
    let set = |change: fn(&mut MetadataOptions)| {
        let mut options = MetadataOptions::default();
        change(&mut options);
        policy.could_have_set(&options)
    };
    assert!(set(|o| o.http_tokens = Some(HttpTokens::Required)));
    assert!(set(|o| {
        o.http_tokens = Some(HttpTokens::Required);
        o.hop_limit = Some(hops(2));
    }));
    assert!(!set(|o| {
        o.http_tokens = Some(HttpTokens::Required);
        o.http_endpoint = Some(Toggle::Enabled);
    }));
    assert!(!set(|o| o.http_tokens = Some(HttpTokens::Optional)));
    assert!(!set(|o| o.hop_limit = Some(hops(64))));
    assert!(!set(|o| o.http_endpoint = Some(Toggle::Enabled)));
    assert!(!set(|o| o.http_endpoint = Some(Toggle::Disabled)));
    assert!(!set(|o| o.http_protocol_ipv6 = Some(Toggle::Enabled)));
    assert!(!set(|o| o.instance_metadata_tags = Some(Toggle::Disabled)));
    assert!(!set(|_| ()));
}
