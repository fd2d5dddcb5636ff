//! Stops and terminates.

use imds_core::decide::Because;
use imds_core::instance::{InstanceId, State};
use imds_core::policy::Action;
use tokio::time::Instant;

use crate::attempt::{in_flight, in_time};
use crate::client::Client;
use crate::ec2::ENDED_AT_ONCE;
use crate::task::Task;

/// Stops or terminates: together, and one by one where EC2 refuses the whole call because of some.
/// A task that comes back with a reason was not ended.
pub(crate) async fn end_all(
    client: &Client,
    region: &str,
    action: Action,
    tasks: Vec<Task>,
    until: Instant,
) -> Vec<(Task, Option<Because>)> {
    let refused = |why: String| Some(Because::Refused(why));
    let mut ended = Vec::new();
    let mut tasks = tasks.into_iter().peekable();
    while tasks.peek().is_some() {
        let batch: Vec<Task> = tasks.by_ref().take(ENDED_AT_ONCE).collect();
        let ids: Vec<&InstanceId> = batch.iter().map(|task| &task.instance.id).collect();
        match end(client, region, action, &ids, until).await {
            Ok(()) => ended.extend(batch.into_iter().map(|task| (task, None))),
            Err(why) if batch.len() == 1 => {
                ended.extend(batch.into_iter().map(|task| (task, refused(why.clone()))));
            }
            Err(_) => {
                let calls = batch.into_iter().map(|task| async move {
                    let id = [&task.instance.id];
                    let why = end(client, region, action, &id, until).await.err();
                    (task, why.and_then(refused))
                });
                ended.extend(in_flight(calls).await);
            }
        }
    }
    ended
}

async fn end(
    client: &Client,
    region: &str,
    action: Action,
    ids: &[&InstanceId],
    until: Instant,
) -> Result<(), String> {
    let call = async {
        if action == Action::Terminate {
            client.terminate(region, ids).await
        } else {
            client.stop(region, ids).await
        }
    };
    match in_time(until, call).await {
        Ok(()) => Ok(()),
        Err(failed)
            if failed.may_have_worked() && all_end(client, region, action, ids, until).await =>
        {
            Ok(())
        }
        Err(failed) => Err(failed.to_string()),
    }
}

/// Whether EC2 shows that all instances are ending as they were told to: what is stopped is not
/// terminated.
async fn all_end(
    client: &Client,
    region: &str,
    action: Action,
    ids: &[&InstanceId],
    until: Instant,
) -> bool {
    let ids: Vec<InstanceId> = ids.iter().map(|id| (*id).clone()).collect();
    let ends = |state: State| state.is_final() || action == Action::Stop && state.is_stopped();
    match in_time(until, client.look(region, &ids)).await {
        Ok(found) => {
            found.instances.len() == ids.len()
                && found
                    .instances
                    .iter()
                    .all(|instance| instance.state.is_some_and(ends))
        }
        Err(_) => false,
    }
}
