//! How the instances that still run divide.

use imds_core::report::{Outcome, Summary};

/// How many instances are as required; those that end or have ended are not counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Share {
    /// As required, or made so.
    pub(super) compliant: usize,
    /// Exempt by a rule.
    pub(super) exempt: usize,
    /// Neither.
    pub(super) wrong: usize,
}

/// What an instance counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Compliant,
    Exempt,
    Wrong,
}

impl Share {
    pub(super) fn of(summary: &Summary) -> Self {
        let mut share = Share::default();
        for outcome in Outcome::ALL {
            let n = summary.count(*outcome);
            match Share::kind(*outcome) {
                Some(Kind::Compliant) => share.compliant += n,
                Some(Kind::Exempt) => share.exempt += n,
                Some(Kind::Wrong) => share.wrong += n,
                None => {}
            }
        }
        share
    }

    /// `None`: it ends or has ended.
    pub(super) fn kind(outcome: Outcome) -> Option<Kind> {
        match outcome {
            Outcome::Compliant | Outcome::Enforced | Outcome::Spared => Some(Kind::Compliant),
            Outcome::Exempt => Some(Kind::Exempt),
            // A stopped instance has the options that it had.
            Outcome::Reported | Outcome::Stopped | Outcome::Failed => Some(Kind::Wrong),
            Outcome::Terminated | Outcome::Gone => None,
        }
    }

    pub(super) fn all(&self) -> usize {
        self.compliant + self.exempt + self.wrong
    }

    /// The compliant ones in per cent, rounded down, so that 100 means all; `None`: there are no
    /// instances.
    pub(super) fn percent(&self) -> Option<usize> {
        (self.compliant * 100).checked_div(self.all())
    }

    /// Its parts in thousandths of the whole, in the order in which they are drawn.
    pub(super) fn parts(&self) -> Vec<(Kind, usize, usize)> {
        let counts = [
            (Kind::Compliant, self.compliant),
            (Kind::Exempt, self.exempt),
            (Kind::Wrong, self.wrong),
        ];
        let mut before = 0;
        let mut parts = Vec::new();
        for (kind, n) in counts {
            let from = thousandths(before, self.all());
            before += n;
            let to = thousandths(before, self.all());
            if n > 0 {
                parts.push((kind, from, to));
            }
        }
        parts
    }
}

fn thousandths(n: usize, of: usize) -> usize {
    (n * 1000 + of / 2).checked_div(of).unwrap_or(0)
}

impl Kind {
    pub(super) fn class(self) -> &'static str {
        match self {
            Kind::Compliant => "good",
            Kind::Exempt => "exempt",
            Kind::Wrong => "wrong",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_per_cent_means_all() {
        let share = |compliant, wrong| Share {
            compliant,
            wrong,
            exempt: 0,
        };
        assert_eq!(share(9_999, 1).percent(), Some(99));
        assert_eq!(share(10, 0).percent(), Some(100));
        assert_eq!(share(0, 0).percent(), None);
    }

    #[test]
    fn parts_fill_the_whole_and_those_that_ended_are_no_part() {
        let summary = Summary {
            compliant: 1,
            enforced: 1,
            exempt: 1,
            failed: 3,
            gone: 100,
            ..Summary::default()
        };
        let share = Share::of(&summary);
        assert_eq!(share.all(), 6);
        assert_eq!(
            share.parts(),
            [
                (Kind::Compliant, 0, 333),
                (Kind::Exempt, 333, 500),
                (Kind::Wrong, 500, 1000)
            ]
        );
    }
}
