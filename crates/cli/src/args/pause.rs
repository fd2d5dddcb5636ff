//! The arguments of `imdsctl pause`.

use clap::{Args, Subcommand};

use super::values::{reason, region};
use super::{PlainOutput, Write};

#[derive(Debug, Args)]
#[command(subcommand_negates_reqs = true)]
#[command(after_help = "Examples:
  imdsctl pause --hours 8 --reason 'incident 815'
  imdsctl pause --hours 8 --reason 'incident 815' --region eu-central-1
  imdsctl pause list
  imdsctl pause resume --region eu-central-1")]
pub(crate) struct PauseArgs {
    #[command(subcommand)]
    pub(crate) of: Option<PauseOf>,
    /// For how many hours, 1 to 8760
    #[arg(long, value_name = "N", required = true, value_parser = clap::value_parser!(u16).range(1..=8760))]
    pub(crate) hours: Option<u16>,
    /// Why; reports and `imdsctl pause list` show it
    #[arg(long, value_name = "TEXT", required = true, value_parser = reason)]
    pub(crate) reason: Option<String>,
    #[command(flatten)]
    pub(crate) regions: PausedRegions,
    #[command(flatten)]
    pub(crate) write: Write,
    #[command(flatten)]
    pub(crate) output: PlainOutput,
}

impl PauseArgs {
    /// Whether anything is given before a subcommand.
    pub(crate) fn is_given(&self) -> bool {
        let terms = self.hours.is_some() || self.reason.is_some();
        terms || !self.regions.only.is_empty() || self.write.yes || self.output.json
    }
}

/// What is paused or resumed.
#[derive(Debug, Args)]
pub(crate) struct PausedRegions {
    /// Only these regions; repeat it, or separate regions with commas [default: the account, which is a
    /// pause of its own]
    #[arg(id = "region", long = "region", value_name = "REGION", value_delimiter = ',', value_parser = region)]
    pub(crate) only: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PauseOf {
    /// Shows the pauses that hold
    List {
        #[command(flatten)]
        output: PlainOutput,
    },
    /// Ends the pause of the account, or those of regions
    Resume {
        #[command(flatten)]
        regions: PausedRegions,
        #[command(flatten)]
        write: Write,
        #[command(flatten)]
        output: PlainOutput,
    },
}
