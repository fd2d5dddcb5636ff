//! Why something milder is done than the policy says.

use std::fmt;

use serde::Serialize;

use crate::instance::LaunchTemplate;
use crate::plain::Plain;
use crate::policy::Action;
use crate::replacer::Replacer;
use crate::usage::Usage;

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
    /// It was running before, and only its options changed.
    Drift,
    /// Its options were enforced this often within the hour, and somebody changes them back.
    DriftLimit {
        /// How often.
        enforcements: u32,
    },
    /// It existed before, and its use of IMDSv1 allows no more.
    Usage(Usage),
    /// A person asked for no more.
    Requested,
    /// It is younger than `grace_seconds`, and the next sweep decides.
    Grace,
    /// The limit of disruptions within an hour is reached.
    DisruptionLimit {
        /// The limit.
        limit: u32,
    },
    /// The disruptions within the hour could not be counted.
    NotCounted(String),
    /// A rule that asks for less may match, but a fact that it needs is not known.
    RuleUnknown(String),
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
            Because::Usage(Usage::InUse { .. }) => BecauseWord::InUse,
            Because::Usage(Usage::Unused { .. }) => BecauseWord::Existing,
            Because::Usage(Usage::Unknown { .. }) => BecauseWord::UsageUnknown,
            Because::Requested => BecauseWord::Requested,
            Because::Grace => BecauseWord::Grace,
            Because::DisruptionLimit { .. } => BecauseWord::DisruptionLimit,
            Because::NotCounted(_) => BecauseWord::NotCounted,
            Because::RuleUnknown(_) => BecauseWord::RuleUnknown,
            Because::Refused(_) => BecauseWord::Refused,
        }
    }
}

/// A [`Because`] in reports, as one of a fixed list of words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "documented in `Because`")]
pub enum BecauseWord {
    Replaced,
    Drift,
    DriftLimit,
    InUse,
    Existing,
    UsageUnknown,
    Requested,
    Grace,
    DisruptionLimit,
    NotCounted,
    RuleUnknown,
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
            Because::Usage(usage @ Usage::Unused { .. }) => {
                write!(f, "it is an existing instance: {usage}")
            }
            Because::Usage(usage) => usage.fmt(f),
            Because::Requested => f.write_str("only its options are to be set"),
            Because::Grace => {
                f.write_str("it is younger than `grace_seconds`: the next sweep decides")
            }
            Because::DisruptionLimit { limit } => {
                write!(f, "the limit of {limit} disruptions per hour is reached")
            }
            Because::NotCounted(error) => write!(
                f,
                "the disruptions within the hour could not be counted: {}",
                Plain(error)
            ),
            Because::RuleUnknown(rule) => write!(
                f,
                "rule `{rule}` may match, and a fact that it needs is not known"
            ),
            Because::Refused(error) => write!(f, "EC2 refused: {}", Plain(error)),
        }
    }
}
