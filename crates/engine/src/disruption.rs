//! Calls that stop or terminate. The age of an instance is judged again immediately before each, from an
//! observation that is not older than a minute.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use imds_aws::timing::{self, Backoff, CALL_ARRIVES_WITHIN, OBSERVATION_COUNTS};
use imds_aws::{DISRUPTED_AT_ONCE, DescribedIds};
use imds_core::decide::{Because, Decision, Discovery, Evidence, NonCompliant, decide};
use imds_core::instance::{Instance, InstanceId, State};
use imds_core::policy::Action;
use jiff::Timestamp;
use tokio::time::Instant;

use crate::apply::ApplyOptions;
use crate::attempt::{FailedCall, in_flight, in_time};
use crate::engine::Engine;
use crate::task::Task;

/// What became of a disruption.
pub(crate) enum Disrupted {
    /// It was done then.
    Done(Timestamp),
    /// It cannot be done.
    Not(NotDisrupted),
    /// When it was observed again, something else was decided.
    Decided(Decision),
}

/// What is done instead, and why.
pub(crate) struct NotDisrupted {
    pub(crate) action: Action,
    pub(crate) because: Because,
}

/// A disruption of instances of a region, by permits of the hourly limit.
#[derive(Clone, Copy)]
pub(crate) struct Disruption<'a> {
    pub(crate) region: &'a str,
    pub(crate) action: Action,
    /// When the instances were observed, the first of them.
    pub(crate) observed_at: Timestamp,
    pub(crate) permitted_until: Instant,
    pub(crate) options: ApplyOptions<'a>,
}

impl Disrupted {
    fn not(because: Because) -> Self {
        let action = Action::Enforce;
        Disrupted::Not(NotDisrupted { action, because })
    }
}

impl Engine<'_> {
    /// Stops or terminates instances of a region while they are new. A call that their state does not
    /// allow yet is made again.
    pub(crate) async fn disrupt(
        &self,
        mut disruption: Disruption<'_>,
        mut open: Vec<Task>,
    ) -> Vec<(Task, Disrupted)> {
        let Disruption { action, .. } = disruption;
        let mut done = Vec::new();
        // Those that a call without an answer may have ended.
        let mut sent: BTreeSet<InstanceId> = BTreeSet::new();
        let mut backoff = Backoff::default();
        for round in 1.. {
            let now = (self.now)();
            if now.duration_since(disruption.observed_at) > OBSERVATION_COUNTS {
                disruption.observed_at = now;
                open = self.observe_again(disruption, open, &mut done).await;
            }
            open = self.new_ones(open, &mut done);
            if !open.is_empty() && Instant::now() >= disruption.permitted_until {
                open = self.permit_again(&mut disruption, open, &mut done).await;
            }
            if open.is_empty() {
                break;
            }
            let failed = self.call_all(disruption, open, &mut done).await;
            // It may have terminated, or its tags may have come.
            disruption.observed_at = Timestamp::MIN;
            if failed.is_empty() {
                break;
            }
            let waits = backoff.wait(self.deadline.act).await;
            let may_repeat = |error: &FailedCall| {
                let is_early = round < timing::ROUNDS_BEFORE_GONE;
                waits
                    && error.is_retryable()
                    && (is_early || action == Action::Stop && error.is_state())
            };
            let (again, refused): (Vec<_>, Vec<_>) =
                failed.into_iter().partition(|(_, error)| may_repeat(error));
            done.extend(
                refused.into_iter().map(|(task, error)| {
                    (task, Disrupted::not(Because::Refused(error.to_string())))
                }),
            );
            let lost = again.iter().filter(|(_, error)| !error.is_answered());
            sent.extend(lost.map(|(task, _)| task.instance.id.clone()));
            open = again.into_iter().map(|(task, _)| task).collect();
        }
        for (task, disrupted) in &mut done {
            if sent.contains(&task.instance.id)
                && matches!(disrupted, Disrupted::Decided(Decision::Gone(_)))
            {
                *disrupted = Disrupted::Done((self.now)());
            }
        }
        done
    }

    /// Counts them again: the time of the first permits is over.
    async fn permit_again(
        &self,
        disruption: &mut Disruption<'_>,
        open: Vec<Task>,
        done: &mut Vec<(Task, Disrupted)>,
    ) -> Vec<Task> {
        let Disruption {
            region, options, ..
        } = *disruption;
        let (permitted, left, until) = self.permitted(region, open, options).await;
        disruption.permitted_until = until;
        done.extend(left.into_iter().map(|task| {
            let NonCompliant {
                action, instead, ..
            } = &task.non_compliant;
            let because = instead.as_ref().map(|instead| instead.because.clone());
            let not = NotDisrupted {
                action: *action,
                because: because.unwrap_or(Because::Requested),
            };
            (task, Disrupted::Not(not))
        }));
        permitted
    }

    /// Those that are new for long enough that a call arrives in time; the others are enforced.
    fn new_ones(&self, open: Vec<Task>, done: &mut Vec<(Task, Disrupted)>) -> Vec<Task> {
        let now = (self.now)();
        let arrives = now.checked_add(CALL_ARRIVES_WITHIN).unwrap_or(now);
        let (new, late): (Vec<Task>, Vec<Task>) = open.into_iter().partition(|task| {
            self.new_until(&task.instance)
                .is_some_and(|until| arrives <= until)
        });
        done.extend(late.into_iter().map(|task| {
            let because = Because::Age(task.instance.first_launched_at(now));
            (task, Disrupted::not(because))
        }));
        new
    }

    fn new_until(&self, instance: &Instance) -> Option<Timestamp> {
        let first = instance.first_launched_at((self.now)())?;
        Some(self.policy.new_instances.disrupt_until(first))
    }

    /// Observes them and decides again; returns those that are to be disrupted all the same.
    async fn observe_again(
        &self,
        disruption: Disruption<'_>,
        open: Vec<Task>,
        done: &mut Vec<(Task, Disrupted)>,
    ) -> Vec<Task> {
        let Disruption { region, action, .. } = disruption;
        let ids: Vec<InstanceId> = open.iter().map(|task| task.instance.id.clone()).collect();
        let call = self.client.describe_by_id(region, &ids);
        let DescribedIds { instances, .. } = match in_time(self.deadline.act, call).await {
            Ok(described) => described,
            Err(error) => {
                let because = Because::NotObserved(error.to_string());
                let not = |task| (task, Disrupted::not(because.clone()));
                done.extend(open.into_iter().map(not));
                return Vec::new();
            }
        };
        let by_id = instances.into_iter().map(|it| (it.id.clone(), it));
        let mut observed: BTreeMap<InstanceId, Instance> = by_id.collect();
        let mut left = Vec::new();
        for mut task in open {
            let Some(observed) = observed.remove(&task.instance.id) else {
                let because = Because::NotObserved("EC2 does not show it".to_owned());
                done.push((task, Disrupted::not(because)));
                continue;
            };
            task.instance = joined(observed, task.instance, action);
            match self.decide_again(&task, action) {
                None => left.push(task),
                Some(disrupted) => done.push((task, disrupted)),
            }
        }
        left
    }

    /// `None`: it is to be disrupted all the same.
    fn decide_again(&self, task: &Task, action: Action) -> Option<Disrupted> {
        let (now, instance) = ((self.now)(), &task.instance);
        let evidence = Evidence::NotAsked;
        match decide(self.policy, instance, now, Discovery::Sweep, &evidence) {
            Decision::NonCompliant(again) if again.action >= action => None,
            Decision::NonCompliant(again) if again.question.is_some() => {
                Some(Disrupted::not(Because::Age(again.first_launched_at)))
            }
            Decision::NonCompliant(again) => {
                let changed = || Because::RuleChanged(again.rule.clone());
                let because = again
                    .instead
                    .map_or_else(changed, |instead| instead.because);
                let action = again.action;
                Some(Disrupted::Not(NotDisrupted { action, because }))
            }
            decision => Some(Disrupted::Decided(decision)),
        }
    }

    /// One attempt for each; returns those that failed.
    async fn call_all(
        &self,
        disruption: Disruption<'_>,
        open: Vec<Task>,
        done: &mut Vec<(Task, Disrupted)>,
    ) -> Vec<(Task, FailedCall)> {
        let Disruption { action, .. } = disruption;
        let mut failed = Vec::new();
        let mut open = open.into_iter().peekable();
        while open.peek().is_some() {
            let batch: Vec<Task> = open.by_ref().take(DISRUPTED_AT_ONCE).collect();
            let answer = self.call(disruption, &batch).await;
            match answer {
                Err(error) if batch.len() == 1 => {
                    failed.extend(batch.into_iter().map(|task| (task, error.clone())));
                }
                // EC2 refuses the whole call because of some, and may have terminated the others.
                Err(error) => {
                    let is_partial = error.may_have_worked()
                        || action == Action::Terminate && error.is_protected();
                    let calls = batch.into_iter().map(|task| async {
                        let batch = [task];
                        let answer = self.call(disruption, &batch).await;
                        let [task] = batch;
                        (task, answer)
                    });
                    for (task, answer) in in_flight(calls).await {
                        match answer {
                            Ok(_) if is_partial => {
                                done.push((task, Disrupted::Done((self.now)())));
                            }
                            Ok(before) => done.push(self.disrupted(task, action, &before)),
                            Err(error) => failed.push((task, error)),
                        }
                    }
                }
                Ok(before) => {
                    done.extend(
                        batch
                            .into_iter()
                            .map(|it| self.disrupted(it, action, &before)),
                    );
                }
            }
        }
        failed
    }

    /// `before`: those that somebody else had stopped or terminated before.
    fn disrupted(
        &self,
        task: Task,
        action: Action,
        before: &BTreeSet<InstanceId>,
    ) -> (Task, Disrupted) {
        let disrupted = match (before.contains(&task.instance.id), action) {
            (false, _) => Disrupted::Done((self.now)()),
            (true, Action::Terminate) => Disrupted::Decided(Decision::Gone(State::ShuttingDown)),
            (true, _) => Disrupted::not(Because::AlreadyStopped),
        };
        (task, disrupted)
    }

    /// Until the first of them is no longer new, its observation is too old, or its permit is over.
    async fn call(
        &self,
        disruption: Disruption<'_>,
        batch: &[Task],
    ) -> Result<BTreeSet<InstanceId>, FailedCall> {
        let Disruption {
            region,
            action,
            observed_at,
            permitted_until,
            ..
        } = disruption;
        let now = (self.now)();
        let until = batch
            .iter()
            .filter_map(|task| self.new_until(&task.instance));
        let counts = observed_at.checked_add(OBSERVATION_COUNTS).ok();
        let until = until.chain(counts).min().unwrap_or(now);
        let left = Duration::try_from(until.duration_since(now)).unwrap_or_default();
        let deadline = self
            .deadline
            .act
            .min(Instant::now() + left)
            .min(permitted_until);
        let ids: Vec<&InstanceId> = batch.iter().map(|task| &task.instance.id).collect();
        let call = async {
            match action {
                Action::Terminate => self.client.terminate(region, &ids).await,
                Action::Stop | Action::Enforce | Action::Report => {
                    self.client.stop(region, &ids).await
                }
            }
        };
        match in_time(deadline, call).await {
            Err(error)
                if error.may_have_worked() && self.took_effect(region, action, &ids).await =>
            {
                Ok(BTreeSet::new())
            }
            answer => answer,
        }
    }

    /// Whether EC2 shows that the action worked on all instances: a stopped one is not terminated.
    async fn took_effect(&self, region: &str, action: Action, ids: &[&InstanceId]) -> bool {
        let ids: Vec<InstanceId> = ids.iter().map(|id| (*id).clone()).collect();
        let is_disrupted =
            |state: State| state.is_final() || action == Action::Stop && state.is_stopped();
        let call = self.client.describe_by_id(region, &ids);
        in_time(self.deadline.act, call).await.is_ok_and(|found| {
            found.instances.len() == ids.len()
                && found
                    .instances
                    .iter()
                    .all(|it| it.state.is_some_and(is_disrupted))
        })
    }
}

/// What EC2 shows now, and what only the event or another call has shown. Before a stop the options have
/// been set, which must not count.
fn joined(observed: Instance, known: Instance, action: Action) -> Instance {
    let options = match action {
        Action::Stop => known.options,
        Action::Report | Action::Enforce | Action::Terminate => observed.options,
    };
    Instance {
        options,
        principals: known.principals,
        spot: known.spot.or(observed.spot),
        ..observed
    }
}
