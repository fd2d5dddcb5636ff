//! The report: one outcome for every instance, and what could not be seen.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::decide::Decision;
use crate::instance::{Instance, InstanceId, LaunchTemplate, MetadataOptions};
use crate::usage::{Breaking, Usage};

/// The answer of the function and the command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// What brought the instances to our notice.
    pub trigger: Trigger,
    /// The account, 12 digits; `None` where the event does not tell.
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
    /// Regions that could not be seen.
    pub unseen: Vec<Unseen>,
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
        unseen: Vec<Unseen>,
    ) -> Self {
        let summary = Summary::of(&instances);
        Report {
            trigger,
            account,
            region,
            reason: None,
            summary,
            instances,
            omitted: 0,
            unseen,
        }
    }

    /// The report of an event that asks for nothing.
    pub fn ignored(account: Option<String>, region: Option<String>, reason: String) -> Self {
        let nothing = Report::new(Trigger::Ignored, account, region, Vec::new(), Vec::new());
        Report {
            reason: Some(reason),
            ..nothing
        }
    }

    /// Whether something that should have been done was not.
    pub fn is_incomplete(&self) -> bool {
        self.summary.failed > 0 || self.unseen.iter().any(|unseen| unseen.expected)
    }
}

/// What brought instances to our notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "named as in `Event`")]
pub enum Trigger {
    Launch,
    MetadataChange,
    StateChange,
    Sweep,
    Ignored,
}

impl Trigger {
    /// The word in reports, logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Trigger::Launch => "launch",
            Trigger::MetadataChange => "metadata-change",
            Trigger::StateChange => "state-change",
            Trigger::Sweep => "sweep",
            Trigger::Ignored => "ignored",
        }
    }
}

/// What became of one instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceReport {
    /// The instance.
    pub instance_id: InstanceId,
    /// Its region.
    pub region: String,
    /// What became of it.
    pub outcome: Outcome,
    /// The rule that decided; `None`: none of them.
    pub rule: Option<String>,
    /// The options that are not as required, by their names in the policy.
    pub violations: Vec<Cow<'static, str>>,
    /// All options as they were seen.
    pub before: Option<MetadataOptions>,
    /// All options after the change, where one was made.
    pub after: Option<MetadataOptions>,
    /// What it was launched from, to be mended too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub launch_template: Option<LaunchTemplate>,
    /// Who changed its options, where that brought it to our notice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed_by: Option<String>,
    /// How often it was mended within the hour, where that is too often to go on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mends: Option<u32>,
    /// How it uses IMDSv1, where that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// Calls that are refused since it was mended, where it is watched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub breaking: Option<Breaking>,
    /// When it was launched or last started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub launched_at: Option<Timestamp>,
    /// Why, in words.
    pub reason: String,
}

impl InstanceReport {
    /// What became of an instance about which something was decided.
    pub fn decided(
        instance: Instance,
        decision: &Decision,
        outcome: Outcome,
        after: Option<MetadataOptions>,
    ) -> Self {
        let (rule, violations) = match decision {
            Decision::Compliant(crate::decide::Compliant::AsRequired { rule }) => {
                (rule.clone(), vec![])
            }
            Decision::Compliant(_) | Decision::Gone(_) => (None, vec![]),
            Decision::Exempt(exempt) => (Some(exempt.rule.clone()), vec![]),
            Decision::Wrong(wrong) => (
                wrong.rule.clone(),
                wrong
                    .violations
                    .iter()
                    .map(|violation| Cow::Borrowed(violation.option()))
                    .collect(),
            ),
        };
        let wrong = matches!(decision, Decision::Wrong(_));
        let launch_template = instance.launch_template().filter(|_| wrong);
        InstanceReport {
            instance_id: instance.id,
            region: instance.region,
            outcome,
            rule,
            violations,
            before: Some(instance.options),
            after,
            launch_template,
            changed_by: None,
            mends: match decision {
                Decision::Wrong(wrong) => wrong.mends(),
                Decision::Compliant(_) | Decision::Exempt(_) | Decision::Gone(_) => None,
            },
            usage: match decision {
                Decision::Wrong(wrong) => wrong.usage.clone(),
                Decision::Compliant(_) | Decision::Exempt(_) | Decision::Gone(_) => None,
            },
            breaking: None,
            launched_at: instance.launched_at,
            reason: decision.to_string(),
        }
    }

    /// What became of an instance that could not be decided about.
    pub fn unseen(instance: Instance, outcome: Outcome, reason: String) -> Self {
        InstanceReport {
            launched_at: instance.launched_at,
            instance_id: instance.id,
            region: instance.region,
            outcome,
            rule: None,
            violations: Vec::new(),
            before: None,
            after: None,
            launch_template: None,
            changed_by: None,
            mends: None,
            usage: None,
            breaking: None,
            reason,
        }
    }

    /// A compliant instance whose software fails since it was mended.
    pub fn breaking(instance: Instance, breaking: Breaking) -> Self {
        let before = Some(instance.options);
        let reason = format!(
            "breaking: {} calls without a token were refused since it was mended, the last at {}",
            breaking.calls, breaking.last_at
        );
        let report = InstanceReport::unseen(instance, Outcome::Compliant, reason);
        InstanceReport {
            before,
            breaking: Some(breaking),
            ..report
        }
    }
}

/// A region that could not be seen, or not to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unseen {
    /// The region.
    pub region: String,
    /// Why, as a chain of causes.
    pub error: String,
    /// Whether it should have been seen, so that the function fails.
    pub expected: bool,
}

impl Unseen {
    /// A region that should have been seen.
    pub fn expected(region: &str, error: String) -> Self {
        Unseen {
            region: region.to_owned(),
            error,
            expected: true,
        }
    }
}

macro_rules! outcomes {
    ($($(#[doc = $doc:literal])+ $variant:ident $field:ident $word:literal),+ $(,)?) => {
        /// What became of an instance.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
        pub struct Summary { $($(#[doc = $doc])+ pub $field: usize),+ }

        impl Summary {
            /// Counts the outcomes.
            pub fn of<'a>(instances: impl IntoIterator<Item = &'a InstanceReport>) -> Self {
                let mut summary = Summary::default();
                for instance in instances {
                    match instance.outcome { $(Outcome::$variant => summary.$field += 1),+ }
                }
                summary
            }
            /// Counts another part of the fleet in.
            pub fn add(&mut self, other: Summary) {
                $(self.$field += other.$field;)+
            }
            /// How many had this outcome.
            pub fn count(&self, outcome: Outcome) -> usize {
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
    /// It is wrong, and the policy asks for a report only.
    Reported reported "reported",
    /// Its options were set as required.
    Enforced enforced "enforced",
    /// It was stopped.
    Stopped stopped "stopped",
    /// It was terminated.
    Terminated terminated "terminated",
    /// It was to be terminated, but the limit was reached: its options were set instead.
    Spared spared "spared",
    /// It ends or has ended.
    Gone gone "gone",
    /// What should have been done was not.
    Failed failed "failed",
}
