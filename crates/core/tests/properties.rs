//! What holds for every policy and every fleet, judged by an oracle that shares no code with the
//! decision: it reads the policy's JSON itself.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at what it did not expect"
)]

use imds_core::decide::{Decision, Occasion, Remedy};
use imds_core::instance::{
    HopLimit, HttpTokens, Instance, InstanceId, MetadataOptions, State, Toggle,
};
use imds_core::plan::Plan;
use imds_core::policy::Policy;
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn now() -> Timestamp {
    "2026-06-15T12:00:00Z".parse().unwrap()
}

// ---- the oracle

#[derive(Debug, PartialEq)]
enum Verdict {
    Gone,
    Exempt(String),
    Compliant,
    Wrong {
        options: Vec<&'static str>,
        then: String,
    },
}

fn oracle(policy: &Value, instance: &Instance) -> Verdict {
    if matches!(
        instance.state,
        Some(State::Terminated | State::ShuttingDown)
    ) {
        return Verdict::Gone;
    }
    let empty = vec![];
    let rules = policy["rules"].as_array().unwrap_or(&empty);
    let rule = rules
        .iter()
        .find(|rule| holds(&rule["when"], instance) && !expired(rule));
    let then = rule
        .and_then(|rule| rule["then"].as_str())
        .or(policy["on_violation"].as_str())
        .unwrap()
        .to_owned();
    if then == "exempt" {
        return Verdict::Exempt(rule.unwrap()["name"].as_str().unwrap().to_owned());
    }
    let options = &instance.options;
    if options.http_endpoint == Some(Toggle::Disabled) {
        return Verdict::Compliant;
    }
    let mut require = policy["require"].as_object().unwrap().clone();
    if let Some(of_rule) = rule.and_then(|rule| rule["require"].as_object()) {
        require.extend(of_rule.clone());
    }
    let mut wrong = Vec::new();
    let word = |option: Option<String>| option.unwrap_or_default();
    if require.contains_key("http_tokens")
        && word(options.http_tokens.map(|t| t.to_string())) != "required"
    {
        wrong.push("http_tokens");
    }
    if let Some(range) = require.get("hop_limit") {
        let hops = options
            .hop_limit
            .map_or(0, |hops| u64::from(u8::from(hops)));
        let least = range["at_least"].as_u64().unwrap_or(1);
        let most = range["at_most"].as_u64().unwrap_or(64);
        if hops < least || hops > most {
            wrong.push("hop_limit");
        }
    }
    if require.get("http_endpoint") == Some(&json!("disabled")) {
        wrong.push("http_endpoint");
    }
    for (name, found) in [
        ("http_protocol_ipv6", options.http_protocol_ipv6),
        ("instance_metadata_tags", options.instance_metadata_tags),
    ] {
        if let Some(required) = require.get(name)
            && word(found.map(|t| t.to_string())) != required.as_str().unwrap()
        {
            wrong.push(name);
        }
    }
    if wrong.is_empty() {
        Verdict::Compliant
    } else {
        Verdict::Wrong {
            options: wrong,
            then,
        }
    }
}

fn expired(rule: &Value) -> bool {
    rule["until"]
        .as_str()
        .is_some_and(|until| until < "2026-06-15")
}

/// Only the forms that the strategies make: plain words, and `*` at the end.
fn like(pattern: &Value, text: &str) -> bool {
    let pattern = pattern.as_str().unwrap();
    match pattern.strip_suffix('*') {
        Some(start) => text.starts_with(start),
        None => text == pattern,
    }
}

fn holds(when: &Value, instance: &Instance) -> bool {
    when.as_object()
        .unwrap()
        .iter()
        .all(|(condition, value)| match condition.as_str() {
            "regions" => value
                .as_array()
                .unwrap()
                .iter()
                .any(|p| like(p, &instance.region)),
            "accounts" => value.as_array().unwrap().contains(&json!(instance.account)),
            "tags" => value.as_object().unwrap().iter().all(|(key, pattern)| {
                instance
                    .tags
                    .get(key)
                    .is_some_and(|value| like(pattern, value))
            }),
            "auto_scaling" => {
                instance.tags.contains_key("aws:autoscaling:groupName") == value.as_bool().unwrap()
            }
            other => panic!("the strategies make no `{other}`"),
        })
}

// ---- the strategies

fn toggle() -> impl Strategy<Value = Option<Toggle>> {
    prop_oneof![
        Just(None),
        Just(Some(Toggle::Enabled)),
        Just(Some(Toggle::Disabled))
    ]
}

fn options() -> impl Strategy<Value = MetadataOptions> {
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

fn instance() -> impl Strategy<Value = Instance> {
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
        instance.launched_at = now().checked_sub(jiff::SignedDuration::from_mins(10)).ok();
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
    (any::<[bool; 5]>(), hops, word(), word(), word())
        .prop_filter("at least one option", |(given, ..)| given.contains(&true))
        .prop_map(|(given, hops, endpoint, ipv6, tags)| {
            let all = [
                ("http_tokens", json!("required")),
                ("hop_limit", hops),
                ("http_endpoint", json!(endpoint)),
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
    let until = prop_oneof![
        Just(None),
        Just(Some("2026-06-14")),
        Just(Some("2026-06-15"))
    ];
    let then = prop_oneof![
        action().boxed(),
        Just(json!("exempt")).boxed(),
        Just(Value::Null).boxed()
    ];
    (when(), then, require(), any::<bool>(), until).prop_map(
        |(when, then, require, requires, until)| {
            let mut rule = Map::new();
            rule.insert("when".to_owned(), when);
            if then == "exempt" {
                rule.extend(until.map(|until| ("until".to_owned(), json!(until))));
            } else if requires || then.is_null() {
                rule.insert("require".to_owned(), require);
            }
            if !then.is_null() {
                rule.insert("then".to_owned(), then);
            }
            Value::Object(rule)
        },
    )
}

/// Policies that are accepted; a rule that can never be reached makes one that is not.
fn policy() -> impl Strategy<Value = (Value, Policy)> {
    let rules = proptest::collection::vec(rule(), 0..4);
    (require(), action(), rules).prop_filter_map("refused", |(require, on_violation, mut rules)| {
        for (n, rule) in rules.iter_mut().enumerate() {
            rule["name"] = json!(format!("rule {n}"));
        }
        let document = json!({ "require": require, "on_violation": on_violation, "rules": rules });
        let policy = Policy::parse(&document.to_string()).ok()?;
        Some((document, policy))
    })
}

/// What EC2 would make of the plan.
fn applied(plan: &Plan) -> Vec<Instance> {
    let after = plan.steps.iter().map(|step| {
        let mut instance = step.instance.clone();
        if let Decision::Wrong(wrong) = &step.decision {
            match wrong.remedy {
                Remedy::Report(_) | Remedy::AlreadyStopped => {}
                Remedy::Enforce(_) => {
                    let sent = wrong.change.to_send(&instance.options);
                    let kept = instance.options;
                    instance.options = MetadataOptions {
                        http_tokens: sent.http_tokens.or(kept.http_tokens),
                        http_endpoint: sent.http_endpoint.or(kept.http_endpoint),
                        hop_limit: sent.hop_limit.or(kept.hop_limit),
                        http_protocol_ipv6: sent.http_protocol_ipv6.or(kept.http_protocol_ipv6),
                        instance_metadata_tags: sent
                            .instance_metadata_tags
                            .or(kept.instance_metadata_tags),
                    };
                }
                Remedy::Stop => instance.state = Some(State::Stopped),
                Remedy::Terminate => instance.state = Some(State::Terminated),
            }
        }
        instance
    });
    after.collect()
}

fn acts(decision: &Decision) -> bool {
    matches!(decision, Decision::Wrong(wrong)
        if matches!(wrong.remedy, Remedy::Enforce(_) | Remedy::Stop | Remedy::Terminate))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1500) })]

    #[test]
    fn the_decision_is_the_oracle_s(
        (document, policy) in policy(), fleet in proptest::collection::vec(instance(), 1..6),
    ) {
        let plan = Plan::new(&policy, fleet, now(), &Occasion::Launch);
        for step in plan.steps {
            let decided = match &step.decision {
                Decision::Gone(_) => Verdict::Gone,
                Decision::Exempt(exempt) => Verdict::Exempt(exempt.rule.clone()),
                Decision::Compliant(_) => Verdict::Compliant,
                Decision::Wrong(wrong) => {
                    let then = match &wrong.remedy {
                        Remedy::Report(None) => "report",
                        Remedy::Enforce(None) => "enforce",
                        Remedy::Stop | Remedy::AlreadyStopped => "stop",
                        Remedy::Terminate => "terminate",
                        Remedy::Report(Some(instead)) | Remedy::Enforce(Some(instead)) => {
                            prop_assert!(step.instance.auto_scaling_group().is_some());
                            match instead.of {
                                imds_core::policy::Action::Stop => "stop",
                                _ => "terminate",
                            }
                        }
                    };
                    let options = wrong.violations.iter().map(|v| v.option()).collect();
                    Verdict::Wrong { options, then: then.to_owned() }
                }
            };
            prop_assert_eq!(decided, oracle(&document, &step.instance));
        }
    }

    #[test]
    fn after_a_plan_is_applied_nothing_is_left_to_do(
        (_, policy) in policy(), fleet in proptest::collection::vec(instance(), 1..6),
        drift in any::<bool>(),
    ) {
        let occasion = if drift { Occasion::Drift } else { Occasion::Launch };
        let plan = Plan::new(&policy, fleet, now(), &occasion);
        let again = Plan::new(&policy, applied(&plan), now(), &occasion);
        for step in again.steps {
            prop_assert!(!acts(&step.decision), "{}", step);
        }
    }

    #[test]
    fn no_plan_widens_exposure(
        (document, policy) in policy(), fleet in proptest::collection::vec(instance(), 1..6),
    ) {
        let plan = Plan::new(&policy, fleet, now(), &Occasion::Launch);
        for (step, after) in plan.steps.iter().zip(applied(&plan)) {
            let (before, after) = (step.instance.options, after.options);
            let required = Some(HttpTokens::Required);
            prop_assert!(before.http_tokens != required || after.http_tokens == required);
            if before.http_endpoint == Some(Toggle::Disabled) {
                prop_assert_eq!(before, after);
            }
            prop_assert!(after.http_endpoint != Some(Toggle::Enabled) || before.http_endpoint == after.http_endpoint);
            // Whatever changed was wrong, and nothing beside it.
            let wrong = match oracle(&document, &step.instance) {
                Verdict::Wrong { options, .. } => options,
                _ => vec![],
            };
            let changed = [
                ("http_tokens", before.http_tokens != after.http_tokens),
                ("hop_limit", before.hop_limit != after.hop_limit),
                ("http_endpoint", before.http_endpoint != after.http_endpoint),
                ("http_protocol_ipv6", before.http_protocol_ipv6 != after.http_protocol_ipv6),
                ("instance_metadata_tags", before.instance_metadata_tags != after.instance_metadata_tags),
            ];
            for (option, changed) in changed {
                prop_assert!(!changed || wrong.contains(&option), "{} of {}", option, step);
            }
        }
    }

    #[test]
    fn every_instance_seen_has_exactly_one_step(
        (_, policy) in policy(), fleet in proptest::collection::vec(instance(), 0..6),
    ) {
        let mut plan = Plan::new(&policy, fleet.clone(), now(), &Occasion::Launch);
        let waiting = plan.split_off_waiting(&policy, now());
        let ready = plan.steps.iter().map(|step| step.instance.clone());
        let mut once: Vec<_> = ready.chain(waiting.into_iter().flat_map(|w| w.instances)).collect();
        let mut all = fleet;
        once.sort_by(|a, b| a.id.cmp(&b.id));
        all.sort_by(|a, b| a.id.cmp(&b.id));
        prop_assert_eq!(once, all);
    }
}
