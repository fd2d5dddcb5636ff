//! `imdsctl enforce`: scans, shows the plan, asks, applies it, and waits until EC2 has applied it.

mod act;
mod canary;
mod intended;
mod messages;
mod planned;
mod watched;

use imds_core::chain::chain;
use imds_core::plan::Step;
use imds_engine::{Include, Keep, ScanOptions};
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
    files::targets(&args.output)?;
    if !(args.act.yes || args.act.dry_run || args.plan_out.is_some()) {
        terminal::can_ask()?;
    }
    let connected = connect(connection, &args.regions.only, environment.var).await?;
    let mut intended = match &args.plan {
        Some(path) => {
            let asked = (&args, args.scope(connection));
            planned::read(&connected, path, asked, environment).await?
        }
        None => observe(&connected, &args, (connection, environment)).await?,
    };
    let held = (&mut intended.document, &mut intended.plan);
    state_table::honour(connection, &connected, environment, held).await?;
    let account = match intended.document.account.clone() {
        Some(account) => account,
        None => connected.account().await?,
    };
    let table = state_table::named(connection, &connected, environment)?;
    let (regions, now) = (args.regions.selection(), environment.now);
    watched::hold(&connected, &regions, table, &mut intended, now).await?;
    let left = limit(&mut intended, args.limit);
    if left > 0 {
        let left = count(left, "instance");
        terminal::say(format!("{left} not in the plan because of --limit"));
    }
    messages::warn_of_starts(&intended);
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
        if args.output.is_for_people() {
            show(&args, &intended, environment)?;
        } else {
            files::report(&args.output, &intended.document, environment)?;
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
        terminal::say(messages::nothing_planned(&intended.document));
        return Ok(intended.document.exit());
    }
    if args.act.yes {
        messages::refuse_unasked(&intended, (environment.now)())?;
    } else {
        show(args, &intended, environment)?;
        let question = messages::question(&intended, account, (environment.now)());
        if !connected.agreed(&question)? {
            terminal::say("nothing was changed");
            return Ok(intended.document.exit());
        }
    }
    let journal = new_journal(&args.act, RecordedCommand::Enforce, connected, environment).await?;
    terminal::say(format!("journal: {}", journal.path().display()));
    let mut done = act::act(connected, intended, args, &journal, environment).await?;
    done.document.journal = Some(journal.path().to_string_lossy().into_owned());
    // If one fails, the other is still reported.
    let changed = done.document.clone().only_non_compliant();
    // A table shows only the instances that were changed or failed.
    let document = |format| match format {
        Format::Table => &changed,
        _ => &done.document,
    };
    let reported = files::report_by_format(&args.output, document, environment);
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
    let basis = args.usage_basis(&chosen.policy);
    let options = ScanOptions {
        regions: args.regions.selection(),
        instances: args.instances.filter(),
        policy: chosen.policy.clone(),
        keep: Keep::Plan(basis.gate()),
        usage_days: basis.days(),
        include: Include {
            user_data: args.user_data,
            ..Include::default()
        },
        now: (environment.now)(),
    };
    let scope = (args.scope(connection), chosen.identity());
    let (document, plan) = fleet::scan(connected, options, CommandTrigger::Enforce, scope).await?;
    Ok(Intended {
        document,
        plan,
        chosen,
        basis,
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
    intended.document.leave(&left, "by `--limit`");
    left.len()
}

fn plan_file(
    intended: &Intended,
    account: &str,
    environment: &Environment,
) -> Result<PlanFile, Problem> {
    let changes = intended.plan.steps.iter().filter_map(planned_change);
    let policy = serde_json::from_str(&intended.chosen.text)
        .map_err(|error| Problem::Failed(format!("could not write the policy: {error}")))?;
    let at = (environment.now)();
    let basis = (intended.basis, intended.document.user_data);
    Ok(PlanFile::new(account, at, policy, basis, changes.collect()))
}

fn planned_change(step: &Step) -> Option<PlannedChange> {
    let (instance, non_compliant) = (&step.instance, step.non_compliant()?);
    let change = non_compliant.change;
    let transitions = change.from_to(&instance.options);
    Some(PlannedChange {
        region: instance.region.clone(),
        instance_id: instance.id.clone(),
        name: instance.tags.get("Name").cloned(),
        tags: instance.tags.clone(),
        launch_template: instance.launch_template(),
        auto_scaling_group: instance.auto_scaling_group().map(str::to_owned),
        first_launched_at: non_compliant.first_launched_at,
        usage: non_compliant.usage.clone(),
        before: instance.options,
        set: *change.set(),
        reason: format!("{transitions}: {}", step.decision),
    })
}

/// Shows the plan on standard output, or on standard error if standard output is read by a program.
fn show(
    args: &args::EnforceArgs,
    intended: &Intended,
    environment: &Environment,
) -> Result<(), Problem> {
    let people = args.output.is_for_people();
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
