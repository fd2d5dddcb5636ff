//! Stops and terminates, and does the milder thing where that cannot be done.

use std::collections::BTreeMap;

use futures_util::future::{join, join_all, join3};
use imds_core::decide::{Because, Decision};
use imds_core::instance::InstanceId;
use imds_core::policy::Action;
use imds_core::report::InstanceReport;
use imds_core::state::Key;
use jiff::Timestamp;
use tokio::time::Instant;

use crate::apply::ApplyOptions;
use crate::disruption::{Disrupted, Disruption, NotDisrupted};
use crate::engine::Engine;
use crate::task::{Placed, Setting, Task};

impl Engine<'_> {
    /// Stops and terminates, the regions side by side.
    pub(crate) async fn disrupt_all(
        &self,
        tasks: Vec<Task>,
        observed_at: Timestamp,
        options: ApplyOptions<'_>,
    ) -> Vec<Placed> {
        let mut regions: BTreeMap<String, Vec<Task>> = BTreeMap::new();
        for task in tasks {
            let region = task.instance.region.clone();
            regions.entry(region).or_default().push(task);
        }
        let regions = regions.into_iter().map(|(region, tasks)| async move {
            self.disrupt_region(&region, tasks, observed_at, options)
                .await
        });
        join_all(regions).await.into_iter().flatten().collect()
    }

    /// Disrupts no more instances of a region in 60 minutes than the policy allows. What is over the limit is
    /// enforced with the others, not after them.
    async fn disrupt_region(
        &self,
        region: &str,
        tasks: Vec<Task>,
        observed_at: Timestamp,
        options: ApplyOptions<'_>,
    ) -> Vec<Placed> {
        let (permitted, left, permitted_until) = self.permitted(region, tasks, options).await;
        let (stop, terminate): (Vec<Task>, Vec<Task>) = permitted
            .into_iter()
            .partition(|task| task.non_compliant.action == Action::Stop);
        let disruption = |action| Disruption {
            region,
            action,
            observed_at,
            permitted_until,
            options,
        };
        let terminate = async {
            let disrupted = self.disrupt(disruption(Action::Terminate), terminate);
            self.do_instead(disrupted.await, options).await
        };
        let (stopped, terminated, left) = join3(
            self.stop_region(disruption(Action::Stop), stop),
            terminate,
            self.do_milder(left, options),
        )
        .await;
        stopped.into_iter().chain(terminated).chain(left).collect()
    }

    /// Counts disruptions before they are done: those that are permitted, those that are not and what is done
    /// to them instead, and until when the permits are good.
    pub(crate) async fn permitted(
        &self,
        region: &str,
        tasks: Vec<Task>,
        options: ApplyOptions<'_>,
    ) -> (Vec<Task>, Vec<Task>, Instant) {
        let limit = self.policy.limits.disruptions_per_hour;
        let ids = tasks.iter().map(|task| task.instance.id.as_str());
        let wanted: Vec<String> = ids.map(str::to_owned).collect();
        let key = Key::limit(self.account, region);
        match self.permits(&key, &wanted, limit).await {
            Ok(permits) => {
                let is_granted = |task: &Task| permits.granted.contains(task.instance.id.as_str());
                let (permitted, left): (Vec<Task>, Vec<Task>) =
                    tasks.into_iter().partition(is_granted);
                let because = Because::DisruptionLimit { limit };
                let left = left.into_iter();
                let left = left.map(|task| task.milder(Action::Enforce, because.clone()));
                (permitted, left.collect(), permits.until)
            }
            Err(error) => {
                let now = (self.now)();
                let left = tasks.into_iter().map(|task| {
                    let first = task.non_compliant.first_launched_at;
                    let action = match options.discovery.is_new_launch(first, now) {
                        true => Action::Enforce,
                        false => Action::Report,
                    };
                    task.milder(action, Because::StateUnavailable(error.clone()))
                });
                (Vec::new(), left.collect(), Instant::now())
            }
        }
    }

    /// Sets the options of all, so that they are as required when they are started again, and stops
    /// them. Those whose options cannot be set yet keep none of the others from being stopped.
    async fn stop_region(&self, disruption: Disruption<'_>, tasks: Vec<Task>) -> Vec<Placed> {
        let options = disruption.options;
        let (settled, failed) = self.set_round(tasks, options).await;
        let later = async {
            let again = failed.into_iter().map(|(task, _)| task).collect();
            let settled = self.set_all(again, options).await;
            self.stop_set(disruption, settled).await
        };
        let (stopped, later) = join(self.stop_set(disruption, settled), later).await;
        stopped.into_iter().chain(later).collect()
    }

    /// Stops those whose options were to be set.
    async fn stop_set(
        &self,
        disruption: Disruption<'_>,
        settled: Vec<(Task, Setting)>,
    ) -> Vec<Placed> {
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
        for (task, disrupted) in self.disrupt(disruption, stop).await {
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

    /// Where an instance was not terminated, the milder thing is done.
    async fn do_instead(
        &self,
        terminated: Vec<(Task, Disrupted)>,
        options: ApplyOptions<'_>,
    ) -> Vec<Placed> {
        let (mut reports, mut milder) = (Vec::new(), Vec::new());
        for (task, disrupted) in terminated {
            match disrupted {
                Disrupted::Done(at) => reports.push(task.done(at)),
                Disrupted::Decided(decision) => reports.push(decided(task, &decision)),
                Disrupted::Not(NotDisrupted { action, because }) => {
                    milder.push(task.milder(action, because));
                }
            }
        }
        reports.extend(self.do_milder(milder, options).await);
        reports
    }

    async fn do_milder(&self, tasks: Vec<Task>, options: ApplyOptions<'_>) -> Vec<Placed> {
        let (reported, enforce): (Vec<Task>, Vec<Task>) = tasks
            .into_iter()
            .partition(|task| task.non_compliant.action == Action::Report);
        let enforced = self.enforce_all(enforce, options).await;
        let reported = reported.into_iter().map(Task::reported);
        reported.chain(enforced).collect()
    }
}

fn decided(task: Task, decision: &Decision) -> Placed {
    let report = InstanceReport::decided(task.instance, decision, decision.outcome(), None);
    (task.place, report)
}

/// What was decided when the instance was observed again after its options were set.
fn decided_after_set(task: Task, decision: Decision, setting: Setting) -> Placed {
    let rule = match decision {
        Decision::Gone(_) => return task.set(Setting::Gone(decision)),
        Decision::Exempt(exempt) => exempt.rule().map(str::to_owned),
        Decision::Compliant(_) | Decision::NonCompliant(_) => None,
    };
    task.milder(Action::Enforce, Because::RuleChanged(rule))
        .set(setting)
}
