//! `imdsctl defaults`: the metadata options that launches get where they do not set them, region by
//! region.

mod set;

use imds_core::chain::chain;
use imds_core::report::Unreachable;
use imds_engine::{DefaultsSurvey, RegionDefaults, describe_defaults};
use serde::Serialize;

use super::files;
use crate::args::{Connection, DefaultsOf, PlainOutput, Regions};
use crate::connect::{Connected, connect};
use crate::environment::Environment;
use crate::error::{Exit, Problem};
use crate::output::{self, json};
use crate::progress::ProgressLine;
use crate::terminal::{self, Destination};

pub(crate) async fn defaults(
    connection: &Connection,
    command: DefaultsOf,
    environment: &Environment,
) -> Result<Exit, Problem> {
    match command {
        DefaultsOf::Set(args) => set::set(connection, args, environment).await,
        DefaultsOf::Show { regions, output } => {
            let connected = connect(connection, &regions.only, environment.var).await?;
            let survey = describe(&connected, &regions).await?;
            let exit = match survey.unreachable.is_empty() {
                true => Exit::Fine,
                false => Exit::Failed,
            };
            show(survey, &output, environment)?;
            Ok(exit)
        }
    }
}

async fn describe(connected: &Connected, regions: &Regions) -> Result<DefaultsSurvey, Problem> {
    let Connected { client, region, .. } = connected;
    let progress = ProgressLine::new(client);
    let survey = describe_defaults(client, region, &regions.selection(), &progress.hear()).await;
    progress.end();
    survey.map_err(Problem::regions)
}

/// What `defaults show --json` prints.
#[derive(Serialize)]
struct DefaultsJson<'a> {
    account: Option<String>,
    defaults: &'a [RegionDefaults],
    unreachable: &'a [Unreachable],
}

fn show(
    survey: DefaultsSurvey,
    wanted: &PlainOutput,
    environment: &Environment,
) -> Result<(), Problem> {
    let DefaultsSurvey {
        account,
        defaults,
        unreachable,
    } = &survey;
    if let Err(error) = account {
        let error = chain(error);
        terminal::say(format!(
            "imdsctl: could not get the account of these credentials: {error}"
        ));
    }
    let style = terminal::style(environment.var, Destination::StandardOutput);
    files::print(|out| {
        if wanted.json {
            let account = account.as_ref().ok().cloned();
            let json = DefaultsJson {
                account,
                defaults,
                unreachable,
            };
            return json::write(&json, out);
        }
        if !defaults.is_empty() {
            output::defaults(defaults, "--json", &style, out)?;
        }
        output::unreachable(unreachable, &style, out)
    })
}
