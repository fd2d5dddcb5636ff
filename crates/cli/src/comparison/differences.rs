//! Where two reports do not cover the same.

use std::collections::BTreeSet;

use imds_core::plain::Plain;
use serde::Serialize;

use crate::coverage::{Coverage, Source};
use crate::report_file::ReportFile;

/// Something that two reports do not cover alike, so that a change may come of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Difference {
    /// What differs.
    pub(crate) what: Aspect,
    /// In the old report.
    pub(crate) old: Vec<String>,
    /// In the new report.
    pub(crate) new: Vec<String>,
}

/// What reports may not cover alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(crate) enum Aspect {
    /// The accounts.
    Accounts,
    /// The regions that were examined, with their accounts if there are several; only those that the
    /// other report does not have.
    Regions,
    /// The policies.
    Policies,
    /// The filters of instances.
    Filters,
}

impl Aspect {
    /// The words in reports for people.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Aspect::Accounts => "accounts",
            Aspect::Regions => "Regions only there",
            Aspect::Policies => "policy",
            Aspect::Filters => "filters",
        }
    }
}

/// Where the reports do not cover the same.
pub(crate) fn differences(old: &ReportFile, new: &ReportFile) -> Vec<Difference> {
    let (old_regions, new_regions) = (regions(old), regions(new));
    let only = |one: &BTreeSet<String>, other: &BTreeSet<String>| one - other;
    let all = [
        (Aspect::Accounts, accounts(old), accounts(new)),
        (
            Aspect::Regions,
            only(&old_regions, &new_regions),
            only(&new_regions, &old_regions),
        ),
        (Aspect::Policies, each(old, policy), each(new, policy)),
        (Aspect::Filters, each(old, filters), each(new, filters)),
    ];
    let differing = all.into_iter().filter(|(_, old, new)| old != new);
    let sentences = |texts: BTreeSet<String>| texts.into_iter().collect();
    differing
        .map(|(what, old, new)| Difference {
            what,
            old: sentences(old),
            new: sentences(new),
        })
        .collect()
}

fn accounts(report: &ReportFile) -> BTreeSet<String> {
    let named = report.regions.iter().map(|it| &it.account);
    let sources = report.sources.iter().map(|it| &it.account);
    let accounts = named.chain(sources).flatten();
    accounts.map(|it| Plain(it).to_string()).collect()
}

fn regions(report: &ReportFile) -> BTreeSet<String> {
    let several = accounts(report).len() > 1;
    let regions = report.regions.iter().map(|it| match &it.account {
        Some(account) if several => format!("{} ({})", Plain(&it.region), Plain(account)),
        Some(_) | None => Plain(&it.region).to_string(),
    });
    regions.collect()
}

/// Something of each report that a report consists of; the function's reports do not say it.
fn each(report: &ReportFile, text: impl Fn(&Coverage) -> String) -> BTreeSet<String> {
    let of = |source: &Source| match &source.scope {
        Some(scope) => text(scope),
        None => "not in the report".to_owned(),
    };
    report.sources.iter().map(of).collect()
}

/// Two files of the same content are the same policy.
fn policy(scope: &Coverage) -> String {
    let requires = Plain(&scope.policy.requires);
    match (&scope.policy.sha256, &scope.policy.file) {
        (Some(sha256), _) => {
            let begin: String = sha256.chars().take(12).collect();
            format!("{requires} (SHA-256 {}…)", Plain(&begin))
        }
        (None, Some(plan)) => format!("{requires} (of plan {})", Plain(plan)),
        (None, None) => requires.to_string(),
    }
}

/// The options that leave instances out, as they were typed.
fn filters(scope: &Coverage) -> String {
    let ids = scope.instances.iter().map(|id| format!("--instance {id}"));
    let tags = scope.tags.iter().map(|tag| format!("--tag {}", Plain(tag)));
    let states = scope.states.iter().map(|it| format!("--state {it}"));
    let only = scope.only.iter().map(|_| "--only violations".to_owned());
    let words: Vec<String> = ids.chain(tags).chain(states).chain(only).collect();
    match words.is_empty() {
        true => "none".to_owned(),
        false => words.join(" "),
    }
}
