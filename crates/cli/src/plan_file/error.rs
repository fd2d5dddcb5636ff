//! Why a plan is refused.

use std::io;
use std::path::{Path, PathBuf};

use imds_core::plain::Plain;
use imds_core::policy::PolicyFaults;
use jiff::Timestamp;

use super::VERSION;
use super::age::PlanAge;
use crate::output::count;

/// Why a plan cannot be read, applied or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlanFileError {
    /// The file cannot be read.
    #[error("could not read plan `{}`", shown(path))]
    Read {
        /// The file.
        path: PathBuf,
        /// The error of the file system.
        source: io::Error,
    },
    /// The file cannot be written.
    #[error("could not write plan `{}`", shown(path))]
    Write {
        /// The file.
        path: PathBuf,
        /// The error of the file system.
        source: io::Error,
    },
    /// The file exists and is not a plan.
    #[error(
        "`{}` exists and is not a plan, so it is not overwritten; name another file",
        shown(path)
    )]
    Taken {
        /// The file.
        path: PathBuf,
    },
    /// The file is not a plan.
    #[error("`{}` is not a plan of imdsctl: {}", shown(path), Plain(why))]
    NoPlan {
        /// The file.
        path: PathBuf,
        /// What is missing.
        why: String,
    },
    /// Another version of imdsctl wrote it.
    #[error(
        "plan `{}` has format version {found}; expected {VERSION}: create it again with this imdsctl",
        shown(path)
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// The version of its format.
        found: u64,
    },
    /// It is for another account.
    #[error(
        "plan `{}` is for account `{}`, and these credentials are for account `{}`",
        shown(path),
        Plain(found),
        Plain(expected)
    )]
    WrongAccount {
        /// The file.
        path: PathBuf,
        /// The plan's account.
        found: String,
        /// The account of the credentials.
        expected: String,
    },
    /// It is too old.
    #[error(
        "plan `{}` is {age} old; expected at most {}: create it again, or add `--max-plan-age DAYS`",
        shown(path),
        count(*most, "day")
    )]
    TooOld {
        /// The file.
        path: PathBuf,
        /// Its age.
        age: PlanAge,
        /// The most days.
        most: u16,
    },
    /// It was created later than now.
    #[error(
        "plan `{}` was created at {created_at}, and this clock shows {now}: correct the clock, or create \
         the plan again",
        shown(path)
    )]
    Ahead {
        /// The file.
        path: PathBuf,
        /// When it was created.
        created_at: Timestamp,
        /// The time of this clock.
        now: Timestamp,
    },
    /// A value is missing or not valid.
    #[error("plan `{}`: `{}`: {}", shown(path), Plain(field), Plain(why))]
    Field {
        /// The file.
        path: PathBuf,
        /// The value's path, for example `$.instances[3].set.http_tokens`.
        field: String,
        /// What it is, and what was expected.
        why: String,
    },
    /// Its policy is not valid.
    #[error("plan `{}`: `policy` is not a valid policy", shown(path))]
    Policy {
        /// The file.
        path: PathBuf,
        /// All faults of the policy.
        source: PolicyFaults,
    },
}

fn shown(path: &Path) -> String {
    Plain(&path.to_string_lossy()).to_string()
}
