//! `imdsctl usage`: who used IMDSv1, or whose calls are refused now.

mod by_day;
mod look;
mod member;
mod show;
mod way_back;

use crate::args::{Connection, UsageOf};
use crate::connect::connect;
use crate::error::{Exit, Problem};
use crate::output::Format;
use crate::progress::Progress;
use crate::terminal;
use crate::world::World;

use super::files;
use member::Survey;
use way_back::WaysBack;

pub(crate) async fn usage(
    connection: &Connection,
    args: UsageOf,
    world: &World,
) -> Result<Exit, Problem> {
    if args.output.format == Format::Html {
        let instead = "`usage` is not written as HTML; see `imdsctl scan --usage --format html`";
        return Err(Problem::Usage(instead.to_owned()));
    }
    let connected = connect(connection, &args.regions.only, world.var).await?;
    let progress = Progress::new();
    let mut survey = look::look(&connected, &args, (world.now)(), &progress).await?;
    if args.rejected && !survey.members.is_empty() {
        let ways_back = WaysBack::read(connection);
        for member in &mut survey.members {
            let (region, id) = (&member.region, &member.instance_id);
            member.way_back = Some(ways_back.find(region, id, member.http_tokens));
        }
    }
    let style = terminal::style(world.var, args.output.output.is_some());
    files::put(args.output.output.as_deref(), |out| {
        show::write(args.output.format, &survey, &style, out)
    })?;
    files::tell_unseen(&args.output, &survey.unseen);
    Ok(exit(&survey))
}

/// What is not seen weighs more than what is seen to be in use.
fn exit(survey: &Survey) -> Exit {
    if !survey.unseen.is_empty() {
        Exit::Failed
    } else if survey.counts.some > 0 {
        Exit::Violations
    } else {
        Exit::Fine
    }
}
