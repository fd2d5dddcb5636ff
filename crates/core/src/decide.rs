//! The decision about one instance, with its reason. Nothing is fetched, logged or timed here.

mod because;
mod discovery;
mod exemption;
mod table;

use std::fmt;

use jiff::Timestamp;

use crate::change::Change;
use crate::evaluation::{Evaluation, evaluate_rules};
use crate::instance::{Instance, State};
use crate::options::Toggle;
use crate::policy::{Action, Policy, Rule, RuleAction};
use crate::replacer::Replacer;
use crate::restored::Restored;
use crate::usage::{RejectedCalls, Usage};
use crate::violation::Violation;
pub use because::{Because, BecauseWord, Instead};
pub use discovery::{Discovery, Evidence, Question, Quota, UsageGate};
pub use exemption::{Exempt, needed_exemptions};

/// What is to be done about an instance, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Nothing, because it is as the policy requires.
    Compliant(Compliant),
    /// Nothing, because a rule or a person exempts it; it is not as the policy requires otherwise.
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
    /// It is as required where no rule exempts it, so that it does not need the exemption.
    NotExempted {
        /// The rule that would exempt it.
        rule: String,
    },
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
    /// What must be asked before the action is done.
    pub question: Option<Question>,
    /// The hourly limit that enforcing it counts towards.
    pub quota: Option<Quota>,
    /// Whether the decision depends on who launched the instance, and that is not known.
    pub needs_launcher: bool,
    /// When the instance was first launched; `None`: not known.
    pub first_launched_at: Option<Timestamp>,
    /// Exemptions that would have matched, had they not expired.
    pub expired: Vec<String>,
    /// Whether it uses IMDSv1, where CloudWatch was asked.
    pub usage: Option<Usage>,
}

impl NonCompliant {
    /// Whether it is to be stopped or terminated.
    pub fn is_disrupted(&self) -> bool {
        self.action > Action::Enforce
    }

    /// Rejected calls that keep its options from being enforced.
    pub fn rejected_calls(&self) -> Option<&RejectedCalls> {
        let instead = self.instead.as_ref()?;
        if let Because::RejectedCalls(rejected) = &instead.because {
            Some(rejected)
        } else {
            None
        }
    }

    /// Whether nothing is done because the state table is not available: a failure, not a decision.
    pub(crate) fn is_state_unavailable(&self) -> bool {
        let because = self.instead.as_ref().map(|instead| &instead.because);
        matches!(because, Some(Because::StateUnavailable(_)))
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

impl Decision {
    /// Why the instance is not compliant, and what to do.
    pub fn non_compliant(&self) -> Option<&NonCompliant> {
        match self {
            Decision::NonCompliant(non_compliant) => Some(non_compliant),
            Decision::Compliant(_) | Decision::Exempt(_) | Decision::Gone(_) => None,
        }
    }

    /// What must be asked before anything is done.
    pub fn question(&self) -> Option<Question> {
        self.non_compliant()?.question
    }
}

/// Decides about one instance, by what is known of it and not by the event that names it.
pub fn decide(
    policy: &Policy,
    instance: &Instance,
    now: Timestamp,
    discovery: Discovery,
    evidence: &Evidence,
) -> Decision {
    if let Some(state) = instance.state.filter(|state| state.is_final()) {
        return Decision::Gone(state);
    }
    let applicable = Applicable::find(policy.rules.iter(), instance, now);
    if let Some(rule) = applicable.decides.filter(|rule| rule.is_exemption()) {
        let others = policy.rules.iter().filter(|rule| !rule.is_exemption());
        let otherwise = Applicable::find(others, instance, now);
        let name = rule.name.clone();
        return match otherwise.evaluate(policy, instance) {
            Ok(_) => Decision::Compliant(Compliant::NotExempted { rule: name }),
            Err(_) => Decision::Exempt(Exempt::by(rule)),
        };
    }
    let evaluated = applicable.evaluate(policy, instance);
    let (violations, violated_perhaps) = match evaluated {
        Ok(compliant) => return Decision::Compliant(compliant),
        Err(violated) => violated,
    };
    let Applicable {
        decides: rule,
        unknown,
        expired,
    } = applicable;
    let required = match rule.and_then(|rule| rule.action) {
        Some(RuleAction::Act(action)) => action,
        Some(RuleAction::Exempt) | None => policy.on_violation,
    };
    let milder_for_unknown =
        violated_perhaps.map(|rule| (Action::Report, unknown_because(rule, instance)));
    let needs_launcher = unknown.iter().any(|rule| lacks_launcher(rule, instance));
    let even_if_replaced = rule.is_some_and(|rule| rule.even_if_replaced);
    let mut milder = not_disrupted(instance, required, even_if_replaced);
    milder.extend(milder_for_unknown);
    milder.extend(
        unknown
            .into_iter()
            .filter_map(|rule| perhaps(rule, instance)),
    );
    let without_table = mildest(required, &milder);
    let discovery = discovery.for_violations(&violations);
    let table = table::at_most(policy, instance, now, discovery, evidence);
    milder.extend(table.limit);
    let without_spot = mildest(required, &milder);
    milder.extend(spot_request(instance).filter(|_| !even_if_replaced));
    let question = match table.question {
        Some(question) => Some(question).filter(|_| without_table > Action::Report),
        None => (!even_if_replaced && asks_spot(instance, without_spot))
            .then_some(Question::SpotRequest),
    };
    let (action, instead) = instead(required, milder);
    Decision::NonCompliant(NonCompliant {
        action,
        instead,
        question,
        quota: table.quota,
        needs_launcher,
        first_launched_at: instance.first_launched_at(now),
        change: Change::remediating(&violations),
        violations,
        rule: rule.map(|rule| rule.name.clone()),
        expired,
        usage: evidence.usage().cloned(),
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

/// What is violated, and the rule that may require it, where it is not known whether that rule matches.
type Violated<'p> = (Vec<Violation>, Option<&'p Rule>);

impl<'p> Applicable<'p> {
    fn find(rules: impl Iterator<Item = &'p Rule>, instance: &Instance, now: Timestamp) -> Self {
        let mut found = Applicable::default();
        for (rule, evaluation) in evaluate_rules(rules, instance, now) {
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

    /// Why the instance is compliant, or what it violates.
    fn evaluate(&self, policy: &Policy, instance: &Instance) -> Result<Compliant, Violated<'p>> {
        if instance.options.http_endpoint == Some(Toggle::Disabled) {
            return Ok(Compliant::EndpointDisabled);
        }
        let violations = policy
            .required_by(self.decides)
            .violations(&instance.options);
        if !violations.is_empty() {
            return Err((violations, None));
        }
        if let Some((rule, violations)) = violated_perhaps(policy, &self.unknown, instance) {
            return Err((violations, Some(rule)));
        }
        let rule = self.decides.filter(|rule| rule.require.is_some());
        let rule = rule.map(|rule| rule.name.clone());
        Ok(Compliant::AsRequired { rule })
    }
}

/// The mildest action that may apply.
fn mildest(required: Action, milder: &[(Action, Because)]) -> Action {
    let actions = milder.iter().map(|(action, _)| *action);
    actions.chain([required]).min().unwrap_or(required)
}

/// The mildest action that may apply, and why. Among equals the first counts.
fn instead(required: Action, milder: Vec<(Action, Because)>) -> (Action, Option<Instead>) {
    let mut mildest = (required, None);
    for (action, because) in milder {
        if action < mildest.0 {
            let of = required;
            mildest = (action, Some(Instead { of, because }));
        }
    }
    mildest
}

/// Why the instance is not to be disrupted, however new it is.
fn not_disrupted(
    instance: &Instance,
    required: Action,
    even_if_replaced: bool,
) -> Vec<(Action, Because)> {
    let replaced = Replacer::find(instance).filter(|_| !even_if_replaced);
    let replaced = replaced.map(|by| replaced_by(instance, by));
    let restored = Restored::find(instance).map(Because::Restored);
    let dedicated = instance.dedicated.map(Because::DedicatedCapacity);
    let is_stopped = instance.state.is_some_and(State::is_stopped) && required == Action::Stop;
    let stopped = is_stopped.then_some(Because::AlreadyStopped);
    let because = [replaced, restored, dedicated, stopped];
    let because = because.into_iter().flatten();
    because.map(|because| (Action::Enforce, because)).collect()
}

fn replaced_by(instance: &Instance, by: Replacer) -> Because {
    Because::Replaced {
        by,
        template: instance.launch_template(),
    }
}

fn spot_request(instance: &Instance) -> Option<(Action, Because)> {
    let by = Replacer::spot_request(instance)?;
    Some((Action::Enforce, replaced_by(instance, by)))
}

/// Whether the Spot request decides.
fn asks_spot(instance: &Instance, without_spot: Action) -> bool {
    let spot = instance.spot.as_ref();
    without_spot > Action::Enforce
        && spot.is_some_and(|it| it.id.is_some() && it.is_persistent.is_none())
}

/// The action of a rule that may match: at least a report, because unknown is never compliant.
fn perhaps(rule: &Rule, instance: &Instance) -> Option<(Action, Because)> {
    let action = match rule.action? {
        RuleAction::Exempt => Action::Report,
        RuleAction::Act(action) => action,
    };
    Some((action, unknown_because(rule, instance)))
}

/// What a rule that may match requires, where the instance does not satisfy it.
fn violated_perhaps<'p>(
    policy: &Policy,
    unknown: &[&'p Rule],
    instance: &Instance,
) -> Option<(&'p Rule, Vec<Violation>)> {
    let requires = unknown.iter().filter(|rule| rule.require.is_some());
    let mut violated = requires.map(|rule| {
        let required = policy.required_by(Some(rule));
        (*rule, required.violations(&instance.options))
    });
    violated.find(|(_, violations)| !violations.is_empty())
}

fn unknown_because(rule: &Rule, instance: &Instance) -> Because {
    let name = rule.name.clone();
    match lacks_launcher(rule, instance) {
        true => Because::LauncherUnknown(name),
        false => Because::RuleUnknown(name),
    }
}

fn lacks_launcher(rule: &Rule, instance: &Instance) -> bool {
    rule.when.principals.is_some() && instance.principals.is_empty()
}

/// Whether a rule by `principals` decides about an instance: a later decision must know them too.
pub fn is_decided_by_principals(policy: &Policy, instance: &Instance, now: Timestamp) -> bool {
    let decides = Applicable::find(policy.rules.iter(), instance, now).decides;
    decides.is_some_and(|rule| rule.when.principals.is_some())
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
            Decision::Compliant(Compliant::NotExempted { rule }) => {
                write!(f, "compliant without the exemption of rule `{rule}`")
            }
            Decision::Exempt(Exempt::Entry(exemption)) => exemption.fmt(f),
            Decision::Exempt(Exempt::Rule {
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
        for rule in &self.expired {
            write!(f, "; the exemption of rule `{rule}` has expired")?;
        }
        Ok(())
    }
}
