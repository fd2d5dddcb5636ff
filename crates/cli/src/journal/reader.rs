//! Reads a journal: what was there before, and what was done, by instance.

use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use imds_core::defaults::MetadataDefaults;
use imds_core::instance::{InstanceId, MetadataOptions};
use imds_core::plain::Plain;
use serde::Deserialize;

use super::line::{Begin, Header, How, Line, VERSION};
use super::place::shown;

/// All that a journal tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Journal {
    /// The file.
    pub(crate) path: PathBuf,
    /// What was done, and where.
    pub(crate) header: Header,
    /// The instances, in the order of their first calls.
    pub(crate) instances: Vec<InstanceChange>,
    /// The regions whose account defaults were to be set, in the order of their first calls.
    pub(crate) defaults: Vec<DefaultsChange>,
    /// The last line is cut off, as a process leaves it that was killed while it wrote. The call of
    /// an intent that is cut off was never made.
    pub(crate) torn: bool,
    /// How the command ended; `None`: it was killed.
    pub(crate) end: Option<How>,
}

/// All calls for an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InstanceChange {
    /// The instance's region.
    pub(crate) region: String,
    /// The instance.
    pub(crate) id: InstanceId,
    /// All options before the first call.
    pub(crate) before: MetadataOptions,
    /// At least one.
    pub(crate) calls: Vec<Call<MetadataOptions>>,
}

/// All calls for the account's defaults of a region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DefaultsChange {
    /// The region.
    pub(crate) region: String,
    /// All defaults before the first call.
    pub(crate) before: MetadataDefaults,
    /// At least one; `sent` is all that was to be there.
    pub(crate) calls: Vec<Call<MetadataDefaults>>,
}

/// One call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call<T> {
    /// What was asked for.
    pub(crate) sent: T,
    /// All that was there afterwards, or the error; `None`: the process was killed before the
    /// answer. Without an answer, or with an error, the call may or may not have taken effect.
    pub(crate) answer: Option<Result<T, String>>,
}

/// A journal that cannot be relied on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// The platform does not give it.
    #[error("could not read journal `{}`", shown(path))]
    Read {
        /// The file.
        path: PathBuf,
        /// What the platform says.
        source: io::Error,
    },
    /// The process that writes it still runs.
    #[error(
        "journal `{}` is still being written; wait for the other imdsctl to end",
        shown(path)
    )]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// Its first line is another or was not written whole.
    #[error(
        "`{}` does not begin as a journal of imdsctl; one that was killed before its first call leaves such a file",
        shown(path)
    )]
    NoJournal {
        /// The file.
        path: PathBuf,
    },
    /// It may say what this program does not know.
    #[error(
        "journal `{}` has format version {found}; expected {VERSION}: use the imdsctl that wrote it",
        shown(path)
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// The version of its format.
        found: u64,
    },
    /// A line is not as it was written.
    #[error("journal `{}`, line {line}: {}", shown(path), Plain(why))]
    Line {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong, and what was expected.
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
            // Where a file system cannot lock, a journal in use looks like one that was cut off.
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

    /// What a reader of the journal should know of it before it is relied on.
    pub(crate) fn notices(&self) -> Vec<String> {
        let mut notices = Vec::new();
        let act = self.header.act;
        match self.end {
            Some(How::Done) => {}
            Some(How::Interrupted) => notices.push(format!("this {act} was interrupted")),
            None => notices.push(format!("this {act} was killed before its end")),
        }
        if self.torn {
            notices
                .push("the last line is cut off; its call was not made, or has no answer".into());
        }
        let open = |n: usize| if n == 1 { "call has" } else { "calls have" };
        let unanswered = self.unanswered();
        if unanswered > 0 {
            let calls = open(unanswered);
            notices.push(format!(
                "{unanswered} {calls} no answer and may have taken effect"
            ));
        }
        notices
    }

    fn unanswered(&self) -> usize {
        let instances = self.instances.iter().flat_map(|change| &change.calls);
        let defaults = self.defaults.iter().flat_map(|change| &change.calls);
        instances.filter(|call| call.answer.is_none()).count()
            + defaults.filter(|call| call.answer.is_none()).count()
    }

    fn parse(path: &Path, bytes: &[u8]) -> Result<Self, ReadError> {
        let path = path.to_owned();
        let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
        let first = lines.next().unwrap_or_default();
        let header = match header(first) {
            Ok(header) => header,
            Err(NoHeader::None) => return Err(ReadError::NoJournal { path }),
            Err(NoHeader::Version(found)) => return Err(ReadError::Version { path, found }),
            Err(NoHeader::Bad(why)) => return Err(ReadError::Line { path, line: 1, why }),
        };
        let mut reading = Reading::default();
        let mut torn = false;
        for (number, line) in (2..).zip(lines) {
            let whole = line.ends_with(b"\n");
            let read = from_line(line).and_then(|line| reading.add(line));
            match read {
                Ok(()) => {}
                // A line that lacks its end is the last one.
                Err(_) if !whole => torn = true,
                Err(why) => {
                    let line = number;
                    return Err(ReadError::Line { path, line, why });
                }
            }
        }
        let Reading {
            instances,
            defaults,
            end,
            ..
        } = reading;
        Ok(Journal {
            path,
            header,
            instances,
            defaults,
            torn,
            end,
        })
    }
}

enum NoHeader {
    None,
    Version(u64),
    Bad(String),
}

fn header(line: &[u8]) -> Result<Header, NoHeader> {
    /// Of any version.
    #[derive(Deserialize)]
    struct Any {
        line: String,
        version: u64,
    }
    match serde_json::from_slice::<Any>(line) {
        Ok(Any { line, version }) if line == "journal" => {
            if version != u64::from(VERSION) {
                return Err(NoHeader::Version(version));
            }
        }
        _ => return Err(NoHeader::None),
    }
    match from_line(line).map_err(NoHeader::Bad)? {
        Line::Journal(Begin {
            act,
            account,
            started_at,
            ..
        }) => Ok(Header {
            act,
            account,
            started_at,
        }),
        _ => Err(NoHeader::None),
    }
}

/// Positions are counted within the line.
fn from_line(line: &[u8]) -> Result<Line, String> {
    serde_json::from_slice(line).map_err(|error| {
        let words = error.to_string();
        let column = error.column();
        let position = format!(" at line {} column {column}", error.line());
        match words.strip_suffix(&position) {
            Some(words) if column > 0 => format!("{words} at column {column}"),
            Some(words) => words.to_owned(),
            None => words,
        }
    })
}

#[derive(Default)]
struct Reading {
    instances: Vec<InstanceChange>,
    defaults: Vec<DefaultsChange>,
    of_instance: HashMap<(String, InstanceId), usize>,
    of_region: HashMap<String, usize>,
    end: Option<How>,
}

impl Reading {
    fn add(&mut self, line: Line) -> Result<(), String> {
        if self.end.is_some() {
            return Err("a line after the `end`; expected no more".to_owned());
        }
        match line {
            Line::Journal(_) => return Err("a second `journal`; expected one".to_owned()),
            Line::Intent(intent) => {
                let call = Call {
                    sent: intent.send,
                    answer: None,
                };
                let key = (intent.region.clone(), intent.instance_id.clone());
                let place = self.of_instance.get(&key).copied();
                match place.and_then(|place| self.instances.get_mut(place)) {
                    Some(change) => change.calls.push(call),
                    None => {
                        self.of_instance.insert(key, self.instances.len());
                        self.instances.push(InstanceChange {
                            region: intent.region,
                            id: intent.instance_id,
                            before: intent.before,
                            calls: vec![call],
                        });
                    }
                }
            }
            Line::Answer(answer) => {
                let id = answer.instance_id;
                let subject = format!("instance `{id}` of `{}`", answer.region);
                let place = self.of_instance.get(&(answer.region, id)).copied();
                let change = place.and_then(|place| self.instances.get_mut(place));
                let calls = change.map(|change| &mut change.calls);
                set_answer(calls, &subject, answer.answer.into_result())?;
            }
            Line::DefaultsIntent(intent) => {
                let call = Call {
                    sent: intent.to,
                    answer: None,
                };
                let place = self.of_region.get(&intent.region).copied();
                match place.and_then(|place| self.defaults.get_mut(place)) {
                    Some(change) => change.calls.push(call),
                    None => {
                        let place = self.defaults.len();
                        self.of_region.insert(intent.region.clone(), place);
                        self.defaults.push(DefaultsChange {
                            region: intent.region,
                            before: intent.before,
                            calls: vec![call],
                        });
                    }
                }
            }
            Line::DefaultsAnswer(answer) => {
                let subject = format!("the defaults of `{}`", answer.region);
                let place = self.of_region.get(&answer.region).copied();
                let change = place.and_then(|place| self.defaults.get_mut(place));
                let calls = change.map(|change| &mut change.calls);
                set_answer(calls, &subject, answer.answer.into_result())?;
            }
            Line::End(end) => self.end = Some(end.how),
        }
        Ok(())
    }
}

fn set_answer<T>(
    calls: Option<&mut Vec<Call<T>>>,
    subject: &str,
    answer: Result<T, String>,
) -> Result<(), String> {
    let open = calls.and_then(|calls| calls.last_mut());
    match open.filter(|call| call.answer.is_none()) {
        Some(call) => {
            call.answer = Some(answer);
            Ok(())
        }
        None => Err(format!(
            "an `answer` for {subject}; expected its `intent` before it"
        )),
    }
}

#[cfg(test)]
mod tests;
