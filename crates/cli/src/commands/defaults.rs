//! `imdsctl defaults`: what an account's launches get where they do not say, region by region.

mod apply;
mod plan;
mod set;
mod show;

use futures_util::future::join;
use imds_core::chain::chain;
use imds_core::defaults::MetadataDefaults;
use imds_core::report::Unseen;

use crate::args::{Connection, DefaultsOf, Regions};
use crate::connect::{Connected, connect};
use crate::error::{Exit, Problem};
use crate::progress::Progress;
use crate::side_by_side::side_by_side;
use crate::world::World;

pub(crate) async fn defaults(
    connection: &Connection,
    of: DefaultsOf,
    world: &World,
) -> Result<Exit, Problem> {
    match of {
        DefaultsOf::Set(args) => set::set(connection, args, world).await,
        DefaultsOf::Show { regions, output } => {
            let connected = connect(connection, &regions.only, world.var).await?;
            let seen = see(&connected, &regions, &Progress::new()).await?;
            show::show(&seen, &output, world)?;
            Ok(if seen.unseen.is_empty() {
                Exit::Fine
            } else {
                Exit::Failed
            })
        }
    }
}

/// The defaults of all regions, in the order of their names.
#[derive(Debug)]
struct Seen {
    /// 12 digits; or why it is not known.
    account: Result<String, Problem>,
    defaults: Vec<(String, MetadataDefaults)>,
    unseen: Vec<Unseen>,
}

async fn see(
    connected: &Connected,
    wanted: &Regions,
    progress: &Progress,
) -> Result<Seen, Problem> {
    let client = &connected.client;
    let (regions, identity) = join(
        connected.regions(wanted),
        client.identity(&connected.region),
    )
    .await;
    let regions = regions?.into_iter();
    let answers = side_by_side(regions, wanted.at_once(), progress, |region| async move {
        let answer = client.metadata_defaults(&region).await;
        (region, answer)
    })
    .await;
    let (mut defaults, mut unseen) = (Vec::new(), Vec::new());
    for (region, answer) in answers {
        match answer {
            Ok(of) => defaults.push((region, of)),
            Err(error) => unseen.push(Unseen::expected(&region, chain(&error))),
        }
    }
    Ok(Seen {
        account: identity
            .map(|identity| identity.account)
            .map_err(Problem::Identity),
        defaults,
        unseen,
    })
}
