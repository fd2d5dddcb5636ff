//! Next steps for the findings, with commands to paste.

use std::collections::BTreeMap;

use imds_core::options::HttpTokens;
use imds_core::plain::Plain;
use imds_engine::RegionDefaults;

use super::survey::Survey;
use super::words::{count, thousands};
use crate::document::{CommandTrigger, Document};

/// Something to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct NextStep {
    /// What to do.
    pub(super) what: String,
    /// How, and why.
    pub(super) how: String,
    /// The affected resources, then how many more there are; safe to print.
    pub(super) names: Vec<String>,
    /// Commands to paste into a shell. They contain no resource names, which are untrusted.
    pub(super) commands: Vec<String>,
}

/// The maximum number of names in a step.
const NAMED: usize = 5;

impl NextStep {
    fn new(what: impl Into<String>, how: impl Into<String>) -> Self {
        NextStep {
            what: what.into(),
            how: how.into(),
            ..NextStep::default()
        }
    }

    fn commands<const N: usize>(mut self, commands: [&str; N]) -> Self {
        self.commands = commands.map(str::to_owned).to_vec();
        self
    }

    /// Keeps the first few names and states how many more there are.
    fn names<'a>(mut self, names: impl Iterator<Item = &'a str>) -> Self {
        self.names = names.map(|name| Plain(name).to_string()).collect();
        let more = self.names.len().saturating_sub(NAMED);
        self.names.truncate(NAMED);
        if more > 0 {
            self.names.push(format!("and {} more", thousands(more)));
        }
        self
    }
}

/// The steps, in order.
pub(super) fn steps(document: &Document, survey: &Survey) -> Vec<NextStep> {
    let mut steps: Vec<NextStep> = problems(document).collect();
    steps.extend(update_launchers(document, survey));
    if document.trigger != CommandTrigger::Enforce {
        match document.usage_days {
            Some(days) => steps.extend(enforce_by_usage(days, survey)),
            None => steps.extend(ask_for_usage(survey)),
        }
    }
    steps.extend(watch(document));
    steps.extend(set_defaults(document));
    if steps.is_empty() {
        let how = "There is nothing to remediate. The function `enforcer` remediates instances as \
                   they are launched, and the defaults of the account make new launches compliant.";
        steps.push(
            NextStep::new("Keep it this way", how)
                .commands(["imdsctl scan --templates --defaults"]),
        );
    }
    steps
}

fn problems(document: &Document) -> impl Iterator<Item = NextStep> {
    let unreachable = (!document.unreachable.is_empty()).then(|| {
        let how = "An instance that could not be described does not count as compliant. The causes \
                   are listed under “Could not be described”.";
        let regions = document.unreachable.iter().map(|it| it.region.as_str());
        NextStep::new("Find out what could not be described", how)
            .names(regions)
            .commands(["imdsctl doctor"])
    });
    let failed = (document.summary().failed > 0).then(|| {
        let what = count(document.summary().failed, "instance");
        let how = "The table shows the cause for each. If you run the command again, it changes \
                   only what is still non-compliant.";
        NextStep::new(format!("Find out why {what} failed"), how)
            .commands(["imdsctl enforce --dry-run"])
    });
    unreachable.into_iter().chain(failed)
}

/// Sources that launched non-compliant instances, and templates that will.
fn launchers(document: &Document, survey: &Survey) -> Vec<String> {
    let mut launchers: BTreeMap<(&str, &str), String> = BTreeMap::new();
    for (region, from) in survey.launched_from.keys() {
        launchers.insert((region, from.id), from.label.clone());
    }
    let templates = document.templates.iter().flatten();
    for it in templates.filter(|it| !it.is_compliant()) {
        let launcher = launchers.entry((&it.region, &it.id));
        launcher.or_insert_with(|| Plain(&it.id).to_string());
    }
    let launchers = launchers.into_iter();
    launchers
        .map(|((region, _), name)| format!("{name} ({})", Plain(region)))
        .collect()
}

fn update_launchers(document: &Document, survey: &Survey) -> Option<NextStep> {
    let launchers = launchers(document, survey);
    let sources = count(launchers.len(), "source");
    let how = "Otherwise the next instance is not compliant either. In launch templates, set \
               HttpTokens in MetadataOptions to required, and make that version the default.";
    (!launchers.is_empty()).then(|| {
        NextStep::new(format!("Update {sources} of non-compliant launches"), how)
            .names(launchers.iter().map(String::as_str))
            .commands(["imdsctl scan --templates --only violations"])
    })
}

/// The command that shows who uses IMDSv1.
pub(super) const USAGE: &str = "imdsctl scan --usage --output report.html";

fn ask_for_usage(survey: &Survey) -> Option<NextStep> {
    let instances = count(survey.to_enforce, "instance");
    let what = format!("Find out who uses IMDSv1, then require tokens on {instances}");
    let how = "Software that uses IMDSv1 loses its credentials when tokens are required. Start \
               where it was not used. Every change is recorded in a journal and can be rolled back.";
    (survey.to_enforce > 0)
        .then(|| NextStep::new(what, how).commands([USAGE, "imdsctl enforce --unused-only"]))
}

fn enforce_by_usage(days: u8, survey: &Survey) -> impl Iterator<Item = NextStep> {
    let unused = survey.to_enforce_unused;
    let enforce = (unused > 0).then(|| {
        let instances = count(unused, "instance");
        let how = format!(
            "There was no call without a token in {}. Every change is recorded in a journal and can \
             be rolled back.",
            count(days, "day")
        );
        let command = format!("imdsctl enforce --unused-only {days}");
        NextStep::new(format!("Require tokens on {instances} that did not use IMDSv1"), how)
            .commands([&format!("{command} --dry-run"), &command])
    });
    let (in_use, unknown) = (survey.in_use.len(), survey.unknown);
    let migrate = (in_use + unknown > 0).then(|| {
        let instances = count(in_use + unknown, "instance");
        let how = format!(
            "{} used it. For {} it is not known, which is not the same as not used. Update their \
             SDKs, agents and scripts until the calls end, then require tokens.",
            thousands(in_use),
            thousands(unknown)
        );
        NextStep::new(format!("Move {instances} off IMDSv1"), how)
            .commands([&format!("imdsctl usage --days {days}")])
    });
    enforce.into_iter().chain(migrate)
}

fn watch(document: &Document) -> Option<NextStep> {
    let enforced = document.summary().enforced;
    let how = "Software whose calls are rejected now fails. The command also prints how to restore \
               such an instance.";
    (enforced > 0).then(|| {
        let what = format!(
            "Watch the {} that were changed",
            count(enforced, "instance")
        );
        NextStep::new(what, how).commands(["imdsctl usage --rejected"])
    })
}

fn set_defaults(document: &Document) -> Option<NextStep> {
    let is_open = |it: &&RegionDefaults| {
        it.defaults.http_tokens != Some(HttpTokens::Required) && !it.defaults.enforces_tokens()
    };
    let open = document.defaults.iter().flatten().filter(is_open);
    let regions: Vec<&str> = open.map(|it| it.region.as_str()).collect();
    let how = "There, a launch that does not set the option allows IMDSv1, unless its image requires \
               tokens.";
    (!regions.is_empty()).then(|| {
        let what = format!("Set the defaults of {}", count(regions.len(), "region"));
        NextStep::new(what, how)
            .names(regions.into_iter())
            .commands(["imdsctl defaults set --http-tokens required --dry-run"])
    })
}

#[cfg(test)]
mod tests;
