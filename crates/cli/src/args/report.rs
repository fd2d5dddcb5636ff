//! The arguments of `imdsctl report`.

use std::path::PathBuf;

use clap::Args;

use super::Output;

#[derive(Debug, Args)]
#[command(
    after_help = "The reports are those of `imdsctl scan`, `enforce` or `report` with --format json, or \
reports of the function. They may be compressed with gzip. If several contain a region of the same account, \
the newest contributes it.

Examples:
  imdsctl scan --profile production --format json --output production.json
  imdsctl scan --profile staging --format json --output staging.json
  imdsctl report production.json staging.json --format html --output fleet.html"
)]
pub(crate) struct ReportArgs {
    /// The reports to join; `-` is standard input
    #[arg(value_name = "REPORT.json", required = true)]
    pub(crate) reports: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) output: Output,
}
