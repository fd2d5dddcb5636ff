//! The rules of a policy, evaluated for an instance.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;
use serde::Serialize;

use crate::instance::Instance;
use crate::policy::{Match, Rule};

/// How a rule applies to an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Evaluation {
    /// It matches, and no rule before it does.
    Decides,
    /// It may match: a fact that it needs is not known.
    Unknown,
    /// It would match, but its exemption has expired.
    Expired,
    /// Its exemption has expired, and it is not known whether it would match.
    PossiblyExpired,
    /// It does not match.
    NoMatch,
    /// A rule before it decides.
    NotReached,
}

/// Evaluates rules one after another, up to the one that decides.
#[derive(Debug)]
pub(crate) struct RuleEvaluator {
    today: Date,
    decided: bool,
}

impl RuleEvaluator {
    /// Exemptions expire by the day of `now` in UTC.
    pub(crate) fn new(now: Timestamp) -> Self {
        RuleEvaluator {
            today: Offset::UTC.to_datetime(now).date(),
            decided: false,
        }
    }

    /// The next rule of the policy; `matches` is not called where an earlier rule decides.
    pub(crate) fn next(&mut self, rule: &Rule, matches: impl FnOnce() -> Match) -> Evaluation {
        if self.decided {
            return Evaluation::NotReached;
        }
        let evaluation = match (matches(), rule.expired(self.today)) {
            (Match::No, _) => Evaluation::NoMatch,
            (Match::Unknown, true) => Evaluation::PossiblyExpired,
            (Match::Unknown, false) => Evaluation::Unknown,
            (Match::Yes, true) => Evaluation::Expired,
            (Match::Yes, false) => Evaluation::Decides,
        };
        self.decided = evaluation == Evaluation::Decides;
        evaluation
    }
}

/// Rules in their order, evaluated for an instance.
pub(crate) fn evaluate_rules<'p>(
    rules: impl Iterator<Item = &'p Rule>,
    instance: &Instance,
    now: Timestamp,
) -> impl Iterator<Item = (&'p Rule, Evaluation)> {
    let mut evaluator = RuleEvaluator::new(now);
    rules.map(move |rule| {
        let evaluation = evaluator.next(rule, || rule.when.matches(instance));
        (rule, evaluation)
    })
}
