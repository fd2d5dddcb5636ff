//! The report: one outcome for every instance, and what could not be observed.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};

use crate::count::count;
use crate::decide::{BecauseWord, Compliant, Decision};
use crate::instance::{Instance, InstanceId, LaunchTemplate};
use crate::options::{MetadataOption, MetadataOptions};
use crate::policy::Action;
use crate::state::Pause;
use crate::usage::{RejectedCalls, Usage};

/// The version of the report's format.
pub const VERSION: u8 = 1;

/// The response of the function, and the output of the command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The version of this format.
    pub version: u8,
    /// How the instances were discovered.
    pub trigger: Trigger,
    /// The account, 12 digits; `None` where the event does not name it.
    pub account: Option<String>,
    /// The region of the event; `None` for a sweep of several.
    pub region: Option<String>,
    /// Why an event was ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How many instances had which outcome.
    pub summary: Summary,
    /// Exactly one outcome for every instance.
    pub instances: Vec<InstanceReport>,
    /// How many instances of the summary are not listed.
    #[serde(skip_serializing_if = "is_zero")]
    pub omitted: usize,
    /// Regions that could not be observed.
    pub unreachable: Vec<Unreachable>,
    /// A person's pause, where one keeps the function from acting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<Pause>,
    /// How many instances are left for a later sweep.
    #[serde(skip_serializing_if = "is_zero")]
    pub left: usize,
    /// Whether it is the first complete sweep of a UTC day.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub first_of_day: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(n: &usize) -> bool {
    *n == 0
}

impl Report {
    /// Counts the outcomes.
    pub fn new(
        trigger: Trigger,
        account: Option<String>,
        region: Option<String>,
        instances: Vec<InstanceReport>,
        mut unreachable: Vec<Unreachable>,
    ) -> Self {
        for region in &mut unreachable {
            region.account = region.account.take().or_else(|| account.clone());
        }
        let summary = Summary::count(&instances);
        Report {
            version: VERSION,
            trigger,
            account,
            region,
            reason: None,
            summary,
            instances,
            omitted: 0,
            unreachable,
            paused: None,
            left: 0,
            first_of_day: false,
        }
    }

    /// The report of an event that requires nothing.
    pub fn ignored(account: Option<String>, region: Option<String>, reason: String) -> Self {
        let nothing = Report::new(Trigger::Ignored, account, region, Vec::new(), Vec::new());
        Report {
            reason: Some(reason),
            ..nothing
        }
    }

    /// Whether something that should have been done was not.
    pub fn is_incomplete(&self) -> bool {
        self.summary.failed > 0 || self.unreachable.iter().any(|unreachable| unreachable.fatal)
    }
}

/// How instances were discovered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "named as in `Event`")]
pub enum Trigger {
    Launch,
    Start,
    MetadataChange,
    Sweep,
    Ignored,
}

impl Trigger {
    /// The word in reports, logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Trigger::Launch => "launch",
            Trigger::MetadataChange => "metadata-change",
            Trigger::Start => "start",
            Trigger::Sweep => "sweep",
            Trigger::Ignored => "ignored",
        }
    }
}

/// The outcome of one instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct InstanceReport {
    /// The instance.
    pub instance_id: InstanceId,
    /// The account that owns it, 12 digits, where it is known.
    pub account: Option<String>,
    /// Its region.
    pub region: String,
    /// The outcome.
    pub outcome: Outcome,
    /// What the policy says, where something milder was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instead_of: Option<Action>,
    /// Why something milder was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<BecauseWord>,
    /// The rule that decided; `None`: no rule.
    pub rule: Option<String>,
    /// The options that do not satisfy the policy, by their names there.
    #[cfg_attr(feature = "schema", schemars(with = "Vec<MetadataOption>"))]
    #[serde(deserialize_with = "names")]
    pub violations: Vec<&'static str>,
    /// Options that EC2 refused to set.
    pub refused: Vec<RefusedOption>,
    /// All options before a change.
    pub before: Option<MetadataOptions>,
    /// All options after the change, where one was made.
    pub after: Option<MetadataOptions>,
    /// The launch template to update too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub launch_template: Option<LaunchTemplate>,
    /// Who changed its options, where an event says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed_by: Option<String>,
    /// Whether it uses IMDSv1, where CloudWatch was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// Calls that were rejected after its options were enforced, where it is watched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejected_calls: Option<RejectedCalls>,
    /// When it was first launched; `None`: not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<crate::report_schema::Time>")
    )]
    pub first_launched_at: Option<Timestamp>,
    /// When its options were set, or when it was stopped or terminated.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<crate::report_schema::Time>")
    )]
    pub changed_at: Option<Timestamp>,
    /// Why, as a sentence.
    pub reason: String,
}

/// An option that EC2 refused to set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RefusedOption {
    /// The option.
    pub option: MetadataOption,
    /// EC2's error.
    pub error: String,
}

/// Reads the names of options.
fn names<'de, D: Deserializer<'de>>(names: D) -> Result<Vec<&'static str>, D::Error> {
    let options = Vec::<MetadataOption>::deserialize(names)?;
    Ok(options.into_iter().map(MetadataOption::name).collect())
}

impl InstanceReport {
    /// The report on an instance about which a decision was made.
    pub fn decided(
        instance: Instance,
        decision: &Decision,
        outcome: Outcome,
        after: Option<MetadataOptions>,
    ) -> Self {
        let launch_template = instance.launch_template();
        let report = InstanceReport {
            before: Some(instance.options),
            after,
            first_launched_at: instance.first_launched_at(Timestamp::MAX),
            ..InstanceReport::undecided(instance, outcome, decision.to_string())
        };
        match decision {
            Decision::Compliant(Compliant::AsRequired { rule }) => InstanceReport {
                rule: rule.clone(),
                ..report
            },
            Decision::Compliant(Compliant::EndpointDisabled | Compliant::NotExempted { .. })
            | Decision::Gone(_) => report,
            Decision::Exempt(exempt) => InstanceReport {
                rule: exempt.rule().map(str::to_owned),
                ..report
            },
            Decision::NonCompliant(non_compliant) => {
                let violations = non_compliant.violations.iter();
                let instead = non_compliant.instead.as_ref();
                InstanceReport {
                    rule: non_compliant.rule.clone(),
                    violations: violations.map(|it| it.option().name()).collect(),
                    instead_of: instead.map(|instead| instead.of),
                    because: instead.map(|instead| instead.because.word()),
                    launch_template,
                    usage: non_compliant.usage.clone(),
                    rejected_calls: non_compliant.rejected_calls().cloned(),
                    first_launched_at: non_compliant.first_launched_at,
                    ..report
                }
            }
        }
    }

    /// The report on an instance about which no decision could be made.
    pub fn undecided(instance: Instance, outcome: Outcome, reason: String) -> Self {
        InstanceReport {
            instance_id: instance.id,
            account: instance.account,
            region: instance.region,
            outcome,
            instead_of: None,
            because: None,
            rule: None,
            violations: Vec::new(),
            refused: Vec::new(),
            before: None,
            after: None,
            launch_template: None,
            changed_by: None,
            usage: None,
            rejected_calls: None,
            first_launched_at: None,
            changed_at: None,
            reason,
        }
    }

    /// The report on a compliant instance whose software fails since its options were enforced.
    pub fn failing(instance: Instance, rejected: RejectedCalls) -> Self {
        let before = Some(instance.options);
        let reason = format!(
            "{} without a token rejected since its options were enforced, the last at {}",
            count(rejected.calls, "call"),
            rejected.last_at
        );
        InstanceReport {
            before,
            rejected_calls: Some(rejected),
            ..InstanceReport::undecided(instance, Outcome::Compliant, reason)
        }
    }
}

impl Decision {
    /// The outcome once everything that was decided is done.
    pub fn outcome(&self) -> Outcome {
        match self {
            Decision::Compliant(_) => Outcome::Compliant,
            Decision::Exempt(_) => Outcome::Exempt,
            Decision::Gone(_) => Outcome::Gone,
            Decision::NonCompliant(non_compliant) => match non_compliant.action {
                Action::Report if non_compliant.is_state_unavailable() => Outcome::Failed,
                Action::Report => Outcome::Reported,
                Action::Enforce => Outcome::Enforced,
                Action::Stop => Outcome::Stopped,
                Action::Terminate => Outcome::Terminated,
            },
        }
    }
}

/// A region, or a part of it, that could not be observed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Unreachable {
    /// The account, 12 digits, where it is known.
    pub account: Option<String>,
    /// The region.
    pub region: String,
    /// Why, as a chain of causes.
    pub error: String,
    /// Whether it should have been observed, so that the run fails.
    pub fatal: bool,
}

impl Unreachable {
    /// A region that should have been observed.
    pub fn fatal(region: &str, error: String) -> Self {
        Unreachable {
            account: None,
            region: region.to_owned(),
            error,
            fatal: true,
        }
    }
}

macro_rules! outcomes {
    ($($(#[doc = $doc:literal])+ $variant:ident $field:ident $word:literal),+ $(,)?) => {
        /// The outcome of an instance.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(rename_all = "lowercase")]
        pub enum Outcome { $($(#[doc = $doc])+ $variant),+ }

        impl Outcome {
            /// All of them, in the order of the summary.
            pub const ALL: &[Outcome] = &[$(Outcome::$variant),+];
            /// The word in reports and logs.
            pub fn as_str(self) -> &'static str {
                match self { $(Outcome::$variant => $word),+ }
            }
        }

        /// How many instances had which outcome.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        pub struct Summary { $($(#[doc = $doc])+ pub $field: usize),+ }

        impl Summary {
            /// Counts the outcomes.
            pub fn count<'a>(instances: impl IntoIterator<Item = &'a InstanceReport>) -> Self {
                let mut summary = Summary::default();
                for instance in instances {
                    match instance.outcome { $(Outcome::$variant => summary.$field += 1),+ }
                }
                summary
            }
            /// Adds another part of the fleet.
            pub fn add(&mut self, other: Summary) {
                $(self.$field += other.$field;)+
            }
            /// How many had this outcome.
            pub fn get(&self, outcome: Outcome) -> usize {
                match outcome { $(Outcome::$variant => self.$field),+ }
            }
        }
    };
}

outcomes! {
    /// It is as the policy requires.
    Compliant compliant "compliant",
    /// A rule exempts it.
    Exempt exempt "exempt",
    /// It is not compliant, and was left as it is.
    Reported reported "reported",
    /// Its options were set as required.
    Enforced enforced "enforced",
    /// It was stopped.
    Stopped stopped "stopped",
    /// It was terminated.
    Terminated terminated "terminated",
    /// It terminates or has terminated.
    Gone gone "gone",
    /// The required action was not done.
    Failed failed "failed",
}
