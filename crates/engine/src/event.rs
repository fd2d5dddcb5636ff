//! One event: observe, decide, apply, report.

use imds_core::decide::{Decision, Discovery};
use imds_core::event::{Launch, MetadataChange, Origin};
use imds_core::instance::{Instance, InstanceId};
use imds_core::plain::Plain;
use imds_core::plan::Plan;
use imds_core::report::{InstanceReport, Report, Trigger};

use crate::engine::Engine;
use crate::observe::{Observed, Observer};

impl Engine<'_> {
    /// Handles a launch. What the event shows to be compliant or exempt takes no call.
    pub async fn launch(&self, launch: Launch) -> Report {
        let plan = Plan::for_launch(self.policy, &launch, (self.now)());
        let (mut reports, mut open) = (Vec::new(), Vec::new());
        for step in plan.steps {
            match &step.decision {
                Decision::Compliant(_) | Decision::Exempt(_) => {
                    let outcome = step.decision.outcome();
                    let report =
                        InstanceReport::decided(step.instance, &step.decision, outcome, None);
                    reports.push(report);
                }
                Decision::Gone(_) | Decision::NonCompliant(_) => open.push(step.instance),
            }
        }
        let observer = Observer::new(self, &launch.origin.region, &Discovery::Launch);
        let observed = observer.observe_launch(open, &launch).await;
        reports.extend(observed.instances);
        let observed = Observed {
            instances: reports,
            ..observed
        };
        report(Trigger::Launch, launch.origin, observed)
    }

    /// Handles a start, or an instance that became `pending` or `running`.
    pub async fn start(&self, id: InstanceId, origin: Origin) -> Report {
        let observed = self.observe_one(id, &origin, &Discovery::Launch).await;
        report(Trigger::Start, origin, observed)
    }

    /// Handles a change of an instance's options; `function`: the function's own name, under which it
    /// makes changes itself.
    pub async fn metadata_change(&self, change: MetadataChange, function: Option<&str>) -> Report {
        let own_session = change.session.is_some() && change.session.as_deref() == function;
        if own_session && self.policy.could_have_set(&change.set) {
            let report = report(Trigger::MetadataChange, change.origin, Observed::default());
            let reason = Some("the function's own change".to_owned());
            return Report { reason, ..report };
        }
        let mut observed = self
            .observe_one(change.instance_id, &change.origin, &Discovery::Drift)
            .await;
        if let Some(principal) = change.origin.principals.first() {
            let principal = Plain(principal).to_string();
            let violating = observed.instances.iter_mut();
            for instance in violating.filter(|it| !it.violations.is_empty()) {
                instance.reason.push_str("; changed by ");
                instance.reason.push_str(&principal);
                instance.changed_by = Some(principal.clone());
            }
        }
        report(Trigger::MetadataChange, change.origin, observed)
    }

    /// Whoever changed or started an instance is not who launched it.
    async fn observe_one(
        &self,
        id: InstanceId,
        origin: &Origin,
        discovery: &Discovery,
    ) -> Observed {
        let instance = Instance {
            launched_at: origin.time,
            ..Instance::unknown(id, origin.region.clone())
        };
        Observer::new(self, &origin.region, discovery)
            .observe(vec![instance])
            .await
    }
}

fn report(trigger: Trigger, origin: Origin, observed: Observed) -> Report {
    let Origin {
        account, region, ..
    } = origin;
    let Observed {
        instances,
        unreachable,
    } = observed;
    Report::new(trigger, account, Some(region), instances, unreachable)
}
