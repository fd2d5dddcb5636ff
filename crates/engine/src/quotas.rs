//! Hourly limits of enforcements: what is counted before it is done, and what is left.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use imds_core::decide::{Because, Discovery, Quota};
use imds_core::policy::Action;
use imds_core::state::Key;

use crate::apply::ApplyOptions;
use crate::attempt::in_flight;
use crate::engine::Engine;
use crate::task::{Placed, Task};

impl Engine<'_> {
    /// Sets the options of those that the hourly limits allow, and reports the others.
    pub(crate) async fn enforce_within_quotas(
        &self,
        tasks: Vec<Task>,
        options: ApplyOptions<'_>,
    ) -> Vec<Placed> {
        let (mut allowed, mut drifted) = (Vec::new(), Vec::new());
        let mut existing: BTreeMap<String, Vec<Task>> = BTreeMap::new();
        for task in tasks {
            match task.non_compliant.quota {
                None => allowed.push(task),
                Some(Quota::Drift) => drifted.push(task),
                Some(Quota::Existing) => {
                    let region = task.instance.region.clone();
                    existing.entry(region).or_default().push(task);
                }
            }
        }
        let existing = existing
            .into_iter()
            .map(|(region, tasks)| async move { self.existing_allowed(&region, tasks).await });
        let drifted = drifted
            .into_iter()
            .map(|task| self.drift_allowed(task, options.discovery));
        let mut reports = Vec::new();
        let limited = join_all(existing).await.into_iter().flatten();
        for task in limited.chain(join_all(drifted).await) {
            match task.non_compliant.action {
                Action::Report => reports.push(task.reported()),
                Action::Enforce | Action::Stop | Action::Terminate => allowed.push(task),
            }
        }
        if options.watch {
            let watched = in_flight(allowed.into_iter().map(|task| async {
                match self.watch(&task.instance).await {
                    Ok(()) => task,
                    Err(error) => task.milder(Action::Report, Because::StateUnavailable(error)),
                }
            }));
            let (reported, rest): (Vec<Task>, Vec<Task>) = watched
                .await
                .into_iter()
                .partition(|task| task.non_compliant.action == Action::Report);
            reports.extend(reported.into_iter().map(Task::reported));
            allowed = rest;
        }
        reports.extend(self.enforce_all(allowed, options).await);
        reports
    }

    async fn existing_allowed(&self, region: &str, tasks: Vec<Task>) -> Vec<Task> {
        let Some(limit) = self.policy.limits.existing_per_hour else {
            return tasks;
        };
        let id = |task: &Task| task.instance.id.as_str().to_owned();
        let wanted: Vec<String> = tasks.iter().map(id).collect();
        let key = Key::existing(self.account, region);
        let permits = self.permits(&key, &wanted, limit).await;
        let allowed = tasks.into_iter().map(|task| match &permits {
            Ok(permits) if permits.granted.contains(task.instance.id.as_str()) => task,
            Ok(_) => task.milder(Action::Report, Because::ExistingLimit { limit }),
            Err(error) => task.milder(Action::Report, Because::StateUnavailable(error.clone())),
        });
        allowed.collect()
    }

    /// A change of options counts once, however often its event comes.
    async fn drift_allowed(&self, task: Task, discovery: Discovery) -> Task {
        let limit = self.policy.limits.enforcements_per_hour;
        let changed_at = match discovery {
            Discovery::Drift { at: Some(at), .. } => at,
            _ => (self.now)(),
        };
        let change = [changed_at.as_millisecond().to_string()];
        let key = Key::drift(&task.instance.id);
        match self.permits(&key, &change, limit).await {
            Ok(permits) if !permits.granted.is_empty() => task,
            Ok(permits) => {
                let enforcements = u32::try_from(permits.counted).unwrap_or(u32::MAX);
                task.milder(Action::Report, Because::DriftLimit { enforcements })
            }
            Err(error) => task.milder(Action::Report, Because::StateUnavailable(error)),
        }
    }
}
