//! What a rollback rolls back: a journal, or reports of the function or of this command, as files and logs
//! have them.

mod entries;
mod values;

use std::collections::BTreeSet;
use std::fs::{File, TryLockError};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use imds_core::instance::InstanceId;
use imds_core::plain::Plain;
use imds_core::rollback::RecordedChanges;

use crate::journal::{Journal, ReadError};
use crate::output::count;
use crate::text;
use entries::{Found, ReportedAccounts};

/// The most names in a notice.
const MOST_NAMED: usize = 10;

/// Recorded changes.
#[derive(Debug)]
pub(crate) struct Recorded {
    /// What was changed.
    pub(crate) changes: RecordedChanges,
    /// Notices to show before it is rolled back.
    pub(crate) notices: Vec<String>,
    /// How many records could not be read.
    pub(crate) damaged: usize,
    accounts: Accounts,
}

/// The accounts that were changed.
#[derive(Debug)]
enum Accounts {
    /// That of a journal.
    One(String),
    /// Those of reports.
    Each(ReportedAccounts),
}

/// Why nothing can be rolled back.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordedError {
    /// The file cannot be read.
    #[error("could not read `{}`, a journal or reports", Plain(&path.to_string_lossy()))]
    Read { path: PathBuf, source: io::Error },
    /// It is a journal that cannot be used.
    #[error(transparent)]
    Journal(#[from] ReadError),
    /// It has neither.
    #[error(
        "`{}` is neither a journal of imdsctl nor has it a report{}",
        Plain(&path.to_string_lossy()),
        why(damaged)
    )]
    Nothing {
        path: PathBuf,
        /// What is wrong with its lines.
        damaged: Vec<String>,
    },
}

impl Recorded {
    /// Reads a file; `-` is standard input.
    pub(crate) fn read(path: &Path) -> Result<Self, RecordedError> {
        let failed = |source| RecordedError::Read {
            path: path.to_owned(),
            source,
        };
        let mut bytes = Vec::new();
        if path == Path::new("-") {
            io::stdin().lock().read_to_end(&mut bytes).map_err(failed)?;
        } else {
            let mut file = File::open(path).map_err(failed)?;
            // A journal that is being written is locked.
            if let Err(TryLockError::WouldBlock) = file.try_lock_shared() {
                let path = path.to_owned();
                return Err(ReadError::InUse { path }.into());
            }
            file.read_to_end(&mut bytes).map_err(failed)?;
        }
        if Journal::is_journal(&bytes) {
            return Ok(Journal::parse(path, &bytes)?.into());
        }
        let text = text::read(&*bytes).map_err(failed)?;
        if Journal::is_journal(text.as_bytes()) {
            return Ok(Journal::parse(path, text.as_bytes())?.into());
        }
        let found = entries::find(&text);
        if found.reports == 0 {
            return Err(RecordedError::Nothing {
                path: path.to_owned(),
                damaged: found.damaged,
            });
        }
        Ok(found.into())
    }

    /// The accounts other than this one of what is to be rolled back; `None`: a record names none.
    pub(crate) fn other_accounts(&self, own: &str) -> BTreeSet<Option<&str>> {
        let accounts: BTreeSet<Option<&str>> = match &self.accounts {
            Accounts::One(account) => BTreeSet::from([Some(account.as_str())]),
            Accounts::Each(accounts) => {
                let instances = self.changes.instances.iter();
                let instances = instances.filter_map(|it| accounts.instances.get(&it.key));
                let defaults = self.changes.defaults.iter();
                let defaults = defaults.filter_map(|it| accounts.defaults.get(&it.key.region));
                let changed = instances.chain(defaults).flatten();
                changed.map(Option::as_deref).collect()
            }
        };
        let others = accounts.into_iter().filter(|it| *it != Some(own));
        others.collect()
    }
}

impl From<Journal> for Recorded {
    fn from(journal: Journal) -> Self {
        Recorded {
            notices: journal.notices(),
            damaged: 0,
            accounts: Accounts::One(journal.header.account),
            changes: journal.changes,
        }
    }
}

impl From<Found> for Recorded {
    fn from(found: Found) -> Self {
        let mut notices = Vec::new();
        if found.skipped > 0 {
            let lines = count(found.skipped, "line");
            notices.push(format!("{lines} without a report left out"));
        }
        for damage in &found.damaged {
            notices.push(format!("could not be read: {damage}"));
        }
        if !found.left.is_empty() {
            let mut names: Vec<&str> = found.left.iter().map(InstanceId::as_str).collect();
            let more = names.len().saturating_sub(MOST_NAMED);
            names.truncate(MOST_NAMED);
            let more = match more {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let (n, names) = (count(found.left.len(), "instance"), names.join(", "));
            notices.push(format!(
                "{n} left, because changing them failed or was refused: {names}{more}"
            ));
        }
        if !found.left_defaults.is_empty() {
            let regions: Vec<String> = found.left_defaults.into_iter().collect();
            notices.push(format!(
                "the account defaults of {} left, because changing them failed",
                Plain(&regions.join(", "))
            ));
        }
        Recorded {
            changes: RecordedChanges::reported(found.changes, found.defaults),
            notices,
            damaged: found.damaged.len(),
            accounts: Accounts::Each(found.accounts),
        }
    }
}

fn why(damaged: &[String]) -> String {
    match damaged.first() {
        Some(first) => format!("; {}", Plain(first)),
        None => String::new(),
    }
}
