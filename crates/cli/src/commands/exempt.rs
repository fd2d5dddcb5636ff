//! `imdsctl exempt`: exemptions of instances in the state table.

use std::collections::BTreeSet;

use imds_core::instance::InstanceId;
use imds_core::state::{Entry, EntryKind, Key};
use jiff::SignedDuration;

use super::entries::Entries;
use crate::args::{Connection, ExemptArgs, ExemptOf};
use crate::environment::Environment;
use crate::error::{Exit, Problem};
use crate::output::count;

pub(crate) async fn exempt(
    connection: &Connection,
    args: ExemptArgs,
    environment: &Environment,
) -> Result<Exit, Problem> {
    let write = match &args.of {
        Some(_) if args.is_given() => return Err(Problem::without_effect("list` or `remove")),
        Some(ExemptOf::List { .. }) => None,
        Some(ExemptOf::Remove { write, .. }) => Some(write),
        None => Some(&args.write),
    };
    let what = ("exempt", EntryKind::Exemption);
    let entries = Entries::open(connection, write, what, environment).await?;
    let (connected, table) = (&entries.connected, &entries.table);
    match (args.of, args.days, args.reason) {
        (Some(ExemptOf::List { output }), ..) => entries.list(&output).await,
        (Some(ExemptOf::Remove { ids, write, output }), ..) => {
            let n = count(ids.len(), "instance");
            let question = format!("End the exemption of {n} in the state table {table}?");
            if !entries.is_agreed(&write, &question)? {
                return Ok(Exit::Violations);
            }
            entries.remove(&keys(&ids), &output).await
        }
        (None, Some(days), Some(reason)) => {
            let by = connected.identity().await?.arn;
            let days = SignedDuration::from_hours(24 * i64::from(days));
            let entry = Entry::lasting(days, reason, by, entries.now);
            let keys = keys(&args.ids);
            entries.warn_replaced(&keys).await?;
            let (n, until) = (count(keys.len(), "instance"), entry.until);
            let question = format!(
                "Exempt {n} until {until} in the state table {table}, so that IMDSv1 may stay enabled there?"
            );
            if !entries.is_agreed(&args.write, &question)? {
                return Ok(Exit::Violations);
            }
            entries.write(&keys, &entry, &args.output).await
        }
        // The arguments require both.
        (None, ..) => Ok(Exit::Fine),
    }
}

/// Each once.
fn keys(ids: &[InstanceId]) -> Vec<Key> {
    let ids: BTreeSet<&InstanceId> = ids.iter().collect();
    ids.into_iter().map(Key::exemption).collect()
}
