//! Does what a plan says. Every step has one outcome, and an instance that fails keeps none of the
//! others from being handled.

use std::collections::BTreeMap;

use futures_util::future::join;
use imds_core::decide::{Decision, Discovery};
use imds_core::plan::{Plan, Step};
use imds_core::policy::Action;
use imds_core::report::InstanceReport;

use crate::engine::Engine;
use crate::record::Recorder;
use crate::task::Task;

/// How a plan is applied.
#[derive(Clone, Copy)]
pub struct ApplyOptions<'a> {
    /// How the instances were discovered.
    pub discovery: Discovery,
    /// Whether enforced instances are watched for calls that are rejected from then on.
    pub watch: bool,
    /// Records every change, where it must be possible to roll it back.
    pub recorder: Option<Recorder<'a>>,
}

impl Engine<'_> {
    /// Applies the plan. The reports are in the order of the plan.
    pub async fn apply(&self, mut plan: Plan, options: ApplyOptions<'_>) -> Vec<InstanceReport> {
        // What is over the limit is enforced with the others, not after them.
        plan.limit_disruptions(self.policy.limits.disruptions_per_hour);
        let observed_at = plan.observed_at;
        let mut reports: BTreeMap<usize, InstanceReport> = BTreeMap::new();
        let (mut enforce, mut disrupt) = (Vec::new(), Vec::new());
        for (place, Step { instance, decision }) in plan.steps.into_iter().enumerate() {
            let non_compliant = match decision {
                Decision::NonCompliant(it) if it.action != Action::Report => it,
                decision => {
                    let outcome = decision.outcome();
                    let report = InstanceReport::decided(instance, &decision, outcome, None);
                    reports.insert(place, report);
                    continue;
                }
            };
            let tasks = match non_compliant.action {
                Action::Report | Action::Enforce => &mut enforce,
                Action::Stop | Action::Terminate => &mut disrupt,
            };
            tasks.push(Task {
                place,
                instance,
                non_compliant,
            });
        }
        // No enforcement waits for a disruption.
        let (enforced, disrupted) = join(
            self.enforce_within_quotas(enforce, options),
            self.disrupt_all(disrupt, observed_at, options),
        )
        .await;
        reports.extend(enforced.into_iter().chain(disrupted));
        reports.into_values().collect()
    }
}
