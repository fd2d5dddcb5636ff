//! The arguments of `imdsctl rollback`.

use std::path::PathBuf;

use clap::Args;
use imds_core::instance::InstanceId;

use super::values::instance;
use super::{Act, PlainOutput};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  imdsctl rollback ~/.local/state/imdsctl/20270104T101500Z-111122223333-enforce.jsonl
  imdsctl rollback JOURNAL --instance i-0e3a5b1c9d8f70642
  imdsctl rollback JOURNAL --dry-run")]
pub(crate) struct RollbackArgs {
    /// The journal of the changes to roll back
    #[arg(value_name = "JOURNAL")]
    pub(crate) from: PathBuf,
    /// Only these instances; repeat it, or separate ids with commas
    #[arg(id = "instance", long = "instance", value_name = "ID", value_delimiter = ',', value_parser = instance)]
    pub(crate) ids: Vec<InstanceId>,
    /// Also roll back what was changed since
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) act: Act,
    #[command(flatten)]
    pub(crate) output: PlainOutput,
}
