//! `imdsctl rollback`.

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
use crate::journal::{Journal, RecordedCommand, Writer};
use crate::output::{count, json};
use crate::progress::ProgressLine;
use crate::terminal;

pub(crate) async fn rollback(
    connection: &Connection,
    args: RollbackArgs,
    environment: &Environment,
) -> Result<Exit, Problem> {
    if !(args.act.yes || args.act.dry_run) {
        terminal::can_ask()?;
    }
    let from = Journal::read(&args.from).map_err(|error| Problem::Usage(chain(&error)))?;
    let changes = only(&from.changes, &args.ids)?;
    let connected = connect(connection, &first_region(&changes), environment.var).await?;
    let account = connected.account().await?;
    check_account(&from, &account)?;
    let if_changed = match args.force {
        true => IfChanged::Restore,
        false => IfChanged::Leave,
    };
    let mut plan = plan_rollback(&connected.client, &changes, if_changed).await;
    plan.notices.splice(0..0, from.notices());
    if plan.to_restore() == 0 {
        print_notices(&plan);
        return print(&plan.nothing_restored(account), &args, environment);
    }
    if !is_confirmed(&connected, &plan, &account, &args, environment)? {
        return Ok(Exit::Violations);
    }
    let writer = new_journal(&args.act, RecordedCommand::Rollback, &account, environment)?;
    let report = apply(&connected, &plan, &account, &writer).await?;
    // Where one fails, the other is still done.
    let printed = print(&report, &args, environment);
    if report.summary.restored > 0 {
        let again = rollback_command(writer.path(), connection);
        terminal::offer("roll back with:", &again);
    }
    end(writer, &connected)?;
    printed
}

fn check_account(from: &Journal, account: &str) -> Result<(), Problem> {
    let recorded = &from.header.account;
    if recorded == account {
        return Ok(());
    }
    Err(Problem::Usage(format!(
        "the journal is for account `{}`, and these credentials are for account `{account}`: choose a profile for the account of the journal with `--profile`",
        Plain(recorded)
    )))
}

fn print_notices(plan: &RollbackPlan) {
    for notice in &plan.notices {
        terminal::say(format!("note: {notice}"));
    }
}

/// Shows the plan where nobody agreed to it beforehand, and asks.
fn is_confirmed(
    connected: &Connected,
    plan: &RollbackPlan,
    account: &str,
    args: &RollbackArgs,
    environment: &Environment,
) -> Result<bool, Problem> {
    if args.act.yes && !args.act.dry_run {
        print_notices(plan);
        return Ok(true);
    }
    if args.output.json {
        terminal::say(plan.to_string().trim_end());
    } else {
        files::print_text(plan, environment)?;
    }
    if args.act.dry_run {
        return Ok(false);
    }
    let question = format!(
        "Roll back {} in account {account}, so that IMDSv1 answers again where it did before?",
        count(plan.to_restore(), "change")
    );
    let agreed = connected.agreed(&question)?;
    if !agreed {
        terminal::say("nothing was changed");
    }
    Ok(agreed)
}

/// The recorded changes, or those of these instances, and of no account defaults.
fn only(changes: &RecordedChanges, ids: &[InstanceId]) -> Result<RecordedChanges, Problem> {
    if ids.is_empty() {
        return Ok(changes.clone());
    }
    let mut missing: BTreeSet<&str> = ids.iter().map(InstanceId::as_str).collect();
    let mut instances = changes.instances.clone();
    instances.retain(|record| ids.contains(&record.key.id));
    for record in &instances {
        missing.remove(record.key.id.as_str());
    }
    if !missing.is_empty() {
        let missing: Vec<&str> = missing.into_iter().collect();
        return Err(Problem::Usage(format!(
            "these instances of `--instance` are not in the journal: {}",
            Plain(&missing.join(", "))
        )));
    }
    Ok(RecordedChanges {
        instances,
        defaults: Vec::new(),
    })
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

fn print(
    report: &RollbackReport,
    args: &RollbackArgs,
    environment: &Environment,
) -> Result<Exit, Problem> {
    match args.output.json {
        true => files::print(|out| json::write(report, out))?,
        false => files::print_text(&lines(report), environment)?,
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
