//! What became of a rollback.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;

use super::leave::Leave;
use super::{InstanceKey, RegionKey, RollbackPlan, RollbackStep};
use crate::defaults::MetadataDefaults;
use crate::options::MetadataOptions;

/// Every instance and every region's account defaults with their outcomes: the output of the command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RollbackReport {
    /// `rollback`.
    pub trigger: &'static str,
    /// The account, 12 digits.
    pub account: String,
    /// How many had which outcome.
    pub summary: RollbackSummary,
    /// In the order of the plan.
    pub instances: Vec<InstanceRow>,
    /// In the order of the plan.
    pub defaults: Vec<DefaultsRow>,
    /// The journal of this rollback, with which it can be rolled back.
    pub journal: Option<String>,
    /// Until when the reopened instances are exempt, where they were exempted first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exempt_until: Option<Timestamp>,
}

/// The outcome of an instance, or of the account defaults of a region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RollbackRow<K, T> {
    /// Which.
    #[serde(flatten)]
    pub key: K,
    /// The outcome.
    pub outcome: RollbackOutcome,
    /// As described before.
    pub before: Option<T>,
    /// After the change, where one was made.
    pub after: Option<T>,
    /// Why, as a sentence.
    pub reason: String,
}

/// The outcome of an instance.
pub type InstanceRow = RollbackRow<InstanceKey, MetadataOptions>;

/// The outcome of the account defaults of a region.
pub type DefaultsRow = RollbackRow<RegionKey, MetadataDefaults>;

macro_rules! outcomes {
    ($($(#[doc = $doc:literal])+ $variant:ident $field:ident),+ $(,)?) => {
        /// What became of an instance, or of account defaults.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
        #[serde(rename_all = "lowercase")]
        pub enum RollbackOutcome { $($(#[doc = $doc])+ $variant),+ }

        /// How many had which outcome.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
        pub struct RollbackSummary { $($(#[doc = $doc])+ pub $field: usize),+ }

        impl RollbackOutcome {
            /// The word in reports.
            pub fn as_str(self) -> &'static str {
                match self { $(RollbackOutcome::$variant => stringify!($field)),+ }
            }
        }

        impl RollbackSummary {
            fn add(&mut self, outcome: RollbackOutcome) {
                match outcome { $(RollbackOutcome::$variant => self.$field += 1),+ }
            }
        }

        impl fmt::Display for RollbackSummary {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let counts = [$(format!("{} {}", self.$field, stringify!($field))),+];
                f.write_str(&counts.join(", "))
            }
        }
    };
}

outcomes! {
    /// It is as it was before.
    Restored restored,
    /// It was so already.
    Unchanged unchanged,
    /// It was left, because something else changed it, or because it cannot be restored.
    Skipped skipped,
    /// It terminates or has terminated.
    Gone gone,
    /// It was not restored.
    Failed failed,
}

impl RollbackReport {
    /// Counts the outcomes.
    pub fn new(account: String, instances: Vec<InstanceRow>, defaults: Vec<DefaultsRow>) -> Self {
        let mut summary = RollbackSummary::default();
        instances.iter().for_each(|row| summary.add(row.outcome));
        defaults.iter().for_each(|row| summary.add(row.outcome));
        RollbackReport {
            trigger: "rollback",
            account,
            summary,
            instances,
            defaults,
            journal: None,
            exempt_until: None,
        }
    }
}

impl RollbackPlan {
    /// The report on a plan that restores nothing.
    pub fn nothing_restored(&self, account: String) -> RollbackReport {
        fn rows<K: Clone, T: Clone, R>(steps: &[RollbackStep<K, T, R>]) -> Vec<RollbackRow<K, T>> {
            let left =
                |step: &RollbackStep<K, T, R>| step.verdict.as_ref().err().map(|it| step.left(it));
            steps.iter().filter_map(left).collect()
        }
        RollbackReport::new(account, rows(&self.instances), rows(&self.defaults))
    }
}

impl<K: Clone, T: Clone, R> RollbackStep<K, T, R> {
    /// The outcome of what is left as it is.
    pub fn left(&self, leave: &Leave) -> RollbackRow<K, T> {
        let outcome = match leave {
            Leave::AsBefore => RollbackOutcome::Unchanged,
            Leave::Changed { .. }
            | Leave::NotRecorded(_)
            | Leave::TokensEnforced
            | Leave::ManagedBy(_) => RollbackOutcome::Skipped,
            Leave::Gone(_) => RollbackOutcome::Gone,
            Leave::Unreachable(_) | Leave::NotExempt(_) => RollbackOutcome::Failed,
        };
        self.row(outcome, None, leave.to_string())
    }

    /// The outcome of what could not be restored.
    pub fn failed(&self, after: Option<T>, why: &str) -> RollbackRow<K, T> {
        self.row(
            RollbackOutcome::Failed,
            after,
            format!("not restored: {why}"),
        )
    }

    /// An outcome.
    pub fn row(
        &self,
        outcome: RollbackOutcome,
        after: Option<T>,
        reason: String,
    ) -> RollbackRow<K, T> {
        RollbackRow {
            key: self.key.clone(),
            outcome,
            before: self.observed.clone(),
            after,
            reason,
        }
    }
}
