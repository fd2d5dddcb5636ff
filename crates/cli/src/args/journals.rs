//! The arguments of `imdsctl journals`.

use std::path::PathBuf;

use clap::Args;

use super::PlainOutput;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  imdsctl journals
  imdsctl journals --account 111122223333 --json
  imdsctl journals /shared/journals")]
pub(crate) struct JournalsArgs {
    /// Journals, and folders of them [default: the platform's state folder]
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Only those of this account, 12 digits
    #[arg(long, value_name = "ID")]
    pub(crate) account: Option<String>,
    #[command(flatten)]
    pub(crate) output: PlainOutput,
}
