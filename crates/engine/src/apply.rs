//! Does what a plan says. Every step has one outcome, and an instance that fails keeps none of the
//! others from being handled.

use std::collections::BTreeMap;

use futures_util::future::join;
use imds_aws::timing::Backoff;
use imds_aws::{FILTER_VALUES, Fault, Filter, timing};
use imds_core::decide::Decision;
use imds_core::instance::{Instance, InstanceId};
use imds_core::marks;
use imds_core::options::MetadataOptions;
use imds_core::plan::{Plan, Step};
use imds_core::policy::Action;
use imds_core::report::{InstanceReport, Outcome};

use crate::attempt::{FailedCall, in_flight, in_time};
use crate::changer::Changer;
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
    pub async fn apply(&self, plan: Plan, options: ApplyOptions<'_>) -> Vec<InstanceReport> {
        let mut reports: BTreeMap<usize, InstanceReport> = BTreeMap::new();
        let (mut enforce, mut disrupt): (Vec<Task>, Vec<Task>) = Default::default();
        for (place, Step { instance, decision }) in plan.steps.into_iter().enumerate() {
            let non_compliant = match decision {
                Decision::NonCompliant(it) if it.is_disrupted() || it.action == Action::Enforce => {
                    it
                }
                decision => {
                    let outcome = decision.outcome();
                    let report = InstanceReport::decided(instance, &decision, outcome, None);
                    reports.insert(place, report);
                    continue;
                }
            };
            let tasks = if non_compliant.is_disrupted() {
                &mut disrupt
            } else {
                &mut enforce
            };
            tasks.push(Task {
                place,
                instance,
                non_compliant,
            });
        }
        // No enforcement waits for a disruption.
        let (disrupted, enforced) =
            join(self.disrupt(disrupt), self.set_all(enforce, options)).await;
        let mut instead = Vec::new();
        for (task, refused) in disrupted {
            match refused {
                None => {
                    reports.insert(task.place, task.done(None));
                }
                Some(because) => instead.push(task.enforce_instead(because)),
            }
        }
        reports.extend(enforced);
        if !instead.is_empty() {
            reports.extend(self.set_all(instead, options).await);
        }
        reports.into_values().collect()
    }

    /// Sets the options of all, in rounds: what may succeed later is tried again until the deadline.
    async fn set_all(
        &self,
        mut open: Vec<Task>,
        options: ApplyOptions<'_>,
    ) -> Vec<(usize, InstanceReport)> {
        let mut done = Vec::new();
        let mut backoff = Backoff::default();
        for round in 1.. {
            let (enforced, mut failed) = self.set_round(open, round, options, &mut done).await;
            self.remember(&enforced, options.remember).await;
            done.extend(
                enforced
                    .into_iter()
                    .map(|(task, after)| (task.place, task.done(Some(after)))),
            );
            if failed.is_empty() {
                break;
            }
            let again = backoff.wait(self.deadline.act).await;
            if round >= timing::ROUNDS_BEFORE_GONE || !again {
                failed = self.without_gone(failed, &mut done).await;
            }
            if !again {
                let failed = failed.into_iter();
                done.extend(failed.map(|(task, error)| (task.place, task.failed(&error))));
                break;
            }
            open = failed.into_iter().map(|(task, _)| task).collect();
        }
        done
    }

    /// One call for each: those whose options are set, and those that failed for now.
    async fn set_round(
        &self,
        open: Vec<Task>,
        round: usize,
        options: ApplyOptions<'_>,
        done: &mut Vec<(usize, InstanceReport)>,
    ) -> (Vec<(Task, MetadataOptions)>, Vec<(Task, FailedCall)>) {
        let changer = Changer {
            client: self.client,
            deadline: self.deadline.act,
            recorder: options.recorder,
        };
        let calls = open.into_iter().map(|task| async move {
            let change = &task.non_compliant.change;
            // After the first round the observation may be out of date, and an endpoint that was
            // disabled since must not be enabled.
            let send = match round {
                1 => change.to_send(&task.instance.options),
                _ => *change.set(),
            };
            let answer = changer.set_options(&task.instance, &send).await;
            (task, answer)
        });
        let (mut enforced, mut failed) = (Vec::new(), Vec::new());
        for (task, answer) in in_flight(calls).await {
            match answer {
                Ok(after) if task.non_compliant.change.is_in(&after) => {
                    enforced.push((task, after))
                }
                Ok(_) => failed.push((task, FailedCall::for_now("EC2 answered other options"))),
                Err(error) if error.is_retryable() => failed.push((task, error)),
                Err(error) => done.push((task.place, task.failed(&error))),
            }
        }
        (enforced, failed)
    }

    /// Tags the instances with what a later invocation must know. An error is only logged, because the
    /// instances are enforced.
    async fn remember(&self, enforced: &[(Task, MetadataOptions)], remember: Remember) {
        let now = (self.now)();
        let mut tags: BTreeMap<(&str, &str, String), Vec<&InstanceId>> = BTreeMap::new();
        for (Task { instance, .. }, _) in enforced {
            let (key, value) = match remember {
                Remember::Nothing => return,
                Remember::Drift => (
                    marks::DRIFT,
                    marks::one_more_enforcement(&instance.tags, now),
                ),
                Remember::Watch => (marks::ENFORCED, now.to_string()),
            };
            tags.entry((&instance.region, key, value))
                .or_default()
                .push(&instance.id);
        }
        for ((region, key, value), ids) in tags {
            let call = self.client.tag(region, &ids, key, &value);
            if let Err(error) = in_time(self.deadline.act, call).await {
                let count = ids.len();
                tracing::warn!(
                    region,
                    key,
                    "could not tag {count} enforced instances: {error}"
                );
            }
        }
    }

    /// Reports those of the failed that have terminated, and returns the others.
    async fn without_gone(
        &self,
        failed: Vec<(Task, FailedCall)>,
        done: &mut Vec<(usize, InstanceReport)>,
    ) -> Vec<(Task, FailedCall)> {
        let gone = self.gone(&failed).await;
        let mut left = Vec::new();
        for (task, error) in failed {
            match gone.get(&task.instance.id) {
                Some(decision) => {
                    let outcome = Outcome::Gone;
                    let report = InstanceReport::decided(task.instance, decision, outcome, None);
                    done.push((task.place, report));
                }
                None => left.push((task, error)),
            }
        }
        left
    }

    /// Those of the instances in a state that refuses changes, or not known, that have terminated.
    async fn gone(&self, failed: &[(Task, FailedCall)]) -> BTreeMap<InstanceId, Decision> {
        let mut by_region: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (task, error) in failed {
            if matches!(error.fault, Some(Fault::IncorrectState | Fault::NotFound)) {
                let Instance { id, region, .. } = &task.instance;
                by_region.entry(region).or_default().push(id.as_str());
            }
        }
        let mut gone = BTreeMap::new();
        for (region, ids) in by_region {
            for ids in ids.chunks(FILTER_VALUES) {
                let filter = Filter::by_ids(ids);
                // Without an answer nothing is known to be gone, and so it stays a failure.
                let answer =
                    in_time(self.deadline.act, self.client.describe(region, &filter)).await;
                for instance in answer.unwrap_or_default().instances {
                    if let Some(state) = instance.state.filter(|state| state.is_final()) {
                        gone.insert(instance.id, Decision::Gone(state));
                    }
                }
            }
        }
        gone
    }
}
