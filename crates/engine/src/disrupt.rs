//! Stops and terminates.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::{join, join_all};
use imds_aws::DISRUPTED_AT_ONCE;
use imds_core::decide::Because;
use imds_core::instance::{InstanceId, State};
use imds_core::marks;
use imds_core::policy::Action;

use crate::attempt::{FailedCall, in_flight, in_time};
use crate::engine::Engine;
use crate::task::Task;
use crate::termination_limit::Claims;

/// A task, and why its instance was not disrupted where it was not.
type Disrupted = (Task, Option<Because>);

impl Engine<'_> {
    /// Stops and terminates, the regions side by side.
    pub(crate) async fn disrupt(&self, tasks: Vec<Task>) -> Vec<(Task, Option<Because>)> {
        if tasks.is_empty() {
            return Vec::new();
        }
        let mut stop: BTreeMap<String, Vec<Task>> = BTreeMap::new();
        let mut terminate: BTreeMap<String, Vec<Task>> = BTreeMap::new();
        for task in tasks {
            let by_region = match task.non_compliant.action {
                Action::Terminate => &mut terminate,
                Action::Stop | Action::Enforce | Action::Report => &mut stop,
            };
            by_region
                .entry(task.instance.region.clone())
                .or_default()
                .push(task);
        }
        let stops = stop.into_iter().map(|(region, tasks)| async move {
            self.disrupt_all(&region, Action::Stop, tasks).await
        });
        let terminations = terminate.into_iter().map(|(region, tasks)| async move {
            self.terminate_within_limit(&region, tasks).await
        });
        let (stopped, terminated) = join(join_all(stops), join_all(terminations)).await;
        stopped.into_iter().chain(terminated).flatten().collect()
    }

    /// Terminates no more instances of a region within an hour than the policy allows.
    async fn terminate_within_limit(&self, region: &str, mut tasks: Vec<Task>) -> Vec<Disrupted> {
        let limit = self.policy.limits.disruptions_per_hour;
        let most = usize::try_from(limit)
            .unwrap_or(usize::MAX)
            .min(tasks.len());
        let over = tasks.split_off(most).into_iter();
        let over = over.map(|task| (task, Some(Because::DisruptionLimit { limit })));
        let mut disrupted: Vec<Disrupted> = over.collect();
        if tasks.is_empty() {
            return disrupted;
        }
        let ids: Vec<InstanceId> = tasks.iter().map(|task| task.instance.id.clone()).collect();
        let Claims { claimed, refused } = self.claim(region, &ids).await;
        let allowed = match &claimed {
            Ok(claimed) => marks::may_terminate(claimed, &ids, limit, (self.now)()),
            Err(_) => BTreeSet::new(),
        };
        let (go, stay): (Vec<Task>, Vec<Task>) = tasks
            .into_iter()
            .partition(|task| allowed.contains(&task.instance.id));
        let terminated = self.disrupt_all(region, Action::Terminate, go).await;
        let alive = terminated.iter().filter(|(_, because)| because.is_some());
        let alive = alive.map(|(task, _)| task).chain(&stay);
        let released: Vec<&InstanceId> = alive.map(|task| &task.instance.id).collect();
        self.release(region, &released).await;
        disrupted.extend(stay.into_iter().map(|task| {
            let error = refused.get(&task.instance.id).or(claimed.as_ref().err());
            let because = match error {
                Some(error) => Because::NotCounted(error.clone()),
                None => Because::DisruptionLimit { limit },
            };
            (task, Some(because))
        }));
        disrupted.extend(terminated);
        disrupted
    }

    /// All of a region together, and one by one where EC2 refuses the whole call because of some.
    async fn disrupt_all(&self, region: &str, action: Action, tasks: Vec<Task>) -> Vec<Disrupted> {
        let refused = |error: FailedCall| Some(Because::Refused(error.to_string()));
        let mut disrupted = Vec::new();
        let mut tasks = tasks.into_iter().peekable();
        while tasks.peek().is_some() {
            let batch: Vec<Task> = tasks.by_ref().take(DISRUPTED_AT_ONCE).collect();
            let ids: Vec<&InstanceId> = batch.iter().map(|task| &task.instance.id).collect();
            match self.call_disrupt(region, action, &ids).await {
                Ok(()) => disrupted.extend(batch.into_iter().map(|task| (task, None))),
                Err(error) if batch.len() == 1 => {
                    let because = refused(error);
                    disrupted.extend(batch.into_iter().map(|task| (task, because.clone())));
                }
                Err(_) => {
                    let calls = batch.into_iter().map(|task| async move {
                        let ids = [&task.instance.id];
                        let error = self.call_disrupt(region, action, &ids).await.err();
                        (task, error.and_then(refused))
                    });
                    disrupted.extend(in_flight(calls).await);
                }
            }
        }
        disrupted
    }

    async fn call_disrupt(
        &self,
        region: &str,
        action: Action,
        ids: &[&InstanceId],
    ) -> Result<(), FailedCall> {
        let call = async {
            match action {
                Action::Terminate => self.client.terminate(region, ids).await,
                Action::Stop | Action::Enforce | Action::Report => {
                    self.client.stop(region, ids).await
                }
            }
        };
        match in_time(self.deadline.act, call).await {
            Err(error)
                if error.may_have_worked() && self.took_effect(region, action, ids).await =>
            {
                Ok(())
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
