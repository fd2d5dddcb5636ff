//! `imdsctl pause`: pauses of the account and its regions in the state table.

use std::collections::BTreeSet;

use imds_core::state::{Entry, EntryKind, Key};
use jiff::SignedDuration;

use super::entries::Entries;
use crate::args::{Connection, PauseArgs, PauseOf, PausedRegions};
use crate::environment::Environment;
use crate::error::{Exit, Problem};
use crate::terminal;

pub(crate) async fn pause(
    connection: &Connection,
    args: PauseArgs,
    environment: &Environment,
) -> Result<Exit, Problem> {
    let write = match &args.of {
        Some(_) if args.is_given() => return Err(Problem::without_effect("list` or `resume")),
        Some(PauseOf::List { .. }) => None,
        Some(PauseOf::Resume { write, .. }) => Some(write),
        None => Some(&args.write),
    };
    let what = ("pause", EntryKind::Pause);
    let entries = Entries::open(connection, write, what, environment).await?;
    let (connected, table) = (&entries.connected, &entries.table);
    match (args.of, args.hours, args.reason) {
        (Some(PauseOf::List { output }), ..) => entries.list(&output).await,
        (
            Some(PauseOf::Resume {
                regions,
                write,
                output,
            }),
            ..,
        ) => {
            let account = connected.account().await?;
            let what = regions.words(&account);
            let question = format!("End the pause of {what} in the state table {table}?");
            if !entries.is_agreed(&write, &question)? {
                return Ok(Exit::Violations);
            }
            entries.remove(&regions.keys(&account), &output).await
        }
        (None, Some(hours), Some(reason)) => {
            let by = connected.identity().await?;
            let hours = SignedDuration::from_hours(i64::from(hours));
            let entry = Entry::lasting(hours, reason, by.arn, entries.now);
            let keys = args.regions.keys(&by.account);
            entries.warn_replaced(&keys).await?;
            let (what, until) = (args.regions.words(&by.account), entry.until);
            let question = format!(
                "Pause {what} until {until} in the state table {table}, so that the function only reports?"
            );
            if !entries.is_agreed(&args.write, &question)? {
                return Ok(Exit::Violations);
            }
            terminal::say("the options of new launches are still enforced");
            entries.write(&keys, &entry, &args.output).await
        }
        // The arguments require both.
        (None, ..) => Ok(Exit::Fine),
    }
}

impl PausedRegions {
    /// One pause for each region, each once, or that of the account.
    fn keys(&self, account: &str) -> Vec<Key> {
        if self.only.is_empty() {
            return vec![Key::pause(account, None)];
        }
        let regions: BTreeSet<&String> = self.only.iter().collect();
        let regions = regions.into_iter();
        regions.map(|it| Key::pause(account, Some(it))).collect()
    }

    fn words(&self, account: &str) -> String {
        match self.only.as_slice() {
            [] => format!("account {account}"),
            only => format!("{} of account {account}", only.join(", ")),
        }
    }
}
