//! A step of a plan on its way to an outcome.

use imds_core::decide::{Because, Decision, Instead, Remedy, Wrong};
use imds_core::instance::{Instance, MetadataOptions};
use imds_core::policy::Action;
use imds_core::report::{InstanceReport, Outcome};

use crate::attempt::Failed;

/// A step that needs calls.
pub(crate) struct Task {
    pub(crate) place: usize,
    pub(crate) instance: Instance,
    pub(crate) wrong: Wrong,
}

impl Task {
    pub(crate) fn report(self, outcome: Outcome, after: Option<MetadataOptions>) -> InstanceReport {
        InstanceReport::decided(self.instance, &Decision::Wrong(self.wrong), outcome, after)
    }

    pub(crate) fn mended(self, after: MetadataOptions) -> InstanceReport {
        let over_limit = matches!(
            &self.wrong.remedy,
            Remedy::Enforce(Some(Instead {
                because: Because::OverLimit { .. } | Because::NotCounted(_),
                ..
            }))
        );
        let outcome = if over_limit {
            Outcome::Spared
        } else {
            Outcome::Enforced
        };
        self.report(outcome, Some(after))
    }

    pub(crate) fn failed(self, why: &Failed) -> InstanceReport {
        let report = self.report(Outcome::Failed, None);
        InstanceReport {
            reason: format!("{}; failed: {why}", report.reason),
            ..report
        }
    }

    /// The safe mend is the fallback.
    pub(crate) fn mend_instead(mut self, end: Outcome, because: Because) -> Self {
        let of = if end == Outcome::Terminated {
            Action::Terminate
        } else {
            Action::Stop
        };
        self.wrong.remedy = Remedy::Enforce(Some(Instead { of, because }));
        self
    }
}
