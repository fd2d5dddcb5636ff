//! What a plan is based on, as to the use of IMDSv1.

use imds_core::decide::UsageGate;
use serde::{Deserialize, Serialize};

/// What a plan is based on, as to the use of IMDSv1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "basis", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum UsageBasis {
    /// It was not asked for.
    NotAsked,
    /// A person said that it does not matter.
    Ignored,
    /// As the policy says.
    Policy {
        /// The days of the window.
        days: u8,
    },
    /// Only instances that did not use it.
    UnusedOnly {
        /// The days of the window.
        days: u8,
    },
}

impl UsageBasis {
    /// How it counts.
    pub(crate) fn gate(self) -> UsageGate {
        match self {
            UsageBasis::NotAsked | UsageBasis::Ignored => UsageGate::Ignored,
            UsageBasis::Policy { .. } => UsageGate::Policy,
            UsageBasis::UnusedOnly { .. } => UsageGate::UnusedOnly,
        }
    }

    /// The days of the window, where it is asked for.
    pub(crate) fn days(self) -> Option<u8> {
        match self {
            UsageBasis::NotAsked | UsageBasis::Ignored => None,
            UsageBasis::Policy { days } | UsageBasis::UnusedOnly { days } => Some(days),
        }
    }
}
