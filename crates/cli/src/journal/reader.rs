//! Reads a journal: the state before the changes, and the changes.

use std::collections::HashMap;
use std::fmt;
use std::fs::{File, TryLockError};
use std::hash::Hash;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use imds_core::count::count;
use imds_core::defaults::MetadataDefaults;
use imds_core::options::MetadataOptions;
use imds_core::plain::Plain;
use imds_core::rollback::{
    AnswerRecord, CallRecord, ChangeRecord, InstanceKey, RecordedChanges, RegionKey,
};
use serde::Deserialize;

use super::line::{Ending, Header, Line, VERSION};
use super::place::shown;

/// A journal that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Journal {
    /// The file.
    pub(crate) path: PathBuf,
    /// Which command changed which account.
    pub(crate) header: Header,
    /// What it changed.
    pub(crate) changes: RecordedChanges,
    /// Whether the last line is truncated because the process was killed while writing it. If that line
    /// is an intent, its call was never made.
    pub(crate) torn: bool,
    /// How the command ended; `None`: it was killed.
    pub(crate) end: Option<Ending>,
}

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// The file cannot be read.
    #[error("could not read journal `{}`", shown(path))]
    Read { path: PathBuf, source: io::Error },
    /// Another process is still writing it.
    #[error(
        "journal `{}` is still being written: wait until the other imdsctl has ended",
        shown(path)
    )]
    InUse { path: PathBuf },
    /// Its first line is missing, or was not written completely.
    #[error(
        "`{}` does not begin as a journal of imdsctl: it is another file, or imdsctl was killed before its first call",
        shown(path)
    )]
    NoJournal { path: PathBuf },
    /// It was written by another version of the command.
    #[error(
        "journal `{}` has format version {found}; expected 1 to {VERSION}: use the imdsctl that wrote it",
        shown(path)
    )]
    Version { path: PathBuf, found: u64 },
    /// A line is not valid.
    #[error("journal `{}`, line {line}: {}", shown(path), Plain(why))]
    Line {
        path: PathBuf,
        line: usize,
        why: String,
    },
}

impl Journal {
    /// Reads a file.
    pub(crate) fn read(path: &Path) -> Result<Self, ReadError> {
        let failed = |source| ReadError::Read {
            path: path.to_owned(),
            source,
        };
        let mut file = File::open(path).map_err(failed)?;
        match file.try_lock_shared() {
            // On a file system without locks, a journal in use looks like a truncated one.
            Ok(()) | Err(TryLockError::Error(_)) => {}
            Err(TryLockError::WouldBlock) => {
                let path = path.to_owned();
                return Err(ReadError::InUse { path });
            }
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        Journal::parse(path, &bytes)
    }

    /// Notices about the journal to show before it is rolled back.
    pub(crate) fn notices(&self) -> Vec<String> {
        let mut notices = Vec::new();
        let act = self.header.act;
        match self.end {
            Some(Ending::Done) => {}
            Some(Ending::Interrupted) => {
                notices.push(format!("the recorded `{act}` was interrupted"))
            }
            None => notices.push(format!(
                "the recorded `{act}` was killed before it finished"
            )),
        }
        if self.torn {
            notices.push(
                "the last line is cut off: its call was not made, or its answer is not known"
                    .into(),
            );
        }
        match unanswered(&self.changes.instances) + unanswered(&self.changes.defaults) {
            0 => {}
            1 => notices.push("1 call has no answer and may have taken effect".to_owned()),
            n => {
                let calls = count(n, "call");
                notices.push(format!("{calls} have no answer and may have taken effect"));
            }
        }
        notices
    }

    /// Whether the first line is that of a journal, of any version.
    pub(crate) fn is_journal(bytes: &[u8]) -> bool {
        let first = bytes.split(|byte| *byte == b'\n').next();
        !matches!(header(first.unwrap_or_default()), Err(NoHeader::None))
    }

    /// Reads the content of a file.
    pub(crate) fn parse(path: &Path, bytes: &[u8]) -> Result<Self, ReadError> {
        let path = path.to_owned();
        let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
        let first = lines.next().unwrap_or_default();
        let header = match header(first) {
            Ok(header) => header,
            Err(NoHeader::None) => return Err(ReadError::NoJournal { path }),
            Err(NoHeader::Version(found)) => return Err(ReadError::Version { path, found }),
            Err(NoHeader::Invalid(why)) => return Err(ReadError::Line { path, line: 1, why }),
        };
        let mut read = ReadLines::default();
        let mut torn = false;
        for (number, line) in (2..).zip(lines) {
            match from_line(line).and_then(|line| read.add(line)) {
                Ok(()) => {}
                // Only the last line can be without a line feed.
                Err(_) if !line.ends_with(b"\n") => torn = true,
                Err(why) => {
                    let line = number;
                    return Err(ReadError::Line { path, line, why });
                }
            }
        }
        Ok(Journal {
            path,
            header,
            changes: RecordedChanges {
                instances: read.instances.records,
                defaults: read.defaults.records,
            },
            torn,
            end: read.end,
        })
    }
}

fn unanswered<K, T>(records: &[ChangeRecord<K, T>]) -> usize {
    let calls = records.iter().flat_map(|record| &record.calls);
    calls.filter(|call| call.answer.is_none()).count()
}

enum NoHeader {
    None,
    Version(u64),
    Invalid(String),
}

fn header(line: &[u8]) -> Result<Header, NoHeader> {
    /// The first line of any format version.
    #[derive(Deserialize)]
    struct FirstLine {
        line: String,
        version: u64,
    }
    match serde_json::from_slice::<FirstLine>(line) {
        Ok(FirstLine { line, version }) if line == "journal" => {
            if !(1..=u64::from(VERSION)).contains(&version) {
                return Err(NoHeader::Version(version));
            }
        }
        _ => return Err(NoHeader::None),
    }
    match from_line(line).map_err(NoHeader::Invalid)? {
        Line::Journal {
            act,
            account,
            by,
            started_at,
            ..
        } => Ok(Header {
            act,
            account,
            by,
            started_at,
        }),
        _ => Err(NoHeader::None),
    }
}

/// Errors count columns within the line.
fn from_line(line: &[u8]) -> Result<Line, String> {
    serde_json::from_slice(line).map_err(|error| {
        let text = error.to_string();
        let column = error.column();
        let position = format!(" at line {} column {column}", error.line());
        match text.strip_suffix(&position) {
            Some(text) if column > 0 => format!("{text} at column {column}"),
            Some(text) => text.to_owned(),
            None => text,
        }
    })
}

#[derive(Default)]
struct ReadLines {
    instances: ReadRecords<InstanceKey, MetadataOptions>,
    defaults: ReadRecords<RegionKey, MetadataDefaults>,
    end: Option<Ending>,
}

impl ReadLines {
    fn add(&mut self, line: Line) -> Result<(), String> {
        if self.end.is_some() {
            return Err("a line after the `end`; expected no more".to_owned());
        }
        match line {
            Line::Journal { .. } => return Err("a second `journal`; expected one".to_owned()),
            Line::Intent {
                region,
                instance_id: id,
                before,
                send,
                ..
            } => self
                .instances
                .intent(InstanceKey { id, region }, before, send),
            Line::Answer {
                region,
                instance_id: id,
                answer,
                ..
            } => self.instances.answer(InstanceKey { id, region }, answer)?,
            Line::DefaultsIntent {
                region, before, to, ..
            } => self.defaults.intent(RegionKey { region }, before, to),
            Line::DefaultsAnswer { region, answer, .. } => {
                self.defaults.answer(RegionKey { region }, answer)?;
            }
            Line::End { how, .. } => self.end = Some(how),
        }
        Ok(())
    }
}

/// Records in the order of their first calls, and the index of each by its key.
struct ReadRecords<K, T> {
    records: Vec<ChangeRecord<K, T>>,
    places: HashMap<K, usize>,
}

impl<K, T> Default for ReadRecords<K, T> {
    fn default() -> Self {
        ReadRecords {
            records: Vec::new(),
            places: HashMap::new(),
        }
    }
}

impl<K: Hash + Eq + Clone + fmt::Display, T> ReadRecords<K, T> {
    fn intent(&mut self, key: K, before: T, sent: T) {
        let call = CallRecord { sent, answer: None };
        match self.record(&key) {
            Some(record) => record.calls.push(call),
            None => {
                self.places.insert(key.clone(), self.records.len());
                let calls = vec![call];
                self.records.push(ChangeRecord { key, before, calls });
            }
        }
    }

    fn answer(&mut self, key: K, answer: AnswerRecord<T>) -> Result<(), String> {
        let call = self.record(&key).and_then(|it| it.calls.last_mut());
        match call.filter(|call| call.answer.is_none()) {
            Some(call) => {
                call.answer = Some(answer);
                Ok(())
            }
            None => Err(format!(
                "an `answer` for {key}; expected its `intent` before it"
            )),
        }
    }

    fn record(&mut self, key: &K) -> Option<&mut ChangeRecord<K, T>> {
        self.records.get_mut(*self.places.get(key)?)
    }
}

#[cfg(test)]
mod tests;
