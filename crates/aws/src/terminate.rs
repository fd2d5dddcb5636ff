//! Terminates no more instances of a region within an hour than the policy allows, however many
//! invocations run at once, and with EC2 as the only record.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::join_all;
use imds_core::decide::Because;
use imds_core::instance::{Instance, InstanceId};
use imds_core::marks;
use imds_core::policy::Action;
use tokio::time::{Instant, sleep};

use crate::attempt::in_time;
use crate::client::Client;
use crate::disrupt::end_all;
use crate::ec2::Filter;
use crate::page::Page;
use crate::task::Task;
use crate::terms::Terms;

/// A claim that took longer to write is void: the others may have looked already.
const WRITTEN: Duration = Duration::from_secs(1);

/// How long a claim is given, from when it was written, to become visible to all.
const SETTLED: Duration = Duration::from_secs(3);

/// Claims, waits, looks who came first, and terminates; see [`marks::may_terminate`].
/// A task that comes back with a reason was not terminated.
pub(crate) async fn terminate_within_limit(
    client: &Client,
    region: &str,
    mut tasks: Vec<Task>,
    terms: Terms<'_>,
) -> Vec<(Task, Option<Because>)> {
    let limit = terms.limits.terminations_per_hour;
    let until = terms.deadline.act;
    let most = usize::try_from(limit)
        .unwrap_or(usize::MAX)
        .min(tasks.len());
    let over: Vec<Task> = tasks.split_off(most);
    let over_limit = |task| (task, Some(Because::OverLimit { limit }));
    let mut results: Vec<_> = over.into_iter().map(over_limit).collect();
    if tasks.is_empty() {
        return results;
    }
    let ids: Vec<InstanceId> = tasks.iter().map(|task| task.instance.id.clone()).collect();
    let Claimed { seen, refused } = claim(client, region, &ids, terms).await;
    let allowed = match &seen {
        Ok(seen) => marks::may_terminate(seen, &ids, limit, (terms.now)()),
        Err(_) => BTreeSet::new(),
    };
    let (go, stay): (Vec<Task>, Vec<Task>) = tasks
        .into_iter()
        .partition(|task| allowed.contains(&task.instance.id));
    let ended = end_all(client, region, Action::Terminate, go, until).await;
    let lives = ended
        .iter()
        .filter(|(_, because)| because.is_some())
        .map(|(task, _)| task);
    let released: Vec<InstanceId> = lives
        .chain(&stay)
        .map(|task| task.instance.id.clone())
        .collect();
    release(client, region, &released, terms).await;
    results.extend(stay.into_iter().map(|task| {
        let why = refused
            .get(&task.instance.id)
            .or(seen.as_ref().err())
            .cloned();
        let because = why.map_or(Because::OverLimit { limit }, Because::NotCounted);
        (task, Some(because))
    }));
    results.extend(ended);
    results
}

/// What is known once the claims have settled.
struct Claimed {
    /// Every claim that can be seen, or why none can.
    seen: Result<Vec<Instance>, String>,
    /// Instances that could not be claimed, and why.
    refused: BTreeMap<InstanceId, String>,
}

async fn claim(client: &Client, region: &str, ids: &[InstanceId], terms: Terms<'_>) -> Claimed {
    let until = terms.deadline.act;
    let claim = marks::claim((terms.now)());
    let begun = Instant::now();
    let mark = async |ids: &[&InstanceId]| {
        in_time(until, client.tag(region, ids, marks::TERMINATE, &claim)).await
    };
    let mut refused = BTreeMap::new();
    let all: Vec<&InstanceId> = ids.iter().collect();
    if mark(&all).await.is_err() {
        // One that is not known any more must not keep the others.
        let each = join_all(all.iter().map(|id| async { (*id, mark(&[id]).await) }));
        let failed = each
            .await
            .into_iter()
            .filter_map(|(id, mark)| Some((id, mark.err()?)));
        refused.extend(failed.map(|(id, why)| (id.clone(), why.to_string())));
    }
    if begun.elapsed() >= WRITTEN {
        let seen = Err("the claim took too long to write".to_owned());
        return Claimed { seen, refused };
    }
    sleep(SETTLED).await;
    let filter = Filter {
        name: "tag-key",
        values: vec![marks::TERMINATE],
    };
    let seen = match in_time(until, client.describe(region, &filter)).await {
        // What cannot be read may hold a claim.
        Ok(Page {
            instances,
            unreadable,
        }) => match unreadable.first() {
            Some(unreadable) => Err(unreadable.to_string()),
            None => Ok(instances),
        },
        Err(error) => Err(error.to_string()),
    };
    Claimed { seen, refused }
}

/// Takes claims back; one that stays makes others wait for an hour at most, and terminates nobody.
async fn release(client: &Client, region: &str, ids: &[InstanceId], terms: Terms<'_>) {
    let ids: Vec<&InstanceId> = ids.iter().collect();
    let value = marks::release((terms.now)());
    let call = client.tag(region, &ids, marks::TERMINATE, &value);
    if let Err(why) = in_time(terms.deadline.act, call).await {
        tracing::warn!(region, "could not release {} claims: {why}", ids.len());
    }
}
