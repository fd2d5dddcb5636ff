//! The arguments of `imdsctl diff`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
#[command(
    after_help = "OLD and NEW are reports of `imdsctl scan`, `enforce` or `report` with --format json, or \
reports of the function. They may be compressed with gzip.

Exit codes: 0 nothing is newly non-compliant; 1 instances are new or reopened, or their exemptions ended; \
2 wrong usage or files; 3 some instances or regions are unknown.

Examples:
  imdsctl scan --format json --output monday.json
  imdsctl diff last-monday.json monday.json
  imdsctl diff last-monday.json monday.json --output changes.md"
)]
pub(crate) struct DiffArgs {
    /// The earlier report; `-` is standard input
    #[arg(value_name = "OLD.json")]
    pub(crate) old: PathBuf,
    /// The later report; `-` is standard input
    #[arg(value_name = "NEW.json")]
    pub(crate) new: PathBuf,
    /// The output format [default: by the ending of the file; table on standard output]
    #[arg(long, value_enum, help_heading = "Output")]
    pub(crate) format: Option<DiffFormat>,
    /// Write to this file instead of standard output: .txt, .json, .csv or .md
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(crate) output: Option<PathBuf>,
}

/// The format of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DiffFormat {
    /// For the terminal
    Table,
    /// For programs
    Json,
    /// For spreadsheets: one line per change
    Csv,
    /// For pull requests and CI summaries
    Markdown,
}
