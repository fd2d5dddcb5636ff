//! The items that people write into the state table, as the commands show, write and delete them.

use imds_aws::StateTable;
use imds_core::plain::Plain;
use imds_core::state::{Entry, EntryKind, Exemption, Item, Key, Pause};
use imds_engine::write_entries;
use jiff::Timestamp;
use serde::Serialize;

use super::{files, state_table};
use crate::args::{Connection, PlainOutput, Write};
use crate::connect::{Connected, connect};
use crate::environment::Environment;
use crate::error::{Exit, Problem};
use crate::output::{Message, json};
use crate::terminal;

/// The rows of a command about the state table.
#[derive(Debug, Serialize)]
pub(super) struct EntriesOutput {
    trigger: &'static str,
    state_table: String,
    entries: Vec<EntryRow>,
}

/// An item, and what became of it.
#[derive(Debug, Serialize)]
struct EntryRow {
    #[serde(skip_serializing_if = "Option::is_none")]
    instance_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    /// Of a pause; `None`: of all.
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    outcome: EntryOutcome,
    until: Option<Timestamp>,
    reason: Option<String>,
    by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// The item in words.
    #[serde(skip)]
    words: String,
}

/// What became of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum EntryOutcome {
    /// It holds.
    Holds,
    /// It was written, and holds.
    Written,
    /// It was deleted.
    Removed,
    /// There was none.
    Absent,
    /// It was not written or deleted.
    Failed,
}

/// A table, and how a command uses it.
#[derive(Debug)]
pub(super) struct Entries {
    pub(super) connected: Connected,
    pub(super) table: StateTable,
    pub(super) now: Timestamp,
    trigger: &'static str,
    kind: EntryKind,
}

impl Entries {
    /// Connects to the table of a command; `write` is how it changes the table, if it does.
    pub(super) async fn open(
        connection: &Connection,
        write: Option<&Write>,
        (trigger, kind): (&'static str, EntryKind),
        environment: &Environment,
    ) -> Result<Self, Problem> {
        if write.is_some_and(|it| !it.yes) {
            terminal::can_ask()?;
        }
        let connected = connect(connection, &[], environment.var).await?;
        let table = state_table::required(connection, &connected, environment)?;
        Ok(Entries {
            connected,
            table,
            now: (environment.now)(),
            trigger,
            kind,
        })
    }

    /// Asks before the table is changed, unless the arguments agreed.
    pub(super) fn is_agreed(&self, write: &Write, question: &str) -> Result<bool, Problem> {
        let agreed = write.yes || self.connected.agreed(question)?;
        if !agreed {
            terminal::say("nothing was changed");
        }
        Ok(agreed)
    }

    /// Shows the items that hold.
    pub(super) async fn list(&self, output: &PlainOutput) -> Result<Exit, Problem> {
        let found = self.connected.client.entries(&self.table, self.kind).await;
        let failed = |source| Problem::state_table("list", &self.table, "dynamodb:Scan", source);
        let mut found = found.map_err(failed)?;
        found.sort_by(|(a, _), (b, _)| a.cmp(b));
        let rows = found.iter().filter_map(|(key, item)| {
            let words = self.words(key, item)?;
            Some(row(key, EntryOutcome::Holds, Some(item), words))
        });
        self.print(rows.collect(), output)
    }

    /// Says what the items that hold now say, and that they are replaced.
    pub(super) async fn warn_replaced(&self, keys: &[Key]) -> Result<(), Problem> {
        let found = self.connected.client.get_items(&self.table, keys).await;
        let found = found.map_err(state_table::reading(&self.table))?;
        for (key, item) in &found {
            if let Some(words) = self.words(key, item) {
                let note = format!("note: {} is {words}; this is replaced", subject(key));
                terminal::say(Message(&note));
            }
        }
        Ok(())
    }

    /// Writes the same entry under each key.
    pub(super) async fn write(
        &self,
        keys: &[Key],
        entry: &Entry,
        output: &PlainOutput,
    ) -> Result<Exit, Problem> {
        let written = write_entries(&self.connected.client, &self.table, keys, entry).await;
        let item = entry.item();
        let rows = keys
            .iter()
            .zip(written)
            .map(|(key, written)| match written {
                Ok(()) => {
                    let words = self.words(key, &item).unwrap_or_default();
                    row(key, EntryOutcome::Written, Some(&item), words)
                }
                Err(error) => failed(key, error),
            });
        self.print(rows.collect(), output)
    }

    /// Deletes the items.
    pub(super) async fn remove(&self, keys: &[Key], output: &PlainOutput) -> Result<Exit, Problem> {
        let client = &self.connected.client;
        let mut rows = Vec::new();
        for key in keys {
            rows.push(match client.delete_item(&self.table, key).await {
                Ok(Some(item)) => {
                    let was = self.words(key, &item);
                    let was =
                        was.map_or_else(|| "already over".to_owned(), |it| format!("was {it}"));
                    row(
                        key,
                        EntryOutcome::Removed,
                        Some(&item),
                        format!("removed; {was}"),
                    )
                }
                Ok(None) => row(key, EntryOutcome::Absent, None, "had none".to_owned()),
                Err(error) => failed(key, error.cause()),
            });
        }
        self.print(rows, output)
    }

    /// The item in the words of reports; `None`: it has ended.
    fn words(&self, key: &Key, item: &Item) -> Option<String> {
        match self.kind {
            EntryKind::Exemption => Exemption::read(key, item, self.now).map(|it| it.to_string()),
            EntryKind::Pause => Pause::read(key, item, self.now).map(|it| it.to_string()),
        }
    }

    fn print(&self, entries: Vec<EntryRow>, output: &PlainOutput) -> Result<Exit, Problem> {
        let is_failed = entries.iter().any(|it| it.outcome == EntryOutcome::Failed);
        let document = EntriesOutput {
            trigger: self.trigger,
            state_table: self.table.to_string(),
            entries,
        };
        match output.json {
            true => files::print(|out| json::write(&document, out))?,
            false => files::print_text(&document.lines())?,
        }
        if document.entries.is_empty() {
            terminal::say(format!("none in the state table {}", self.table));
        }
        Ok(match is_failed {
            true => Exit::Failed,
            false => Exit::Fine,
        })
    }
}

impl EntriesOutput {
    fn lines(&self) -> String {
        let line = |row: &EntryRow| {
            let line = format!("{} {}", row.subject(), row.words);
            format!("{}\n", Message(&line))
        };
        self.entries.iter().map(line).collect()
    }
}

impl EntryRow {
    fn subject(&self) -> String {
        match (&self.instance_id, &self.account, &self.region) {
            (Some(id), ..) => id.clone(),
            (None, Some(account), Some(region)) => format!("{region} of account {account}"),
            (None, account, _) => format!("account {}", account.as_deref().unwrap_or_default()),
        }
    }
}

/// What an item is about.
fn subject(key: &Key) -> String {
    row(key, EntryOutcome::Holds, None, String::new()).subject()
}

fn failed(key: &Key, error: String) -> EntryRow {
    let words = format!("failed: {}", Plain(&error));
    EntryRow {
        error: Some(error),
        ..row(key, EntryOutcome::Failed, None, words)
    }
}

fn row(key: &Key, outcome: EntryOutcome, item: Option<&Item>, words: String) -> EntryRow {
    let read = item.map(|item| Entry::read(key, item)).transpose();
    let (entry, error) = match read {
        Ok(entry) => (entry, None),
        Err(error) => (None, Some(error.to_string())),
    };
    let (account, region) = match key.paused() {
        Some((account, region)) => (Some(account.to_owned()), region.map(str::to_owned)),
        None => (None, None),
    };
    EntryRow {
        instance_id: key.exempt_instance().map(str::to_owned),
        account,
        region,
        outcome,
        until: entry.as_ref().map(|it| it.until),
        reason: entry.as_ref().and_then(|it| it.reason.clone()),
        by: entry.and_then(|it| it.by),
        error,
        words,
    }
}
