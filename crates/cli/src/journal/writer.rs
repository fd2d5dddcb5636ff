//! Writes a journal. No call is made that it does not hold.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use imds_aws::Witness;
use imds_core::defaults::MetadataDefaults;
use imds_core::instance::{Instance, MetadataOptions};
use jiff::Timestamp;

use super::line::{
    Answer, Answered, Begin, DefaultsAnswer, DefaultsIntent, End, Header, How, Intent, Line,
    VERSION,
};
use super::place::{CreateError, Place, shown};

/// A journal that is being written, by several tasks at once.
///
/// From its first fault on, it refuses every intent, so that no further call is made; the answers of
/// calls under way it still tries to keep.
#[derive(Debug)]
pub(crate) struct Writer {
    path: PathBuf,
    now: fn() -> Timestamp,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: File,
    /// The length of all whole lines, in bytes.
    whole: u64,
    /// A write has failed, and may have left a part of a line behind.
    torn: bool,
    fault: Option<(io::ErrorKind, String)>,
}

/// A journal that does not hold all that it should.
#[derive(Debug, thiserror::Error)]
#[error(
    "could not write journal `{}`, so that no further call was made",
    shown(path)
)]
pub(crate) struct WriteError {
    /// The file.
    pub(crate) path: PathBuf,
    source: io::Error,
}

impl Writer {
    /// Begins a journal; `now` is the clock for its later lines.
    pub(crate) fn create(
        place: &Place,
        header: Header,
        now: fn() -> Timestamp,
    ) -> Result<Self, CreateError> {
        let (path, file) = place.create(&header)?;
        let mut state = State {
            file,
            whole: 0,
            torn: false,
            fault: None,
        };
        let Header {
            act,
            account,
            started_at,
        } = header;
        let begin = Line::Journal(Begin {
            version: VERSION,
            act,
            account,
            imdsctl: env!("CARGO_PKG_VERSION").to_owned(),
            started_at,
        });
        if let Err(source) = state.write(&begin) {
            return Err(CreateError::Create { path, source });
        }
        Ok(Writer {
            path,
            now,
            state: Mutex::new(state),
        })
    }

    /// The file, for the command that undoes what it tells.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The account's defaults of a region as they are, and as they are to be.
    ///
    /// # Errors
    /// With any, the call must not be made.
    pub(crate) fn before_defaults(
        &self,
        region: &str,
        from: &MetadataDefaults,
        to: &MetadataDefaults,
    ) -> io::Result<()> {
        self.intend(&Line::DefaultsIntent(DefaultsIntent {
            at: (self.now)(),
            region: region.to_owned(),
            before: from.clone(),
            to: to.clone(),
        }))
    }

    /// The account's defaults of a region after the call, or why there is no answer.
    pub(crate) fn after_defaults(&self, region: &str, answer: Result<&MetadataDefaults, &str>) {
        self.answer(&Line::DefaultsAnswer(DefaultsAnswer {
            at: (self.now)(),
            region: region.to_owned(),
            answer: Answered::of(answer),
        }));
    }

    /// Ends the journal.
    ///
    /// # Errors
    /// With the first fault since its beginning.
    pub(crate) fn close(self, how: How) -> Result<(), WriteError> {
        let end = Line::End(End {
            at: (self.now)(),
            how,
        });
        self.intend(&end).map_err(|source| WriteError {
            path: self.path,
            source,
        })
    }

    fn intend(&self, line: &Line) -> io::Result<()> {
        let mut state = self.state();
        if let Some((kind, words)) = &state.fault {
            return Err(io::Error::new(*kind, words.clone()));
        }
        state.write_or_keep_fault(line)
    }

    fn answer(&self, line: &Line) {
        // The fault is kept, and told by the next intent and at the end.
        let _ = self.state().write_or_keep_fault(line);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A poisoned state is whole: nothing panics while it is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Witness for Writer {
    fn before(&self, instance: &Instance, send: &MetadataOptions) -> io::Result<()> {
        self.intend(&Line::Intent(Intent {
            at: (self.now)(),
            region: instance.region.clone(),
            instance_id: instance.id.clone(),
            before: instance.options,
            send: *send,
        }))
    }

    fn after(&self, instance: &Instance, answer: Result<&MetadataOptions, &str>) {
        self.answer(&Line::Answer(Answer {
            at: (self.now)(),
            region: instance.region.clone(),
            instance_id: instance.id.clone(),
            answer: Answered::of(answer),
        }));
    }
}

impl State {
    fn write_or_keep_fault(&mut self, line: &Line) -> io::Result<()> {
        self.write(line).inspect_err(|error| {
            self.fault
                .get_or_insert_with(|| (error.kind(), error.to_string()));
        })
    }

    fn write(&mut self, line: &Line) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        if self.torn {
            self.file.set_len(self.whole)?;
        }
        self.torn = true;
        self.file.write_all(&bytes)?;
        self.torn = false;
        self.whole += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.file.sync_data()
    }
}

#[cfg(test)]
impl Writer {
    /// From now on nothing can be written.
    #[cfg(target_os = "linux")]
    pub(crate) fn fill_disk(&self) {
        self.state().file = File::options().append(true).open("/dev/full").unwrap();
    }
}

#[cfg(test)]
mod tests;
