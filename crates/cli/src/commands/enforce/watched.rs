//! Instances that the function watches: while calls are rejected on one of them, existing instances are left
//! alone, as a sweep of the same regions leaves them.

use std::time::Duration;

use imds_aws::StateTable;
use imds_engine::{Deadline, Engine, RegionSelection};
use jiff::Timestamp;
use tokio::time::Instant;

use super::intended::Intended;
use crate::connect::Connected;
use crate::error::Problem;
use crate::output::{Message, count};
use crate::plan_file::UsageBasis;
use crate::terminal;

/// Enough for the largest fleets; the time limit of the command counts too.
const READ_WITHIN: Duration = Duration::from_hours(1);

/// Takes existing instances out of the plan, and reports them, while calls are rejected on a watched instance.
pub(super) async fn hold(
    connected: &Connected,
    regions: &RegionSelection,
    table: Option<StateTable>,
    intended: &mut Intended,
    now: fn() -> Timestamp,
) -> Result<(), Problem> {
    let policy = &intended.chosen.policy;
    let existing = &policy.existing;
    let asks = existing.stop_when_rejected && existing.watch_days > 0;
    let mut steps = intended.plan.steps.iter();
    if !asks
        || intended.basis == UsageBasis::Ignored
        || !steps.any(|step| step.enforces_existing(policy, now()))
    {
        return Ok(());
    }
    let Some(table) = table else {
        terminal::say(
            "note: whether calls are rejected on the instances that the function watches is not known: name \
             its state table with `--state-table` or IMDS_STATE_TABLE",
        );
        return Ok(());
    };
    let (client, home) = (&connected.client, &connected.region);
    let regions = regions.resolve(client, home).await;
    let regions = regions.map_err(Problem::regions)?;
    let engine = Engine {
        client,
        policy,
        table: Some(&table),
        account: "",
        deadline: Deadline::at(Instant::now() + READ_WITHIN),
        now,
    };
    let (brake, unreachable) = engine.observe_brake(&regions, home).await;
    let document = &mut intended.document;
    for mut unreachable in unreachable.into_iter().filter(|it| it.fatal) {
        unreachable.account.clone_from(&document.account);
        if !document.unreachable.contains(&unreachable) {
            document.unreachable.push(unreachable);
        }
    }
    let Some(because) = brake else {
        return Ok(());
    };
    let plan = &mut intended.plan;
    let before = plan.steps.len();
    plan.leave_existing(&because, policy, now());
    document.decide_again(&plan.steps);
    let left = document.to_enforce();
    plan.steps.retain(|step| left.contains(&step.instance.id));
    let left = count(before - plan.steps.len(), "existing instance");
    let note = format!("note: {left} not in the plan because {because}");
    terminal::say(Message(&note));
    Ok(())
}
