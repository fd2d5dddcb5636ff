//! What a valid document means.

use std::collections::BTreeMap;

use imds_core::options::{HopLimit, Toggle};
use imds_core::policy::{
    Action, Existing, Limits, NewInstances, Pattern, Policy, Rule, RuleAction, When,
};
use imds_core::require::Require;
use imds_core::requirement::{HopRange, RequiredEndpoint, RequiredTokens};
use jiff::civil::{Date, date};

use crate::{document, parse, requiring, with_conditions, with_rules};

fn hops(hops: i64) -> Option<HopLimit> {
    Some(HopLimit::try_from(hops).unwrap())
}

fn patterns(patterns: &[&str]) -> Vec<Pattern> {
    patterns.iter().map(|text| Pattern::new(*text)).collect()
}

const TOKENS: Require = Require {
    http_tokens: Some(RequiredTokens::Required),
    hop_limit: None,
    http_endpoint: None,
    http_protocol_ipv6: None,
    instance_metadata_tags: None,
};

#[test]
fn a_byte_order_mark_before_a_policy_has_no_meaning() {
    let plain = r#"{ "require": { "http_tokens": "required" }, "on_violation": "enforce" }"#;
    let marked = format!("\u{feff}{plain}");
    assert_eq!(Policy::parse(&marked), Policy::parse(plain));
    assert!(Policy::parse(&marked).is_ok());
}

#[test]
fn a_whole_policy_is_read() {
    let given = parse(
        r#"{
  "version": 1, "require": { "http_tokens": "required", "hop_limit": { "at_most": 2 } },
  "on_violation": "enforce",
  "rules": [
    { "name": "legacy scanner", "when": { "tags": { "app": "scanner-*" } },
      "action": "exempt", "expires": "2027-03-31", "reason": "vendor ticket 4711" },
    { "name": "sandboxes", "when": { "accounts": ["111122223333"], "regions": ["us-*"] }, "action": "terminate" },
    { "name": "kubernetes", "when": { "tags": { "eks:cluster-name": "*" } }, "require": { "hop_limit": { "at_least": 2 } } }
  ],
  "limits": { "disruptions_per_hour": 10 }, "new_instances": { "grace_seconds": 60 },
  "existing": { "usage_window_days": 14, "in_use": "report", "unknown": "report" }
}"#,
    );
    let rule = |name: &str, when| Rule {
        name: name.to_owned(),
        when,
        action: None,
        require: None,
        expires: None,
        even_if_replaced: false,
        reason: None,
    };
    let tag = |key, value| When {
        tags: BTreeMap::from([(Pattern::new(key), patterns(&[value]))]),
        ..When::default()
    };
    let sandboxes = When {
        accounts: Some(patterns(&["111122223333"])),
        regions: Some(patterns(&["us-*"])),
        ..When::default()
    };
    let expected = Policy {
        version: 1,
        require: Require {
            hop_limit: Some(HopRange {
                at_least: None,
                at_most: hops(2),
            }),
            ..TOKENS
        },
        on_violation: Action::Enforce,
        rules: vec![
            Rule {
                action: Some(RuleAction::Exempt),
                expires: Some(date(2027, 3, 31)),
                reason: Some("vendor ticket 4711".to_owned()),
                ..rule("legacy scanner", tag("app", "scanner-*"))
            },
            Rule {
                action: Some(RuleAction::Act(Action::Terminate)),
                ..rule("sandboxes", sandboxes)
            },
            Rule {
                require: Some(Require {
                    hop_limit: Some(HopRange {
                        at_least: hops(2),
                        at_most: None,
                    }),
                    ..Require::default()
                }),
                ..rule("kubernetes", tag("eks:cluster-name", "*"))
            },
        ],
        new_instances: NewInstances::default(),
        existing: Existing::default(),
        limits: Limits::default(),
    };
    assert_eq!(given, expected);
}

#[test]
fn every_option_can_be_required() {
    let given = parse(&requiring(
        r#"{"http_tokens": "required", "hop_limit": {"at_least": 1, "at_most": 64}, "http_endpoint": "disabled",
            "http_protocol_ipv6": "disabled", "instance_metadata_tags": "enabled"}"#,
    ));
    let expected = Require {
        http_tokens: Some(RequiredTokens::Required),
        hop_limit: Some(HopRange {
            at_least: hops(1),
            at_most: hops(64),
        }),
        http_endpoint: Some(RequiredEndpoint::Disabled),
        http_protocol_ipv6: Some(Toggle::Disabled),
        instance_metadata_tags: Some(Toggle::Enabled),
    };
    assert_eq!(given.require, expected);
}

#[test]
fn every_condition_can_be_given_as_one_or_many() {
    let one = r#""accounts": "111122223333", "regions": "eu-*", "tags": {"k": "v"}, "images": "ami-1",
        "instance_types": "m7g.*", "principals": "arn:*", "auto_scaling": false, "launch_templates": "lt-1""#;
    let many = r#""accounts": ["111122223333"], "regions": ["eu-*"], "tags": {"k": ["v"]}, "images": ["ami-1"],
        "instance_types": ["m7g.*"], "principals": ["arn:*"], "auto_scaling": false, "launch_templates": ["lt-1"]"#;
    let expected = When {
        accounts: Some(patterns(&["111122223333"])),
        regions: Some(patterns(&["eu-*"])),
        tags: BTreeMap::from([(Pattern::new("k"), patterns(&["v"]))]),
        images: Some(patterns(&["ami-1"])),
        instance_types: Some(patterns(&["m7g.*"])),
        principals: Some(patterns(&["arn:*"])),
        auto_scaling: Some(false),
        launch_templates: Some(patterns(&["lt-1"])),
    };
    assert_eq!(parse(&with_conditions(one)).rules[0].when, expected);
    assert_eq!(parse(&with_conditions(many)).rules[0].when, expected);
}

#[test]
fn what_is_left_out_has_its_default() {
    let policy = parse(&document(""));
    let expected = Policy {
        version: 1,
        require: TOKENS,
        on_violation: Action::Enforce,
        rules: vec![],
        new_instances: NewInstances {
            disrupt_within_minutes: 15,
            enforce_within_hours: 24,
            in_use: Action::Report,
            grace_seconds: 60,
            enforce_grace_seconds: 0,
        },
        existing: Existing {
            usage_window_days: 14,
            usage_data_hours: 24,
            in_use: Action::Report,
            unknown: Action::Report,
            watch_days: 0,
            stop_when_rejected: true,
        },
        limits: Limits {
            disruptions_per_hour: 10,
            enforcements_per_hour: 6,
            existing_per_hour: Some(50),
        },
    };
    assert_eq!(policy, expected);
    let empty = document(
        r#""$schema": "./policy.schema.json", "rules": [], "new_instances": {}, "existing": {}, "limits": {}"#,
    );
    assert_eq!(parse(&empty), expected);
}

#[test]
fn every_word_for_an_action_is_read() {
    let words = [
        ("report", RuleAction::Act(Action::Report)),
        ("enforce", RuleAction::Act(Action::Enforce)),
        ("stop", RuleAction::Act(Action::Stop)),
        ("terminate", RuleAction::Act(Action::Terminate)),
        ("exempt", RuleAction::Exempt),
    ];
    for (word, action) in words {
        let rule = format!(r#"{{"name": "a", "when": {{"regions": "eu-*"}}, "action": "{word}"}}"#);
        assert_eq!(parse(&with_rules(&[&rule])).rules[0].action, Some(action));
    }
    let displayed: Vec<String> = Action::ALL.iter().map(Action::to_string).collect();
    assert_eq!(displayed, ["report", "enforce", "stop", "terminate"]);
    assert!(Action::ALL.is_sorted(), "mildest first");
}

#[test]
fn a_hop_range_may_be_a_single_limit() {
    let policy = parse(&requiring(
        r#"{"hop_limit": {"at_least": 2, "at_most": 2}}"#,
    ));
    let expected = HopRange {
        at_least: hops(2),
        at_most: hops(2),
    };
    assert_eq!(policy.require.hop_limit, Some(expected));
}

#[test]
fn a_rule_overrides_the_requirements_key_by_key() {
    let base = parse(&requiring(
        r#"{"http_tokens": "required", "hop_limit": {"at_least": 2, "at_most": 3},
            "http_protocol_ipv6": "enabled", "instance_metadata_tags": "disabled"}"#,
    ))
    .require;
    let rule = Require {
        http_tokens: None,
        hop_limit: Some(HopRange {
            at_least: None,
            at_most: hops(1),
        }),
        http_endpoint: Some(RequiredEndpoint::Disabled),
        http_protocol_ipv6: Some(Toggle::Disabled),
        instance_metadata_tags: Some(Toggle::Enabled),
    };
    let expected = Require {
        http_tokens: base.http_tokens,
        ..rule.clone()
    };
    assert_eq!(base.overridden_by(&rule), expected);
    assert_eq!(base.overridden_by(&Require::default()), base);
    assert_eq!(Require::default().overridden_by(&base), base);
}

#[test]
fn an_exemption_holds_through_its_last_day() {
    let rule = |expires: &str| {
        let rule = format!(
            r#"{{"name": "a", "when": {{"regions": "eu-*"}}, "action": "exempt"{expires}}}"#
        );
        parse(&with_rules(&[&rule])).rules.remove(0)
    };
    let ending = rule(r#", "expires": "2028-02-29""#);
    assert!(!ending.expired(date(2028, 2, 28)));
    assert!(!ending.expired(date(2028, 2, 29)));
    assert!(ending.expired(date(2028, 3, 1)));
    assert!(!rule("").expired(Date::MAX));
}

#[test]
fn a_rule_may_disrupt_what_is_replaced() {
    let rule = |more: &str| {
        let rule =
            format!(r#"{{"name": "a", "when": {{"auto_scaling": true}}, "action": "stop"{more}}}"#);
        parse(&document(&format!(r#""rules": [{rule}]"#))).rules[0].even_if_replaced
    };
    assert!(rule(r#", "even_if_replaced": true"#));
    assert!(!rule(r#", "even_if_replaced": false"#));
    assert!(!rule(""));
}

#[test]
fn without_a_version_a_policy_is_of_version_1() {
    let policy = r#"{"require": {"http_tokens": "required"}, "on_violation": "enforce"}"#;
    assert_eq!(parse(policy).version, 1);
}
