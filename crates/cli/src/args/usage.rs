//! The arguments of `imdsctl usage`.

use clap::Args;

use super::{Instances, Output, Regions};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  imdsctl usage --days 30
  imdsctl usage --rejected --days 2           after enforcing: whose calls are rejected
  imdsctl usage --rejected --days 1 --watch   the same while enforcing, until Ctrl-C")]
pub(crate) struct UsageArgs {
    /// Days to look back
    #[arg(long, value_name = "N", default_value_t = 14, value_parser = clap::value_parser!(u8).range(1..=63))]
    pub(crate) days: u8,
    /// Show calls that were rejected because tokens are required
    #[arg(long)]
    pub(crate) rejected: bool,
    /// Read again every SECONDS (60 if omitted) until Ctrl-C, and print what is new, a line each; with
    /// --format json, a line of JSON each. --timeout limits each reading
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "60", requires = "rejected", conflicts_with = "output", value_parser = clap::value_parser!(u16).range(1..=3600))]
    pub(crate) watch: Option<u16>,
    #[command(flatten)]
    pub(crate) regions: Regions,
    #[command(flatten)]
    pub(crate) instances: Instances,
    #[command(flatten)]
    pub(crate) output: Output,
}
