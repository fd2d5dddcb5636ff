//! `imdsctl journals`: what was done from here, and whether it was rolled back.

use std::cmp::Reverse;
use std::path::{Path, PathBuf};

use imds_core::chain::chain;
use imds_core::plain::Plain;
use imds_core::report::VERSION;
use serde::Serialize;

use crate::args::JournalsArgs;
use crate::commands::files;
use crate::error::{Exit, Problem};
use crate::journal::{
    Ending, Journal, RecordedCommand, RolledBack, journal_files, rolled_back, standard_folder,
};
use crate::output::{Message, count, json};
use crate::terminal;

/// What `journals --json` prints.
#[derive(Serialize)]
struct JournalList {
    version: u8,
    trigger: &'static str,
    journals: Vec<JournalRow>,
    unreadable: Vec<UnreadableJournal>,
}

/// A journal.
#[derive(Serialize)]
struct JournalRow {
    path: String,
    act: RecordedCommand,
    account: String,
    /// `None`: an older journal does not say so.
    by: Option<String>,
    /// To the second.
    started_at: String,
    /// `None`: it was killed.
    end: Option<Ending>,
    /// How many instances were to be changed.
    instances: usize,
    /// Of how many regions the account defaults were to be changed.
    defaults: usize,
    rolled_back: RolledBack,
}

/// A file that could not be read.
#[derive(Serialize)]
struct UnreadableJournal {
    path: String,
    error: String,
}

pub(crate) fn list(args: &JournalsArgs) -> Result<Exit, Problem> {
    let mut journals = Vec::new();
    let mut unreadable = Vec::new();
    for path in paths(&args.paths)? {
        match Journal::read(&path) {
            Ok(journal) => journals.push(journal),
            Err(error) => unreadable.push(UnreadableJournal {
                path: path.to_string_lossy().into_owned(),
                error: chain(&error),
            }),
        }
    }
    journals.sort_by_key(|journal| Reverse(journal.header.started_at));
    let is_wanted = |journal: &&Journal| {
        let account = args.account.as_ref();
        account.is_none_or(|account| *account == journal.header.account)
    };
    let rows = journals.iter().filter(is_wanted);
    let list = JournalList {
        version: VERSION,
        trigger: "journals",
        journals: rows.map(|it| JournalRow::new(it, &journals)).collect(),
        unreadable,
    };
    match args.output.json {
        true => files::print(|out| json::write(&list, out))?,
        false => files::print_text(&list.lines())?,
    }
    if list.journals.is_empty() && list.unreadable.is_empty() {
        terminal::say("no journals");
    }
    Ok(match list.unreadable.is_empty() {
        true => Exit::Fine,
        false => Exit::Failed,
    })
}

/// The journals in the folders, and the files; without any, those in the platform's folder.
fn paths(given: &[PathBuf]) -> Result<Vec<PathBuf>, Problem> {
    let in_folder = |folder: &Path| {
        journal_files(folder).map_err(Problem::reading("the folder of journals", folder))
    };
    if given.is_empty() {
        let folder = standard_folder();
        return folder.map_or(Ok(Vec::new()), |folder| in_folder(&folder));
    }
    let mut paths = Vec::new();
    for path in given {
        match path.is_dir() {
            true => paths.extend(in_folder(path)?),
            false => paths.push(path.clone()),
        }
    }
    Ok(paths)
}

impl JournalList {
    fn lines(&self) -> String {
        let journals = self.journals.iter();
        let journals =
            journals.map(|it| format!("{}\n  {}\n", Message(&it.words()), Plain(&it.path)));
        let unreadable = self.unreadable.iter();
        let unreadable = unreadable.map(|it| format!("{}\n", Message(&it.error)));
        journals.chain(unreadable).collect()
    }
}

impl JournalRow {
    fn new(journal: &Journal, all: &[Journal]) -> Self {
        let header = &journal.header;
        JournalRow {
            path: journal.path.to_string_lossy().into_owned(),
            act: header.act,
            account: header.account.clone(),
            by: header.by.clone(),
            started_at: format!("{:.0}", header.started_at),
            end: journal.end,
            instances: journal.changes.instances.len(),
            defaults: journal.changes.defaults.len(),
            rolled_back: rolled_back(journal, all),
        }
    }

    fn words(&self) -> String {
        let changes = [(self.instances, "instance"), (self.defaults, "region")];
        let changes = changes.iter().filter(|(n, _)| *n > 0);
        let changes: Vec<String> = changes.map(|(n, what)| count(*n, what)).collect();
        let (changes, rolled_back) = match self.rolled_back {
            RolledBack::Nothing => ("nothing".to_owned(), ""),
            RolledBack::No => (changes.join(" and "), ", not rolled back"),
            RolledBack::Partly => (changes.join(" and "), ", partly rolled back"),
            RolledBack::Fully => (changes.join(" and "), ", rolled back"),
        };
        let ended = match self.end {
            Some(Ending::Done) => "",
            Some(Ending::Interrupted) => ", interrupted",
            None => ", killed",
        };
        let by = self.by.as_deref().unwrap_or("somebody who is not recorded");
        format!(
            "{} {} in account {} by {by}: {changes}{ended}{rolled_back}",
            self.started_at, self.act, self.account
        )
    }
}
