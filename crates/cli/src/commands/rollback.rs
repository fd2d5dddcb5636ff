//! `imdsctl rollback`.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use imds_core::chain::chain;

use super::enforce::journal;
use super::{files, interrupt};
use crate::args::{Connection, Rollback};
use crate::connect::connect;
use crate::error::{Exit, Problem};
use crate::journal::{Act, How, Journal};
use crate::progress::Progress;
use crate::quote::quoted;
use crate::rollback::{self, RollbackPlan, RolledBack};
use crate::terminal;
use crate::world::World;

pub(crate) async fn rollback(
    connection: &Connection,
    args: Rollback,
    world: &World,
) -> Result<Exit, Problem> {
    if !(args.act.yes || args.act.dry_run) {
        terminal::can_ask()?;
    }
    let from = Journal::read(&args.from).map_err(|error| Problem::Usage(chain(&error)))?;
    // Credentials of a partition are good for its regions only.
    let first = from.instances.first().map(|change| change.region.clone());
    let first = first.or_else(|| from.defaults.first().map(|change| change.region.clone()));
    let regions: Vec<String> = first.into_iter().collect();
    let connected = connect(connection, &regions, world.var).await?;
    let account = connected.account().await?;
    let filter: BTreeSet<_> = args.ids.iter().cloned().collect();
    let client = &connected.client;
    let plan = rollback::plan(&**client, &account, &from, &filter, args.force)
        .await
        .map_err(|error| Problem::Usage(chain(&error)))?;
    if let Some(settled) = plan.settled() {
        for notice in &plan.notices {
            eprintln!("note: {notice}");
        }
        return tell(&settled, args.output.json);
    }
    if args.act.dry_run || !args.act.yes {
        show(&plan, args.output.json)?;
    }
    if args.act.dry_run {
        return Ok(Exit::Violations);
    }
    let question = format!(
        "Restore {} of account {account}, so that IMDSv1 answers again where it did?",
        plan.to_restore()
    );
    if !args.act.yes && !terminal::agreed(&question)? {
        eprintln!("nothing was changed");
        return Ok(Exit::Violations);
    }
    let writer = journal(&args.act, Act::Rollback, &account, world)?;
    eprintln!("journal: {}", writer.path().display());
    let progress = Arc::new(Progress::new());
    interrupt::halts(client, &progress)?;
    progress.begin("restored", plan.to_restore());
    let done = rollback::apply(
        &**client,
        &plan,
        &writer,
        || progress.done(),
        || client.is_halted(),
    )
    .await;
    progress.end();
    // Where the one fails, the other is told all the same.
    let exit = tell(&done, args.output.json);
    afterwards(&done, client.is_halted(), writer.path(), connection);
    let how = if client.is_halted() {
        How::Interrupted
    } else {
        How::Done
    };
    writer
        .close(how)
        .map_err(|error| Problem::Failed(chain(&error)))?;
    exit
}

fn show(plan: &RollbackPlan, json: bool) -> Result<(), Problem> {
    if json {
        eprint!("{plan}");
        return Ok(());
    }
    files::print(|out| write!(out, "{plan}"))
}

fn tell(done: &RolledBack, json: bool) -> Result<Exit, Problem> {
    files::print(|out| {
        if json {
            serde_json::to_writer_pretty(&mut *out, done)?;
            writeln!(out)
        } else {
            write!(out, "{done}")
        }
    })?;
    Ok(done.exit())
}

fn afterwards(done: &RolledBack, interrupted: bool, journal: &Path, connection: &Connection) {
    if interrupted {
        eprintln!("interrupted: calls under way were finished and are in the journal");
    }
    if done.summary.restored > 0 {
        let journal = quoted(journal);
        eprintln!(
            "undo this with: imdsctl rollback {journal}{}",
            connection.words()
        );
    }
}
