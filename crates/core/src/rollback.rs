//! Rolls back the changes that a journal or reports recorded: what is to be done about every instance and about
//! the account defaults of every region, and why. Nothing is fetched, and nothing is sent.

mod decide;
mod leave;
mod report;
mod reported;
mod restore;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::defaults::{DefaultsStep, MetadataDefaults};
use crate::instance::{Instance, InstanceId};
use crate::options::{HttpTokens, MetadataOptions, Toggle};
use crate::plain::Plain;

pub use decide::IfChanged;
pub use leave::Leave;
pub use report::{
    DefaultsRow, InstanceRow, RollbackOutcome, RollbackReport, RollbackRow, RollbackSummary,
};
pub use reported::{ReportedChange, ReportedDefaults, ReportedOptions};
pub use restore::{CALLS, CheckedRow, OptionsRestore};

/// An instance in its region.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct InstanceKey {
    /// The instance.
    #[serde(rename = "instance_id")]
    pub id: InstanceId,
    /// Its region.
    pub region: String,
}

/// The account defaults of a region.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct RegionKey {
    /// The region.
    pub region: String,
}

/// The recorded changes of an instance, or of the account defaults of a region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeRecord<K, T> {
    /// Which.
    pub key: K,
    /// Everything before the first call.
    pub before: T,
    /// At least one.
    pub calls: Vec<CallRecord<T>>,
}

/// One recorded call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRecord<T> {
    /// What it was to set.
    pub sent: T,
    /// `None`: the process ended before the answer.
    pub answer: Option<AnswerRecord<T>>,
}

/// A recorded answer. Without one, or with an error, the call may or may not have taken effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AnswerRecord<T> {
    /// Everything after the call.
    After(T),
    /// Why that is not known.
    Error(String),
}

/// The recorded changes of an instance's options.
pub type InstanceRecord = ChangeRecord<InstanceKey, MetadataOptions>;

/// The recorded changes of a region's account defaults.
pub type DefaultsRecord = ChangeRecord<RegionKey, MetadataDefaults>;

/// All changes that a journal or reports recorded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecordedChanges {
    /// The instances, in the order of their first calls.
    pub instances: Vec<InstanceRecord>,
    /// The regions, in the order of their first calls.
    pub defaults: Vec<DefaultsRecord>,
}

impl RecordedChanges {
    /// The regions whose account defaults must be known: they are restored, or decide whether EC2
    /// accepts `http_tokens=optional`.
    pub fn regions_of_defaults(&self) -> BTreeSet<String> {
        let optional = Some(HttpTokens::Optional);
        let instances = self.instances.iter();
        let instances = instances.filter(|record| record.before.http_tokens == optional);
        let defaults = self.defaults.iter().map(|record| &record.key.region);
        let regions = instances.map(|record| &record.key.region).chain(defaults);
        regions.cloned().collect()
    }
}

/// An instance as EC2 describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObservedInstance {
    /// It is described.
    Described(Box<Instance>),
    /// EC2 does not know it.
    NotKnown,
    /// It could not be described, and why.
    Unreachable(String),
}

/// Instances as EC2 describes them; those that it does not know may be missing.
pub type ObservedInstances = BTreeMap<InstanceKey, ObservedInstance>;

/// Everything that a rollback needs to know.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RollbackObservations {
    /// The recorded instances.
    pub instances: ObservedInstances,
    /// The account defaults by region, or why they could not be described.
    pub defaults: BTreeMap<String, Result<MetadataDefaults, String>>,
}

/// What a rollback does. What a dry run prints is what apply consumes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RollbackPlan {
    /// The account defaults, in the order of the journal.
    pub defaults: Vec<DefaultsRollback>,
    /// The instances, in the order of the journal.
    pub instances: Vec<InstanceRollback>,
    /// What to know before agreeing to it.
    pub notices: Vec<String>,
}

/// What to do about an instance, or about the account defaults of a region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollbackStep<K, T, R> {
    /// Which.
    pub key: K,
    /// The tag `Name`.
    pub name: Option<String>,
    /// As described.
    pub observed: Option<T>,
    /// What to restore, or why it is left as it is.
    pub verdict: Result<R, Leave>,
}

/// What to do about the account defaults of a region.
pub type DefaultsRollback = RollbackStep<RegionKey, MetadataDefaults, DefaultsStep>;

/// What to do about an instance.
pub type InstanceRollback = RollbackStep<InstanceKey, MetadataOptions, OptionsRestore>;

impl RollbackPlan {
    /// Decides about everything that was recorded.
    pub fn new(
        recorded: &RecordedChanges,
        observed: &RollbackObservations,
        if_changed: IfChanged,
    ) -> Self {
        let mut plan = RollbackPlan::default();
        let mut enforced = BTreeMap::new();
        for (region, defaults) in &observed.defaults {
            match defaults {
                Ok(defaults) => {
                    enforced.insert(region.as_str(), defaults);
                }
                Err(why) => plan.notices.push(format!(
                    "the account defaults of {} could not be described: {}",
                    Plain(region),
                    Plain(why)
                )),
            }
        }
        for record in &recorded.defaults {
            if let Some(found) = observed.defaults.get(&record.key.region) {
                plan.defaults.push(record.step(found, if_changed));
            }
        }
        for step in &plan.defaults {
            // The defaults are restored before the instances.
            if let Ok(restore) = &step.verdict {
                enforced.insert(&step.key.region, &restore.to);
            }
        }
        let instances = recorded.instances.iter().map(|record| {
            let found = observed.instances.get(&record.key);
            let defaults = enforced.get(record.key.region.as_str()).copied();
            record.step(found, defaults, if_changed)
        });
        plan.instances = instances.collect();
        plan
    }

    /// Why each is left, where it is.
    fn leaves(&self) -> impl Iterator<Item = Option<&Leave>> {
        let defaults = self.defaults.iter().map(|step| step.verdict.as_ref().err());
        let instances = self.instances.iter();
        defaults.chain(instances.map(|step| step.verdict.as_ref().err()))
    }

    /// The instances to restore to what a policy may not allow, so that the function would enforce them again:
    /// all but those whose tokens become required or whose endpoint is disabled.
    pub fn reopened(&self) -> Vec<InstanceId> {
        let reopens = |step: &&InstanceRollback| {
            step.verdict.as_ref().is_ok_and(|restore| {
                let send = restore.send;
                send.http_tokens != Some(HttpTokens::Required)
                    && send.http_endpoint != Some(Toggle::Disabled)
            })
        };
        let reopened = self.instances.iter().filter(reopens);
        reopened.map(|step| step.key.id.clone()).collect()
    }

    /// Leaves an instance as it is.
    pub fn leave(&mut self, id: &InstanceId, leave: &Leave) {
        for step in self.instances.iter_mut().filter(|step| step.key.id == *id) {
            step.verdict = Err(leave.clone());
        }
    }

    /// How many instances and regions are to be restored.
    pub fn to_restore(&self) -> usize {
        self.leaves().filter(Option::is_none).count()
    }

    /// How many more would be restored with [`IfChanged::Restore`].
    fn forcible(&self) -> usize {
        let forcible =
            |leave: &&Leave| matches!(leave, Leave::Changed { .. } | Leave::NotRecorded(_));
        self.leaves().flatten().filter(forcible).count()
    }
}

impl fmt::Display for RollbackPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for notice in &self.notices {
            writeln!(f, "note: {notice}")?;
        }
        for step in &self.defaults {
            writeln!(f, "{step}")?;
        }
        for step in &self.instances {
            writeln!(f, "{step}")?;
        }
        let total = self.leaves().count();
        writeln!(f, "{} of {total} to restore", self.to_restore())?;
        match self.forcible() {
            0 => Ok(()),
            more => writeln!(f, "`--force` would restore {more} more"),
        }
    }
}

impl<K: fmt::Display, T, R: fmt::Display> fmt::Display for RollbackStep<K, T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.key.fmt(f)?;
        if let Some(name) = &self.name {
            write!(f, " ({})", Plain(name))?;
        }
        match &self.verdict {
            Ok(restore) => write!(f, " set {restore}"),
            Err(leave) => write!(f, " leave: {leave}"),
        }
    }
}

impl fmt::Display for InstanceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", Plain(&self.region), self.id)
    }
}

impl fmt::Display for RegionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} account defaults", Plain(&self.region))
    }
}
