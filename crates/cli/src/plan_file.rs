//! A plan in a file, to be reviewed and applied later. Changes that are no longer valid are skipped.

mod age;
mod error;
mod usage_basis;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use imds_core::change::Change;
use imds_core::instance::{InstanceId, LaunchTemplate};
use imds_core::options::MetadataOptions;
use imds_core::policy::Policy;
use imds_core::usage::Usage;
use imds_engine::{ScanDecision, ScannedInstance};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::text;
use age::PlanAge;
pub(crate) use error::PlanFileError;
pub(crate) use usage_basis::UsageBasis;

/// The version of the format.
const VERSION: u32 = 2;

/// How far the clock that a plan was created by may be ahead.
const CLOCK_DIFFERENCE: SignedDuration = SignedDuration::from_mins(5);

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
    /// How the use of IMDSv1 counts.
    pub(crate) usage: UsageBasis,
    /// Whether user data was searched for calls without a token.
    pub(crate) user_data: bool,
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
    /// The tag `Name`, for reviewers.
    pub(crate) name: Option<String>,
    /// All of its tags, which name its owner, for reviewers.
    pub(crate) tags: BTreeMap<String, String>,
    /// The launch template that it was launched from, for reviewers.
    pub(crate) launch_template: Option<LaunchTemplate>,
    /// The Auto Scaling group that would replace it, for reviewers.
    pub(crate) auto_scaling_group: Option<String>,
    /// When it was first launched, for reviewers; `None`: not known.
    pub(crate) first_launched_at: Option<Timestamp>,
    /// Whether it uses IMDSv1, where that was asked, for reviewers.
    pub(crate) usage: Option<Usage>,
    /// All options before the change.
    pub(crate) before: MetadataOptions,
    /// The options to set; `None` leaves an option unchanged.
    pub(crate) set: MetadataOptions,
    /// Why the instance is changed, for reviewers.
    pub(crate) reason: String,
}

impl PlanFile {
    /// Creates a plan.
    pub(crate) fn new(
        account: &str,
        created_at: Timestamp,
        policy: Value,
        (usage, user_data): (UsageBasis, bool),
        instances: Vec<PlannedChange>,
    ) -> Self {
        PlanFile {
            kind: KIND.to_owned(),
            version: VERSION,
            account: account.to_owned(),
            created_at,
            policy,
            usage,
            user_data,
            instances,
        }
    }

    /// How old the plan is.
    ///
    /// # Errors
    /// If it is older than so many days, or was created later than `now`, as far as clocks may differ.
    pub(crate) fn age(
        &self,
        path: &Path,
        now: Timestamp,
        most: u16,
    ) -> Result<PlanAge, PlanFileError> {
        let age = now.duration_since(self.created_at);
        let path = path.to_owned();
        if age < -CLOCK_DIFFERENCE {
            let created_at = self.created_at;
            return Err(PlanFileError::Ahead {
                path,
                created_at,
                now,
            });
        }
        if age.as_mins() > i64::from(most) * 24 * 60 {
            let age = PlanAge(age);
            return Err(PlanFileError::TooOld { path, age, most });
        }
        Ok(PlanAge(age))
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
    pub(crate) fn still_valid(&self, now: &ScannedInstance) -> Result<(), String> {
        if now.report.before != Some(self.before) {
            return Err("its options were changed since the plan was made".to_owned());
        }
        match (now.decision, now.set) {
            (ScanDecision::Enforce, Some(set)) if set == self.set => Ok(()),
            (ScanDecision::Enforce, Some(set)) => {
                let (planned, now) = (Change::setting(self.set), Change::setting(set));
                Err(format!(
                    "the plan sets {planned}, and its policy now sets {now}"
                ))
            }
            _ => Err(format!(
                "the plan's policy no longer sets its options: {}",
                now.report.reason
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

#[cfg(test)]
mod tests;
