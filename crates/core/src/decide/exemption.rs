//! What exempts an instance, and whether the instance needs it.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;

use super::Decision;
use crate::evaluation::{Evaluation, evaluate_rules};
use crate::instance::Instance;
use crate::policy::{Policy, Rule};
use crate::state::Exemption;

/// What exempts an instance that is not as the policy requires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exempt {
    /// A rule of the policy.
    Rule {
        /// The rule's name.
        rule: String,
        /// The rule's reason.
        reason: Option<String>,
        /// The last day of the exemption.
        expires: Option<Date>,
    },
    /// A person's entry in the state table.
    Entry(Exemption),
}

impl Exempt {
    pub(super) fn by(rule: &Rule) -> Self {
        Exempt::Rule {
            rule: rule.name.clone(),
            reason: rule.reason.clone(),
            expires: rule.expires,
        }
    }

    /// The rule that exempts it, where one does.
    pub fn rule(&self) -> Option<&str> {
        match self {
            Exempt::Rule { rule, .. } => Some(rule),
            Exempt::Entry(_) => None,
        }
    }
}

/// The names of the exemptions that an instance needs, or may need because a fact is not known.
pub fn needed_exemptions<'p>(
    policy: &'p Policy,
    instance: &Instance,
    decision: &Decision,
    now: Timestamp,
) -> impl Iterator<Item = &'p str> {
    let violates = match decision {
        Decision::Exempt(_) | Decision::NonCompliant(_) => true,
        Decision::Compliant(_) | Decision::Gone(_) => false,
    };
    let rules = violates.then(|| evaluate_rules(policy.rules.iter(), instance, now));
    let rules = rules.into_iter().flatten().filter(|(rule, evaluation)| {
        rule.is_exemption() && matches!(evaluation, Evaluation::Decides | Evaluation::Unknown)
    });
    rules.map(|(rule, _)| rule.name.as_str())
}

impl Policy {
    /// The rules that exempt instances of the account today, where it is known.
    pub fn exemptions(&self, account: Option<&str>, now: Timestamp) -> impl Iterator<Item = &Rule> {
        let today = Offset::UTC.to_datetime(now).date();
        let exemptions = self.rules.iter().filter(move |rule| rule.is_exemption());
        let valid = exemptions.filter(move |rule| !rule.expired(today));
        valid.filter(move |rule| match (&rule.when.accounts, account) {
            (Some(accounts), Some(account)) => accounts.iter().any(|it| it.matches(account)),
            _ => true,
        })
    }
}
