//! `imdsctl doctor`: whether all that the other commands need is there. It changes nothing.

mod check;
mod folder;
mod region;
mod show;

use std::sync::Arc;

use imds_aws::{CallError, Fault};
use imds_core::chain::chain;

use self::check::Check;
use crate::args::{self, Connection};
use crate::connect::{Connected, connect};
use crate::error::{Exit, Problem};
use crate::progress::Progress;
use crate::side_by_side::side_by_side;
use crate::world::World;

pub(crate) async fn doctor(
    connection: &Connection,
    args: args::Doctor,
    world: &World,
) -> Result<Exit, Problem> {
    let connected = connect(connection, &args.regions.only, world.var).await?;
    let mut checks = vec![credentials(&connected).await];
    // Bad credentials would only be told once more by every region.
    if checks.iter().all(Check::is_fine) {
        let (regions, check) = regions(&connected, &args.regions).await?;
        checks.push(check);
        let progress = Progress::new();
        let client = &connected.client;
        let at_once = args.regions.at_once();
        let seen = side_by_side(regions.into_iter(), at_once, &progress, |region| {
            region::look(Arc::clone(client), region, (world.now)())
        });
        checks.extend(seen.await.into_iter().flatten());
    }
    checks.push(folder::look());
    show::show(&checks, args.output.json)?;
    Ok(if checks.iter().any(Check::is_wrong) {
        Exit::Failed
    } else {
        Exit::Fine
    })
}

async fn credentials(connected: &Connected) -> Check {
    match connected.client.identity(&connected.region).await {
        Ok(identity) => Check::fine(
            "credentials",
            format!("account {}, {}", identity.account, identity.arn),
        ),
        Err(error) => Check::wrong("credentials", chain(&error), &renew(&error)),
    }
}

fn renew(error: &CallError) -> String {
    match error.fault {
        Fault::Credentials => {
            "renew them (`aws sso login`, `aws configure`), and see that the clock is right (`date -u`)"
        }
        _ => "see that STS can be reached, and that the account may use the region",
    }
    .to_owned()
}

/// The regions to look at; where they cannot be told, the one to begin with.
async fn regions(
    connected: &Connected,
    wanted: &args::Regions,
) -> Result<(Vec<String>, Check), Problem> {
    match connected.regions(wanted).await {
        Ok(regions) => {
            let check = Check::fine(
                "regions",
                format!("{}: {}", regions.len(), regions.join(", ")),
            );
            Ok((regions, check))
        }
        Err(Problem::Regions(error)) => {
            let next = "allow ec2:DescribeRegions, or name the regions with `--region`";
            let check = Check::wrong("regions", chain(&error), next);
            Ok((vec![connected.region.clone()], check))
        }
        Err(problem) => Err(problem),
    }
}
