//! What came of observing instances.

use std::collections::BTreeMap;

use imds_aws::UnreadableInstance;
use imds_core::decide::BecauseWord;
use imds_core::instance::{Instance, InstanceId};
use imds_core::report::{InstanceReport, Outcome, Unreachable};
use imds_core::state::Pause;

/// The outcome of every instance.
#[derive(Debug, Default)]
pub(crate) struct Observed {
    pub(crate) instances: Vec<InstanceReport>,
    pub(crate) unreachable: Vec<Unreachable>,
    /// Instances of an old launch that EC2 no longer shows, and whose ids are not known.
    pub(crate) gone: usize,
    pub(crate) paused: Option<Pause>,
    /// Instances whose launcher could not be remembered, and why.
    pub(crate) not_remembered: BTreeMap<InstanceId, String>,
}

impl Observed {
    pub(crate) fn add_unreadable(&mut self, region: &str, unreadable: &[UnreadableInstance]) {
        let (undecided, unreachable) = undecided(unreadable, region);
        self.instances.extend(undecided);
        self.unreachable.extend(unreachable);
    }

    /// An instance whose launcher could not be remembered has failed: a later sweep would not know it.
    pub(crate) fn fail_not_remembered(&mut self) {
        for report in &mut self.instances {
            if let Some(error) = self.not_remembered.get(&report.instance_id) {
                report.outcome = Outcome::Failed;
                report.because = Some(BecauseWord::StateUnavailable);
                report.reason.push_str(&format!(
                    "; who launched it could not be remembered: {error}"
                ));
            }
        }
    }

    /// Nothing follows from it.
    pub(crate) fn fail<Work>(&mut self, instances: Vec<Instance>, reason: &str) -> Vec<Work> {
        let reports = instances
            .into_iter()
            .map(|it| InstanceReport::undecided(it, Outcome::Failed, reason.to_owned()));
        self.instances.extend(reports);
        Vec::new()
    }

    /// Nothing follows from it.
    pub(crate) fn fail_launch<Work>(&mut self, region: &str, error: String) -> Vec<Work> {
        self.unreachable.push(Unreachable::fatal(region, error));
        Vec::new()
    }
}

/// An instance that cannot be read has failed, and a region where its id is malformed is not wholly
/// observed.
pub(crate) fn undecided(
    unreadable: &[UnreadableInstance],
    region: &str,
) -> (Vec<InstanceReport>, Vec<Unreachable>) {
    let (mut reports, mut unreachable) = (Vec::new(), Vec::new());
    for unreadable in unreadable {
        let reason = unreadable.to_string();
        match unreadable.instance_id() {
            Some(id) => {
                let instance = Instance::unknown(id, region);
                let report = InstanceReport::undecided(instance, Outcome::Failed, reason);
                reports.push(report);
            }
            None => unreachable.push(Unreachable::fatal(region, reason)),
        }
    }
    (reports, unreachable)
}
