//! The decision about one instance, with its reason. Nothing is fetched, logged or timed here.

mod because;

use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;

use crate::change::Change;
use crate::evaluation::{Evaluation, evaluate_rules};
use crate::instance::{Instance, State};
use crate::marks;
use crate::options::Toggle;
use crate::policy::{Action, Policy, Rule, RuleAction};
use crate::replacer::Replacer;
use crate::usage::Usage;
use crate::violation::Violation;
pub use because::{Because, BecauseWord, Instead};

/// How an instance was discovered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Discovery {
    /// It was launched or started.
    Launch,
    /// Somebody changed its metadata options: at most they are enforced again.
    Drift,
    /// A sweep found it, and whether it uses IMDSv1 limits what may be done to it.
    Existing(Usage),
    /// A person asked for it: its options are enforced, and it is not disrupted.
    Request,
}

/// What is to be done about an instance, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Nothing, because it is as the policy requires.
    Compliant(Compliant),
    /// Nothing, because a rule exempts it.
    Exempt(Exempt),
    /// Nothing, because it terminates or has terminated.
    Gone(State),
    /// It is not as the policy requires.
    NonCompliant(NonCompliant),
}

/// Why an instance is compliant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compliant {
    /// Each required option is known and as required.
    AsRequired {
        /// The rule whose `require` applies; `None`: the policy's own.
        rule: Option<String>,
    },
    /// The metadata service does not answer, so there is nothing to attack.
    EndpointDisabled,
}

/// Which rule exempts an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exempt {
    /// The rule's name.
    pub rule: String,
    /// The rule's reason.
    pub reason: Option<String>,
    /// The last day of the exemption.
    pub expires: Option<Date>,
}

impl Exempt {
    fn by(rule: &Rule) -> Self {
        Exempt {
            rule: rule.name.clone(),
            reason: rule.reason.clone(),
            expires: rule.expires,
        }
    }
}

/// Why an instance is not compliant, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NonCompliant {
    /// At least one.
    pub violations: Vec<Violation>,
    /// The rule that decided; `None`: the policy's `on_violation`.
    pub rule: Option<String>,
    /// What to do.
    pub action: Action,
    /// What the policy says, where `action` is milder.
    pub instead: Option<Instead>,
    /// The options to set, or to set where the instance cannot be disrupted.
    pub change: Change,
    /// Whether the instance is stopped, so that stopping it takes no call.
    pub is_stopped: bool,
    /// Exemptions that would have matched, had they not expired.
    pub expired: Vec<String>,
    /// Whether it uses IMDSv1, where CloudWatch was asked.
    pub usage: Option<Usage>,
}

impl NonCompliant {
    /// Whether it is to be stopped or terminated.
    pub fn is_disrupted(&self) -> bool {
        match self.action {
            Action::Report | Action::Enforce => false,
            Action::Stop => !self.is_stopped,
            Action::Terminate => true,
        }
    }

    /// The same, with something milder done than the policy says.
    #[must_use]
    pub fn milder(self, action: Action, because: Because) -> Self {
        let of = self.instead.map_or(self.action, |instead| instead.of);
        NonCompliant {
            action,
            instead: Some(Instead { of, because }),
            ..self
        }
    }
}

/// Decides about one instance.
pub fn decide(
    policy: &Policy,
    instance: &Instance,
    now: Timestamp,
    discovery: &Discovery,
) -> Decision {
    if let Some(state) = instance.state.filter(|state| state.is_final()) {
        return Decision::Gone(state);
    }
    let Applicable {
        decides: rule,
        unknown,
        expired,
    } = Applicable::find(policy, instance, now);
    let action = match rule.and_then(|rule| Some((rule, rule.action?))) {
        Some((rule, RuleAction::Exempt)) => return Decision::Exempt(Exempt::by(rule)),
        Some((_, RuleAction::Act(action))) => action,
        None => policy.on_violation,
    };
    if instance.options.http_endpoint == Some(Toggle::Disabled) {
        return Decision::Compliant(Compliant::EndpointDisabled);
    }
    let name = |rule: &Rule| rule.name.clone();
    let violations = policy.required_by(rule).violations(&instance.options);
    if violations.is_empty() {
        let rule = rule.filter(|rule| rule.require.is_some()).map(name);
        return Decision::Compliant(Compliant::AsRequired { rule });
    }
    let even_if_replaced = rule.is_some_and(|rule| rule.even_if_replaced);
    let replaced = replaced(instance).filter(|_| !even_if_replaced);
    let milder = replaced
        .into_iter()
        .chain(discovery.at_most(policy, instance, now))
        .chain(unknown.into_iter().filter_map(perhaps));
    let (action, instead) = mildest(action, milder);
    Decision::NonCompliant(NonCompliant {
        action,
        instead,
        change: Change::remediating(&violations),
        violations,
        rule: rule.map(name),
        is_stopped: instance.state.is_some_and(State::is_stopped),
        expired,
        usage: discovery.usage().cloned(),
    })
}

/// The rules that matter for an instance.
#[derive(Default)]
struct Applicable<'p> {
    decides: Option<&'p Rule>,
    /// Rules before it that may match.
    unknown: Vec<&'p Rule>,
    expired: Vec<String>,
}

impl<'p> Applicable<'p> {
    fn find(policy: &'p Policy, instance: &Instance, now: Timestamp) -> Self {
        let mut found = Applicable::default();
        for (rule, evaluation) in evaluate_rules(policy, instance, now) {
            match evaluation {
                Evaluation::NoMatch | Evaluation::PossiblyExpired => {}
                Evaluation::Expired => found.expired.push(rule.name.clone()),
                Evaluation::Unknown => found.unknown.push(rule),
                Evaluation::Decides => found.decides = Some(rule),
                Evaluation::NotReached => break,
            }
        }
        found
    }
}

/// The mildest action that may apply, and what it replaces. Among equals the first counts.
fn mildest(
    of: Action,
    milder: impl Iterator<Item = (Action, Because)>,
) -> (Action, Option<Instead>) {
    let mut mildest = (of, None);
    for (action, because) in milder {
        if action < mildest.0 {
            mildest = (action, Some(Instead { of, because }));
        }
    }
    mildest
}

fn replaced(instance: &Instance) -> Option<(Action, Because)> {
    let because = Because::Replaced {
        by: Replacer::find(instance)?,
        template: instance.launch_template(),
    };
    Some((Action::Enforce, because))
}

/// The action of a rule that may match: at least a report, because unknown is never compliant.
fn perhaps(rule: &Rule) -> Option<(Action, Because)> {
    let action = match rule.action? {
        RuleAction::Exempt => Action::Report,
        RuleAction::Act(action) => action,
    };
    Some((action, Because::RuleUnknown(rule.name.clone())))
}

impl Discovery {
    fn usage(&self) -> Option<&Usage> {
        match self {
            Discovery::Existing(usage) => Some(usage),
            Discovery::Launch | Discovery::Drift | Discovery::Request => None,
        }
    }

    /// The most that may be done to an instance that was discovered so.
    fn at_most(
        &self,
        policy: &Policy,
        instance: &Instance,
        now: Timestamp,
    ) -> Option<(Action, Because)> {
        match self {
            Discovery::Launch => None,
            Discovery::Request => Some((Action::Enforce, Because::Requested)),
            Discovery::Drift => match marks::enforcements(&instance.tags, now) {
                enforcements if enforcements >= policy.limits.enforcements_per_hour => {
                    Some((Action::Report, Because::DriftLimit { enforcements }))
                }
                _ => Some((Action::Enforce, Because::Drift)),
            },
            Discovery::Existing(usage) => Some((
                policy.existing.at_most(usage),
                Because::Usage(usage.clone()),
            )),
        }
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Decision::Compliant(Compliant::AsRequired { rule: None }) => {
                f.write_str("metadata options are as required")
            }
            Decision::Compliant(Compliant::AsRequired { rule: Some(rule) }) => {
                write!(f, "metadata options are as rule `{rule}` requires")
            }
            Decision::Compliant(Compliant::EndpointDisabled) => {
                f.write_str("the metadata endpoint is disabled")
            }
            Decision::Exempt(Exempt {
                rule,
                reason,
                expires,
            }) => {
                write!(f, "exempt by rule `{rule}`")?;
                if let Some(reason) = reason {
                    write!(f, " ({reason})")?;
                }
                expires.map_or(Ok(()), |expires| write!(f, ", expires after {expires}"))
            }
            Decision::Gone(state) => write!(f, "the instance is {state}"),
            Decision::NonCompliant(non_compliant) => non_compliant.fmt(f),
        }
    }
}

impl fmt::Display for NonCompliant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, violation) in self.violations.iter().enumerate() {
            let comma = if n > 0 { ", " } else { "" };
            write!(f, "{comma}{violation}")?;
        }
        match &self.rule {
            Some(rule) => write!(f, "; by rule `{rule}`")?,
            None => f.write_str("; by `on_violation`")?,
        }
        if let Some(instead) = &self.instead {
            write!(f, "; {instead}")?;
        }
        if self.action == Action::Stop && self.is_stopped {
            f.write_str("; already stopped")?;
        }
        for rule in &self.expired {
            write!(f, "; the exemption of rule `{rule}` has expired")?;
        }
        Ok(())
    }
}
