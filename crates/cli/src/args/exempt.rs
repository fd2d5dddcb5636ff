//! The arguments of `imdsctl exempt`.

use clap::{Args, Subcommand};
use imds_core::instance::InstanceId;

use super::values::{instance, reason};
use super::{PlainOutput, Write};

#[derive(Debug, Args)]
#[command(subcommand_negates_reqs = true)]
#[command(after_help = "Examples:
  imdsctl exempt i-0e3a5b1c9d8f70642 --days 30 --reason 'vendor ticket 4711'
  imdsctl exempt list
  imdsctl exempt remove i-0e3a5b1c9d8f70642")]
pub(crate) struct ExemptArgs {
    #[command(subcommand)]
    pub(crate) of: Option<ExemptOf>,
    /// The instances; an exemption that one already has is replaced
    #[arg(value_name = "INSTANCE", required = true, value_parser = instance)]
    pub(crate) ids: Vec<InstanceId>,
    /// For how many days, 1 to 3650
    #[arg(long, value_name = "N", required = true, value_parser = clap::value_parser!(u16).range(1..=3650))]
    pub(crate) days: Option<u16>,
    /// Why; reports and `imdsctl exempt list` show it
    #[arg(long, value_name = "TEXT", required = true, value_parser = reason)]
    pub(crate) reason: Option<String>,
    #[command(flatten)]
    pub(crate) write: Write,
    #[command(flatten)]
    pub(crate) output: PlainOutput,
}

impl ExemptArgs {
    /// Whether anything is given before a subcommand.
    pub(crate) fn is_given(&self) -> bool {
        let terms = self.days.is_some() || self.reason.is_some();
        terms || !self.ids.is_empty() || self.write.yes || self.output.json
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum ExemptOf {
    /// Shows the exemptions that hold
    List {
        #[command(flatten)]
        output: PlainOutput,
    },
    /// Ends exemptions
    Remove {
        /// The instances
        #[arg(value_name = "INSTANCE", required = true, value_parser = instance)]
        ids: Vec<InstanceId>,
        #[command(flatten)]
        write: Write,
        #[command(flatten)]
        output: PlainOutput,
    },
}
