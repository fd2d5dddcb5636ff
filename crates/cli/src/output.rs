//! What a command found, written for people and for programs.

mod csv;
mod html;
pub(crate) mod json;
mod next;
#[cfg(test)]
pub(crate) mod sample;
mod survey;
mod table;
mod words;

pub(crate) use csv::harmless;
pub(crate) use table::{defaults, grid, heading, left_out, unseen};
pub(crate) use words::{Message, count, thousands};

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

/// Writes the document.
///
/// CSV tells of instances only: what could not be seen must be told elsewhere.
pub(crate) fn write(
    format: Format,
    document: &Document,
    style: &Style,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let mut out = io::BufWriter::new(out);
    match format {
        Format::Table => table::write(document, style, &mut out),
        Format::Json => json::write(document, &mut out),
        Format::Csv => csv::write(document, &mut out),
        Format::Html => html::write(document, &mut out),
    }?;
    io::Write::flush(&mut out)
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn every_format_is_written_whole_and_in_its_own_kind() {
        let document = sample::fleet(300);
        let begins = ["REGION ", "{\n", "account,", "<!DOCTYPE html>"];
        for (format, begin) in Format::value_variants().iter().zip(begins) {
            let mut out = Vec::new();
            write(*format, &document, &Style::default(), &mut out).unwrap();
            let text = String::from_utf8(out).unwrap();
            assert!(
                text.starts_with(begin) && text.ends_with('\n'),
                "{format:?}"
            );
            let rows = document.rows.iter();
            for id in rows.map(|row| &row.report.instance_id) {
                assert!(text.contains(id.as_str()), "{format:?} lacks {id}");
            }
        }
    }

    #[test]
    fn a_place_that_takes_no_more_is_an_error() {
        struct Full;
        impl io::Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        for format in Format::value_variants() {
            let style = Style::default();
            let error = write(*format, &sample::fleet(3), &style, &mut Full).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::BrokenPipe, "{format:?}");
        }
    }
}
