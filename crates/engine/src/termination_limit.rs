//! Claims terminations, so that no more instances of a region are terminated within an hour than the
//! policy allows, however many invocations run at once. Tags on the instances are the only record.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use imds_aws::{DescribedPage, Filter, timing};
use imds_core::instance::{Instance, InstanceId};
use imds_core::marks;
use tokio::time::{Instant, sleep};

use crate::attempt::in_time;
use crate::engine::Engine;

/// What is known once the claims are visible.
pub(crate) struct Claims {
    /// Every instance with a claim, or why they cannot be read.
    pub(crate) claimed: Result<Vec<Instance>, String>,
    /// Instances that could not be claimed, and why.
    pub(crate) refused: BTreeMap<InstanceId, String>,
}

impl Engine<'_> {
    /// Claims terminations, and reads who came first; see [`marks::may_terminate`].
    pub(crate) async fn claim(&self, region: &str, ids: &[InstanceId]) -> Claims {
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
    pub(crate) async fn release(&self, region: &str, ids: &[&InstanceId]) {
        let value = marks::release((self.now)());
        let call = self.client.tag(region, ids, marks::TERMINATE, &value);
        if let Err(error) = in_time(self.deadline.act, call).await {
            tracing::warn!(region, "could not release {} claims: {error}", ids.len());
        }
    }
}
