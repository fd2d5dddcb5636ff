//! The state table, as a command uses it.

use imds_aws::{CallError, StateTable};
use imds_core::chain::chain;
use imds_core::plan::Plan;
use imds_engine::HeldEntries;

use crate::args::Connection;
use crate::connect::Connected;
use crate::document::Document;
use crate::environment::Environment;
use crate::error::Problem;
use crate::output::Message;
use crate::terminal;

/// The table that the arguments or the environment name.
pub(super) fn named(
    connection: &Connection,
    connected: &Connected,
    environment: &Environment,
) -> Result<Option<StateTable>, Problem> {
    let of_environment = || (environment.var)("IMDS_STATE_TABLE").filter(|name| !name.is_empty());
    let name = connection.state_table.clone().or_else(of_environment);
    let table = name.map(|name| StateTable::new(&name, &connected.home));
    table.transpose().map_err(Problem::StateTableName)
}

/// The same where a command is about nothing else.
pub(super) fn required(
    connection: &Connection,
    connected: &Connected,
    environment: &Environment,
) -> Result<StateTable, Problem> {
    named(connection, connected, environment)?.ok_or(Problem::NoStateTable)
}

/// An error of reading items that people write.
pub(super) fn reading(table: &StateTable) -> impl FnOnce(CallError) -> Problem {
    move |source| {
        let permission = "dynamodb:BatchGetItem on its items `exempt#*` and `pause#*`";
        Problem::state_table("read", table, permission, source)
    }
}

/// Leaves alone what people have exempted or paused, if there is a table.
pub(super) async fn honour(
    connection: &Connection,
    connected: &Connected,
    environment: &Environment,
    (document, plan): (&mut Document, &mut Plan),
) -> Result<(), Problem> {
    let Some(table) = named(connection, connected, environment)? else {
        return Ok(());
    };
    let account = match document.account.clone() {
        Some(account) => account,
        None => connected.account().await?,
    };
    let (client, now) = (&connected.client, (environment.now)());
    let held = HeldEntries::read(client, &table, &account, &document.instances, now).await;
    let held = held.map_err(reading(&table))?;
    for (region, pause) in &held.pauses {
        let (what, only) = match region {
            Some(region) => (region.clone(), format!(" --region {region}")),
            None => (format!("account {account}"), String::new()),
        };
        let note = format!("note: {what} is {pause}");
        let connection = connection.words();
        terminal::say(Message(&note));
        let command = format!("imdsctl pause resume{only}{connection}");
        terminal::offer("end the pause with:", &command);
    }
    document.hold(&held);
    document.state_table = true;
    if let Some(unneeded) = &mut document.unneeded_exemptions {
        match held.unneeded(client, &table, now).await {
            Ok(entries) => unneeded.extend(entries),
            Err(source) => {
                let problem = Problem::state_table("list", &table, "dynamodb:Scan", source);
                terminal::say(format!("imdsctl: {}", chain(&problem)));
                document.unneeded_exemptions = None;
            }
        }
    }
    let left = document.to_enforce();
    plan.steps.retain(|step| left.contains(&step.instance.id));
    Ok(())
}
