//! How an instance was discovered, and what CloudWatch and EC2 may be asked about it.

use jiff::{SignedDuration, Timestamp};

use crate::age::CLOCK_SKEW;
use crate::options::{MetadataOption, MetadataOptions};
use crate::usage::{RejectedCalls, Usage};
use crate::violation::Violation;

/// How long a launch event allows to enforce without asking for the use of IMDSv1.
const LAUNCH_EVENT_COUNTS: SignedDuration = SignedDuration::from_mins(15);

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
    /// A person asked for it: its options are enforced at most, as far as its use of IMDSv1 allows.
    Request(UsageGate),
}

/// How the use of IMDSv1 counts for instances that a person asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsageGate {
    /// It does not count.
    Ignored,
    /// As the policy says, by the age of the instance, as in a sweep.
    Policy,
    /// Only an instance that did not use IMDSv1 is enforced, whatever its age and whatever the policy
    /// allows.
    UnusedOnly,
}

impl Discovery {
    /// Whether a launch event of the last 15 minutes names the instance.
    pub(super) fn is_launched_now(self, now: Timestamp) -> bool {
        match self {
            Discovery::Launch { at: Some(at) } => is_recent(at, now),
            Discovery::Launch { at: None }
            | Discovery::Start
            | Discovery::Drift { .. }
            | Discovery::Sweep
            | Discovery::Request(_) => false,
        }
    }

    /// Whether a launch event names an instance that was first launched in the last 15 minutes: nobody can
    /// have exempted it yet, and no software runs on it for long.
    pub fn is_new_launch(self, first_launched_at: Option<Timestamp>, now: Timestamp) -> bool {
        matches!(self, Discovery::Launch { .. })
            && first_launched_at.is_some_and(|first| is_recent(first, now))
    }

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

fn is_recent(time: Timestamp, now: Timestamp) -> bool {
    (-CLOCK_SKEW..=LAUNCH_EVENT_COUNTS).contains(&now.duration_since(time))
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

/// An hourly limit that an enforcement counts towards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quota {
    /// `limits.existing_per_hour`: the instance is neither new nor recent, or of unknown age.
    Existing,
    /// `limits.enforcements_per_hour`: somebody changed its options.
    Drift,
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
