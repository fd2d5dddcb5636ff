//! The policy: what is read, what is refused, what matches.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod conditions;
mod coverage;
mod examples;
mod numbers;
mod reading;
mod refusals;
mod schema;
mod wildcards;
mod words;

use imds_core::policy::Policy;

#[track_caller]
fn parse(document: &str) -> Policy {
    match Policy::parse(document) {
        Ok(policy) => policy,
        Err(faults) => panic!("{faults}"),
    }
}

/// A document with nothing but what it must have, and these further fields.
fn document(fields: &str) -> String {
    let comma = if fields.is_empty() { "" } else { ", " };
    format!(
        r#"{{"version": 1, "require": {{"http_tokens": "required"}}, "on_violation": "enforce"{comma}{fields}}}"#
    )
}

fn requiring(require: &str) -> String {
    format!(r#"{{"version": 1, "require": {require}, "on_violation": "enforce"}}"#)
}

fn with_rules(rules: &[&str]) -> String {
    document(&format!(r#""rules": [{}]"#, rules.join(", ")))
}

fn with_conditions(conditions: &str) -> String {
    with_rules(&[&format!(
        r#"{{"name": "a", "when": {{{conditions}}}, "action": "report"}}"#
    )])
}
