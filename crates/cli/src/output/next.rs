//! Next steps for the findings, with commands to paste.

mod templates;

pub(super) use templates::in_order;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use imds_core::count::{count, thousands};
use imds_core::options::{HopLimit, HttpTokens};
use imds_core::plain::Plain;
use imds_engine::RegionDefaults;

use super::survey::Survey;
use crate::document::{CommandTrigger, Document};
use crate::quote::quoted;

/// Something to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct NextStep {
    /// What to do.
    pub(super) what: String,
    /// How, and why.
    pub(super) how: String,
    /// The affected resources, then how many more there are; safe to print.
    pub(super) names: Vec<String>,
    /// Commands to paste into a shell, with the scope of the report. They contain ids, and no names of
    /// resources, which are untrusted.
    pub(super) commands: Vec<String>,
}

/// The maximum number of names in a step.
const NAMED: usize = 5;

/// The hop limit with which containers on a bridge network get a token.
const CONTAINER_HOPS: i64 = 2;

impl NextStep {
    fn new(what: impl Into<String>, how: impl Into<String>) -> Self {
        NextStep {
            what: what.into(),
            how: how.into(),
            ..NextStep::default()
        }
    }

    fn commands(mut self, commands: impl IntoIterator<Item = String>) -> Self {
        self.commands = commands.into_iter().collect();
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
    let mut steps = to_do(document, survey);
    if steps.is_empty() {
        let how = "There is nothing to remediate. The function `enforcer` remediates instances as \
                   they are launched, and the defaults of the account make new launches compliant.";
        let command = format!(
            "imdsctl scan --templates --defaults{}",
            document.scope.words()
        );
        steps.push(NextStep::new("Keep it this way", how).commands([command]));
    }
    steps
}

/// The steps that the findings require, in order.
pub(super) fn to_do(document: &Document, survey: &Survey) -> Vec<NextStep> {
    let mut steps: Vec<NextStep> = problems(document).collect();
    steps.extend(update_sources(document, survey));
    steps.extend(templates::steps(document));
    if document.trigger != CommandTrigger::Enforce {
        match document.usage_days {
            Some(days) => steps.extend(enforce_by_usage(days, document, survey)),
            None => steps.extend(ask_for_usage(document, survey)),
        }
    }
    steps.extend(watch(document));
    steps.extend(set_defaults(document));
    steps
}

/// Names the account that the commands are for.
pub(super) fn commands_are_for(document: &Document) -> String {
    match &document.account {
        _ if document.trigger == CommandTrigger::Report => {
            "Run the commands with the credentials of each account, and with the filters of its \
             report."
                .to_owned()
        }
        Some(account) => format!("The commands are for account {}.", Plain(account)),
        None => "The account that the commands are for is not known.".to_owned(),
    }
}

fn problems(document: &Document) -> impl Iterator<Item = NextStep> {
    let scope = &document.scope;
    let unreachable = (!document.unreachable.is_empty()).then(|| {
        let how = "An instance that could not be described does not count as compliant. The causes \
                   are listed under “Could not be described”.";
        let regions: BTreeSet<&str> = document.unreachable.iter().map(|it| &*it.region).collect();
        NextStep::new("Find out what could not be described", how)
            .names(regions.into_iter())
            .commands([format!("imdsctl doctor{}", scope.region_scope_words())])
    });
    let failed = (document.summary().failed > 0).then(|| {
        let what = count(document.summary().failed, "instance");
        let how = "The table shows the cause for each. If you run the command again, it changes \
                   only what is still non-compliant.";
        let unused = document
            .usage_days
            .map(|days| format!(" --unused-only {days}"));
        let (unused, words) = (unused.unwrap_or_default(), scope.enforced_words());
        NextStep::new(format!("Find out why {what} failed"), how)
            .commands([format!("imdsctl enforce --dry-run{unused}{words}")])
    });
    unreachable.into_iter().chain(failed)
}

/// Names what launched non-compliant instances, except templates that are evaluated themselves.
fn update_sources(document: &Document, survey: &Survey) -> Option<NextStep> {
    let templates = || document.templates.iter().flatten();
    let sources = survey.launched_from.keys();
    let sources: BTreeMap<(&str, &str), &str> = sources
        .filter(|(region, from)| !templates().any(|it| it.region == *region && it.id == from.id))
        .map(|(region, from)| ((*region, from.id), from.label.as_str()))
        .collect();
    let names = sources
        .iter()
        .map(|((region, _), label)| format!("{label} ({})", Plain(region)));
    let names: Vec<String> = names.collect();
    let how = "Otherwise the next instance is not compliant either. The scan of launch templates \
               shows the versions that they launch from, and the commands that update them.";
    (!names.is_empty()).then(|| {
        let what = format!(
            "Update {} of non-compliant launches",
            count(names.len(), "source")
        );
        let words = document.scope.words();
        let days = document.usage_days.unwrap_or(DEFAULT_DAYS);
        let command = format!("imdsctl scan --templates --usage {days} --only violations{words}");
        NextStep::new(what, how)
            .names(names.iter().map(String::as_str))
            .commands([command])
    })
}

/// The days for which usage is asked where the report did not ask.
const DEFAULT_DAYS: u8 = 14;

/// The command that shows who uses IMDSv1.
pub(super) fn ask_usage(document: &Document) -> String {
    let words = document.scope.words();
    format!("imdsctl scan --usage --output report.html{words}")
}

fn ask_for_usage(document: &Document, survey: &Survey) -> Option<NextStep> {
    let instances = count(survey.to_enforce, "instance");
    let what = format!("Find out who uses IMDSv1, then require tokens on {instances}");
    let how = "Software that uses IMDSv1 loses its credentials when tokens are required. Start \
               where it was not used. Every change is recorded in a journal and can be rolled back.";
    let enforce = format!("imdsctl enforce --unused-only{}", document.scope.words());
    (survey.to_enforce > 0)
        .then(|| NextStep::new(what, how).commands([ask_usage(document), enforce]))
}

fn enforce_by_usage(
    days: u8,
    document: &Document,
    survey: &Survey,
) -> impl Iterator<Item = NextStep> {
    let unused = survey.to_enforce_unused;
    let enforce = (unused > 0).then(|| {
        let instances = count(unused, "instance");
        let how = format!(
            "There was no call without a token in {}. Every change is recorded in a journal and can \
             be rolled back.",
            count(days, "day")
        );
        let words = document.scope.words();
        let command = |dry_run| format!("imdsctl enforce --unused-only {days}{dry_run}{words}");
        NextStep::new(format!("Require tokens on {instances} that did not use IMDSv1"), how)
            .commands([command(" --dry-run"), command("")])
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
        let words = document.scope.observed_words();
        NextStep::new(format!("Move {instances} off IMDSv1"), how)
            .commands([format!("imdsctl usage --days {days}{words}")])
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
        let words = document.scope.observed_words();
        let command = format!("imdsctl usage --rejected --days 1{words}");
        NextStep::new(what, how).commands([command])
    })
}

fn set_defaults(document: &Document) -> Option<NextStep> {
    let is_open = |it: &&RegionDefaults| {
        it.defaults.http_tokens != Some(HttpTokens::Required) && !it.defaults.enforces_tokens()
    };
    let open = document.defaults.iter().flatten().filter(is_open);
    let open: Vec<&RegionDefaults> = open.collect();
    let hops = document
        .scope
        .required
        .hop_limit
        .max(HopLimit::try_from(CONTAINER_HOPS).ok());
    let is_higher = |it: &&RegionDefaults| it.defaults.hop_limit >= hops;
    let (high, low): (Vec<&RegionDefaults>, Vec<&RegionDefaults>) =
        open.iter().copied().partition(is_higher);
    let connection = document.scope.connection.words();
    let command = |regions: Vec<&RegionDefaults>, hops: String| {
        let regions: Vec<&str> = regions.iter().map(|it| it.region.as_str()).collect();
        (!regions.is_empty()).then(|| {
            let regions = quoted(Path::new(&regions.join(",")));
            format!(
                "imdsctl defaults set --http-tokens required{hops} --region {regions} \
                 --dry-run{connection}"
            )
        })
    };
    let how = "There, a launch that does not set the option allows IMDSv1, unless its image requires \
               tokens. Containers on a bridge network need a hop limit of 2 to get a token.";
    (!open.is_empty()).then(|| {
        let what = format!("Set the defaults of {}", count(open.len(), "region"));
        let set_hops = hops.map(|hops| format!(" --hop-limit {hops}"));
        let commands = [
            command(low, set_hops.unwrap_or_default()),
            command(high, String::new()),
        ];
        NextStep::new(what, how)
            .names(open.iter().map(|it| it.region.as_str()))
            .commands(commands.into_iter().flatten())
    })
}

#[cfg(test)]
mod tests;
