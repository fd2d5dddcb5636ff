//! What a report covers: what the command was asked for, and what it did not examine.

use imds_engine::KeptTemplates;
use serde::Serialize;

use crate::args::Only;
use crate::document::{CommandTrigger, Document};
use crate::scope::Scope;

/// What the command was asked for.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Coverage<'a> {
    /// The AWS CLI profile, where one was named.
    profile: Option<&'a str>,
    /// The endpoint of all AWS services, where one was given.
    endpoint_url: Option<&'a str>,
    /// What decided about the instances.
    policy: CoveredPolicy<'a>,
    /// The regions that were asked for; empty: all enabled regions.
    regions: &'a [String],
    /// The regions that were excluded.
    exclude_regions: &'a [String],
    /// The ids that were asked for; empty: all instances.
    instances: Vec<&'a str>,
    /// The tags that were asked for, as `KEY=VALUE`; empty: all instances.
    tags: Vec<String>,
    /// The states that were asked for; empty: all states.
    states: Vec<&'static str>,
    /// Whether only non-compliant instances are listed. The summary counts all.
    only: Option<Only>,
}

/// The policy of a report.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct CoveredPolicy<'a> {
    /// The file, or the plan that contains it; `null`: the command's own policy.
    file: Option<String>,
    /// The SHA-256 of the file, where it is a policy.
    sha256: Option<&'a str>,
    /// The options that it requires where no rule says otherwise.
    requires: &'a str,
}

impl<'a> Coverage<'a> {
    pub(crate) fn new(document: &'a Document) -> Self {
        let Scope {
            connection,
            regions,
            instances,
            required,
            plan,
            only,
        } = &document.scope;
        let tags = instances.tags.iter();
        let sha256 = required.policy.as_ref();
        let file = sha256.or(plan.as_ref());
        Coverage {
            profile: connection.profile.as_deref(),
            endpoint_url: connection.endpoint_url.as_deref(),
            policy: CoveredPolicy {
                file: file.map(|path| path.display().to_string()),
                sha256: sha256.map(|_| document.policy.sha256.as_str()),
                requires: &document.policy.requires,
            },
            regions: &regions.only,
            exclude_regions: &regions.exclude,
            instances: instances.ids.iter().map(|id| id.as_str()).collect(),
            tags: tags.map(|(key, value)| format!("{key}={value}")).collect(),
            states: instances.states.iter().map(|it| it.as_str()).collect(),
            only: *only,
        }
    }
}

/// Something that the command did not examine.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct NotExamined {
    /// What it is.
    pub(crate) what: Unexamined,
    /// Why, as a sentence.
    pub(crate) reason: String,
}

/// What a command may leave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
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
            CommandTrigger::Scan => format!("{option} was not given"),
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
    let state_table = NotExamined {
        what: Unexamined::StateTable,
        reason: "imdsctl does not read the state table".to_owned(),
    };
    let regions = left_out(Unexamined::Regions, scope.region_words());
    let left_out = regions.into_iter().chain(instances);
    left_out.chain(optional).chain([state_table]).collect()
}
