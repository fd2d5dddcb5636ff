//! Output formats for people and for programs.

mod asff;
mod checks;
mod columns;
mod covered;
pub(crate) mod csv;
mod html;
pub(crate) mod json;
mod markdown;
mod next;
mod ocsf;
#[cfg(test)]
pub(crate) mod sample;
mod survey;
mod table;
pub(crate) mod tags;
mod words;

pub(crate) use csv::harmless;
pub(crate) use table::{
    FULL, defaults, grid, heading, line, tag_totals, unreachable, unreachable_in,
};
pub(crate) use words::{Message, not_known};

pub(crate) use imds_core::count::{count, thousands};

use std::io;
use std::path::Path;

use imds_core::report::Outcome;

use crate::document::{CommandTrigger, Document};

/// The heading of exemptions that can be removed from the policy.
const UNNEEDED_EXEMPTIONS: &str = "Exemptions that no instance of the account needs";

/// The heading of the use of IMDSv1 by what launched the instances.
const USAGE_BY_SOURCE: &str = "Use of IMDSv1 by what launched the instances";

/// The format of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For the terminal
    Table,
    /// For programs: the format of the function's report
    Json,
    /// For spreadsheets: one line per instance
    Csv,
    /// For managers and auditors: one self-contained file
    Html,
    /// For a pull request or the summary of a CI job
    Markdown,
    /// For AWS Security Hub: findings in the AWS Security Finding Format
    Asff,
    /// For a SIEM: OCSF Compliance Findings
    Ocsf,
}

impl Format {
    /// The endings of files, and the formats that they choose. The first that fits counts.
    const ENDINGS: [(&str, Format); 8] = [
        (".asff.json", Format::Asff),
        (".ocsf.json", Format::Ocsf),
        (".json", Format::Json),
        (".csv", Format::Csv),
        (".html", Format::Html),
        (".md", Format::Markdown),
        (".markdown", Format::Markdown),
        (".txt", Format::Table),
    ];

    /// The format that the ending of a file chooses.
    pub(crate) fn of_file(path: &Path) -> Option<Format> {
        let name = path.file_name()?.to_string_lossy().to_lowercase();
        let mut endings = Self::ENDINGS.iter();
        let found = endings.find(|(ending, _)| name.ends_with(ending));
        found.map(|(_, format)| *format)
    }
}

/// What the output of a table can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Style {
    /// Whether colours may be used.
    pub(crate) colour: bool,
    /// The terminal's width in columns; `None` if it is not a terminal, so nothing is shortened.
    pub(crate) width: Option<u16>,
}

/// Writes the document. CSV cannot represent unreachable regions.
pub(crate) fn write(
    format: Format,
    document: &Document,
    style: &Style,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let mut out = io::BufWriter::new(out);
    match format {
        Format::Table => table::write(document, style, &mut out),
        Format::Json => json::write_document(document, &mut out),
        Format::Csv => csv::write(document, &mut out),
        Format::Html => html::write(document, &mut out),
        Format::Markdown => markdown::write(document, &mut out),
        Format::Asff => asff::write(document, &mut out),
        Format::Ocsf => ocsf::write(document, &mut out),
    }?;
    io::Write::flush(&mut out)
}

/// Whether a summary shows the outcome even if no instance has it.
fn is_always_counted(outcome: Outcome, trigger: CommandTrigger) -> bool {
    match outcome {
        Outcome::Compliant | Outcome::Exempt | Outcome::Gone | Outcome::Failed => true,
        Outcome::Reported => trigger != CommandTrigger::Enforce,
        Outcome::Enforced => trigger == CommandTrigger::Enforce,
        Outcome::Stopped | Outcome::Terminated => false,
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn a_closed_pipe_is_an_error_of_that_kind() {
        struct ClosedPipe;
        impl io::Write for ClosedPipe {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        for format in Format::value_variants() {
            let style = Style::default();
            let error = write(*format, &sample::fleet(3), &style, &mut ClosedPipe).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::BrokenPipe, "{format:?}");
        }
    }
}
