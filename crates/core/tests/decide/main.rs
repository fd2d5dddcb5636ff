//! Decisions and plans.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at what it did not expect"
)]

mod milder;
mod options;
mod plan;
mod rules;

use imds_core::decide::{Decision, Discovery, Instead, NonCompliant, decide};
use imds_core::instance::{Instance, InstanceId, State};
use imds_core::options::{HopLimit, HttpTokens, MetadataOptions, Toggle};
use imds_core::policy::{Action, Policy};
use jiff::Timestamp;

const NOW: &str = "2026-06-15T12:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn policy(text: &str) -> Policy {
    Policy::parse(text).unwrap_or_else(|faults| panic!("{faults}"))
}

/// Tokens required and at most 2 hops, with the given action and rules.
fn tokens_and_hops(on_violation: &str, rules: &str) -> Policy {
    policy(&format!(
        r#"{{"version": 1, "require": {{"http_tokens": "required", "hop_limit": {{"at_most": 2}}}},
            "on_violation": "{on_violation}", "rules": [{rules}]}}"#
    ))
}

fn hops(n: i64) -> HopLimit {
    HopLimit::try_from(n).unwrap()
}

/// Open: IMDSv1 is answered, one hop.
fn open() -> Instance {
    let mut instance = Instance::unknown(InstanceId::try_from("i-0abc").unwrap(), "eu-central-1");
    instance.state = Some(State::Running);
    instance.launched_at = Some("2026-06-15T11:59:50Z".parse().unwrap());
    instance.options = MetadataOptions {
        http_tokens: Some(HttpTokens::Optional),
        http_endpoint: Some(Toggle::Enabled),
        hop_limit: Some(hops(1)),
        http_protocol_ipv6: Some(Toggle::Disabled),
        instance_metadata_tags: Some(Toggle::Disabled),
    };
    instance
}

fn with(change: impl FnOnce(&mut Instance)) -> Instance {
    let mut instance = open();
    change(&mut instance);
    instance
}

fn tagged(key: &str, value: &str) -> Instance {
    with(|i| drop(i.tags.insert(key.to_owned(), value.to_owned())))
}

fn launch(policy: &Policy, instance: &Instance) -> Decision {
    decide(policy, instance, now(), &Discovery::Launch)
}

#[track_caller]
fn non_compliant(decision: Decision) -> NonCompliant {
    match decision {
        Decision::NonCompliant(non_compliant) => non_compliant,
        other => panic!("{other:?}"),
    }
}

fn done(non_compliant: &NonCompliant) -> (Action, Option<&Instead>) {
    (non_compliant.action, non_compliant.instead.as_ref())
}
