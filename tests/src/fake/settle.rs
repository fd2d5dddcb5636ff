//! When a change becomes visible: EC2 is eventually consistent.

use std::time::{Duration, Instant};

/// When a change becomes visible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settle {
    /// Immediately.
    Now,
    /// After so many DescribeInstances that still show the old value.
    Describes(u32),
    /// After this time.
    After(Duration),
    /// Never.
    Never,
}

impl Settle {
    pub(super) fn begin(self) -> PendingChange {
        match self {
            Settle::Now => PendingChange::Describes(0),
            Settle::Describes(left) => PendingChange::Describes(left),
            Settle::After(time) => PendingChange::Until(Instant::now() + time),
            Settle::Never => PendingChange::Never,
        }
    }
}

/// A change that is not visible yet.
#[derive(Clone, Copy, Debug)]
pub(super) enum PendingChange {
    Describes(u32),
    Until(Instant),
    Never,
}

impl PendingChange {
    pub(super) fn is_over(&self) -> bool {
        match self {
            PendingChange::Describes(left) => *left == 0,
            PendingChange::Until(time) => Instant::now() >= *time,
            PendingChange::Never => false,
        }
    }

    /// Counts a describe.
    pub(super) fn described(&mut self) {
        if let PendingChange::Describes(left) = self {
            *left = left.saturating_sub(1);
        }
    }
}
