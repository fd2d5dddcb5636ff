//! `imdsctl scan`.

use imds_engine::{Include, Keep, KeptTemplates, ScanOptions};

use super::{chosen_policy, files, fleet, state_table};
use crate::args::{self, Connection, Only};
use crate::connect::connect;
use crate::document::CommandTrigger;
use crate::environment::Environment;
use crate::error::{Exit, Problem};

pub(crate) async fn scan(
    connection: &Connection,
    args: args::ScanArgs,
    environment: &Environment,
) -> Result<Exit, Problem> {
    files::targets(&args.output)?;
    let chosen = chosen_policy::read(&args.required)?;
    let scope = (args.scope(connection), chosen.identity());
    let connected = connect(connection, &args.regions.only, environment.var).await?;
    let options = ScanOptions {
        regions: args.regions.selection(),
        instances: args.instances.filter(),
        policy: chosen.policy,
        keep: match args.only {
            Some(Only::Violations) => Keep::Violations,
            None => Keep::All,
        },
        usage_days: args.usage,
        include: Include {
            templates: match (args.templates, args.user_data) {
                (true, _) => Some(KeptTemplates::All),
                (false, true) => Some(KeptTemplates::WithCalls),
                (false, false) => None,
            },
            defaults: args.defaults,
            user_data: args.user_data,
        },
        now: (environment.now)(),
    };
    let (mut document, mut plan) =
        fleet::scan(&connected, options, CommandTrigger::Scan, scope).await?;
    let held = (&mut document, &mut plan);
    state_table::honour(connection, &connected, environment, held).await?;
    if args.only == Some(Only::Violations) {
        document = document.only_violations();
    }
    files::report(&args.output, &document, environment)?;
    Ok(document.exit())
}
