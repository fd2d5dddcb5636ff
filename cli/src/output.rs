//! What a command found, written for people and for programs.

mod csv;
mod html;
mod json;
mod next;
#[cfg(test)]
mod sample;
mod survey;
mod table;
mod words;

use std::io;

use crate::document::Document;

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For the terminal
    Table,
    /// For programs: the report that the function returns too
    Json,
    /// For spreadsheets: one line for each instance
    Csv,
    /// For managers and auditors: one self-contained file
    Html,
}

/// What the place that a table is written to can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Style {
    /// Whether colours may be used.
    pub(crate) colour: bool,
    /// How many columns the terminal has; `None`: it is none, and nothing is shortened.
    pub(crate) width: Option<u16>,
}

/// Writes the document; rows are read from its spool one by one, more than once.
///
/// CSV tells of instances only: what could not be seen must be told elsewhere.
pub(crate) fn write(
    format: Format,
    document: &Document,
    style: &Style,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    match format {
        Format::Table => table::write(document, style, out),
        Format::Json => json::write(document, out),
        Format::Csv => csv::write(document, out),
        Format::Html => html::write(document, out),
    }
}
