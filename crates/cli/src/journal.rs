//! The journal: every changing call of a command, on disk before it is made and after it is
//! answered, so that a killed process leaves the truth and everything can be undone.
//!
//! JSON lines. The first says what was done, in which account; then, for every call, an `intent`
//! with all that was there before, and an `answer` with all that is there since; then an `end`.

mod line;
mod place;
mod reader;
mod writer;

pub(crate) use line::{Act, Header, How};
pub(crate) use place::Place;
pub(crate) use reader::{Call, DefaultsChange, InstanceChange, Journal};
pub(crate) use writer::Writer;

#[cfg(test)]
pub(crate) use reader::ReadError;
