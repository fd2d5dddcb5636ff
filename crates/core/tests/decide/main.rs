//! Decisions and plans.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at what it did not expect"
)]

mod ages;
mod drift;
mod exemptions;
mod first_launch;
mod grace;
mod milder;
mod not_drift;
mod options;
mod plan;
mod replaced;
mod requested;
mod restored;
mod rules;
mod spot;
mod usage;

use imds_core::age::Attachments;
use imds_core::decide::{
    BecauseWord, Decision, Discovery, Evidence, Instead, NonCompliant, Question, decide,
};
use imds_core::instance::{Instance, InstanceId, State};
use imds_core::options::{HopLimit, HttpTokens, MetadataOptions, Toggle};
use imds_core::policy::{Action, Policy};
use imds_core::usage::{NotKnown, Usage};
use jiff::{SignedDuration, Timestamp};

const NOW: &str = "2026-06-15T12:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;

/// So many seconds before now.
fn ago(seconds: i64) -> Timestamp {
    now()
        .checked_sub(SignedDuration::from_secs(seconds))
        .unwrap()
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

/// Open: IMDSv1 is answered, one hop. Launched 10 seconds ago.
fn open() -> Instance {
    let mut instance =
        Instance::unknown(InstanceId::try_from("i-0000abcd").unwrap(), "eu-central-1");
    instance.state = Some(State::Running);
    launched_at(&mut instance, ago(10));
    instance.options = MetadataOptions {
        http_tokens: Some(HttpTokens::Optional),
        http_endpoint: Some(Toggle::Enabled),
        hop_limit: Some(hops(1)),
        http_protocol_ipv6: Some(Toggle::Disabled),
        instance_metadata_tags: Some(Toggle::Disabled),
    };
    instance
}

fn launched_at(instance: &mut Instance, at: Timestamp) {
    instance.started_at = Some(at);
    instance.attachments = Attachments::at_launch(at);
}

/// Open, and first launched so many seconds ago.
fn launched(seconds_ago: i64) -> Instance {
    with(|i| launched_at(i, ago(seconds_ago)))
}

/// Open, and EC2 does not show its interfaces and volumes.
fn of_unknown_age() -> Instance {
    with(|i| i.attachments = Attachments::default())
}

fn with(change: impl FnOnce(&mut Instance)) -> Instance {
    let mut instance = open();
    change(&mut instance);
    instance
}

fn tagged(key: &str, value: &str) -> Instance {
    with(|i| drop(i.tags.insert(key.to_owned(), value.to_owned())))
}

/// A launch event that is delivered at once.
fn launch_event() -> Discovery {
    Discovery::Launch { at: Some(ago(5)) }
}

fn launch(policy: &Policy, instance: &Instance) -> Decision {
    decide(
        policy,
        instance,
        now(),
        launch_event(),
        &Evidence::default(),
    )
}

fn in_use() -> Usage {
    Usage::InUse {
        calls: 3,
        last_at: ago(HOUR),
    }
}

fn unused() -> Usage {
    Usage::Unused {
        since: ago(14 * 24 * HOUR),
        not_started_within_window: false,
    }
}

fn unknown(because: NotKnown) -> Usage {
    Usage::Unknown { because }
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

/// What is done, why not more, and what must be asked first.
type Outcome = (Action, Option<BecauseWord>, Option<Question>);

/// The outcome where the policy says `required`.
#[track_caller]
fn outcome(
    required: &str,
    instance: &Instance,
    discovery: Discovery,
    evidence: &Evidence,
) -> Outcome {
    let policy = tokens_and_hops(required, "");
    outcome_by(&policy, instance, discovery, evidence)
}

#[track_caller]
fn outcome_by(
    policy: &Policy,
    instance: &Instance,
    discovery: Discovery,
    evidence: &Evidence,
) -> Outcome {
    let decided = non_compliant(decide(policy, instance, now(), discovery, evidence));
    let because = decided.instead.as_ref().map(|it| it.because.word());
    (decided.action, because, decided.question)
}
