//! How an instance was discovered, and what CloudWatch and EC2 may be asked about it.

use jiff::Timestamp;

use crate::options::{MetadataOption, MetadataOptions};
use crate::usage::{RejectedCalls, Usage};
use crate::violation::Violation;

/// How an instance was discovered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discovery {
    /// A launch event names it.
    Launch {
        /// When the launch happened, by the event.
        at: Option<Timestamp>,
    },
    /// A start event names it.
    Start,
    /// Somebody changed its metadata options: at most they are enforced again.
    Drift {
        /// When they were changed, by the event.
        at: Option<Timestamp>,
        /// The options that were set, by the event.
        set: MetadataOptions,
    },
    /// A sweep found it.
    Sweep,
    /// A person asked for it: its options are enforced, and it is not disrupted.
    Request,
}

impl Discovery {
    /// A change of options that caused none of the violations only says where to look. So does one that
    /// left tokens optional as they were: software may use IMDSv1 since before the change.
    pub(super) fn for_violations(self, violations: &[Violation]) -> Self {
        let Discovery::Drift { set, .. } = self else {
            return self;
        };
        let mut caused = violations.iter().filter(|it| it.is_caused_by(&set));
        let mut others = violations.iter().filter(|it| !it.is_caused_by(&set));
        let tokens_before = others.any(|it| it.option() == MetadataOption::HttpTokens);
        if caused.next().is_some() && !tokens_before {
            self
        } else {
            Discovery::Sweep
        }
    }
}

/// What a decision depends on and was not asked yet. Until it is answered, the decision is to report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// Whether the instance uses IMDSv1.
    Usage,
    /// Whether calls without a token were rejected in the 24 hours before its options were changed.
    RejectedCalls,
    /// Whether its Spot request is persistent.
    SpotRequest,
}

/// What CloudWatch answered about an instance.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Evidence {
    /// It was not asked.
    #[default]
    NotAsked,
    /// Whether it uses IMDSv1.
    Usage(Usage),
    /// The calls that were rejected in the 24 hours before its options were changed; `None`: none are
    /// known.
    RejectedCalls(Option<RejectedCalls>),
}

impl Evidence {
    /// Whether it uses IMDSv1, where CloudWatch was asked.
    pub fn usage(&self) -> Option<&Usage> {
        match self {
            Evidence::Usage(usage) => Some(usage),
            Evidence::NotAsked | Evidence::RejectedCalls(_) => None,
        }
    }
}
