//! One event: observe, decide, apply, report.

use futures_util::future::join;
use imds_aws::timing::{CHANGE_VISIBLE_WITHIN, DESCRIBE_CHANGED_AGAIN};
use imds_core::count::count;
use imds_core::decide::{Decision, Discovery};
use imds_core::event::{Launch, MetadataChange, Origin, Start};
use imds_core::instance::{Instance, InstanceId};
use imds_core::plain::Plain;
use imds_core::plan::Plan;
use imds_core::report::{InstanceReport, Outcome, Report, Trigger};
use tokio::time::{Instant, sleep_until};

use crate::engine::Engine;
use crate::observe::Observer;
use crate::observed::Observed;

impl Engine<'_> {
    /// Handles a launch. What the event shows to be compliant or exempt takes no call.
    pub async fn launch(&self, launch: Launch) -> Report {
        let plan = Plan::for_launch(self.policy, &launch, (self.now)());
        let (mut reports, mut open, mut remember) = (Vec::new(), Vec::new(), Vec::new());
        for step in plan.steps {
            match &step.decision {
                Decision::Compliant(_) | Decision::Exempt(_) => {
                    if self.remembers_launcher(&step.instance) {
                        remember.push(step.instance.id.clone());
                    }
                    let outcome = step.decision.outcome();
                    let report =
                        InstanceReport::decided(step.instance, &step.decision, outcome, None);
                    reports.push(report);
                }
                Decision::Gone(_) | Decision::NonCompliant(_) => open.push(step.instance),
            }
        }
        let at = launch.origin.time;
        let observer = Observer::new(self, &launch.origin, Discovery::Launch { at });
        let (mut observed, not_remembered) = join(
            observer.observe_launch(open, &launch),
            self.remember_launchers(remember, &launch.origin.principals),
        )
        .await;
        reports.append(&mut observed.instances);
        observed.instances = reports;
        observed.not_remembered.extend(not_remembered);
        observed.fail_not_remembered();
        report(Trigger::Launch, launch.origin, observed)
    }

    /// Handles a start.
    pub async fn start(&self, start: Start) -> Report {
        let Start {
            origin,
            instance_ids,
        } = start;
        let observed = self.observe(instance_ids, &origin, Discovery::Start).await;
        report(Trigger::Start, origin, observed)
    }

    /// Handles a change of an instance's options; `own_role`: the ARN of the function's role, by which it
    /// recognises its own changes.
    pub async fn metadata_change(&self, change: MetadataChange, own_role: Option<&str>) -> Report {
        let is_own = change.role.is_some() && change.role.as_deref() == own_role;
        if is_own && self.policy.could_have_set(&change.set) {
            let report = report(Trigger::MetadataChange, change.origin, Observed::default());
            let reason = Some("the function's own change".to_owned());
            return Report { reason, ..report };
        }
        let mut observed = self.observe_changed(&change).await;
        if self.may_not_be_visible(&change, &observed) {
            let again = Instant::now() + DESCRIBE_CHANGED_AGAIN;
            if again < self.deadline.observe {
                sleep_until(again).await;
                observed = self.observe_changed(&change).await;
            }
        }
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

    /// EC2 shows compliant options that are not those of the event: somebody corrected them since, or EC2
    /// does not show the change yet.
    fn may_not_be_visible(&self, change: &MetadataChange, observed: &Observed) -> bool {
        let age = change.origin.time.map(|at| (self.now)().duration_since(at));
        let is_recent = age.is_none_or(|age| age <= CHANGE_VISIBLE_WITHIN);
        let contradicts = |it: &InstanceReport| {
            let shown = it.before.unwrap_or_default();
            it.outcome == Outcome::Compliant && !change.set.are_in(&shown)
        };
        is_recent && observed.instances.iter().any(contradicts)
    }

    async fn observe_changed(&self, change: &MetadataChange) -> Observed {
        let (at, set) = (change.origin.time, change.set);
        let ids = vec![change.instance_id.clone()];
        self.observe(ids, &change.origin, Discovery::Drift { at, set })
            .await
    }

    /// Whoever changed or started an instance is not who launched it.
    async fn observe(
        &self,
        ids: Vec<InstanceId>,
        origin: &Origin,
        discovery: Discovery,
    ) -> Observed {
        let ids = ids.into_iter();
        let instances = ids.map(|id| Instance::unknown(id, origin.region.clone()));
        Observer::new(self, origin, discovery)
            .observe(instances.collect())
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
        gone,
        paused,
        not_remembered: _,
    } = observed;
    let report = Report::new(trigger, account, Some(region), instances, unreachable);
    let mut report = Report { paused, ..report };
    if gone > 0 {
        report.summary.gone += gone;
        report.omitted += gone;
        report.reason = Some(format!(
            "EC2 no longer shows {} whose ids are not in the event",
            count(gone, "launched instance")
        ));
    }
    report
}
