//! A step of a plan on its way to an outcome.

use imds_core::decide::{Because, Decision, NonCompliant};
use imds_core::instance::Instance;
use imds_core::options::MetadataOptions;
use imds_core::policy::Action;
use imds_core::report::{InstanceReport, Outcome};

use crate::attempt::FailedCall;

/// A step that takes calls.
pub(crate) struct Task {
    /// Its place in the plan.
    pub(crate) place: usize,
    pub(crate) instance: Instance,
    pub(crate) non_compliant: NonCompliant,
}

impl Task {
    /// Everything that was decided is done.
    pub(crate) fn done(self, after: Option<MetadataOptions>) -> InstanceReport {
        let decision = Decision::NonCompliant(self.non_compliant);
        InstanceReport::decided(self.instance, &decision, decision.outcome(), after)
    }

    pub(crate) fn failed(self, error: &FailedCall) -> InstanceReport {
        let decision = Decision::NonCompliant(self.non_compliant);
        let report = InstanceReport::decided(self.instance, &decision, Outcome::Failed, None);
        InstanceReport {
            reason: format!("{}; failed: {error}", report.reason),
            ..report
        }
    }

    /// Where an instance cannot be disrupted, its options are enforced.
    pub(crate) fn enforce_instead(self, because: Because) -> Self {
        Task {
            non_compliant: self.non_compliant.milder(Action::Enforce, because),
            ..self
        }
    }
}
