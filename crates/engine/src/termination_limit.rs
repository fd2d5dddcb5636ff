//! Terminates no more instances of a region within an hour than the policy allows, however many
//! invocations run at once, and with EC2 as the only record.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use imds_aws::{DescribedPage, Filter, timing};
use imds_core::decide::Because;
use imds_core::instance::{Instance, InstanceId};
use imds_core::marks;
use imds_core::policy::Action;
use tokio::time::{Instant, sleep};

use crate::attempt::in_time;
use crate::disrupt::Disrupted;
use crate::engine::Engine;
use crate::task::Task;

/// What is known once the claims are visible.
struct Claims {
    /// Every instance with a claim, or why they cannot be read.
    claimed: Result<Vec<Instance>, String>,
    /// Instances that could not be claimed, and why.
    refused: BTreeMap<InstanceId, String>,
}

impl Engine<'_> {
    /// Claims, waits, reads who came first, and terminates; see [`marks::may_terminate`].
    pub(crate) async fn terminate_within_limit(
        &self,
        region: &str,
        mut tasks: Vec<Task>,
    ) -> Vec<Disrupted> {
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
        let ended = self.disrupt_all(region, Action::Terminate, go).await;
        let alive = ended.iter().filter(|(_, because)| because.is_some());
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
        disrupted.extend(ended);
        disrupted
    }

    async fn claim(&self, region: &str, ids: &[InstanceId]) -> Claims {
        let deadline = self.deadline.act;
        let claim = marks::claim((self.now)());
        let begun = Instant::now();
        let mark = async |ids: &[&InstanceId]| {
            in_time(
                deadline,
                self.client.tag(region, ids, marks::TERMINATE, &claim),
            )
            .await
        };
        let mut refused = BTreeMap::new();
        let all: Vec<&InstanceId> = ids.iter().collect();
        if mark(&all).await.is_err() {
            // An instance that is gone must not keep the others from being claimed.
            let each = all.iter().map(|id| async { (*id, mark(&[id]).await) });
            for (id, answer) in join_all(each).await {
                if let Err(error) = answer {
                    refused.insert(id.clone(), error.to_string());
                }
            }
        }
        if begun.elapsed() >= timing::CLAIM_WRITTEN_WITHIN {
            let claimed = Err("the claim took too long to write".to_owned());
            return Claims { claimed, refused };
        }
        sleep(timing::CLAIM_VISIBLE_AFTER).await;
        let filter = Filter {
            name: "tag-key".into(),
            values: vec![marks::TERMINATE],
        };
        let claimed = match in_time(deadline, self.client.describe(region, &filter)).await {
            // What cannot be read may have a claim.
            Ok(DescribedPage {
                instances,
                unreadable,
            }) => match unreadable.first() {
                Some(unreadable) => Err(unreadable.to_string()),
                None => Ok(instances),
            },
            Err(error) => Err(error.to_string()),
        };
        Claims { claimed, refused }
    }

    /// Releases claims; one that stays makes others wait for an hour at most, and terminates nothing.
    async fn release(&self, region: &str, ids: &[&InstanceId]) {
        let value = marks::release((self.now)());
        let call = self.client.tag(region, ids, marks::TERMINATE, &value);
        if let Err(error) = in_time(self.deadline.act, call).await {
            tracing::warn!(region, "could not release {} claims: {error}", ids.len());
        }
    }
}
