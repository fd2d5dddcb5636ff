//! When a thing that has changed becomes seen: EC2 is eventually consistent.

use std::time::{Duration, Instant};

/// When a change is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settle {
    /// At once.
    Now,
    /// The first so many DescribeInstances that would show it still see the old.
    Describes(u32),
    /// So long after it was made.
    After(Duration),
    /// Not while the test lasts.
    Never,
}

impl Settle {
    pub(super) fn begin(self) -> Waiting {
        match self {
            Settle::Now => Waiting::Describes(0),
            Settle::Describes(left) => Waiting::Describes(left),
            Settle::After(time) => Waiting::Until(Instant::now() + time),
            Settle::Never => Waiting::Never,
        }
    }
}

/// A change on its way.
#[derive(Clone, Copy, Debug)]
pub(super) enum Waiting {
    Describes(u32),
    Until(Instant),
    Never,
}

impl Waiting {
    pub(super) fn is_over(&self) -> bool {
        match self {
            Waiting::Describes(left) => *left == 0,
            Waiting::Until(time) => Instant::now() >= *time,
            Waiting::Never => false,
        }
    }

    /// A describe has looked.
    pub(super) fn described(&mut self) {
        if let Waiting::Describes(left) = self {
            *left = left.saturating_sub(1);
        }
    }
}
