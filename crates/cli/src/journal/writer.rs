//! Writes a journal. No call is made without its intent in it.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use imds_core::rollback::AnswerRecord;
use imds_engine::Record;
use jiff::Timestamp;

use super::line::{Ending, Header, Line, VERSION};
use super::place::{CreateError, Place, shown};

/// Writes a journal on behalf of several tasks.
///
/// After the first error it rejects every intent, so that no further call is made. It still tries to
/// write the answers to calls in flight.
#[derive(Debug)]
pub(crate) struct Writer {
    path: PathBuf,
    now: fn() -> Timestamp,
    state: Mutex<WriterState>,
}

#[derive(Debug)]
struct WriterState {
    file: File,
    /// The length of all complete lines, in bytes.
    complete: u64,
    /// Whether a write has failed and may have left a partial line.
    torn: bool,
    error: Option<(io::ErrorKind, String)>,
}

/// A line could not be written, so the journal is incomplete.
#[derive(Debug, thiserror::Error)]
#[error(
    "could not write journal `{}`, so that no further call was made",
    shown(path)
)]
pub(crate) struct WriteError {
    path: PathBuf,
    source: io::Error,
}

impl Writer {
    /// Begins a journal; `now` is the clock for its other lines.
    pub(crate) fn create(
        place: &Place,
        header: Header,
        now: fn() -> Timestamp,
    ) -> Result<Self, CreateError> {
        let (path, file) = place.create(&header)?;
        let mut state = WriterState {
            file,
            complete: 0,
            torn: false,
            error: None,
        };
        let first = Line::Journal {
            version: VERSION,
            act: header.act,
            account: header.account,
            by: header.by,
            imdsctl: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: header.started_at,
        };
        if let Err(source) = state.write(&first) {
            return Err(CreateError::Create { path, source });
        }
        Ok(Writer {
            path,
            now,
            state: Mutex::new(state),
        })
    }

    /// The journal's file, for the rollback command.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a record to disk.
    ///
    /// # Errors
    /// If the record cannot be written. A call must not be made without its intent on disk.
    pub(crate) fn record(&self, record: &Record<'_>) -> io::Result<()> {
        let at = (self.now)();
        match *record {
            Record::Intent(instance, send) => self.intend(&Line::Intent {
                at,
                region: instance.region.clone(),
                instance_id: instance.id.clone(),
                before: instance.options,
                send: *send,
            }),
            Record::Answer(instance, answer) => self.state().write_and_keep_error(&Line::Answer {
                at,
                region: instance.region.clone(),
                instance_id: instance.id.clone(),
                answer: answer_record(answer),
            }),
            Record::DefaultsIntent(region, from, to) => self.intend(&Line::DefaultsIntent {
                at,
                region: region.to_owned(),
                before: from.clone(),
                to: to.clone(),
            }),
            Record::DefaultsAnswer(region, answer) => {
                self.state().write_and_keep_error(&Line::DefaultsAnswer {
                    at,
                    region: region.to_owned(),
                    answer: answer_record(answer),
                })
            }
        }
    }

    /// Ends the journal.
    ///
    /// # Errors
    /// The first error since the journal was begun.
    pub(crate) fn close(self, how: Ending) -> Result<(), WriteError> {
        let at = (self.now)();
        self.intend(&Line::End { at, how })
            .map_err(|source| WriteError {
                path: self.path,
                source,
            })
    }

    fn intend(&self, line: &Line) -> io::Result<()> {
        let mut state = self.state();
        if let Some((kind, text)) = &state.error {
            return Err(io::Error::new(*kind, text.clone()));
        }
        state.write_and_keep_error(line)
    }

    fn state(&self) -> MutexGuard<'_, WriterState> {
        // A poisoned state is still valid: nothing panics while the lock is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn answer_record<T: Clone>(answer: Result<&T, &str>) -> AnswerRecord<T> {
    match answer {
        Ok(after) => AnswerRecord::After(after.clone()),
        Err(why) => AnswerRecord::Error(why.to_owned()),
    }
}

impl WriterState {
    fn write_and_keep_error(&mut self, line: &Line) -> io::Result<()> {
        self.write(line).inspect_err(|error| {
            self.error
                .get_or_insert_with(|| (error.kind(), error.to_string()));
        })
    }

    fn write(&mut self, line: &Line) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        if self.torn {
            self.file.set_len(self.complete)?;
        }
        self.torn = true;
        self.file.write_all(&bytes)?;
        self.torn = false;
        self.complete += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.file.sync_data()
    }
}

#[cfg(test)]
mod tests;
