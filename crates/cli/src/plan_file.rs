//! A plan in a file, to be reviewed and applied later. Changes that are no longer valid are skipped.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use imds_core::change::Change;
use imds_core::decide::{Decision, UsageGate};
use imds_core::instance::{Instance, InstanceId};
use imds_core::options::MetadataOptions;
use imds_core::plain::Plain;
use imds_core::policy::{Action, Policy, PolicyFaults};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::text;

/// The version of the format.
const VERSION: u32 = 1;

/// The `kind` of a plan.
const KIND: &str = "imdsctl-plan";

/// A plan of enforcement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlanFile {
    kind: String,
    version: u32,
    /// The account, 12 digits.
    pub(crate) account: String,
    /// When the plan was created.
    pub(crate) created_at: Timestamp,
    /// The policy document that it enforces.
    pub(crate) policy: Value,
    /// The changes.
    pub(crate) instances: Vec<PlannedChange>,
}

/// The change of one instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlannedChange {
    /// The instance's region.
    pub(crate) region: String,
    /// The instance.
    pub(crate) instance_id: InstanceId,
    /// All options before the change.
    pub(crate) before: MetadataOptions,
    /// The options to set; `None` leaves an option unchanged.
    pub(crate) set: MetadataOptions,
    /// Why the instance is changed, for reviewers.
    pub(crate) reason: String,
}

/// What a plan is based on, as to the use of IMDSv1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "basis", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum UsageBasis {
    /// It was not asked for.
    NotAsked,
    /// A person said that it does not matter.
    Ignored,
    /// As the policy says.
    Policy {
        /// The days of the window.
        days: u8,
    },
    /// Only instances that did not use it.
    UnusedOnly {
        /// The days of the window.
        days: u8,
    },
}

impl UsageBasis {
    /// How it counts.
    pub(crate) fn gate(self) -> UsageGate {
        match self {
            UsageBasis::NotAsked | UsageBasis::Ignored => UsageGate::Ignored,
            UsageBasis::Policy { .. } => UsageGate::Policy,
            UsageBasis::UnusedOnly { .. } => UsageGate::UnusedOnly,
        }
    }

    /// The days of the window, where it is asked for.
    pub(crate) fn days(self) -> Option<u8> {
        match self {
            UsageBasis::NotAsked | UsageBasis::Ignored => None,
            UsageBasis::Policy { days } | UsageBasis::UnusedOnly { days } => Some(days),
        }
    }
}

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

impl PlanFile {
    /// Creates a plan.
    pub(crate) fn new(
        account: &str,
        created_at: Timestamp,
        policy: Value,
        instances: Vec<PlannedChange>,
    ) -> Self {
        PlanFile {
            kind: KIND.to_owned(),
            version: VERSION,
            account: account.to_owned(),
            created_at,
            policy,
            instances,
        }
    }

    /// Reads a plan for the caller's account, and its policy.
    pub(crate) fn read(path: &Path, account: &str) -> Result<(Self, Policy), PlanFileError> {
        let read = File::open(path).and_then(text::read);
        let text = read.map_err(|source| PlanFileError::Read {
            path: path.to_owned(),
            source,
        })?;
        PlanFile::parse(path, &text, account)
    }

    /// Writes the plan in one step; replaces only a file that is a plan too.
    pub(crate) fn write(&self, path: &Path) -> Result<(), PlanFileError> {
        let path_of = || path.to_owned();
        let failed = |source| PlanFileError::Write {
            path: path_of(),
            source,
        };
        let taken = match std::fs::symlink_metadata(path) {
            Ok(_) if is_plan(path) => true,
            Ok(_) => return Err(PlanFileError::Taken { path: path_of() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(source) => return Err(failed(source)),
        };
        // A relative name without a folder has an empty parent.
        let folder = path.parent().filter(|folder| *folder != Path::new(""));
        let mut builder = tempfile::Builder::new();
        // Like any new file: readable by others, as far as the umask allows.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let file = builder
            .tempfile_in(folder.unwrap_or(Path::new(".")))
            .map_err(failed)?;
        let mut out = BufWriter::new(file);
        serde_json::to_writer_pretty(&mut out, self).map_err(|error| failed(error.into()))?;
        out.write_all(b"\n").map_err(failed)?;
        let file = out
            .into_inner()
            .map_err(|error| failed(error.into_error()))?;
        file.as_file().sync_all().map_err(failed)?;
        let kept = if taken {
            file.persist(path)
        } else {
            file.persist_noclobber(path)
        };
        match kept {
            Ok(_) => Ok(()),
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
                Err(PlanFileError::Taken { path: path_of() })
            }
            Err(error) => Err(failed(error.error)),
        }
    }

    fn parse(path: &Path, text: &str, account: &str) -> Result<(Self, Policy), PlanFileError> {
        let path = path.to_owned();
        let found = match serde_json::from_str::<PlanHeader>(text) {
            Ok(mark) if mark.kind == KIND => mark.version,
            Ok(_) => {
                let why = format!("`kind` is different; expected `{KIND}`");
                return Err(PlanFileError::NoPlan { path, why });
            }
            Err(error) => {
                let why = error.to_string();
                return Err(PlanFileError::NoPlan { path, why });
            }
        };
        if found != u64::from(VERSION) {
            return Err(PlanFileError::Version { path, found });
        }
        let json = &mut serde_json::Deserializer::from_str(text);
        let plan: PlanFile = match serde_path_to_error::deserialize(json) {
            Ok(plan) => plan,
            Err(error) => {
                let field = match error.path().to_string().as_str() {
                    "." => "$".to_owned(),
                    path => format!("$.{path}"),
                };
                let why = error.into_inner().to_string();
                return Err(PlanFileError::Field { path, field, why });
            }
        };
        if plan.account != account {
            return Err(PlanFileError::WrongAccount {
                path,
                found: plan.account,
                expected: account.to_owned(),
            });
        }
        let mut named = BTreeSet::new();
        for (n, entry) in plan.instances.iter().enumerate() {
            let (field, why) = if entry.set == MetadataOptions::default() {
                let why = "it sets nothing; expected at least one option";
                (format!("$.instances[{n}].set"), why.to_owned())
            } else if !named.insert((&entry.region, &entry.instance_id)) {
                let id = &entry.instance_id;
                let why = format!("`{id}` is listed twice; expected every instance once");
                (format!("$.instances[{n}].instance_id"), why)
            } else {
                continue;
            };
            return Err(PlanFileError::Field { path, field, why });
        }
        match Policy::parse(&plan.policy.to_string()) {
            Ok(policy) => Ok((plan, policy)),
            Err(source) => Err(PlanFileError::Policy { path, source }),
        }
    }
}

impl PlannedChange {
    /// Checks that the plan is still valid: the instance's options are unchanged, and the plan's policy
    /// still decides the same.
    ///
    /// # Errors
    /// Why the plan is no longer valid.
    pub(crate) fn still_valid(&self, now: &Instance, decision: &Decision) -> Result<(), String> {
        if now.options != self.before {
            return Err("its options were changed since the plan was made".to_owned());
        }
        match decision {
            Decision::NonCompliant(non_compliant) if non_compliant.action == Action::Enforce => {
                if *non_compliant.change.set() == self.set {
                    return Ok(());
                }
                let planned = Change::setting(self.set);
                let now = non_compliant.change;
                Err(format!(
                    "the plan sets {planned}, and its policy now sets {now}"
                ))
            }
            Decision::NonCompliant(_)
            | Decision::Compliant(_)
            | Decision::Exempt(_)
            | Decision::Gone(_) => Err(format!(
                "the plan's policy no longer sets its options: {decision}"
            )),
        }
    }
}

/// The fields that plans of all versions have.
#[derive(Deserialize)]
struct PlanHeader {
    kind: String,
    version: u64,
}

fn is_plan(path: &Path) -> bool {
    let file = std::fs::metadata(path).is_ok_and(|file| file.is_file());
    let header = || {
        let text = File::open(path).and_then(text::read).ok()?;
        serde_json::from_str::<PlanHeader>(&text).ok()
    };
    file && header().is_some_and(|header| header.kind == KIND)
}

fn shown(path: &Path) -> String {
    Plain(&path.to_string_lossy()).to_string()
}

#[cfg(test)]
mod tests;
