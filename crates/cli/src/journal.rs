//! The journal: every changing call of a command, on disk before it is made and after it is answered,
//! so that everything can be rolled back, even after the process was killed.
//!
//! JSON lines. The first says which command changed which account. Every call has an `intent`, with
//! everything before it, and an `answer`, with everything after it. The last line is an `end`.

mod history;
mod line;
mod place;
mod reader;
mod writer;

pub(crate) use history::{RolledBack, rolled_back};
pub(crate) use line::{Ending, Header, RecordedCommand};
pub(crate) use place::{Place, journal_files, standard_folder};
pub(crate) use reader::{Journal, ReadError};
pub(crate) use writer::Writer;
