//! Handles those instances of a region that are not compliant.

use futures_util::future::join;
use imds_core::decide::{Because, BecauseWord, Discovery};
use imds_core::instance::Instance;
use imds_core::plan::Plan;
use imds_core::report::{InstanceReport, Summary, Unreachable};
use jiff::Timestamp;

use crate::apply::ApplyOptions;
use crate::engine::Engine;
use crate::read_region::ReadRegion;

/// What a sweep found in a region, and did.
#[derive(Debug, Default)]
pub struct SweptRegion {
    /// The region.
    pub region: String,
    /// Counts the outcome of every instance.
    pub summary: Summary,
    /// All instances but the compliant ones, and those of them whose software fails.
    pub instances: Vec<InstanceReport>,
    /// Non-compliant instances that there was no time to evaluate: counted as reported, and not listed.
    pub not_evaluated: usize,
    /// Why the region was not observed, or not wholly.
    pub unreachable: Vec<Unreachable>,
    /// Those of the compliant instances whose software fails.
    pub(crate) failing: Vec<InstanceReport>,
}

impl SweptRegion {
    /// How many instances are left for a later sweep.
    pub fn left(&self) -> usize {
        let limited = |it: &&InstanceReport| it.because == Some(BecauseWord::ExistingLimit);
        self.instances.iter().filter(limited).count() + self.not_evaluated
    }
}

impl Engine<'_> {
    /// Handles what was found in a region. `brake`: why existing instances are left alone.
    pub(crate) async fn handle_region(
        &self,
        read: ReadRegion,
        brake: Option<&Because>,
    ) -> SweptRegion {
        let ReadRegion {
            mut swept,
            non_compliant,
            observed_at,
            watch_error: _,
        } = read;
        let handled = self
            .handle_swept(&swept.region, observed_at, non_compliant, brake)
            .await;
        swept.instances.extend(handled);
        swept.summary.add(Summary::count(&swept.instances));
        swept.summary.reported += swept.not_evaluated;
        swept.instances.append(&mut swept.failing);
        swept
    }

    /// What the age of an instance does not allow at once depends on whether it uses IMDSv1, and the others do
    /// not wait for the answer.
    async fn handle_swept(
        &self,
        region: &str,
        observed_at: Timestamp,
        found: Vec<Instance>,
        brake: Option<&Because>,
    ) -> Vec<InstanceReport> {
        let mut plan = Plan::new(self.policy, found, observed_at, Discovery::Sweep);
        let asking = plan.split_off_asking(Discovery::Sweep, (self.now)());
        let asked = async {
            let (mut plan, _pause) = self.ask(region, asking, Discovery::Sweep).await;
            if let Some(because) = brake {
                plan.leave_existing(because, self.policy, (self.now)());
            }
            self.apply_swept(plan).await
        };
        let (handled, asked) = join(self.apply_swept(plan), asked).await;
        handled.into_iter().chain(asked).collect()
    }

    async fn apply_swept(&self, mut plan: Plan) -> Vec<InstanceReport> {
        // The next sweep finds them old enough.
        plan.leave_waiting(self.policy, (self.now)());
        let options = ApplyOptions {
            discovery: Discovery::Sweep,
            watch: self.policy.existing.watch_days > 0,
            recorder: None,
        };
        self.apply(plan, options).await
    }
}
