//! What is known of an instance's calls without a token, and of all instances together.

use imds_core::instance::{HttpTokens, InstanceId, State};
use imds_core::report::Unseen;
use imds_core::usage::{Breaking, NotKnown, Usage};
use jiff::Timestamp;
use serde::Serialize;

use super::way_back::WayBack;

/// All that was asked.
#[derive(Debug)]
pub(super) struct Survey {
    /// Whether refused calls were asked for, and not answered ones.
    pub(super) rejected: bool,
    /// The account, 12 digits.
    pub(super) account: Option<String>,
    /// Where the window begins.
    pub(super) begin: Timestamp,
    /// Where it ends.
    pub(super) end: Timestamp,
    /// Its length.
    pub(super) days: u8,
    /// Most calls first, and those of which nothing is known before those without any. Of refused
    /// calls only those instances that had some.
    pub(super) members: Vec<Member>,
    /// Of all instances.
    pub(super) counts: Counts,
    /// What could not be seen.
    pub(super) unseen: Vec<Unseen>,
}

/// How many instances had calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) some: usize,
    pub(super) none: usize,
    pub(super) unknown: usize,
    /// Tokens are required there, or nothing answers, and no call of before is known.
    pub(super) closed: usize,
}

/// One instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Member {
    pub(super) account: Option<String>,
    pub(super) region: String,
    pub(super) instance_id: InstanceId,
    /// The tag `Name`.
    pub(super) name: Option<String>,
    pub(super) state: Option<State>,
    /// As it is now.
    pub(super) http_tokens: Option<HttpTokens>,
    /// `None`: not known.
    pub(super) calls: Option<u64>,
    /// Where the period of the last one begins.
    pub(super) last_at: Option<Timestamp>,
    /// By 24 hours, the latest last; `None`: no datapoint.
    pub(super) days: Vec<Option<u64>>,
    #[serde(flatten)]
    pub(super) verdict: Verdict,
    /// How its tokens become optional again; of refused calls only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) way_back: Option<WayBack>,
}

/// What the datapoints say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    /// Of answered calls.
    Usage(Usage),
    /// Of refused calls.
    Refused(Refused),
}

/// Whether calls were refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub(super) enum Refused {
    Some,
    None,
    Unknown { because: NotKnown },
}

impl Verdict {
    /// Whether there were calls; `None`: not known.
    pub(super) fn some(&self) -> Option<bool> {
        match self {
            Verdict::Usage(Usage::InUse { .. }) | Verdict::Refused(Refused::Some) => Some(true),
            Verdict::Usage(Usage::Unused { .. }) | Verdict::Refused(Refused::None) => Some(false),
            Verdict::Usage(Usage::Unknown { .. }) | Verdict::Refused(Refused::Unknown { .. }) => {
                None
            }
        }
    }

    /// In a word.
    pub(super) fn as_str(&self) -> &'static str {
        match self {
            Verdict::Usage(Usage::InUse { .. }) => "in use",
            Verdict::Usage(Usage::Unused { .. }) => "unused",
            Verdict::Refused(Refused::Some) => "refused",
            Verdict::Refused(Refused::None) => "none",
            Verdict::Usage(Usage::Unknown { .. }) | Verdict::Refused(Refused::Unknown { .. }) => {
                "unknown"
            }
        }
    }

    /// Why it is not known.
    pub(super) fn because(&self) -> Option<&NotKnown> {
        match self {
            Verdict::Usage(Usage::Unknown { because })
            | Verdict::Refused(Refused::Unknown { because }) => Some(because),
            Verdict::Usage(Usage::InUse { .. } | Usage::Unused { .. })
            | Verdict::Refused(Refused::Some | Refused::None) => None,
        }
    }
}

impl Refused {
    /// What the datapoints of `MetadataNoTokenRejected` say; none of them is no answer.
    pub(super) fn judge(breaking: Option<&Breaking>, has_data: bool) -> Self {
        match breaking {
            Some(_) => Refused::Some,
            None if has_data => Refused::None,
            None => Refused::Unknown {
                because: NotKnown::NoData,
            },
        }
    }
}

impl Counts {
    pub(super) fn add(&mut self, verdict: &Verdict) {
        *match verdict.some() {
            Some(true) => &mut self.some,
            Some(false) => &mut self.none,
            None => &mut self.unknown,
        } += 1;
    }

    pub(super) fn add_all(&mut self, other: Counts) {
        self.some += other.some;
        self.none += other.none;
        self.unknown += other.unknown;
        self.closed += other.closed;
    }

    pub(super) fn all(self) -> usize {
        self.some + self.none + self.unknown + self.closed
    }
}
