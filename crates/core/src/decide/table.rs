//! What may be done to an instance at most, by its age, by how it was discovered and by its use of
//! IMDSv1. An event only says where to look: a replayed or made-up event must not make an old instance
//! new.

use jiff::Timestamp;

use super::because::Because;
use super::discovery::{Discovery, Evidence, Question, Quota, UsageGate};
use crate::age::Age;
use crate::instance::Instance;
use crate::policy::{Action, Policy};
use crate::usage::Usage;

/// The most that may be done; `None`: whatever the policy says.
pub(super) struct AtMost {
    pub(super) limit: Option<(Action, Because)>,
    /// What must be asked first.
    pub(super) question: Option<Question>,
    /// The hourly limit that enforcing it counts towards.
    pub(super) quota: Option<Quota>,
}

impl AtMost {
    fn new(action: Action, because: Because) -> Self {
        AtMost {
            limit: Some((action, because)),
            question: None,
            quota: None,
        }
    }

    fn allows_only_report(&self) -> bool {
        let action = self.limit.as_ref().map(|(action, _)| *action);
        action == Some(Action::Report)
    }

    fn ask(question: Question) -> Self {
        AtMost {
            limit: Some((Action::Report, Because::NotAsked)),
            question: Some(question),
            quota: None,
        }
    }
}

/// The whole table.
pub(super) fn at_most(
    policy: &Policy,
    instance: &Instance,
    now: Timestamp,
    discovery: Discovery,
    evidence: &Evidence,
) -> AtMost {
    match discovery {
        Discovery::Request(gate) => match gate {
            UsageGate::Ignored => requested(None),
            UsageGate::Policy => {
                requested(Some(by_age(policy, instance, now, discovery, evidence)))
            }
            UsageGate::UnusedOnly => requested(Some(unused_only(evidence))),
        },
        Discovery::Drift { .. } => drift(evidence),
        Discovery::Launch { .. } | Discovery::Start | Discovery::Sweep => {
            by_age(policy, instance, now, discovery, evidence)
        }
    }
}

fn by_age(
    policy: &Policy,
    instance: &Instance,
    now: Timestamp,
    discovery: Discovery,
    evidence: &Evidence,
) -> AtMost {
    let first = instance.first_launched_at(now);
    let by_usage = |at_most: &dyn Fn(&Usage) -> Action| match evidence.usage() {
        None => AtMost::ask(Question::Usage),
        Some(usage) => match at_most(usage) {
            Action::Report => AtMost::new(Action::Report, Because::Usage(usage.clone())),
            Action::Enforce | Action::Stop | Action::Terminate => {
                AtMost::new(Action::Enforce, Because::Age(first))
            }
        },
    };
    match Age::new(&policy.new_instances, first, now) {
        Age::New => AtMost {
            limit: None,
            question: None,
            quota: None,
        },
        Age::Recent if discovery.is_launched_now(now) => {
            AtMost::new(Action::Enforce, Because::Age(first))
        }
        Age::Recent => by_usage(&|usage| policy.new_instances.at_most(usage)),
        Age::Old | Age::Unknown => AtMost {
            quota: Some(Quota::Existing),
            ..by_usage(&|usage| policy.existing.at_most(usage))
        },
    }
}

/// A person decides, so that no hourly limit applies, unless the use of IMDSv1 allows no more than a report.
fn requested(gate: Option<AtMost>) -> AtMost {
    match gate {
        Some(gate) if gate.allows_only_report() => AtMost {
            quota: None,
            ..gate
        },
        _ => AtMost::new(Action::Enforce, Because::Requested),
    }
}

fn unused_only(evidence: &Evidence) -> AtMost {
    match evidence.usage() {
        None => AtMost::ask(Question::Usage),
        Some(Usage::Unused { .. }) => AtMost::new(Action::Enforce, Because::Requested),
        Some(usage) => AtMost::new(Action::Report, Because::Usage(usage.clone())),
    }
}

fn drift(evidence: &Evidence) -> AtMost {
    match evidence {
        Evidence::RejectedCalls(Some(rejected)) => {
            AtMost::new(Action::Report, Because::RejectedCalls(rejected.clone()))
        }
        Evidence::RejectedCalls(None) => AtMost {
            quota: Some(Quota::Drift),
            ..AtMost::new(Action::Enforce, Because::Drift)
        },
        Evidence::NotAsked | Evidence::Usage(_) => AtMost::ask(Question::RejectedCalls),
    }
}
