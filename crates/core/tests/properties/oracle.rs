//! What the decision must be, read from the policy's JSON.

use imds_core::instance::{Instance, State};
use imds_core::options::Toggle;
use serde_json::{Value, json};

#[derive(Debug, PartialEq)]
pub(crate) enum ExpectedDecision {
    Gone,
    Exempt(String),
    Compliant,
    NonCompliant {
        options: Vec<&'static str>,
        action: String,
    },
}

pub(crate) fn oracle(policy: &Value, instance: &Instance) -> ExpectedDecision {
    if matches!(
        instance.state,
        Some(State::Terminated | State::ShuttingDown)
    ) {
        return ExpectedDecision::Gone;
    }
    let rule = rule_of(policy, instance);
    let action = rule
        .and_then(|rule| rule["action"].as_str())
        .or(policy["on_violation"].as_str())
        .unwrap()
        .to_owned();
    if action == "exempt" {
        let mut others = policy.clone();
        let rules = others["rules"].as_array_mut().unwrap();
        rules.retain(|rule| rule["action"] != "exempt");
        return match oracle(&others, instance) {
            ExpectedDecision::Compliant => ExpectedDecision::Compliant,
            _ => ExpectedDecision::Exempt(rule.unwrap()["name"].as_str().unwrap().to_owned()),
        };
    }
    let options = &instance.options;
    if options.http_endpoint == Some(Toggle::Disabled) {
        return ExpectedDecision::Compliant;
    }
    let mut require = policy["require"].as_object().unwrap().clone();
    if let Some(own) = rule.and_then(|rule| rule["require"].as_object()) {
        require.extend(own.clone());
    }
    let mut violations = Vec::new();
    let word = |option: Option<String>| option.unwrap_or_default();
    if require.contains_key("http_tokens")
        && word(options.http_tokens.map(|t| t.to_string())) != "required"
    {
        violations.push("http_tokens");
    }
    if require.get("http_endpoint") == Some(&json!("disabled")) {
        violations.push("http_endpoint");
    }
    if let Some(range) = require.get("hop_limit") {
        let hops = options
            .hop_limit
            .map_or(0, |hops| u64::from(u8::from(hops)));
        let least = range["at_least"].as_u64().unwrap_or(1);
        let most = range["at_most"].as_u64().unwrap_or(64);
        if hops < least || hops > most {
            violations.push("hop_limit");
        }
    }
    for (name, found) in [
        ("http_protocol_ipv6", options.http_protocol_ipv6),
        ("instance_metadata_tags", options.instance_metadata_tags),
    ] {
        if let Some(required) = require.get(name)
            && word(found.map(|t| t.to_string())) != required.as_str().unwrap()
        {
            violations.push(name);
        }
    }
    if violations.is_empty() {
        ExpectedDecision::Compliant
    } else {
        ExpectedDecision::NonCompliant {
            options: violations,
            action,
        }
    }
}

/// The rule that decides.
pub(crate) fn rule_of<'p>(policy: &'p Value, instance: &Instance) -> Option<&'p Value> {
    policy["rules"]
        .as_array()?
        .iter()
        .find(|rule| holds(&rule["when"], instance) && !expired(rule))
}

fn expired(rule: &Value) -> bool {
    rule["expires"]
        .as_str()
        .is_some_and(|last_day| last_day < "2026-06-15")
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
