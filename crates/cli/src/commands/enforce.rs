//! `imdsctl enforce`: scans, shows the plan, asks, applies it, and waits until EC2 has applied it.

mod act;
mod intended;
mod messages;
mod planned;

use std::collections::{BTreeMap, HashSet};

use imds_core::chain::chain;
use imds_core::instance::InstanceId;
use imds_core::plan::Step;
use imds_core::policy::Action;
use imds_engine::{Include, Keep, ScanDecision, ScanOptions};
use intended::Intended;

use super::chosen_policy;
use super::files;
use super::fleet;
use super::journals::new_journal;
use super::state_table;
use crate::args::{self, Connection};
use crate::connect::{Connected, connect};
use crate::document::CommandTrigger;
use crate::environment::Environment;
use crate::error::{Exit, Problem};
use crate::journal::RecordedCommand;
use crate::output::{self, Format, count};
use crate::plan_file::{PlanFile, PlanFileError, PlannedChange};
use crate::quote::quoted;
use crate::terminal::{self, Destination};

pub(crate) async fn enforce(
    connection: &Connection,
    args: args::EnforceArgs,
    environment: &Environment,
) -> Result<Exit, Problem> {
    if !(args.act.yes || args.act.dry_run || args.plan_out.is_some()) {
        terminal::can_ask()?;
    }
    let connected = connect(connection, &args.regions.only, environment.var).await?;
    let mut intended = match &args.plan {
        Some(path) => planned::read(&connected, path, args.scope(connection), environment).await?,
        None => observe(&connected, &args, (connection, environment)).await?,
    };
    let held = (&mut intended.document, &mut intended.plan);
    state_table::honour(connection, &connected, environment, held).await?;
    let account = match intended.document.account.clone() {
        Some(account) => account,
        None => connected.account().await?,
    };
    let left = limit(&mut intended, args.limit);
    if left > 0 {
        let left = count(left, "instance");
        terminal::say(format!("{left} not in the plan because of --limit"));
    }
    if let Some(path) = &args.plan_out {
        plan_file(&intended, &account, environment)?
            .write(path)
            .map_err(|error| match error {
                PlanFileError::Taken { .. } => Problem::Usage(chain(&error)),
                _ => Problem::Failed(chain(&error)),
            })?;
        show(&args, &intended, environment)?;
        terminal::say(format!("the plan is in {}", path.display()));
        let (path, connection) = (quoted(path), connection.words());
        let apply = format!("imdsctl enforce --plan {path}{connection}");
        terminal::offer("apply it with:", &apply);
        return Ok(intended.document.exit());
    }
    if args.act.dry_run {
        match args.output.format {
            Format::Table => show(&args, &intended, environment)?,
            Format::Json | Format::Csv | Format::Html => {
                files::report(&args.output, &intended.document, environment)?;
            }
        }
        return Ok(intended.document.exit());
    }
    apply(
        &connected,
        intended,
        &args,
        &account,
        (connection, environment),
    )
    .await
}

/// Asks, applies the plan and reports.
async fn apply(
    connected: &Connected,
    intended: Intended,
    args: &args::EnforceArgs,
    account: &str,
    (connection, environment): (&Connection, &Environment),
) -> Result<Exit, Problem> {
    if intended.plan.steps.is_empty() {
        files::report(&args.output, &intended.document, environment)?;
        terminal::say("nothing to do");
        return Ok(intended.document.exit());
    }
    if !args.act.yes {
        show(args, &intended, environment)?;
        if !connected.agreed(&question(args, &intended.plan.steps, account))? {
            terminal::say("nothing was changed");
            return Ok(intended.document.exit());
        }
    }
    let journal = new_journal(&args.act, RecordedCommand::Enforce, connected, environment).await?;
    terminal::say(format!("journal: {}", journal.path().display()));
    let mut done = act::act(connected, intended, args, &journal, environment).await?;
    done.document.journal = Some(journal.path().to_string_lossy().into_owned());
    // If one fails, the other is still reported.
    let reported = files::report(&args.output, &done.document, environment);
    messages::afterwards(&done, journal.path(), connection);
    journal
        .close(done.ending)
        .map_err(|error| Problem::Failed(chain(&error)))?;
    reported?;
    Ok(done.exit())
}

async fn observe(
    connected: &Connected,
    args: &args::EnforceArgs,
    (connection, environment): (&Connection, &Environment),
) -> Result<Intended, Problem> {
    let chosen = chosen_policy::read(&args.required)?;
    let mut policy = chosen.policy.clone();
    let mut keep = Keep::Plan;
    if args.unused_only.is_some() {
        keep = Keep::PlanOfUnused;
        // The command enforces regardless of the action that the policy allows the function.
        policy.existing.in_use = Action::Report;
        policy.existing.unknown = Action::Report;
    }
    let options = ScanOptions {
        regions: args.regions.selection(),
        instances: args.instances.filter(),
        policy,
        keep,
        usage_days: args.unused_only,
        include: Include::default(),
        now: (environment.now)(),
    };
    let scope = (args.scope(connection), chosen.identity());
    let (document, plan) = fleet::scan(connected, options, CommandTrigger::Enforce, scope).await?;
    Ok(Intended {
        document,
        plan,
        chosen,
    })
}

/// Removes the instances beyond the limit from the plan and reports them as left unchanged; returns how
/// many.
fn limit(intended: &mut Intended, limit: Option<u32>) -> usize {
    let most = limit.map_or(usize::MAX, |most| {
        usize::try_from(most).unwrap_or(usize::MAX)
    });
    let steps = &mut intended.plan.steps;
    let left = steps.split_off(most.min(steps.len()));
    let ids: HashSet<&InstanceId> = left.iter().map(|step| &step.instance.id).collect();
    for instance in &mut intended.document.instances {
        if ids.contains(&instance.report.instance_id) {
            instance.decision = ScanDecision::Report;
            instance
                .report
                .reason
                .push_str("; left as it is by `--limit`");
        }
    }
    left.len()
}

fn plan_file(
    intended: &Intended,
    account: &str,
    environment: &Environment,
) -> Result<PlanFile, Problem> {
    let changes = intended.plan.steps.iter().filter_map(|step| {
        Some(PlannedChange {
            region: step.instance.region.clone(),
            instance_id: step.instance.id.clone(),
            before: step.instance.options,
            set: *step.non_compliant()?.change.set(),
            reason: step.decision.to_string(),
        })
    });
    let policy = serde_json::from_str(&intended.chosen.text)
        .map_err(|error| Problem::Failed(format!("could not write the policy: {error}")))?;
    let at = (environment.now)();
    Ok(PlanFile::new(account, at, policy, changes.collect()))
}

/// Shows the plan on standard output, or on standard error if standard output is read by a program.
fn show(
    args: &args::EnforceArgs,
    intended: &Intended,
    environment: &Environment,
) -> Result<(), Problem> {
    let people = args.output.format == Format::Table && args.output.output.is_none();
    let plan = messages::plan(&intended.document, &intended.plan);
    let destination = if people {
        Destination::StandardOutput
    } else {
        Destination::Elsewhere
    };
    let style = terminal::style(environment.var, destination);
    if people {
        files::print(|out| output::write(Format::Table, &plan, &style, out))
    } else {
        output::write(Format::Table, &plan, &style, &mut std::io::stderr().lock())
            .map_err(Problem::Print)
    }
}

fn question(args: &args::EnforceArgs, steps: &[Step], account: &str) -> String {
    let mut regions: BTreeMap<&str, usize> = BTreeMap::new();
    for step in steps {
        *regions.entry(&step.instance.region).or_default() += 1;
    }
    let usage = if args.unused_only.is_some() || args.plan.is_some() {
        ""
    } else {
        "This does not check whether software there still uses IMDSv1: `--unused-only` does, and `imdsctl usage` shows it.\n"
    };
    format!(
        "{usage}Set the metadata options of {} in {} in account {account}?",
        count(steps.len(), "instance"),
        regions
            .iter()
            .map(|(region, n)| format!("{region} ({n})"))
            .collect::<Vec<_>>()
            .join(", ")
    )
}
