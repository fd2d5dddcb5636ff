//! The arguments of `imdsctl usage`.

use clap::Args;

use super::{Instances, Output, Regions};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  imdsctl usage --days 30
  imdsctl usage --rejected --days 2          after enforcing: whose calls are rejected")]
pub(crate) struct UsageArgs {
    /// Days to look back
    #[arg(long, value_name = "N", default_value_t = 14, value_parser = clap::value_parser!(u8).range(1..=63))]
    pub(crate) days: u8,
    /// Show calls that were rejected because tokens are required
    #[arg(long)]
    pub(crate) rejected: bool,
    #[command(flatten)]
    pub(crate) regions: Regions,
    #[command(flatten)]
    pub(crate) instances: Instances,
    #[command(flatten)]
    pub(crate) output: Output,
}
