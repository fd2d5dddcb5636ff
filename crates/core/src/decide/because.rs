//! Why something milder is done than the policy says.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::count::count;
use crate::instance::InstanceId;
use crate::instance::{DedicatedCapacity, LaunchTemplate};
use crate::plain::Plain;
use crate::policy::Action;
use crate::replacer::Replacer;
use crate::restored::Restored;
use crate::state::Pause;
use crate::usage::{RejectedCalls, Usage};

/// What the policy says, and why something milder is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instead {
    /// What the policy says.
    pub of: Action,
    /// Why something milder is done.
    pub because: Because,
}

/// Why something milder is done than the policy says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Because {
    /// It would be replaced by an instance with the same options, again and again.
    Replaced {
        /// What replaces it.
        by: Replacer,
        /// What to change so that the next instance is compliant.
        template: Option<LaunchTemplate>,
    },
    /// It holds what existed before its launch.
    Restored(Restored),
    /// Its capacity is paid for whether or not it runs.
    DedicatedCapacity(DedicatedCapacity),
    /// It was running before, and only its options changed.
    Drift,
    /// Its options were enforced this often within the hour, and somebody changes them back.
    DriftLimit {
        /// How often.
        enforcements: u32,
    },
    /// Calls without a token were rejected before its options were changed: somebody may have changed them
    /// because software failed.
    RejectedCalls(RejectedCalls),
    /// It is not new: it was first launched then, or its age is not known.
    Age(Option<Timestamp>),
    /// Its use of IMDSv1 allows no more.
    Usage(Usage),
    /// What the decision depends on was not asked.
    NotAsked,
    /// Its user data calls the metadata service without a token in this line, or could not be read.
    UserData(Option<usize>),
    /// A person asked for no more.
    Requested,
    /// It is younger than `grace_seconds`, and the next sweep decides.
    Grace,
    /// The limit of disruptions within an hour is reached.
    DisruptionLimit {
        /// The limit.
        limit: u32,
    },
    /// The limit of enforcements of existing instances within an hour is reached.
    ExistingLimit {
        /// The limit.
        limit: u32,
    },
    /// Calls without a token are rejected on an instance of the account since its options were enforced.
    RejectedOn(InstanceId),
    /// It is not known whether they are.
    RejectedUnknown(String),
    /// A person has paused the function.
    Paused(Pause),
    /// The state table could not be read or written.
    StateUnavailable(String),
    /// A rule by `principals` that asks for less may match, and it is not known who launched the instance.
    LauncherUnknown(String),
    /// A rule that asks for less may match, but a fact that it needs is not known.
    RuleUnknown(String),
    /// When it was observed again, another rule decided, or none.
    RuleChanged(Option<String>),
    /// It could not be observed again.
    NotObserved(String),
    /// It is stopped already.
    AlreadyStopped,
    /// The AWS service that manages it refuses changes.
    Managed(String),
    /// EC2 refused.
    Refused(String),
}

impl Because {
    /// The word in reports.
    pub fn word(&self) -> BecauseWord {
        match self {
            Because::Replaced { .. } => BecauseWord::Replaced,
            Because::Drift => BecauseWord::Drift,
            Because::DriftLimit { .. } => BecauseWord::DriftLimit,
            Because::Restored(_) => BecauseWord::Restored,
            Because::DedicatedCapacity(_) => BecauseWord::DedicatedCapacity,
            Because::RejectedCalls(_) => BecauseWord::RejectedCalls,
            Because::Age(Some(_)) => BecauseWord::NotNew,
            Because::Age(None) => BecauseWord::AgeUnknown,
            Because::Usage(Usage::InUse { .. }) => BecauseWord::InUse,
            Because::Usage(Usage::Unused { .. } | Usage::Unknown { .. }) | Because::NotAsked => {
                BecauseWord::UsageUnknown
            }
            Because::UserData(_) => BecauseWord::UserData,
            Because::Requested => BecauseWord::Requested,
            Because::Grace => BecauseWord::Grace,
            Because::DisruptionLimit { .. } => BecauseWord::DisruptionLimit,
            Because::ExistingLimit { .. } => BecauseWord::ExistingLimit,
            Because::RejectedOn(_) | Because::RejectedUnknown(_) => BecauseWord::RejectedCalls,
            Because::Paused(_) => BecauseWord::Paused,
            Because::StateUnavailable(_) => BecauseWord::StateUnavailable,
            Because::LauncherUnknown(_) => BecauseWord::LauncherUnknown,
            Because::RuleUnknown(_) => BecauseWord::RuleUnknown,
            Because::RuleChanged(_) => BecauseWord::RuleChanged,
            Because::NotObserved(_) => BecauseWord::NotObserved,
            Because::AlreadyStopped => BecauseWord::AlreadyStopped,
            Because::Managed(_) => BecauseWord::Managed,
            Because::Refused(_) => BecauseWord::Refused,
        }
    }
}

/// A [`Because`] in reports, as one of a fixed list of words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "documented in `Because`")]
pub enum BecauseWord {
    Replaced,
    Restored,
    DedicatedCapacity,
    Drift,
    DriftLimit,
    RejectedCalls,
    NotNew,
    AgeUnknown,
    InUse,
    UsageUnknown,
    UserData,
    Requested,
    Grace,
    DisruptionLimit,
    ExistingLimit,
    Paused,
    StateUnavailable,
    LauncherUnknown,
    RuleUnknown,
    RuleChanged,
    NotObserved,
    AlreadyStopped,
    Managed,
    Refused,
}

impl fmt::Display for Instead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let not_done = match self.of {
            Action::Report => "reported",
            Action::Enforce => "enforced",
            Action::Stop => "stopped",
            Action::Terminate => "terminated",
        };
        write!(f, "not {not_done}, because {}", self.because)
    }
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Because::Replaced { by, template } => {
                write!(f, "{by} would replace it with an instance like it: update ")?;
                match template {
                    Some(template) => write!(f, "launch template {template}"),
                    None => f.write_str("what it launches from"),
                }
            }
            Because::Drift => f.write_str("only its options changed"),
            Because::DriftLimit { enforcements } => write!(
                f,
                "its options were enforced {enforcements} times within the hour and changed back \
                 each time"
            ),
            Because::Restored(restored) => restored.fmt(f),
            Because::DedicatedCapacity(DedicatedCapacity::CapacityBlock) => {
                f.write_str("its Capacity Block is paid for whether or not it runs")
            }
            Because::DedicatedCapacity(DedicatedCapacity::DedicatedHost) => {
                f.write_str("its Dedicated Host is paid for whether or not it runs")
            }
            Because::RejectedCalls(RejectedCalls { calls, last_at }) => write!(
                f,
                "{} without a token had been rejected before its options were changed, the last at \
                 {last_at}: software may need IMDSv1",
                count(*calls, "call")
            ),
            Because::Age(Some(first)) => write!(f, "it was first launched at {first}"),
            Because::Age(None) => f.write_str("EC2 does not show when it was first launched"),
            Because::Usage(usage) => usage.fmt(f),
            Because::NotAsked => f.write_str("CloudWatch has not been asked"),
            Because::UserData(Some(line)) => write!(
                f,
                "its user data calls the metadata service without a token in line {line}"
            ),
            Because::UserData(None) => f.write_str("its user data could not be read"),
            Because::Requested => f.write_str("only its options are to be set"),
            Because::Grace => {
                f.write_str("it is younger than `grace_seconds`: the next sweep decides")
            }
            Because::DisruptionLimit { limit } => {
                let limit = count(*limit, "disruption");
                write!(f, "the limit of {limit} per hour is reached")
            }
            Because::ExistingLimit { limit } => write!(
                f,
                "the limit of {} of existing instances per hour is reached: a later sweep goes on",
                count(*limit, "enforcement")
            ),
            Because::RejectedOn(id) => write!(
                f,
                "calls without a token are rejected on {id} since its options were enforced"
            ),
            Because::RejectedUnknown(error) => write!(
                f,
                "it is not known whether calls without a token are rejected on watched instances: {}",
                Plain(error)
            ),
            Because::Paused(pause) => write!(f, "the function is {pause}"),
            Because::StateUnavailable(error) => {
                write!(f, "the state table is not available: {}", Plain(error))
            }
            Because::LauncherUnknown(rule) => write!(
                f,
                "rule `{rule}` may match, and it is not known who launched the instance"
            ),
            Because::RuleUnknown(rule) => write!(
                f,
                "rule `{rule}` may match, and a fact that it needs is not known"
            ),
            Because::RuleChanged(Some(rule)) => {
                write!(f, "its tags have changed, and rule `{rule}` decides")
            }
            Because::RuleChanged(None) => f.write_str("its tags have changed, and no rule decides"),
            Because::NotObserved(error) => {
                write!(f, "it could not be observed again: {}", Plain(error))
            }
            Because::AlreadyStopped => f.write_str("it is already stopped"),
            Because::Managed(service) => {
                write!(f, "`{}` manages it and refuses changes", Plain(service))
            }
            Because::Refused(error) => write!(f, "EC2 refused: {}", Plain(error)),
        }
    }
}
