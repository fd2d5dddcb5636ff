//! How the command ends, and with which exit code.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use imds_aws::{BundleError, CallError, Fault, LoginError, StateTable, TableNameError};
use imds_core::event::Malformed;
use imds_core::policy::PolicyFaults;
use imds_core::region_name;
use imds_engine::{RegionsError, ScanError};

use crate::joined::NotJoined;
use crate::report_file::ReportFileError;

/// How the command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// Everything is compliant or done.
    Fine,
    /// Violations were found or remain.
    Violations,
    /// Something failed or could not be described.
    Failed,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(match exit {
            Exit::Fine => 0,
            Exit::Violations => 1,
            Exit::Failed => 3,
        })
    }
}

/// Why the command cannot continue.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    #[error(transparent)]
    Login(#[from] LoginError),
    #[error("could not read {what} `{}`", path.display())]
    Read {
        what: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    #[error(transparent)]
    Report(#[from] ReportFileError),
    #[error(transparent)]
    Join(#[from] NotJoined),
    #[error("could not use the certificates in `AWS_CA_BUNDLE` `{}`", path.display())]
    CaBundle { path: PathBuf, source: BundleError },
    #[error("could not write {what} `{}`", path.display())]
    Write {
        what: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("could not write to standard output")]
    Print(#[source] std::io::Error),
    #[error("the policy in `{}` is not valid", path.display())]
    Policy { path: PathBuf, source: PolicyFaults },
    #[error("the event in `{}` is not valid", path.display())]
    Event { path: PathBuf, source: Malformed },
    #[error("not valid in `{}`: {malformed} of {of} events, the first", path.display())]
    Events {
        path: PathBuf,
        malformed: usize,
        of: usize,
        source: Malformed,
    },
    #[error(
        "could not describe the enabled regions: name regions with `--region`, or allow ec2:DescribeRegions"
    )]
    Regions(#[source] CallError),
    #[error("could not get the account of these credentials")]
    Identity(#[source] CallError),
    #[error(
        "AWS does not accept these credentials: log in again with `aws sso login`, or choose others with `--profile`"
    )]
    Credentials(#[source] CallError),
    #[error(
        "no usable answer from AWS: try again, and check the network, the proxy and the endpoint"
    )]
    Unanswered(#[source] CallError),
    #[error("no region is left: `--exclude-region` excludes all of them")]
    NoRegions,
    #[error("cannot ask for confirmation here: run it on a terminal, or add `--yes`")]
    NoTerminal,
    #[error(
        "no state table: name it with `--state-table` or IMDS_STATE_TABLE; it is the output `state_table_arn` of the Terraform module"
    )]
    NoStateTable,
    #[error("`--state-table` or IMDS_STATE_TABLE is not valid")]
    StateTableName(#[source] TableNameError),
    #[error("could not {act} the state table {table}{advice}")]
    StateTable {
        act: &'static str,
        table: String,
        advice: String,
        source: Box<CallError>,
    },
    #[error("{0}")]
    Usage(String),
    #[error("{0}")]
    Failed(String),
}

impl Problem {
    /// Converts a failed call to STS.
    pub(crate) fn identity(error: CallError) -> Problem {
        match error.fault {
            Fault::Credentials => Problem::Credentials(error),
            Fault::Unauthorized => Problem::Identity(error),
            _ => Problem::Unanswered(error),
        }
    }

    /// Converts the error of a scan that could not start.
    pub(crate) fn scan(error: ScanError) -> Problem {
        match error {
            ScanError::Regions(error) => Problem::regions(error),
            ScanError::Credentials(error) => Problem::Credentials(error),
            ScanError::Task(error) => {
                Problem::Failed(format!("the scan of a region ended: {error}"))
            }
        }
    }

    /// Converts an error of describing the regions.
    pub(crate) fn regions(error: RegionsError) -> Problem {
        match error {
            RegionsError::Describe(error) => match error.fault {
                Fault::Credentials => Problem::Credentials(error),
                Fault::Unauthorized => Problem::Regions(error),
                _ => Problem::Unanswered(error),
            },
            RegionsError::NoneLeft => Problem::NoRegions,
            RegionsError::UnknownExclusion(region) => {
                let meant = region_name::meant(&region);
                let meant = meant.map(|meant| format!(": did you mean {meant}?"));
                Problem::Usage(format!(
                    "`--exclude-region {region}`: the account has no such region{}",
                    meant.unwrap_or_default()
                ))
            }
        }
    }

    /// Converts an error of reading a file.
    pub(crate) fn reading(
        what: &'static str,
        path: &Path,
    ) -> impl FnOnce(std::io::Error) -> Problem {
        let path = path.to_owned();
        move |source| Problem::Read { what, path, source }
    }

    /// Converts an error of listening for signals.
    pub(crate) fn signals(error: std::io::Error) -> Problem {
        Problem::Failed(format!("could not listen for Ctrl-C: {error}"))
    }

    /// Converts an error of writing a file.
    pub(crate) fn writing(
        what: &'static str,
        path: &Path,
    ) -> impl FnOnce(std::io::Error) -> Problem {
        let path = path.to_owned();
        move |source| Problem::Write { what, path, source }
    }

    /// Converts an error of the state table, for which the given permission is necessary.
    pub(crate) fn state_table(
        act: &'static str,
        table: &StateTable,
        permission: &str,
        source: CallError,
    ) -> Problem {
        let advice = match source.fault {
            Fault::Unauthorized => format!(", which takes {permission}"),
            _ => String::new(),
        };
        Problem::StateTable {
            act,
            table: table.to_string(),
            advice,
            source: Box::new(source),
        }
    }

    /// Arguments of a command before its subcommand, which has its own.
    pub(crate) fn without_effect(subcommand: &str) -> Problem {
        Problem::Usage(format!("arguments before `{subcommand}` have no effect"))
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Problem::Write { .. }
            | Problem::Print(_)
            | Problem::StateTable { .. }
            | Problem::Failed(_)
            | Problem::Unanswered(_)
            | Problem::Login(LoginError::Late(_)) => ExitCode::from(3),
            Problem::Login(_)
            | Problem::Read { .. }
            | Problem::Report(_)
            | Problem::Join(_)
            | Problem::CaBundle { .. }
            | Problem::Policy { .. }
            | Problem::Event { .. }
            | Problem::Events { .. }
            | Problem::Regions(_)
            | Problem::Identity(_)
            | Problem::Credentials(_)
            | Problem::NoRegions
            | Problem::NoTerminal
            | Problem::NoStateTable
            | Problem::StateTableName(_)
            | Problem::Usage(_) => ExitCode::from(2),
        }
    }
}
