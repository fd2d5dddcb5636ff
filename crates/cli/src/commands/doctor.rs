//! `imdsctl doctor`: checks what the other commands need. It changes nothing.

mod check;
mod folder;
mod need;
mod region;
mod show;
mod table;

use imds_aws::{CallError, Fault, Identity};
use imds_core::chain::chain;
use imds_engine::{RegionSelection, RegionsError};

use self::check::Check;
use super::state_table;
use crate::args::{self, Connection};
use crate::connect::{Connected, connect};
use crate::environment::Environment;
use crate::error::{Exit, Problem};
use crate::progress::ProgressLine;

pub(crate) async fn doctor(
    connection: &Connection,
    args: args::DoctorArgs,
    environment: &Environment,
) -> Result<Exit, Problem> {
    let connected = connect(connection, &args.regions.only, environment.var).await?;
    let state_table = state_table::named(connection, &connected, environment)?;
    let identity = connected.client.identity(&connected.region).await;
    let mut checks = vec![credentials(&identity)];
    // With rejected credentials, every region would only repeat the same error.
    if let Ok(identity) = &identity {
        let selection = args.regions.selection();
        let (regions, check) = regions(&connected, &selection).await?;
        checks.push(check);
        let progress = ProgressLine::new(&connected.client);
        let (client, now) = (&connected.client, (environment.now)());
        let each = |region| region::check(client, region, now);
        let on_progress = progress.hear();
        let checked = selection.side_by_side(regions.into_iter(), &on_progress, each);
        checks.extend(checked.await.into_iter().flatten());
        progress.end();
        if let Some(state_table) = &state_table {
            checks.extend(table::check(client, state_table, &identity.account).await);
        }
    }
    checks.push(folder::check());
    show::show(&checks, &args.output, environment)?;
    Ok(if checks.iter().any(Check::is_failed) {
        Exit::Failed
    } else {
        Exit::Fine
    })
}

fn credentials(identity: &Result<Identity, CallError>) -> Check {
    match identity {
        Ok(identity) => Check::fine(
            "credentials",
            format!("account {}, {}", identity.account, identity.arn),
        ),
        Err(error) => Check::failed("credentials", chain(error), &renew(error)),
    }
}

fn renew(error: &CallError) -> String {
    match error.fault {
        Fault::Credentials => {
            "renew them (`aws sso login`, `aws configure`), and check the clock (`date -u`)"
        }
        _ => "check that STS can be reached, and that the region is enabled for the account",
    }
    .to_owned()
}

/// The regions to check; only the starting region if they cannot be described.
async fn regions(
    connected: &Connected,
    selection: &RegionSelection,
) -> Result<(Vec<String>, Check), Problem> {
    match selection
        .resolve(&connected.client, &connected.region)
        .await
    {
        Ok(regions) => {
            let found = format!("{}: {}", regions.len(), regions.join(", "));
            Ok((regions, Check::fine("regions", found)))
        }
        Err(RegionsError::Describe(error)) => {
            let next = "allow ec2:DescribeRegions, or name the regions with `--region`";
            let check = Check::failed("regions", chain(&error), next);
            Ok((vec![connected.region.clone()], check))
        }
        Err(error) => Err(Problem::regions(error)),
    }
}
