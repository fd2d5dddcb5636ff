//! The policy's rules, one by one: whether each matches, and which condition tells.

use imds_core::event::Origin;
use imds_core::instance::{Instance, InstanceId};
use imds_core::policy::{Condition, Match, Policy, Require, Rule, Then};
use imds_core::standing::{Standing, standings};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;
use serde::Serialize;

/// How a rule stands to an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct RuleAccount {
    /// The rule's name.
    pub(crate) rule: String,
    /// Whether it matches.
    pub(crate) verdict: Verdict,
    /// What it does where it matches.
    pub(crate) does: String,
    /// Its conditions.
    pub(crate) conditions: Vec<ConditionAccount>,
    /// The last day of its exemption.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<Date>,
}

impl RuleAccount {
    /// Whether it is the rule that decides.
    pub(crate) fn decides(&self) -> bool {
        self.verdict == Verdict::Decides
    }
}

/// Whether a rule matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// It matches, and decides.
    Decides,
    /// A fact that it asks for is not known.
    NotKnown,
    /// It would match, but its exemption is over.
    Expired,
    /// Its exemption is over, and whether it would match is not known.
    PerhapsExpired,
    /// A condition fails.
    No,
    /// A rule before it decides.
    NotReached,
}

impl From<Standing> for Verdict {
    fn from(standing: Standing) -> Self {
        match standing {
            Standing::Decides => Verdict::Decides,
            Standing::Unknown => Verdict::NotKnown,
            Standing::Expired => Verdict::Expired,
            Standing::PerhapsExpired => Verdict::PerhapsExpired,
            Standing::No => Verdict::No,
        }
    }
}

/// One condition, and what is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ConditionAccount {
    /// Its name in the policy, a tag's key behind it.
    pub(crate) condition: String,
    /// `null`: not known.
    pub(crate) holds: Option<bool>,
    /// Patterns of which any may fit.
    pub(crate) wanted: Vec<String>,
    /// What is there; empty where nothing is, or nothing is known.
    pub(crate) found: Vec<String>,
}

/// All rules, as the decision about this instance judges them.
pub(super) fn of_instance(
    policy: &Policy,
    instance: &Instance,
    now: Timestamp,
) -> Vec<RuleAccount> {
    let mut standings = standings(policy, instance, now);
    let rules = policy.rules.iter().map(|rule| {
        let verdict = standings
            .next()
            .map_or(Verdict::NotReached, |(_, standing)| standing.into());
        account(rule, verdict, |condition| {
            (condition.holds(instance), condition.found(instance))
        })
    });
    rules.collect()
}

/// What is known of instances that nobody has looked at.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) account: Option<String>,
    /// The regions that they may be in; `None`: any.
    pub(super) regions: Option<Vec<String>>,
    pub(super) principals: Vec<String>,
}

impl Facts {
    pub(super) fn of(origin: &Origin) -> Self {
        Facts {
            account: origin.account.clone(),
            regions: Some(vec![origin.region.clone()]),
            principals: origin.principals.clone(),
        }
    }

    /// Who changed or started an instance is not who launched it.
    pub(super) fn without_principals(self) -> Self {
        Facts {
            principals: Vec::new(),
            ..self
        }
    }

    /// All rules, as far as the facts tell: tags are not known, rather than missing.
    pub(super) fn rules(&self, policy: &Policy, now: Timestamp) -> Vec<RuleAccount> {
        let today = Offset::UTC.to_datetime(now).date();
        let instances = self.instances();
        let judge = |condition: &Condition| self.judge(condition, &instances);
        let mut decided = false;
        let rules = policy.rules.iter().map(|rule| {
            let matched = rule.when.conditions().map(|condition| judge(&condition).0);
            let matched = matched.max().unwrap_or(Match::Yes);
            let verdict = if decided {
                Verdict::NotReached
            } else {
                Standing::of(matched, rule.expired(today)).into()
            };
            decided = decided || verdict == Verdict::Decides;
            account(rule, verdict, judge)
        });
        rules.collect()
    }

    /// One in each region, for the conditions to be asked about.
    fn instances(&self) -> Vec<Instance> {
        let Ok(id) = InstanceId::try_from("i-0") else {
            return Vec::new();
        };
        let regions = self.regions.iter().flatten();
        let instances = regions.map(|region| {
            let mut instance = Instance::unknown(id.clone(), region.clone());
            instance.account.clone_from(&self.account);
            instance.principals.clone_from(&self.principals);
            instance
        });
        instances.collect()
    }

    /// Known only where it is the same in all regions.
    fn judge(&self, condition: &Condition, instances: &[Instance]) -> (Match, Vec<String>) {
        let Some((first, others)) = instances.split_first() else {
            return (Match::Unknown, Vec::new());
        };
        if condition.is_by_tags() {
            return (Match::Unknown, Vec::new());
        }
        let holds = condition.holds(first);
        let found = condition.found(first);
        if others.iter().all(|other| condition.holds(other) == holds) {
            let all = others.iter().flat_map(|other| condition.found(other));
            let mut found: Vec<String> = found.into_iter().chain(all).collect();
            found.dedup();
            (holds, found)
        } else {
            (Match::Unknown, Vec::new())
        }
    }
}

fn account(
    rule: &Rule,
    verdict: Verdict,
    judge: impl Fn(&Condition) -> (Match, Vec<String>),
) -> RuleAccount {
    let conditions = rule.when.conditions().map(|condition| {
        let (holds, found) = judge(&condition);
        ConditionAccount {
            condition: condition.name(),
            holds: match holds {
                Match::Yes => Some(true),
                Match::No => Some(false),
                Match::Unknown => None,
            },
            wanted: condition.wanted(),
            found,
        }
    });
    RuleAccount {
        rule: rule.name.clone(),
        verdict,
        does: does(rule),
        conditions: conditions.collect(),
        until: rule.until,
    }
}

/// What a rule does, for example `terminate` or `require hop_limit 2 to 3`.
pub(crate) fn does(rule: &Rule) -> String {
    let then = rule.then.map(|then| match then {
        Then::Exempt => "exempt".to_owned(),
        Then::Act(action) => action.to_string(),
    });
    let require = rule
        .require
        .as_ref()
        .map(|require| format!("require {}", required(require)));
    let parts: Vec<String> = then.into_iter().chain(require).collect();
    parts.join(", ")
}

/// What is required, for example `http_tokens required, hop_limit at most 2`.
pub(crate) fn required(require: &Require) -> String {
    let options = [
        (
            "http_tokens",
            require.http_tokens.map(|_| "required".to_owned()),
        ),
        (
            "hop_limit",
            require.hop_limit.map(|range| range.to_string()),
        ),
        (
            "http_endpoint",
            require.http_endpoint.map(|v| v.to_string()),
        ),
        (
            "http_protocol_ipv6",
            require.http_protocol_ipv6.map(|v| v.to_string()),
        ),
        (
            "instance_metadata_tags",
            require.instance_metadata_tags.map(|v| v.to_string()),
        ),
    ];
    let given = options
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name} {}", value?)));
    given.collect::<Vec<_>>().join(", ")
}
