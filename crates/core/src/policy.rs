//! The policy: which metadata options instances must have, and what happens to those that do not.
//! Whatever [`Policy::parse`] lets through is valid; nothing is checked later.

mod document;
mod fault;
mod json;
mod pattern;
mod reader;
mod require;
#[cfg(feature = "schema")]
mod schema;
mod when;

use std::fmt;

use jiff::civil::Date;
use serde::Serialize;

pub use fault::{Fault, Faults};
pub use pattern::Pattern;
pub use require::{HopRange, Require, RequiredTokens};
#[cfg(feature = "schema")]
pub use schema::schema;
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
    /// What is asked of every instance.
    pub require: Require,
    /// What happens to an instance that lacks it, where no rule says otherwise.
    pub on_violation: Action,
    /// The first rule that matches an instance decides.
    #[cfg_attr(feature = "schema", schemars(default))]
    pub rules: Vec<Rule>,
    /// How much may be done, and how soon.
    #[cfg_attr(feature = "schema", schemars(default))]
    pub limits: Limits,
    /// What happens to instances that a sweep finds, rather than a launch.
    #[cfg_attr(feature = "schema", schemars(default))]
    pub existing: Existing,
}

impl Policy {
    /// Reads a policy from JSON.
    ///
    /// # Errors
    /// All faults of the document at once.
    pub fn parse(text: &str) -> Result<Policy, Faults> {
        document::read(text)
    }
}

/// What happens to an instance that breaks the policy, mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Action {
    /// It is reported and left as it is.
    Report,
    /// Its metadata options are mended.
    Enforce,
    /// It is stopped, or mended where that would loop or is refused.
    Stop,
    /// It is terminated, or mended where that would loop, is refused or is over the limit.
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

    /// The policy's word for it.
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

/// Another treatment, other requirements, or both, for the instances that match.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(deny_unknown_fields, transform = schema::then_or_require))]
pub struct Rule {
    /// The rule's name in reports; no two rules share one.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Words"))]
    pub name: String,
    /// Which instances the rule is for.
    pub when: When,
    /// What happens to an instance that breaks the policy; left out, what `on_violation` says.
    pub then: Option<Then>,
    /// Options that this rule asks for in place of the policy's own, key by key.
    pub require: Option<Require>,
    /// The last day, in UTC, on which an exemption holds. From the next day on, the rule no longer
    /// matches and reports say so.
    #[cfg_attr(feature = "schema", schemars(with = "Option<schema::Day>"))]
    pub until: Option<Date>,
    /// Stops and terminates also instances that a group or fleet replaces, each time anew; left out,
    /// they are mended, because the next one would be just as wrong.
    #[cfg_attr(feature = "schema", schemars(default))]
    pub even_if_replaced: bool,
    /// Why the rule is there, for readers of the policy and its reports.
    #[cfg_attr(feature = "schema", schemars(with = "Option<schema::Words>"))]
    pub because: Option<String>,
}

impl Rule {
    /// Whether the exemption's last day is over.
    pub fn expired(&self, today: Date) -> bool {
        self.until.is_some_and(|last| today > last)
    }
}

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename_all = "lowercase"))]
pub enum Then {
    /// The instance is left alone.
    Exempt,
    /// The instance is judged as any other, and treated so if it breaks the policy.
    #[cfg_attr(feature = "schema", schemars(untagged))]
    Act(Action),
}

/// How much may be done, and how soon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(deny_unknown_fields, default))]
pub struct Limits {
    /// Terminations in an hour, per account and region; instances over it are mended instead and
    /// reported as `spared`. With 0 none is terminated.
    #[cfg_attr(feature = "schema", schemars(range(max = 100_000)))]
    pub terminations_per_hour: u32,
    /// Seconds since its launch that an instance is given before it is stopped or terminated,
    /// because tags that exempt it may come later than the launch.
    #[cfg_attr(feature = "schema", schemars(range(max = 600)))]
    pub grace_seconds: u32,
    /// How often in an hour the options of one instance are mended after somebody changed them;
    /// from then on its changes are only reported.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1000)))]
    pub mends_per_hour: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            terminations_per_hour: 10,
            grace_seconds: 60,
            mends_per_hour: 6,
        }
    }
}

/// What happens to instances that a sweep finds: their use of IMDSv1 so far decides, because
/// software that relies on it fails once tokens are required.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(deny_unknown_fields, default))]
pub struct Existing {
    /// Days to look back for IMDSv1 calls (CloudWatch metric `MetadataNoToken`), 1 to 63:
    /// CloudWatch keeps five-minute data for 63 days.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 63)))]
    pub usage_window_days: u8,
    /// What happens to an instance on which IMDSv1 was used in the window.
    pub in_use: Action,
    /// What happens to an instance without data: it may have been stopped, or younger than the
    /// window.
    pub unknown: Action,
    /// Days for which an instance that a sweep has mended is watched for IMDSv1 calls that are now
    /// refused, 0 to 63; it is tagged for that. With 0, the default, it is neither watched nor
    /// tagged.
    #[cfg_attr(feature = "schema", schemars(range(max = 63)))]
    pub watch_days: u8,
}

impl Default for Existing {
    fn default() -> Self {
        Existing {
            usage_window_days: 14,
            in_use: Action::Report,
            unknown: Action::Report,
            watch_days: 0,
        }
    }
}
