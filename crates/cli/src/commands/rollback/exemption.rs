//! The exemption of what is rolled back, before it is.

use std::collections::BTreeSet;

use imds_aws::{Client, StateTable};
use imds_core::instance::InstanceId;
use imds_core::rollback::{Leave, RollbackOutcome, RollbackPlan, RollbackReport};
use imds_core::state::{Entry, Exemption, Key};
use imds_engine::write_entries;
use jiff::SignedDuration;

use crate::args::{Connection, RollbackArgs};
use crate::commands::state_table;
use crate::connect::Connected;
use crate::environment::Environment;
use crate::error::Problem;
use crate::output::count;
use crate::terminal;

/// An exemption to write first.
#[derive(Debug)]
pub(super) struct FirstExempt {
    table: StateTable,
    ids: Vec<InstanceId>,
    pub(super) entry: Entry,
}

/// Decides whether the instances are exempted first, and for how long; asks where the arguments do not say so.
pub(super) async fn choose(
    (connection, args): (&Connection, &RollbackArgs),
    plan: &RollbackPlan,
    connected: &Connected,
    environment: &Environment,
) -> Result<Option<FirstExempt>, Problem> {
    let table = state_table::named(connection, connected, environment)?;
    let ids = plan.reopened();
    if ids.is_empty() || args.no_exempt {
        return Ok(None);
    }
    let n = count(ids.len(), "instance");
    let Some(table) = table else {
        if args.exempt_days.is_some() {
            return Err(Problem::NoStateTable);
        }
        terminal::say(format!(
            "note: {n} cannot be exempted first, because no state table is named with `--state-table`; a function that runs in this account enforces the policy again within seconds"
        ));
        return Ok(None);
    };
    let days = match args.exempt_days {
        Some(days) => days,
        None if args.act.dry_run => {
            terminal::say(format!(
                "note: {n} would be exempted first in the state table {table}, for as long as `--exempt-days` or an answer says"
            ));
            return Ok(None);
        }
        None if args.act.yes => {
            return Err(Problem::Usage(format!(
                "the function would enforce {n} again within seconds: exempt with `--exempt-days N`, or add `--no-exempt`"
            )));
        }
        None => match connected.asked(|| ask(args, &n, &table))? {
            0 => return Ok(None),
            days => days,
        },
    };
    let by = connected.identity().await?.arn;
    let time = SignedDuration::from_hours(24 * i64::from(days));
    let reason = "rolled back with imdsctl".to_owned();
    let entry = Entry::lasting(time, reason, by, (environment.now)());
    if args.act.dry_run {
        let until = entry.until;
        terminal::say(format!(
            "note: {n} would be exempted first until {until} in the state table {table}"
        ));
        return Ok(None);
    }
    Ok(Some(FirstExempt { table, ids, entry }))
}

fn ask(args: &RollbackArgs, n: &str, table: &StateTable) -> Result<u16, Problem> {
    let prompt = format!(
        "The function would enforce {n} again within seconds. Exempt for how many days in the state table {table}, 1 to 3650, or 0 for no exemption:"
    );
    let answer = args.answers().answer(&prompt)?;
    let days = answer.parse().ok().filter(|days| *days <= 3650);
    days.ok_or_else(|| Problem::Usage(format!("`{answer}`: expected a number of days, 0 to 3650")))
}

impl FirstExempt {
    /// Writes the exemption of each instance and reads it back; one that holds for longer is kept. What could
    /// not be exempted is left as it is.
    pub(super) async fn write(&self, client: &Client, plan: &mut RollbackPlan) {
        let keys: Vec<Key> = self.ids.iter().map(Key::exemption).collect();
        let found = match client.get_items(&self.table, &keys).await {
            Ok(found) => found,
            Err(error) => {
                for id in &self.ids {
                    plan.leave(id, &Leave::NotExempt(error.cause()));
                }
                return;
            }
        };
        let until = self.entry.until;
        let holds = |key: &Key| {
            let held = found.get(key).map(|item| Exemption::read(key, item, until));
            // At the end of the new one, it still holds or cannot be read.
            held.flatten().is_some()
        };
        let open: Vec<(&InstanceId, Key)> = self.ids.iter().zip(keys).collect();
        let open: Vec<_> = open.into_iter().filter(|(_, key)| !holds(key)).collect();
        let keys: Vec<Key> = open.iter().map(|(_, key)| key.clone()).collect();
        let written = write_entries(client, &self.table, &keys, &self.entry).await;
        for ((id, _), written) in open.iter().zip(written) {
            if let Err(why) = written {
                plan.leave(id, &Leave::NotExempt(why));
            }
        }
    }

    /// Says which instances are exempt although they were not restored.
    pub(super) fn name_leftovers(&self, report: &RollbackReport, connection: &Connection) {
        let exempt: BTreeSet<&InstanceId> = self.ids.iter().collect();
        let rows = report.instances.iter();
        let rows = rows.filter(|row| row.outcome != RollbackOutcome::Restored);
        let left = rows.map(|row| &row.key.id).filter(|id| exempt.contains(id));
        let left: Vec<&str> = left.map(InstanceId::as_str).collect();
        if !left.is_empty() {
            let (ids, connection) = (left.join(" "), connection.words());
            let command = format!("imdsctl exempt remove {ids}{connection}");
            terminal::say("some are not restored, and exempt if their exemptions were written");
            terminal::offer("end them with:", &command);
        }
    }
}
