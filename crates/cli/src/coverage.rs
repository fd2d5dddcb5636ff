//! What a report covers: what the command was asked for, and what it did not examine.

use std::collections::BTreeMap;

use imds_core::instance::{InstanceId, State};
use imds_core::report::Summary;
use imds_engine::{KeptTemplates, RegionTotal};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::args::Only;
use crate::document::{CommandTrigger, Document};
use crate::scope::Scope;

/// What the command was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Coverage {
    /// The AWS CLI profile, where one was named.
    pub(crate) profile: Option<String>,
    /// The endpoint of all AWS services, where one was given.
    pub(crate) endpoint_url: Option<String>,
    /// What decided about the instances.
    pub(crate) policy: CoveredPolicy,
    /// The regions that were asked for; empty: all enabled regions.
    pub(crate) regions: Vec<String>,
    /// The regions that were excluded.
    pub(crate) exclude_regions: Vec<String>,
    /// The ids that were asked for; empty: all instances.
    pub(crate) instances: Vec<InstanceId>,
    /// The tags that were asked for, as `KEY=VALUE`; empty: all instances.
    pub(crate) tags: Vec<String>,
    /// The states that were asked for; empty: all states.
    pub(crate) states: Vec<State>,
    /// Whether only non-compliant instances are listed. The summary counts all.
    pub(crate) only: Option<Only>,
    /// The days over which the use of IMDSv1 was asked for.
    #[serde(default)]
    pub(crate) usage_days: Option<u8>,
}

/// The policy of a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct CoveredPolicy {
    /// The file, or the plan that contains it; `null`: the command's own policy.
    pub(crate) file: Option<String>,
    /// The SHA-256 of the file, where it is a policy.
    pub(crate) sha256: Option<String>,
    /// The options that it requires where no rule says otherwise.
    pub(crate) requires: String,
}

impl Coverage {
    pub(crate) fn new(document: &Document) -> Self {
        let Scope {
            connection,
            regions,
            instances,
            required,
            plan,
            show_tags: _,
            only,
        } = &document.scope;
        let tags = instances.tags.iter();
        let sha256 = required.policy.as_ref();
        let file = sha256.or(plan.as_ref());
        Coverage {
            profile: connection.profile.clone(),
            endpoint_url: connection.endpoint_url.clone(),
            policy: CoveredPolicy {
                file: file.map(|path| path.display().to_string()),
                sha256: sha256.map(|_| document.policy.sha256.clone()),
                requires: document.policy.requires.clone(),
            },
            regions: regions.only.clone(),
            exclude_regions: regions.exclude.clone(),
            instances: instances.ids.clone(),
            tags: tags.map(|(key, value)| format!("{key}={value}")).collect(),
            states: instances.states.clone(),
            only: *only,
            usage_days: document.usage_days,
        }
    }
}

/// A report that others are joined with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Source {
    /// Its file, as it was named.
    pub(crate) file: String,
    /// The command, or the trigger of the function.
    pub(crate) trigger: String,
    /// The account, 12 digits, where it is known.
    pub(crate) account: Option<String>,
    /// When the command finished; `null`: the function wrote the report.
    #[cfg_attr(test, schemars(with = "Option<imds_core::report_schema::Time>"))]
    pub(crate) finished_at: Option<Timestamp>,
    /// What the command was asked for; `null`: the function wrote the report.
    pub(crate) scope: Option<Coverage>,
    /// What it did not examine.
    pub(crate) not_examined: Vec<NotExamined>,
    /// The regions that it contributes.
    pub(crate) regions: Vec<String>,
    /// The regions that a newer report contributes instead.
    pub(crate) superseded: Vec<String>,
}

impl Source {
    /// Whether newer reports contribute all of its regions.
    pub(crate) fn is_superseded(&self) -> bool {
        self.regions.is_empty() && !self.superseded.is_empty()
    }
}

/// The regions of an account that were described and have none of the instances that were asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct EmptyRegions {
    /// The account, 12 digits, where it is known.
    account: Option<String>,
    /// Their names.
    regions: Vec<String>,
}

impl EmptyRegions {
    /// Lists regions by account.
    pub(crate) fn by_account(empty: &[&RegionTotal]) -> Vec<Self> {
        let mut accounts: BTreeMap<&Option<String>, Vec<String>> = BTreeMap::new();
        for total in empty {
            let regions = accounts.entry(&total.account).or_default();
            regions.push(total.region.clone());
        }
        let accounts = accounts.into_iter();
        let accounts = accounts.map(|(account, regions)| EmptyRegions {
            account: account.clone(),
            regions,
        });
        accounts.collect()
    }

    /// The totals of the regions.
    pub(crate) fn totals(self) -> impl Iterator<Item = RegionTotal> {
        self.regions.into_iter().map(move |region| RegionTotal {
            account: self.account.clone(),
            region,
            summary: Summary::default(),
        })
    }
}

/// Something that the command did not examine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct NotExamined {
    /// What it is.
    pub(crate) what: Unexamined,
    /// Why, as a sentence.
    pub(crate) reason: String,
}

/// What a command may leave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unexamined {
    /// Regions that were not asked for.
    Regions,
    /// Instances that do not match the filters, or are not in the plan.
    Instances,
    /// How non-compliant instances use IMDSv1.
    Usage,
    /// User data.
    UserData,
    /// Launch templates and launch configurations.
    LaunchTemplates,
    /// The account's metadata defaults.
    AccountDefaults,
    /// Exemptions in the state table of the function.
    StateTable,
}

impl Unexamined {
    /// The words in reports for people.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Unexamined::Regions => "other Regions",
            Unexamined::Instances => "other instances",
            Unexamined::Usage => "use of IMDSv1",
            Unexamined::UserData => "user data",
            Unexamined::LaunchTemplates => "launch templates",
            Unexamined::AccountDefaults => "account defaults",
            Unexamined::StateTable => "exemptions in the state table",
        }
    }
}

/// What the command did not examine. Regions and instances that could not be described are not among it.
pub(crate) fn not_examined(document: &Document) -> Vec<NotExamined> {
    if document.trigger == CommandTrigger::Report {
        return not_examined_by(&document.sources);
    }
    let scope = &document.scope;
    let optional = [
        (document.usage_days.is_some(), Unexamined::Usage, "--usage"),
        (document.user_data, Unexamined::UserData, "--user-data"),
        (
            document.kept_templates == Some(KeptTemplates::All),
            Unexamined::LaunchTemplates,
            "--templates",
        ),
        (
            document.defaults.is_some(),
            Unexamined::AccountDefaults,
            "--defaults",
        ),
    ];
    let optional = optional.into_iter().filter(|(examined, ..)| !examined);
    let optional = optional.map(|(_, what, option)| NotExamined {
        what,
        reason: match document.trigger {
            CommandTrigger::Scan | CommandTrigger::Report => format!("{option} was not given"),
            CommandTrigger::Enforce => format!("imdsctl scan {option} examines it"),
        },
    });
    let left_out = |what, words: String| {
        let reason = format!("left out by{words}");
        (!words.is_empty()).then_some(NotExamined { what, reason })
    };
    let instances = match &scope.plan {
        Some(plan) => left_out(Unexamined::Instances, Scope::plan_words(plan)),
        None => left_out(Unexamined::Instances, scope.instance_words()),
    };
    let state_table = (!document.state_table).then(|| NotExamined {
        what: Unexamined::StateTable,
        reason: "no state table was named by --state-table or IMDS_STATE_TABLE".to_owned(),
    });
    let regions = left_out(Unexamined::Regions, scope.region_words());
    let left_out = regions.into_iter().chain(instances);
    left_out.chain(optional).chain(state_table).collect()
}

/// What the reports that were joined did not examine, and which of them.
fn not_examined_by(sources: &[Source]) -> Vec<NotExamined> {
    let used: Vec<&Source> = sources.iter().filter(|it| !it.is_superseded()).collect();
    let mut merged: Vec<(&NotExamined, Vec<&str>)> = Vec::new();
    for source in &used {
        for found in &source.not_examined {
            match merged.iter_mut().find(|(other, _)| *other == found) {
                Some((_, files)) => files.push(&source.file),
                None => merged.push((found, vec![&source.file])),
            }
        }
    }
    merged.sort_by_key(|(found, _)| found.what);
    let merged = merged.into_iter().map(|(found, files)| {
        let files = (files.len() < used.len()).then(|| format!(", in {}", files.join(", ")));
        NotExamined {
            what: found.what,
            reason: found.reason.clone() + &files.unwrap_or_default(),
        }
    });
    merged.collect()
}
