//! How rules stand to an instance.

use jiff::Timestamp;
use jiff::tz::Offset;

use crate::instance::Instance;
use crate::policy::{Match, Policy, Rule};

/// How a rule stands to an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It matches, and no rule before it does.
    Decides,
    /// It may match: a fact that it asks for is not known.
    Unknown,
    /// It would match, but its exemption is over.
    Expired,
    /// Its exemption is over, and it is not known whether it would match.
    PerhapsExpired,
    /// It does not match.
    No,
}

impl Standing {
    /// By whether the rule's conditions hold and its exemption is over, where no rule before it
    /// decides.
    pub fn of(matched: Match, expired: bool) -> Self {
        match (matched, expired) {
            (Match::No, _) => Standing::No,
            (Match::Unknown, true) => Standing::PerhapsExpired,
            (Match::Unknown, false) => Standing::Unknown,
            (Match::Yes, true) => Standing::Expired,
            (Match::Yes, false) => Standing::Decides,
        }
    }
}

/// How the rules stand to an instance, in their order, up to the one that decides.
pub fn standings<'p>(
    policy: &'p Policy,
    instance: &Instance,
    now: Timestamp,
) -> impl Iterator<Item = (&'p Rule, Standing)> {
    let today = Offset::UTC.to_datetime(now).date();
    let mut decided = false;
    policy.rules.iter().map_while(move |rule| {
        if decided {
            return None;
        }
        let standing = Standing::of(rule.when.matches(instance), rule.expired(today));
        decided = standing == Standing::Decides;
        Some((rule, standing))
    })
}
