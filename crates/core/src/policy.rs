//! The policy: which metadata options instances must have, and what happens to those that do not.
//! Whatever [`Policy::parse`] accepts is valid; nothing is checked later.

mod document;
mod fault;
mod json;
mod pattern;
mod reader;

#[cfg(feature = "schema")]
pub(crate) mod schema;
mod when;

use std::fmt;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::require::Require;
pub use fault::{PolicyFault, PolicyFaults};
pub use pattern::Pattern;
pub use when::{Condition, Match, When};

/// Which metadata options EC2 instances must have, and what happens to those that do not.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(
    feature = "schema",
    schemars(title = "imds-enforcer policy", deny_unknown_fields)
)]
#[cfg_attr(feature = "schema", schemars(transform = schema::allow_schema_key))]
pub struct Policy {
    /// The version of this format: 1, and 1 where it is left out.
    #[cfg_attr(
        feature = "schema",
        schemars(with = "schema::FormatVersion", default = "schema::first_version")
    )]
    pub version: u8,
    /// What is required of every instance.
    pub require: Require,
    /// What happens to an instance that is not compliant, where no rule says otherwise.
    pub on_violation: Action,
    /// The first rule that matches an instance decides.
    #[cfg_attr(feature = "schema", schemars(default))]
    pub rules: Vec<Rule>,
    /// What applies to new instances.
    #[cfg_attr(feature = "schema", schemars(default))]
    pub new_instances: NewInstances,
    /// What happens to existing instances.
    #[cfg_attr(feature = "schema", schemars(default))]
    pub existing: Existing,
    /// How much may be done.
    #[cfg_attr(feature = "schema", schemars(default))]
    pub limits: Limits,
}

impl Policy {
    /// Reads a policy from JSON.
    ///
    /// # Errors
    /// All faults of the document at once.
    pub fn parse(text: &str) -> Result<Policy, PolicyFaults> {
        document::read(text)
    }

    /// Whether it can stop or terminate instances.
    pub fn may_disrupt(&self) -> bool {
        let of_rules = self.rules.iter().filter_map(|rule| match rule.action? {
            RuleAction::Exempt => None,
            RuleAction::Act(action) => Some(action),
        });
        let mut actions = of_rules.chain([self.on_violation]);
        actions.any(|action| action > Action::Enforce)
    }

    /// What is required of an instance for which this rule decides.
    pub(crate) fn required_by(&self, rule: Option<&Rule>) -> Require {
        let own = rule.and_then(|rule| rule.require.as_ref());
        own.map_or_else(
            || self.require.clone(),
            |own| self.require.overridden_by(own),
        )
    }
}

/// What happens to an instance that is not compliant, mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Action {
    /// It is reported and left as it is.
    Report,
    /// Its metadata options are set to what the policy requires.
    Enforce,
    /// It is stopped, or its options are enforced where it would be replaced, EC2 refuses or the limit is
    /// reached.
    Stop,
    /// It is terminated, or its options are enforced where it would be replaced, EC2 refuses or the
    /// limit is reached.
    Terminate,
}

impl Action {
    /// All actions, mildest first.
    pub const ALL: [Action; 4] = [
        Action::Report,
        Action::Enforce,
        Action::Stop,
        Action::Terminate,
    ];

    /// The word in the policy.
    pub fn as_str(self) -> &'static str {
        match self {
            Action::Report => "report",
            Action::Enforce => "enforce",
            Action::Stop => "stop",
            Action::Terminate => "terminate",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Another action, other requirements, or both, for the instances that match.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(deny_unknown_fields, transform = schema::action_or_require))]
pub struct Rule {
    /// The rule's name in reports; no two rules share one.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Words"))]
    pub name: String,
    /// Which instances the rule applies to.
    pub when: When,
    /// What happens to an instance that is not compliant; the default is `on_violation`.
    pub action: Option<RuleAction>,
    /// What this rule requires in place of the policy's own `require`, key by key.
    pub require: Option<Require>,
    /// The last day, in UTC, on which an exemption holds. From the next day on, the rule no longer
    /// matches and reports say so.
    #[cfg_attr(feature = "schema", schemars(with = "Option<schema::Day>"))]
    pub expires: Option<Date>,
    /// Whether the rule also stops or terminates instances that a group or fleet replaces. By default
    /// their options are enforced, because the replacement would not be compliant either.
    #[cfg_attr(feature = "schema", schemars(default))]
    pub even_if_replaced: bool,
    /// Why the rule exists, for readers of the policy and its reports.
    #[cfg_attr(feature = "schema", schemars(with = "Option<schema::Words>"))]
    pub reason: Option<String>,
}

impl Rule {
    /// What the rule does where it matches, such as `terminate` or `require hop_limit 2 to 3`.
    pub fn effect(&self) -> String {
        let action = self.action.map(|action| match action {
            RuleAction::Exempt => "exempt".to_owned(),
            RuleAction::Act(action) => action.to_string(),
        });
        let require = self.require.as_ref();
        let require = require.map(|require| format!("require {require}"));
        let parts: Vec<String> = action.into_iter().chain(require).collect();
        parts.join(", ")
    }

    /// Whether the rule leaves instances as they are.
    pub fn is_exemption(&self) -> bool {
        self.action == Some(RuleAction::Exempt)
    }

    /// Whether the last day of the exemption is over.
    pub fn expired(&self, today: Date) -> bool {
        self.expires.is_some_and(|last| today > last)
    }
}

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename_all = "lowercase"))]
pub enum RuleAction {
    /// The instance is left as it is.
    Exempt,
    /// The instance is evaluated, and this is done where it is not compliant.
    #[cfg_attr(feature = "schema", schemars(untagged))]
    Act(Action),
}

/// How much may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(deny_unknown_fields, default))]
pub struct Limits {
    /// How many instances may be stopped or terminated in any 60 minutes, per account and region. The
    /// options of further instances are enforced instead. With 0, no instance is disrupted.
    #[cfg_attr(feature = "schema", schemars(range(max = 1000)))]
    pub disruptions_per_hour: u32,
    /// How often in an hour the options of one instance are enforced after somebody changed them.
    /// Further changes are only reported.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1000)))]
    pub enforcements_per_hour: u32,
    /// How many existing instances are enforced in an hour, per account and region. Further instances are
    /// reported, and a later sweep goes on. With 0, none is enforced; with null, there is no limit.
    #[cfg_attr(feature = "schema", schemars(with = "schema::LimitOrNull"))]
    pub existing_per_hour: Option<u32>,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            disruptions_per_hour: 10,
            enforcements_per_hour: 6,
            existing_per_hour: Some(50),
        }
    }
}

/// What applies to new instances: by the time of their first launch, whatever event names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(deny_unknown_fields, default))]
pub struct NewInstances {
    /// Minutes after its first launch in which an instance may be stopped or terminated, 1 to 60.
    /// Later, its options are enforced at most.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 60)))]
    pub disrupt_within_minutes: u8,
    /// Hours after its first launch in which the options of an instance are enforced unless IMDSv1 was
    /// used on it, 1 to 168. Later, `existing` decides.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 168)))]
    pub enforce_within_hours: u8,
    /// What happens within `enforce_within_hours` to an instance on which IMDSv1 was used, where no
    /// launch event of the last 15 minutes names it: `report` or `enforce`.
    #[cfg_attr(feature = "schema", schemars(with = "schema::AtMostEnforce"))]
    pub in_use: Action,
    /// Seconds after its first launch before an instance is stopped or terminated, because tags that
    /// exempt it may be added after the launch. At most 600, and at least a minute shorter than
    /// `disrupt_within_minutes`.
    #[cfg_attr(feature = "schema", schemars(range(max = 600)))]
    pub grace_seconds: u32,
    /// Seconds after its first launch before the options of an instance are enforced, for the same
    /// reason. At most 600, and at least a minute shorter than `disrupt_within_minutes`. Until then the
    /// instance answers IMDSv1.
    #[cfg_attr(feature = "schema", schemars(range(max = 600)))]
    pub enforce_grace_seconds: u32,
}

impl NewInstances {
    /// Seconds after its first launch before an instance is stopped or terminated: enforcement is the
    /// fallback.
    pub fn grace(&self) -> u32 {
        self.grace_seconds.max(self.enforce_grace_seconds)
    }

    /// Until when an instance may be stopped or terminated.
    pub fn disrupt_until(&self, first_launched_at: Timestamp) -> Timestamp {
        let minutes = SignedDuration::from_mins(i64::from(self.disrupt_within_minutes));
        later(first_launched_at, minutes)
    }

    /// Until when the options of an instance are enforced unless IMDSv1 is in use.
    pub fn enforce_until(&self, first_launched_at: Timestamp) -> Timestamp {
        let hours = SignedDuration::from_hours(i64::from(self.enforce_within_hours));
        later(first_launched_at, hours)
    }
}

fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}

impl Default for NewInstances {
    fn default() -> Self {
        NewInstances {
            disrupt_within_minutes: 15,
            enforce_within_hours: 24,
            in_use: Action::Report,
            grace_seconds: 60,
            enforce_grace_seconds: 0,
        }
    }
}

/// What happens to instances that are neither new nor recent, or of unknown age: their options are
/// enforced at most. Their use of IMDSv1 decides, because software that uses it fails once tokens are
/// required.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(deny_unknown_fields, default))]
pub struct Existing {
    /// Days to look back for IMDSv1 calls (CloudWatch metric `MetadataNoToken`), 1 to 63:
    /// CloudWatch keeps five-minute data for 63 days.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 63)))]
    pub usage_window_days: u8,
    /// Hours of running within the window for which CloudWatch must have data before an instance
    /// without calls counts as unused, 1 to 168. They may lie anywhere in the window, so that an
    /// instance that is stopped every night can be evaluated.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 168)))]
    pub usage_data_hours: u8,
    /// What happens to an instance on which IMDSv1 was used in the window: `report` or `enforce`.
    #[cfg_attr(feature = "schema", schemars(with = "schema::AtMostEnforce"))]
    pub in_use: Action,
    /// What happens to an instance with too little data: `report` or `enforce`.
    #[cfg_attr(feature = "schema", schemars(with = "schema::AtMostEnforce"))]
    pub unknown: Action,
    /// Days for which an instance is watched for rejected IMDSv1 calls after a sweep has enforced its
    /// options, 0 to 63. With 0, the default, it is not watched.
    #[cfg_attr(feature = "schema", schemars(range(max = 63)))]
    pub watch_days: u8,
    /// Whether sweeps report existing instances instead of enforcing them while IMDSv1 calls are rejected
    /// on a watched instance of the account.
    pub stop_when_rejected: bool,
}

impl Default for Existing {
    fn default() -> Self {
        Existing {
            usage_window_days: 14,
            usage_data_hours: 24,
            in_use: Action::Report,
            unknown: Action::Report,
            watch_days: 0,
            stop_when_rejected: true,
        }
    }
}
