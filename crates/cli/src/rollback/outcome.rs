//! What became of a rollback.

use imds_core::defaults::MetadataDefaults;
use imds_core::instance::{Instance, InstanceId, MetadataOptions};
use serde::Serialize;

use super::decide::{DefaultsVerdict, Seen, Verdict};
use super::{DefaultsStep, RollbackPlan, Step};
use crate::error::Exit;

/// Every instance and every region's defaults with its outcome. As JSON, what the command answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct RolledBack {
    /// `rollback`.
    pub(crate) trigger: &'static str,
    /// The account, 12 digits.
    pub(crate) account: String,
    /// How many had which outcome.
    pub(crate) summary: Summary,
    /// In the order of the plan.
    pub(crate) instances: Vec<Restored>,
    /// In the order of the plan.
    pub(crate) defaults: Vec<RestoredDefaults>,
    /// The journal of this rollback, by which it can be undone.
    pub(crate) journal: Option<String>,
}

/// What became of one instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Restored {
    /// The instance.
    pub(crate) instance_id: InstanceId,
    /// The instance's region.
    pub(crate) region: String,
    /// What became of it.
    pub(crate) outcome: Outcome,
    /// All options as they were seen.
    pub(crate) before: Option<MetadataOptions>,
    /// All options after the change, where one was made.
    pub(crate) after: Option<MetadataOptions>,
    /// Why, in words.
    pub(crate) reason: String,
}

/// What became of the account's defaults of a region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct RestoredDefaults {
    /// The region.
    pub(crate) region: String,
    /// What became of them.
    pub(crate) outcome: Outcome,
    /// All defaults as they were seen.
    pub(crate) before: Option<MetadataDefaults>,
    /// All defaults after the change, where one was made.
    pub(crate) after: Option<MetadataDefaults>,
    /// Why, in words.
    pub(crate) reason: String,
}

/// What became of an instance, or of defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    /// It has again what it had.
    Restored,
    /// It had that already.
    Unchanged,
    /// It was left, for it is not as the journal left it, or may not go back.
    Skipped,
    /// It ends or has ended.
    Gone,
    /// What should have been done was not.
    Failed,
}

impl Outcome {
    /// The word in reports.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Outcome::Restored => "restored",
            Outcome::Unchanged => "unchanged",
            Outcome::Skipped => "skipped",
            Outcome::Gone => "gone",
            Outcome::Failed => "failed",
        }
    }
}

/// How many had which outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub(crate) struct Summary {
    pub(crate) restored: usize,
    pub(crate) unchanged: usize,
    pub(crate) skipped: usize,
    pub(crate) gone: usize,
    pub(crate) failed: usize,
}

impl RolledBack {
    pub(super) fn of(
        account: &str,
        instances: Vec<Restored>,
        defaults: Vec<RestoredDefaults>,
        journal: Option<String>,
    ) -> Self {
        let mut summary = Summary::default();
        let outcomes = instances.iter().map(|instance| instance.outcome);
        for outcome in outcomes.chain(defaults.iter().map(|defaults| defaults.outcome)) {
            match outcome {
                Outcome::Restored => summary.restored += 1,
                Outcome::Unchanged => summary.unchanged += 1,
                Outcome::Skipped => summary.skipped += 1,
                Outcome::Gone => summary.gone += 1,
                Outcome::Failed => summary.failed += 1,
            }
        }
        RolledBack {
            trigger: "rollback",
            account: account.to_owned(),
            summary,
            instances,
            defaults,
            journal,
        }
    }

    /// How the command ends.
    pub(crate) fn exit(&self) -> Exit {
        if self.summary.failed > 0 {
            Exit::Failed
        } else if self.summary.skipped > 0 {
            Exit::Violations
        } else {
            Exit::Fine
        }
    }
}

impl RollbackPlan {
    /// How many calls or more it takes; with none, nobody need be asked.
    pub(crate) fn to_restore(&self) -> usize {
        let instances = self.instances.iter();
        let defaults = self.defaults.iter();
        instances.filter(|step| step.settled().is_none()).count()
            + defaults.filter(|step| step.settled().is_none()).count()
    }

    /// What becomes of it without any call; `None`: there is something to restore.
    pub(crate) fn settled(&self) -> Option<RolledBack> {
        let instances: Option<Vec<_>> = self.instances.iter().map(Step::settled).collect();
        let defaults: Option<Vec<_>> = self.defaults.iter().map(DefaultsStep::settled).collect();
        Some(RolledBack::of(&self.account, instances?, defaults?, None))
    }
}

impl Step {
    /// The instance, where it was seen.
    pub(crate) fn instance(&self) -> Option<&Instance> {
        match &self.seen {
            Seen::Instance(instance) => Some(instance),
            Seen::Unknown | Seen::Not(_) => None,
        }
    }

    /// Its outcome, where no call is to be made.
    pub(super) fn settled(&self) -> Option<Restored> {
        let outcome = match &self.verdict {
            Verdict::Restore { .. } => return None,
            Verdict::AsItWas => Outcome::Unchanged,
            Verdict::ChangedSince { .. } | Verdict::NotKnownBefore(_) | Verdict::TokensEnforced => {
                Outcome::Skipped
            }
            Verdict::Gone(_) => Outcome::Gone,
            Verdict::NotSeen(_) => Outcome::Failed,
        };
        Some(self.become_of(outcome, None, self.verdict.to_string()))
    }

    pub(super) fn become_of(
        &self,
        outcome: Outcome,
        after: Option<MetadataOptions>,
        reason: String,
    ) -> Restored {
        Restored {
            instance_id: self.id.clone(),
            region: self.region.clone(),
            outcome,
            before: self.instance().map(|instance| instance.options),
            after,
            reason,
        }
    }
}

impl DefaultsStep {
    /// Their outcome, where no call is to be made.
    pub(super) fn settled(&self) -> Option<RestoredDefaults> {
        let (outcome, before) = match &self.verdict {
            DefaultsVerdict::Restore { .. } => return None,
            DefaultsVerdict::AsTheyWere => (Outcome::Unchanged, None),
            DefaultsVerdict::ChangedSince { found, .. } => (Outcome::Skipped, Some(found.clone())),
            DefaultsVerdict::ManagedBy(_) => (Outcome::Skipped, None),
            DefaultsVerdict::NotSeen(_) => (Outcome::Failed, None),
        };
        let reason = self.verdict.to_string();
        Some(self.become_of(outcome, before, None, reason))
    }

    pub(super) fn become_of(
        &self,
        outcome: Outcome,
        before: Option<MetadataDefaults>,
        after: Option<MetadataDefaults>,
        reason: String,
    ) -> RestoredDefaults {
        RestoredDefaults {
            region: self.region.clone(),
            outcome,
            before,
            after,
            reason,
        }
    }
}
