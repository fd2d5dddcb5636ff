//! The arguments of `imdsctl rollback`.

use std::path::{Path, PathBuf};

use clap::Args;
use imds_core::instance::InstanceId;

use super::values::instance;
use super::{Act, PlainOutput};
use crate::terminal::Answers;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  imdsctl rollback ~/.local/state/imdsctl/20270104T101500Z-111122223333-enforce.jsonl
  imdsctl rollback JOURNAL --instance i-0e3a5b1c9d8f70642 --exempt-days 30
  imdsctl rollback JOURNAL --dry-run
  aws logs filter-log-events --log-group-name /aws/lambda/imds-enforcer \\
    --filter-pattern '{ $.entry = \"*\" }' | imdsctl rollback -")]
pub(crate) struct RollbackArgs {
    /// The journal of the changes to roll back, or reports of the function or of imdsctl, also within
    /// an export of the function's log; `-` is standard input
    #[arg(value_name = "FILE")]
    pub(crate) from: PathBuf,
    /// Only these instances; repeat it, or separate ids with commas
    #[arg(id = "instance", long = "instance", value_name = "ID", value_delimiter = ',', value_parser = instance)]
    pub(crate) ids: Vec<InstanceId>,
    /// Also roll back what was changed since
    #[arg(long)]
    pub(crate) force: bool,
    /// First exempt the instances for so many days in the state table, 1 to 3650, so that the function does
    /// not enforce them again
    #[arg(long, value_name = "N", conflicts_with = "no_exempt", value_parser = clap::value_parser!(u16).range(1..=3650))]
    pub(crate) exempt_days: Option<u16>,
    /// Do not exempt them
    #[arg(long)]
    pub(crate) no_exempt: bool,
    #[command(flatten)]
    pub(crate) act: Act,
    #[command(flatten)]
    pub(crate) output: PlainOutput,
}

impl RollbackArgs {
    /// Where questions are answered.
    pub(crate) fn answers(&self) -> Answers {
        match self.from == Path::new("-") {
            true => Answers::Terminal,
            false => Answers::StandardInput,
        }
    }
}
