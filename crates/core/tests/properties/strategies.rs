//! Random instances and policies.

use imds_core::age::Attachments;
use imds_core::instance::{Instance, InstanceId, State};
use imds_core::options::{HopLimit, HttpTokens, MetadataOptions, Toggle};
use imds_core::policy::Policy;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::now;

fn toggle() -> impl Strategy<Value = Option<Toggle>> {
    prop_oneof![
        Just(None),
        Just(Some(Toggle::Enabled)),
        Just(Some(Toggle::Disabled))
    ]
}

pub(crate) fn options() -> impl Strategy<Value = MetadataOptions> {
    let tokens = prop_oneof![
        Just(None),
        Just(Some(HttpTokens::Optional)),
        Just(Some(HttpTokens::Required))
    ];
    let hops = prop_oneof![
        Just(None),
        (1..=64_i64).prop_map(|n| HopLimit::try_from(n).ok())
    ];
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

pub(crate) fn instance() -> impl Strategy<Value = Instance> {
    let state = prop_oneof![
        1 => Just(State::Pending),
        4 => Just(State::Running),
        1 => Just(State::Stopped),
        1 => Just(State::Terminated)
    ];
    let tags =
        proptest::collection::btree_map("app|env|aws:autoscaling:groupName", "web|scan1|x", 0..3);
    let region = prop_oneof![Just("eu-central-1"), Just("us-east-1"), Just("us-west-2")];
    (0..u32::MAX, state, tags, region, options()).prop_map(|(id, state, tags, region, options)| {
        let id = InstanceId::try_from(format!("i-{id:017x}").as_str()).unwrap();
        let mut instance = Instance::unknown(id, region);
        instance.state = Some(state);
        instance.tags = tags;
        instance.options = options;
        instance.account = Some("111122223333".to_owned());
        let launched_at = now()
            .checked_sub(jiff::SignedDuration::from_mins(10))
            .unwrap();
        instance.started_at = Some(launched_at);
        instance.attachments = Attachments::at_launch(launched_at);
        instance
    })
}

fn action() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just("report"),
        Just("enforce"),
        Just("stop"),
        Just("terminate")
    ]
    .prop_map(Value::from)
}

fn require() -> impl Strategy<Value = Value> {
    let hops = (1..=64_u8, 1..=64_u8, 0..3_u8).prop_map(|(a, b, form)| match form {
        0 => json!({ "at_least": a }),
        1 => json!({ "at_most": a }),
        _ => json!({ "at_least": a.min(b), "at_most": a.max(b) }),
    });
    let word = || prop_oneof![Just("enabled"), Just("disabled")];
    (any::<[bool; 5]>(), hops, word(), word())
        .prop_filter("at least one option", |(given, ..)| given.contains(&true))
        .prop_map(|(given, hops, ipv6, tags)| {
            let all = [
                ("http_tokens", json!("required")),
                ("hop_limit", hops),
                ("http_endpoint", json!("disabled")),
                ("http_protocol_ipv6", json!(ipv6)),
                ("instance_metadata_tags", json!(tags)),
            ];
            let chosen = all.into_iter().zip(given).filter(|(_, given)| *given);
            Value::Object(
                chosen
                    .map(|((key, value), _)| (key.to_owned(), value))
                    .collect(),
            )
        })
}

fn when() -> impl Strategy<Value = Value> {
    let regions = prop_oneof![
        Just(json!(["us-*"])),
        Just(json!(["eu-central-1", "us-east-1"]))
    ];
    let accounts = prop_oneof![Just(json!(["111122223333"])), Just(json!(["999988887777"]))];
    let tags = proptest::collection::btree_map("app|env", "web|scan\\*|\\*", 1..3)
        .prop_map(|tags| json!(tags));
    (any::<[bool; 4]>(), regions, accounts, tags, any::<bool>())
        .prop_filter("at least one condition", |(given, ..)| {
            given.contains(&true)
        })
        .prop_map(|(given, regions, accounts, tags, auto_scaling)| {
            let all = [
                ("regions", regions),
                ("accounts", accounts),
                ("tags", tags),
                ("auto_scaling", json!(auto_scaling)),
            ];
            let chosen = all.into_iter().zip(given).filter(|(_, given)| *given);
            Value::Object(
                chosen
                    .map(|((key, value), _)| (key.to_owned(), value))
                    .collect(),
            )
        })
}

fn rule() -> impl Strategy<Value = Value> {
    let expires = prop_oneof![
        Just(None),
        Just(Some("2026-06-14")),
        Just(Some("2026-06-15"))
    ];
    let action = prop_oneof![
        action().boxed(),
        Just(json!("exempt")).boxed(),
        Just(Value::Null).boxed()
    ];
    let even_if_replaced = any::<Option<bool>>();
    (
        when(),
        action,
        require(),
        any::<bool>(),
        expires,
        even_if_replaced,
    )
        .prop_map(
            |(when, action, require, requires, expires, even_if_replaced)| {
                let mut rule = Map::new();
                rule.insert("when".to_owned(), when);
                if action == "exempt" {
                    rule.extend(expires.map(|day| ("expires".to_owned(), json!(day))));
                } else if requires || action.is_null() {
                    rule.insert("require".to_owned(), require);
                }
                if let Some(even) =
                    even_if_replaced.filter(|_| action == "stop" || action == "terminate")
                {
                    rule.insert("even_if_replaced".to_owned(), json!(even));
                }
                if !action.is_null() {
                    rule.insert("action".to_owned(), action);
                }
                Value::Object(rule)
            },
        )
}

/// Some of these fields.
fn some_of<const N: usize>(
    fields: [(&'static str, BoxedStrategy<Value>); N],
) -> impl Strategy<Value = Value> {
    let fields = fields.map(|(name, value)| {
        let given = prop::option::of(value);
        given.prop_map(move |value| Some((name.to_owned(), value?)))
    });
    Vec::from(fields).prop_map(|fields| Value::Object(fields.into_iter().flatten().collect()))
}

fn at_most_enforce() -> BoxedStrategy<Value> {
    prop_oneof![Just(json!("report")), Just(json!("enforce"))].boxed()
}

fn number(least: u32, most: u32) -> BoxedStrategy<Value> {
    let ends = prop_oneof![Just(least), Just(most), least..=most];
    ends.prop_map(|number| json!(number)).boxed()
}

fn new_instances() -> impl Strategy<Value = Value> {
    some_of([
        ("disrupt_within_minutes", number(1, 60)),
        ("enforce_within_hours", number(1, 168)),
        ("in_use", at_most_enforce()),
        ("grace_seconds", number(0, 600)),
        ("enforce_grace_seconds", number(0, 600)),
    ])
}

fn existing() -> impl Strategy<Value = Value> {
    some_of([
        ("usage_window_days", number(1, 63)),
        ("usage_data_hours", number(1, 168)),
        ("in_use", at_most_enforce()),
        ("unknown", at_most_enforce()),
    ])
}

/// Policies that are accepted; a rule that can never be reached, a grace period that outlasts the time
/// for disruptions, or more hours of data than the window has, make one that is not.
pub(crate) fn policy() -> impl Strategy<Value = (Value, Policy)> {
    let rules = proptest::collection::vec(rule(), 0..4);
    let sections = (new_instances(), existing());
    (require(), action(), rules, sections).prop_filter_map(
        "refused",
        |(require, on_violation, mut rules, (new_instances, existing))| {
            for (n, rule) in rules.iter_mut().enumerate() {
                rule["name"] = json!(format!("rule {n}"));
            }
            let document = json!({ "version": 1, "require": require, "on_violation": on_violation,
                "rules": rules, "new_instances": new_instances, "existing": existing });
            let policy = Policy::parse(&document.to_string()).ok()?;
            Some((document, policy))
        },
    )
}
