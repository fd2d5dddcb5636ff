//! `imdsctl rollback`.

mod exemption;

use std::collections::BTreeSet;
use std::fmt;

use imds_core::chain::chain;
use imds_core::instance::InstanceId;
use imds_core::plain::Plain;
use imds_core::rollback::{IfChanged, RecordedChanges, RollbackPlan, RollbackReport, RollbackRow};
use imds_engine::{RollbackOptions, plan_rollback, roll_back};

use super::journals::{end, new_journal, rollback_command};
use super::{files, interrupt};
use crate::args::{Connection, RollbackArgs};
use crate::connect::{Connected, connect};
use crate::environment::Environment;
use crate::error::{Exit, Problem};
use crate::journal::{RecordedCommand, Writer};
use crate::output::{count, json};
use crate::progress::ProgressLine;
use crate::recorded::Recorded;
use crate::terminal;

pub(crate) async fn rollback(
    connection: &Connection,
    args: RollbackArgs,
    environment: &Environment,
) -> Result<Exit, Problem> {
    if !(args.act.yes || args.act.dry_run) {
        args.answers().can_ask()?;
    }
    let mut from = Recorded::read(&args.from).map_err(|error| Problem::Usage(chain(&error)))?;
    only(&mut from.changes, &args.ids)?;
    if from.changes == RecordedChanges::default() {
        let notices = from.notices.iter();
        notices.for_each(|notice| terminal::say(format!("note: {notice}")));
        terminal::say("nothing to roll back");
        return Ok(unreadable(&from, Exit::Fine));
    }
    let connected = connect(connection, &first_region(&from.changes), environment.var).await?;
    let account = connected.account().await?;
    check_account(&from, &account)?;
    let if_changed = match args.force {
        true => IfChanged::Restore,
        false => IfChanged::Leave,
    };
    let mut plan = plan_rollback(&connected.client, &from.changes, if_changed).await;
    plan.notices.splice(0..0, from.notices.clone());
    let exit = if plan.to_restore() == 0 {
        print_notices(&plan);
        print(&plan.nothing_restored(account), &args)?
    } else {
        let account = account.as_str();
        run(
            &connected,
            (connection, &args),
            (plan, account),
            environment,
        )
        .await?
    };
    Ok(unreadable(&from, exit))
}

/// Asks, exempts, restores and reports.
async fn run(
    connected: &Connected,
    (connection, args): (&Connection, &RollbackArgs),
    (mut plan, account): (RollbackPlan, &str),
    environment: &Environment,
) -> Result<Exit, Problem> {
    show(&plan, args)?;
    let first = exemption::choose((connection, args), &plan, connected, environment).await?;
    if !is_confirmed(connected, &plan, account, args)? {
        return Ok(Exit::Violations);
    }
    let act = RecordedCommand::Rollback;
    let writer = new_journal(&args.act, act, connected, environment).await?;
    if let Some(first) = &first {
        first.write(&connected.client, &mut plan).await;
    }
    let mut report = apply(connected, &plan, account, &writer).await?;
    report.exempt_until = first.as_ref().map(|first| first.entry.until);
    // Where one fails, the other is still done.
    let printed = print(&report, args);
    if let Some(first) = &first {
        first.name_leftovers(&report, connection);
    }
    if report.summary.restored > 0 {
        let again = rollback_command(writer.path(), connection);
        terminal::offer("roll back with:", &again);
    }
    end(writer, connected)?;
    printed
}

/// What could not be read may have to be rolled back too.
fn unreadable(from: &Recorded, exit: Exit) -> Exit {
    match from.damaged {
        0 => exit,
        _ => Exit::Failed,
    }
}

fn check_account(from: &Recorded, account: &str) -> Result<(), Problem> {
    let others = from.other_accounts(account);
    if others.is_empty() {
        return Ok(());
    }
    let others = others.into_iter().map(|other| match other {
        Some(other) => format!("account `{other}`"),
        None => "an account that is not named".to_owned(),
    });
    let others: Vec<String> = others.collect();
    Err(Problem::Usage(format!(
        "the records are of {}, and these credentials are for account `{account}`: choose a profile for the account of the records with `--profile`, or records of one account",
        Plain(&others.join(" and "))
    )))
}

fn print_notices(plan: &RollbackPlan) {
    for notice in &plan.notices {
        terminal::say(format!("note: {notice}"));
    }
}

/// Shows the plan, or what to know about it where nobody is asked.
fn show(plan: &RollbackPlan, args: &RollbackArgs) -> Result<(), Problem> {
    if args.act.yes && !args.act.dry_run {
        print_notices(plan);
        return Ok(());
    }
    if args.output.json {
        terminal::say(plan.to_string().trim_end());
        return Ok(());
    }
    files::print_text(plan)
}

/// Asks where nobody agreed beforehand.
fn is_confirmed(
    connected: &Connected,
    plan: &RollbackPlan,
    account: &str,
    args: &RollbackArgs,
) -> Result<bool, Problem> {
    if args.act.yes || args.act.dry_run {
        return Ok(!args.act.dry_run);
    }
    let question = format!(
        "Roll back {} in account {account}, so that IMDSv1 answers again where it did before?",
        count(plan.to_restore(), "change")
    );
    let agreed = connected.asked(|| args.answers().agreed(&question))?;
    if !agreed {
        terminal::say("nothing was changed");
    }
    Ok(agreed)
}

/// Leaves the recorded changes of these instances, and of no account defaults.
fn only(changes: &mut RecordedChanges, ids: &[InstanceId]) -> Result<(), Problem> {
    if ids.is_empty() {
        return Ok(());
    }
    let mut missing: BTreeSet<&str> = ids.iter().map(InstanceId::as_str).collect();
    changes.defaults.clear();
    changes
        .instances
        .retain(|record| ids.contains(&record.key.id));
    for record in &changes.instances {
        missing.remove(record.key.id.as_str());
    }
    if missing.is_empty() {
        return Ok(());
    }
    let missing: Vec<&str> = missing.into_iter().collect();
    Err(Problem::Usage(format!(
        "these instances of `--instance` are not in the journal or the reports: {}",
        Plain(&missing.join(", "))
    )))
}

/// Credentials of a partition are valid for its regions only.
fn first_region(changes: &RecordedChanges) -> Vec<String> {
    let instances = changes.instances.iter().map(|record| &record.key.region);
    let defaults = changes.defaults.iter().map(|record| &record.key.region);
    instances.chain(defaults).take(1).cloned().collect()
}

async fn apply(
    connected: &Connected,
    plan: &RollbackPlan,
    account: &str,
    writer: &Writer,
) -> Result<RollbackReport, Problem> {
    terminal::say(format!("journal: {}", writer.path().display()));
    let client = &connected.client;
    let progress = ProgressLine::new(client);
    interrupt::halts(client, &progress)?;
    let options = RollbackOptions {
        account,
        recorder: &|record| writer.record(record),
        on_progress: &progress.hear(),
    };
    let report = roll_back(client, plan, options).await;
    progress.end();
    let journal = writer.path().to_string_lossy().into_owned();
    Ok(RollbackReport {
        journal: Some(journal),
        ..report
    })
}

fn print(report: &RollbackReport, args: &RollbackArgs) -> Result<Exit, Problem> {
    match args.output.json {
        true => files::print(|out| json::write(report, out))?,
        false => files::print_text(&lines(report))?,
    }
    Ok(exit(report))
}

fn lines(report: &RollbackReport) -> String {
    fn row<K: fmt::Display, T>(row: &RollbackRow<K, T>) -> String {
        format!("{} {}: {}\n", row.key, row.outcome.as_str(), row.reason)
    }
    let defaults = report.defaults.iter().map(row);
    let instances = report.instances.iter().map(row);
    let rows: String = defaults.chain(instances).collect();
    format!("{rows}{}", report.summary)
}

fn exit(report: &RollbackReport) -> Exit {
    if report.summary.failed > 0 {
        Exit::Failed
    } else if report.summary.skipped > 0 {
        Exit::Violations
    } else {
        Exit::Fine
    }
}
