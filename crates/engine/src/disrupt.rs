//! Stops and terminates, and does the milder thing where that cannot be done.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::{join, join_all};
use imds_core::decide::{Because, Decision};
use imds_core::instance::InstanceId;
use imds_core::marks;
use imds_core::policy::Action;
use imds_core::report::InstanceReport;
use jiff::Timestamp;

use crate::apply::ApplyOptions;
use crate::disruption::{Disrupted, NotDisrupted};
use crate::engine::Engine;
use crate::task::{Placed, Setting, Task};
use crate::termination_limit::Claims;

impl Engine<'_> {
    /// Sets the options of all, so that they are as required when they are started again, and stops
    /// them. Those whose options cannot be set yet keep none of the others from being stopped.
    pub(crate) async fn stop_all(
        &self,
        tasks: Vec<Task>,
        observed_at: Timestamp,
        options: ApplyOptions<'_>,
    ) -> Vec<Placed> {
        let (settled, failed) = self.set_round(tasks, options).await;
        let later = async {
            let again = failed.into_iter().map(|(task, _)| task).collect();
            let settled = self.set_all(again, options).await;
            self.stop_set(settled, observed_at).await
        };
        let (stopped, later) = join(self.stop_set(settled, observed_at), later).await;
        stopped.into_iter().chain(later).collect()
    }

    /// Stops those whose options were to be set.
    async fn stop_set(&self, settled: Vec<(Task, Setting)>, observed_at: Timestamp) -> Vec<Placed> {
        let mut settings: BTreeMap<InstanceId, Setting> = BTreeMap::new();
        let (mut reports, mut stop) = (Vec::new(), Vec::new());
        for (task, setting) in settled {
            if let Setting::Gone(_) = setting {
                reports.push(task.set(setting));
            } else {
                settings.insert(task.instance.id.clone(), setting);
                stop.push(task);
            }
        }
        let regions = by_region(stop)
            .into_iter()
            .map(|(region, tasks)| async move {
                self.disrupt(&region, Action::Stop, tasks, observed_at)
                    .await
            });
        for (task, disrupted) in join_all(regions).await.into_iter().flatten() {
            let Some(setting) = settings.remove(&task.instance.id) else {
                continue;
            };
            reports.push(match disrupted {
                Disrupted::Done(at) => task.stopped(setting, at),
                // Its options are set already.
                Disrupted::Not(NotDisrupted { because, .. }) => {
                    task.milder(Action::Enforce, because).set(setting)
                }
                Disrupted::Decided(decision) => decided_after_set(task, decision, setting),
            });
        }
        reports
    }

    /// Terminates, the regions side by side.
    pub(crate) async fn terminate_all(
        &self,
        tasks: Vec<Task>,
        observed_at: Timestamp,
        options: ApplyOptions<'_>,
    ) -> Vec<Placed> {
        let regions = by_region(tasks)
            .into_iter()
            .map(|(region, tasks)| async move {
                self.terminate_within_limit(&region, tasks, observed_at, options)
                    .await
            });
        join_all(regions).await.into_iter().flatten().collect()
    }

    /// Terminates no more instances of a region within an hour than the policy allows.
    async fn terminate_within_limit(
        &self,
        region: &str,
        tasks: Vec<Task>,
        observed_at: Timestamp,
        options: ApplyOptions<'_>,
    ) -> Vec<Placed> {
        let limit = self.policy.limits.disruptions_per_hour;
        let ids: Vec<InstanceId> = tasks.iter().map(|task| task.instance.id.clone()).collect();
        let Claims { claimed, refused } = self.claim(region, &ids).await;
        let allowed = match &claimed {
            Ok(claimed) => marks::may_terminate(claimed, &ids, limit, (self.now)()),
            Err(_) => BTreeSet::new(),
        };
        let (go, stay): (Vec<Task>, Vec<Task>) = tasks
            .into_iter()
            .partition(|task| allowed.contains(&task.instance.id));
        let released: Vec<InstanceId> = stay.iter().map(|it| it.instance.id.clone()).collect();
        let stay = stay.into_iter().map(|task| {
            let error = refused.get(&task.instance.id).or(claimed.as_ref().err());
            let because = match error {
                Some(error) => Because::NotCounted(error.clone()),
                None => Because::DisruptionLimit { limit },
            };
            task.milder(Action::Enforce, because)
        });
        let terminated = async {
            let action = Action::Terminate;
            let terminated = self.disrupt(region, action, go, observed_at).await;
            let alive = terminated
                .iter()
                .filter(|(_, it)| !matches!(it, Disrupted::Done(_)));
            let alive = alive.map(|(task, _)| &task.instance.id);
            let released: Vec<&InstanceId> = alive.chain(&released).collect();
            self.release(region, &released).await;
            self.do_instead(terminated, options).await
        };
        let (terminated, enforced) =
            join(terminated, self.enforce_all(stay.collect(), options)).await;
        terminated.into_iter().chain(enforced).collect()
    }

    /// Where an instance was not terminated, the milder thing is done.
    async fn do_instead(
        &self,
        terminated: Vec<(Task, Disrupted)>,
        options: ApplyOptions<'_>,
    ) -> Vec<Placed> {
        let (mut reports, mut enforce) = (Vec::new(), Vec::new());
        for (task, disrupted) in terminated {
            match disrupted {
                Disrupted::Done(at) => reports.push(task.done(at)),
                Disrupted::Decided(decision) => reports.push(decided(task, &decision)),
                Disrupted::Not(NotDisrupted { action, because }) => {
                    enforce.push(task.milder(action, because));
                }
            }
        }
        let (reported, enforce): (Vec<Task>, Vec<Task>) = enforce
            .into_iter()
            .partition(|task| task.non_compliant.action == Action::Report);
        let reported = reported.into_iter().map(|task| {
            let decision = Decision::NonCompliant(task.non_compliant.clone());
            decided(task, &decision)
        });
        reports.extend(reported);
        reports.extend(self.enforce_all(enforce, options).await);
        reports
    }
}

fn by_region(tasks: Vec<Task>) -> BTreeMap<String, Vec<Task>> {
    let mut regions: BTreeMap<String, Vec<Task>> = BTreeMap::new();
    for task in tasks {
        let region = task.instance.region.clone();
        regions.entry(region).or_default().push(task);
    }
    regions
}

fn decided(task: Task, decision: &Decision) -> Placed {
    let report = InstanceReport::decided(task.instance, decision, decision.outcome(), None);
    (task.place, report)
}

/// What was decided when the instance was observed again after its options were set.
fn decided_after_set(task: Task, decision: Decision, setting: Setting) -> Placed {
    let rule = match decision {
        Decision::Gone(_) => return task.set(Setting::Gone(decision)),
        Decision::Exempt(exempt) => Some(exempt.rule),
        Decision::Compliant(_) | Decision::NonCompliant(_) => None,
    };
    task.milder(Action::Enforce, Because::RuleChanged(rule))
        .set(setting)
}
