//! `imdsctl enforce`: sees, shows the plan, asks, acts, and waits until it holds.

mod act;
mod intended;
mod planned;
mod tell;

use std::collections::BTreeMap;
use std::sync::Arc;

use imds_core::chain::chain;
use imds_core::plan::Step;
use imds_core::policy::Action;
use intended::Intended;

use super::files;
use super::scan;
use crate::args::{self, Connection};
use crate::connect::{Connected, connect};
use crate::error::{Exit, Problem};
use crate::fleet::{self, Wishes};
use crate::journal::{Act, Header, Place, Writer};
use crate::output::{self, Format};
use crate::plan_file::{Entry, PlanFile, PlanFileError};
use crate::progress::Progress;
use crate::quote::quoted;
use crate::terminal;
use crate::world::World;

pub(crate) async fn enforce(
    connection: &Connection,
    args: args::Enforce,
    world: &World,
) -> Result<Exit, Problem> {
    if !(args.act.yes || args.act.dry_run || args.plan_out.is_some()) {
        terminal::can_ask()?;
    }
    let progress = Arc::new(Progress::new());
    let connected = connect(connection, &args.regions.only, world.var).await?;
    let mut intended = match &args.plan {
        Some(path) => planned::read(&connected, path, world).await?,
        None => see(&connected, &args, world, &progress).await?,
    };
    let account = match intended.document.account.clone() {
        Some(account) => account,
        None => connected.account().await?,
    };
    let left = limit(&mut intended.steps, args.limit);
    if left > 0 {
        eprintln!("{left} more are left by --limit");
    }
    if let Some(path) = &args.plan_out {
        plan_file(&intended, &account, world)?
            .write(path)
            .map_err(|error| match error {
                PlanFileError::Taken { .. } => Problem::Usage(chain(&error)),
                _ => Problem::Failed(chain(&error)),
            })?;
        show(&args, &intended, world)?;
        eprintln!(
            "the plan is in {}; do it with: imdsctl enforce --plan {}{}",
            path.display(),
            quoted(path),
            connection.words()
        );
        return Ok(scan::exit(&intended.document));
    }
    if args.act.dry_run {
        if args.output.format == Format::Table {
            show(&args, &intended, world)?;
        } else {
            files::tell(&args.output, &intended.document, world)?;
        }
        return Ok(scan::exit(&intended.document));
    }
    if intended.steps.is_empty() {
        files::tell(&args.output, &intended.document, world)?;
        eprintln!("nothing to do");
        return Ok(scan::exit(&intended.document));
    }
    if !args.act.yes {
        show(&args, &intended, world)?;
        if !terminal::agreed(&question(&args, &intended.steps, &account))? {
            eprintln!("nothing was changed");
            return Ok(scan::exit(&intended.document));
        }
    }
    let journal = journal(&args.act, Act::Enforce, &account, world)?;
    eprintln!("journal: {}", journal.path().display());
    let done = act::act(&connected, intended, &args, &journal, world, &progress).await?;
    // Where the one fails, the other is told all the same.
    let told = files::tell(&args.output, &done.document, world);
    tell::afterwards(&done, journal.path(), connection);
    journal
        .close(done.how())
        .map_err(|error| Problem::Failed(chain(&error)))?;
    told?;
    Ok(done.exit())
}

async fn see(
    connected: &Connected,
    args: &args::Enforce,
    world: &World,
    progress: &Arc<Progress>,
) -> Result<Intended, Problem> {
    let chosen = scan::policy(&args.required)?;
    let mut policy = chosen.policy.clone();
    if args.unused_only.is_some() {
        // Whatever the policy lets the function do.
        policy.existing.in_use = Action::Report;
        policy.existing.unknown = Action::Report;
    }
    let wishes = Wishes {
        regions: args.regions.clone(),
        instances: args.instances.clone(),
        policy,
        only_violations: false,
        usage_days: args.unused_only,
        unused_only: args.unused_only.is_some(),
        templates: false,
        defaults: false,
        user_data: false,
        keep_steps: true,
        now: (world.now)(),
    };
    let mut fleet = fleet::look(connected, wishes, progress).await?;
    fleet.document.trigger = "enforce";
    Ok(Intended {
        document: fleet.document,
        steps: fleet.steps,
        chosen,
    })
}

/// A new journal, in the file that was asked for or the platform's state folder.
pub(crate) fn journal(
    act: &args::Act,
    what: Act,
    account: &str,
    world: &World,
) -> Result<Writer, Problem> {
    let create = || {
        let place = match &act.journal {
            Some(path) => Place::File(path.clone()),
            None => Place::standard()?,
        };
        let header = Header {
            act: what,
            account: account.to_owned(),
            started_at: (world.now)(),
        };
        Writer::create(&place, header, world.now)
    };
    create().map_err(|error| Problem::Usage(chain(&error)))
}

fn limit(steps: &mut Vec<Step>, limit: Option<u32>) -> usize {
    let most = limit.map_or(usize::MAX, |most| {
        usize::try_from(most).unwrap_or(usize::MAX)
    });
    let left = steps.len().saturating_sub(most);
    steps.truncate(most);
    left
}

fn plan_file(intended: &Intended, account: &str, world: &World) -> Result<PlanFile, Problem> {
    let entries = intended
        .steps
        .iter()
        .filter_map(|Step { instance, decision }| {
            let imds_core::decide::Decision::Wrong(wrong) = decision else {
                return None;
            };
            Some(Entry {
                region: instance.region.clone(),
                instance_id: instance.id.clone(),
                before: instance.options,
                set: *wrong.change.set(),
                reason: decision.to_string(),
            })
        });
    let policy = serde_json::from_str(&intended.chosen.text)
        .map_err(|error| Problem::Failed(format!("could not write the policy: {error}")))?;
    let at = (world.now)();
    Ok(PlanFile::new(account, at, policy, entries.collect()))
}

/// What is to be done: on standard output where that is for people, else on standard error.
fn show(args: &args::Enforce, intended: &Intended, world: &World) -> Result<(), Problem> {
    let people = args.output.format == Format::Table && args.output.output.is_none();
    let plan = tell::plan(&intended.document, &intended.steps);
    let style = terminal::style(world.var, !people);
    if people {
        files::print(|out| output::write(Format::Table, &plan, &style, out))
    } else {
        output::write(Format::Table, &plan, &style, &mut std::io::stderr().lock())
            .map_err(Problem::Print)
    }
}

fn question(args: &args::Enforce, steps: &[Step], account: &str) -> String {
    let mut regions: BTreeMap<&str, usize> = BTreeMap::new();
    for step in steps {
        *regions.entry(&step.instance.region).or_default() += 1;
    }
    let usage = if args.unused_only.is_some() || args.plan.is_some() {
        ""
    } else {
        "Whether software there still uses IMDSv1 was not asked; `--unused-only` asks, and `imdsctl usage` shows it.\n"
    };
    format!(
        "{usage}Set the metadata options of {} instances in {} of account {account}?",
        steps.len(),
        regions
            .iter()
            .map(|(region, n)| format!("{region} ({n})"))
            .collect::<Vec<_>>()
            .join(", ")
    )
}
