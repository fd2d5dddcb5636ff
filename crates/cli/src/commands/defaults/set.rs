//! `imdsctl defaults set`: sees, shows the plan, asks, acts, and looks again.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use imds_core::chain::chain;
use imds_core::report::Unseen;

use super::apply::{Done, Outcome, apply};
use super::plan::Step;
use crate::args::{Connection, DefaultsSet};
use crate::commands::enforce::journal;
use crate::commands::{files, interrupt};
use crate::connect::connect;
use crate::error::{Exit, Problem};
use crate::journal::{Act, How};
use crate::output::json::{field, last, list};
use crate::output::{self, Message, Style, count};
use crate::progress::Progress;
use crate::quote::quoted;
use crate::side_by_side::side_by_side;
use crate::terminal;
use crate::world::World;

pub(super) async fn set(
    connection: &Connection,
    args: DefaultsSet,
    world: &World,
) -> Result<Exit, Problem> {
    let connected = connect(connection, &args.regions.only, world.var).await?;
    let progress = Arc::new(Progress::new());
    let seen = super::see(&connected, &args.regions, &progress).await?;
    // Without it nothing is recorded, and so nothing is changed.
    let account = seen.account?;
    let steps: Vec<Step> = seen
        .defaults
        .into_iter()
        .map(|(region, from)| Step::new(region, from, &args.wish))
        .collect();
    let mut told = Told {
        account,
        done: steps.iter().map(Done::nothing).collect(),
        unseen: seen.unseen,
        journal: None,
    };
    let to_set = steps.iter().filter(|step| step.changes()).count();
    let style = terminal::style(world.var, false);
    if to_set == 0 || args.act.dry_run {
        warn(&steps);
        told.tell(args.output.json, &style)?;
        return Ok(told.exit());
    }
    warn(&steps);
    if !args.act.yes {
        if args.output.json {
            told.people(&style, &mut io::stderr().lock())
                .map_err(Problem::Print)?;
        } else {
            files::print(|out| told.people(&style, out))?;
        }
        let question = format!(
            "Set the metadata defaults of {} in account {}?",
            count(to_set, "region"),
            told.account
        );
        if !terminal::agreed(&question)? {
            eprintln!("nothing was changed");
            return Ok(told.exit());
        }
    }
    let writer = journal(&args.act, Act::Defaults, &told.account, world)?;
    eprintln!("journal: {}", writer.path().display());
    let client = &connected.client;
    interrupt::halts(client, &progress)?;
    told.done = side_by_side(steps.iter(), args.regions.at_once(), &progress, |step| {
        apply(client, step, &writer)
    })
    .await;
    told.journal = Some(writer.path());
    // Where the one fails, the other is told all the same.
    let shown = told.tell(args.output.json, &style);
    told.afterwards(client.is_halted(), connection);
    let exit = told.exit();
    let how = if client.is_halted() {
        How::Interrupted
    } else {
        How::Done
    };
    writer
        .close(how)
        .map_err(|error| Problem::Failed(chain(&error)))?;
    shown.map(|()| exit)
}

/// What should be known before it is agreed to.
fn warn(steps: &[Step]) {
    let regions: Vec<&str> = steps
        .iter()
        .filter(|step| step.begins_to_enforce())
        .map(|step| step.region.as_str())
        .collect();
    if regions.is_empty() {
        return;
    }
    let regions = regions.join(",");
    eprintln!(
        "warning: with http_tokens_enforced, launches that allow IMDSv1 fail in {regions}, and `imdsctl rollback` cannot make tokens optional there; instances that run are left as they are"
    );
    eprintln!("check first: imdsctl scan --region {regions} --templates --usage --only violations");
}

/// All that is told.
struct Told<'a> {
    account: String,
    done: Vec<Done>,
    unseen: Vec<Unseen>,
    journal: Option<&'a Path>,
}

impl Told<'_> {
    fn tell(&self, json: bool, style: &Style) -> Result<(), Problem> {
        files::print(|out| {
            if json {
                self.programs(out)
            } else {
                self.people(style, out)
            }
        })
    }

    fn people(&self, style: &Style, out: &mut dyn Write) -> io::Result<()> {
        for done in &self.done {
            writeln!(out, "{}", Message(&done.to_string()))?;
        }
        output::unseen(&self.unseen, style, out)?;
        let outcomes = [
            Outcome::Planned,
            Outcome::Set,
            Outcome::Unchanged,
            Outcome::Failed,
        ];
        let counts = outcomes.map(|outcome| (self.count(outcome), outcome.as_str()));
        let counts = counts.into_iter().chain([(self.unseen.len(), "not seen")]);
        let counts = counts.filter(|(n, _)| *n > 0);
        let counts: Vec<String> = counts.map(|(n, word)| format!("{n} {word}")).collect();
        let total = count(self.done.len() + self.unseen.len(), "region");
        writeln!(out, "\n{total}: {}", counts.join(", "))
    }

    fn programs(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{{")?;
        field(out, "account", &self.account)?;
        list(out, "regions", &self.done)?;
        list(out, "unseen", &self.unseen)?;
        last(
            out,
            "journal",
            &self.journal.map(|path| path.to_string_lossy()),
        )
    }

    fn afterwards(&self, interrupted: bool, connection: &Connection) {
        if interrupted {
            eprintln!("interrupted: calls under way were finished and are in the journal");
        }
        if let Some(journal) = self.journal {
            let journal = quoted(journal);
            eprintln!(
                "undo this with: imdsctl rollback {journal}{}",
                connection.words()
            );
        }
    }

    fn count(&self, outcome: Outcome) -> usize {
        self.done
            .iter()
            .filter(|done| done.outcome == outcome)
            .count()
    }

    /// What is left to do weighs less than what failed or was not seen.
    fn exit(&self) -> Exit {
        if self.count(Outcome::Failed) > 0 || !self.unseen.is_empty() {
            Exit::Failed
        } else if self.count(Outcome::Planned) > 0 {
            Exit::Violations
        } else {
            Exit::Fine
        }
    }
}
