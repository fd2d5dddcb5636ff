//! Does what a plan says. Every step has one outcome, and an instance that fails keeps none of the
//! others from being handled.

use std::collections::BTreeMap;

use futures_util::future::join3;
use imds_core::decide::Decision;
use imds_core::plan::{Plan, Step};
use imds_core::policy::Action;
use imds_core::report::InstanceReport;

use crate::engine::{Engine, Remember};
use crate::record::Recorder;
use crate::task::Task;

/// How a plan is applied.
#[derive(Clone, Copy)]
pub struct ApplyOptions<'a> {
    /// What later invocations must know.
    pub remember: Remember,
    /// Records every change, where it must be possible to roll it back.
    pub recorder: Option<Recorder<'a>>,
}

impl Engine<'_> {
    /// Applies the plan. The reports are in the order of the plan.
    pub async fn apply(&self, mut plan: Plan, options: ApplyOptions<'_>) -> Vec<InstanceReport> {
        // What is over the limit is enforced with the others, not after them.
        plan.limit_terminations(self.policy.limits.disruptions_per_hour);
        let observed_at = plan.observed_at;
        let mut reports: BTreeMap<usize, InstanceReport> = BTreeMap::new();
        let (mut enforce, mut stop, mut terminate) = (Vec::new(), Vec::new(), Vec::new());
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
                Action::Stop => &mut stop,
                Action::Terminate => &mut terminate,
            };
            tasks.push(Task {
                place,
                instance,
                non_compliant,
            });
        }
        // No enforcement waits for a disruption.
        let (enforced, stopped, terminated) = join3(
            self.enforce_all(enforce, options),
            self.stop_all(stop, observed_at, options),
            self.terminate_all(terminate, observed_at, options),
        )
        .await;
        reports.extend(enforced.into_iter().chain(stopped).chain(terminated));
        reports.into_values().collect()
    }
}
