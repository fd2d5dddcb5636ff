//! The trace of a decision: every rule of the policy, and which of its conditions hold.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

use crate::evaluation::{Evaluation, RuleEvaluator, evaluate_rules};
use crate::event::Origin;
use crate::instance::{Instance, InstanceId};
use crate::policy::{Condition, Match, Policy, Rule};

/// How a rule applies to an instance, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleTrace {
    /// The rule's name.
    pub rule: String,
    /// How it applies.
    pub evaluation: Evaluation,
    /// What it does where it matches.
    pub effect: String,
    /// Its conditions.
    pub conditions: Vec<ConditionTrace>,
    /// The last day of its exemption.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<Date>,
}

/// A condition, and what the instance has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConditionTrace {
    /// Its name in the policy, with a tag's key appended.
    pub condition: String,
    /// `null`: not known.
    pub holds: Option<bool>,
    /// The patterns of the policy, of which any may match.
    pub wanted: Vec<String>,
    /// What the instance has; empty where it has nothing, or nothing is known.
    pub found: Vec<String>,
}

/// All rules, as the decision about this instance evaluates them.
pub fn trace(policy: &Policy, instance: &Instance, now: Timestamp) -> Vec<RuleTrace> {
    let condition = |condition: &Condition| (condition.holds(instance), condition.found(instance));
    evaluate_rules(policy.rules.iter(), instance, now)
        .map(|(rule, evaluation)| RuleTrace::new(rule, evaluation, condition))
        .collect()
}

/// What is known of instances that have not been observed: tags are not known, rather than missing.
#[derive(Debug, Clone)]
pub struct KnownFacts {
    /// The account.
    pub account: Option<String>,
    /// The regions that they may be in; `None`: any.
    pub regions: Option<Vec<String>>,
    /// Who launched them; empty: not known.
    pub principals: Vec<String>,
}

impl KnownFacts {
    /// What an event says of instances whose launch it does not record.
    pub fn from_origin(origin: &Origin) -> Self {
        KnownFacts {
            account: origin.account.clone(),
            regions: Some(vec![origin.region.clone()]),
            principals: Vec::new(),
        }
    }

    /// All rules, as far as the facts decide them.
    pub fn trace(&self, policy: &Policy, now: Timestamp) -> Vec<RuleTrace> {
        let instances = self.instances();
        let condition = |condition: &Condition| Self::in_all(&instances, condition);
        let mut evaluator = RuleEvaluator::new(now);
        let rules = policy.rules.iter().map(|rule| {
            let evaluation = evaluator.next(rule, || {
                let held = rule.when.conditions().map(|it| condition(&it).0);
                held.max().unwrap_or(Match::Yes)
            });
            RuleTrace::new(rule, evaluation, condition)
        });
        rules.collect()
    }

    /// One in each region.
    fn instances(&self) -> Vec<Instance> {
        let regions = self.regions.iter().flatten();
        let instances = regions.map(|region| Instance {
            account: self.account.clone(),
            principals: self.principals.clone(),
            ..Instance::unknown(InstanceId::placeholder(), region.clone())
        });
        instances.collect()
    }

    /// Known only where it is the same in all regions.
    fn in_all(instances: &[Instance], condition: &Condition) -> (Match, Vec<String>) {
        let unknown = (Match::Unknown, Vec::new());
        let Some(first) = instances.first().filter(|_| !condition.is_by_tags()) else {
            return unknown;
        };
        let holds = condition.holds(first);
        if instances.iter().any(|it| condition.holds(it) != holds) {
            return unknown;
        }
        let mut found: Vec<String> = instances
            .iter()
            .flat_map(|it| condition.found(it))
            .collect();
        found.dedup();
        (holds, found)
    }
}

impl RuleTrace {
    /// Whether it is the rule that decides.
    pub fn decides(&self) -> bool {
        self.evaluation == Evaluation::Decides
    }

    fn new(
        rule: &Rule,
        evaluation: Evaluation,
        condition: impl Fn(&Condition) -> (Match, Vec<String>),
    ) -> Self {
        let conditions = rule.when.conditions().map(|it| {
            let (holds, found) = condition(&it);
            ConditionTrace {
                condition: it.name(),
                holds: match holds {
                    Match::Yes => Some(true),
                    Match::No => Some(false),
                    Match::Unknown => None,
                },
                wanted: it.wanted(),
                found,
            }
        });
        RuleTrace {
            rule: rule.name.clone(),
            evaluation,
            effect: rule.effect(),
            conditions: conditions.collect(),
            expires: rule.expires,
        }
    }
}
