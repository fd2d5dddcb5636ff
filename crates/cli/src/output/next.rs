//! What to do next, drawn from what was found, with the commands to paste.

use imds_core::plain::Plain;
use imds_core::report::Outcome;

use super::survey::Survey;
use super::words::{Source, count, thousands};
use crate::document::Document;

/// A step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    /// What to do, in a sentence.
    pub(super) what: String,
    /// How, and why.
    pub(super) how: String,
    /// What it is about, and how many more there are; from outside, made fit to be shown.
    pub(super) names: Vec<String>,
    /// To paste into a shell; nothing in them is anybody's to choose but ours.
    pub(super) commands: Vec<String>,
}

/// How many things of a kind a step names.
const NAMED: usize = 5;

/// The steps in the order in which they are to be done.
pub(super) fn steps(document: &Document, survey: &Survey) -> Vec<Step> {
    let mut steps = Vec::new();
    steps.extend(see_all(document));
    steps.extend(mend_failed(document));
    steps.extend(mend_sources(document, survey));
    steps.extend(ask_usage(document, survey));
    steps.extend(enforce_unused(document, survey));
    steps.extend(move_the_rest(document, survey));
    steps.extend(enforce_known(document, survey));
    steps.extend(watch(document));
    steps.extend(set_defaults(document));
    if steps.is_empty() {
        steps.push(Step {
            what: "Keep it so".to_owned(),
            how: "Nothing is left to mend. The function `enforcer` mends what is launched from \
                  now on; the defaults of the account keep new launches right."
                .to_owned(),
            names: Vec::new(),
            commands: vec!["imdsctl scan --templates --defaults".to_owned()],
        });
    }
    steps
}

fn see_all(document: &Document) -> Option<Step> {
    let regions = document.unseen.iter().map(|unseen| unseen.region.as_str());
    (!document.unseen.is_empty()).then(|| Step {
        what: "See what could not be seen".to_owned(),
        how: "What is not seen is not compliant. The causes stand under “Not seen”.".to_owned(),
        names: named(regions),
        commands: vec!["imdsctl doctor".to_owned()],
    })
}

fn mend_failed(document: &Document) -> Option<Step> {
    let failed = document.summary.failed;
    (failed > 0).then(|| Step {
        what: format!("Look into {} that failed", count(failed, "instance")),
        how: "Each row says why. Running the command again mends only what is still wrong."
            .to_owned(),
        names: Vec::new(),
        commands: vec!["imdsctl enforce --dry-run".to_owned()],
    })
}

fn mend_sources(document: &Document, survey: &Survey) -> Option<Step> {
    let sources = sources(document, survey);
    if sources.is_empty() {
        return None;
    }
    let what = match survey.more_sources {
        true => "Mend the launch templates".to_owned(),
        false => format!("Mend {}", count(sources.len(), "launch source")),
    };
    let names = sources.iter().map(|source| source.name.as_str());
    let first = sources.iter().find_map(|source| {
        let (region, id) = (word(source.region)?, word(source.template?)?);
        Some(vec![
            format!(
                "aws ec2 create-launch-template-version --region {region} --launch-template-id {id} \
                 --source-version '$Default' \
                 --launch-template-data '{{\"MetadataOptions\":{{\"HttpTokens\":\"required\"}}}}'"
            ),
            format!(
                "aws ec2 modify-launch-template --region {region} --launch-template-id {id} \
                 --default-version NEW_VERSION"
            ),
        ])
    });
    Some(Step {
        what,
        how: match first {
            Some(_) => {
                "Else the next instance is wrong again. The commands are for the first template."
            }
            None => "Else the next instance is wrong again.",
        }
        .to_owned(),
        names: named(names),
        commands: first.unwrap_or_else(|| vec!["imdsctl scan --templates".to_owned()]),
    })
}

/// What launches wrong instances.
struct LaunchSource<'a> {
    region: &'a str,
    name: String,
    template: Option<&'a str>,
}

/// Those that instances came from, but for templates that are right by now, and those that were
/// found wrong.
fn sources<'a>(document: &'a Document, survey: &'a Survey) -> Vec<LaunchSource<'a>> {
    let templates = || document.templates.iter().flatten();
    let wrong = |id: &str| templates().any(|row| row.id == id && row.verdict != "required");
    let known = |id: &str| templates().any(|row| row.id == id);
    let of_instances = survey.sources.keys().filter_map(|(region, source)| {
        let template = match source {
            Source::LaunchTemplate(id, _) if known(id) && !wrong(id) => return None,
            Source::LaunchTemplate(id, _) => Some(id.as_str()),
            Source::AutoScalingGroup(_) => None,
        };
        Some(LaunchSource {
            region,
            name: format!("{source} ({})", Plain(region)),
            template,
        })
    });
    let mut sources: Vec<LaunchSource<'a>> = of_instances.collect();
    for row in templates().filter(|row| row.verdict != "required") {
        if !sources
            .iter()
            .any(|source| source.template == Some(&row.id))
        {
            sources.push(LaunchSource {
                region: &row.region,
                name: format!("{} ({})", Plain(&row.id), Plain(&row.region)),
                template: Some(row.id.as_str()).filter(|id| id.starts_with("lt-")),
            });
        }
    }
    sources
}

fn ask_usage(document: &Document, survey: &Survey) -> Option<Step> {
    let asked = document.usage_days.is_some();
    (!asked && survey.to_enforce > 0 && is_scan(document)).then(|| Step {
        what: "Ask who still uses IMDSv1".to_owned(),
        how: "Software that uses it would lose its credentials when tokens are required."
            .to_owned(),
        names: Vec::new(),
        commands: vec![USAGE.to_owned()],
    })
}

fn enforce_unused(document: &Document, survey: &Survey) -> Option<Step> {
    let days = document.usage_days?;
    let unused = survey.to_enforce_unused;
    (unused > 0 && is_scan(document)).then(|| Step {
        what: format!(
            "Require tokens on {} that did not use IMDSv1",
            count(unused, "instance")
        ),
        how: format!(
            "No call without a token in {}. The journal takes every change back.",
            count(usize::from(days), "day")
        ),
        names: Vec::new(),
        commands: vec![
            format!("imdsctl enforce --unused-only {days} --dry-run"),
            format!("imdsctl enforce --unused-only {days}"),
        ],
    })
}

fn move_the_rest(document: &Document, survey: &Survey) -> Option<Step> {
    let days = document.usage_days?;
    let used = survey.used;
    let still = used.in_use + used.unknown;
    (still > 0 && is_scan(document)).then(|| Step {
        what: match (used.in_use, used.unknown) {
            (0, n) => format!("Find out about {} of unknown usage", count(n, "instance")),
            (n, 0) => format!("Move {} off IMDSv1", count(n, "instance")),
            (n, unknown) => format!(
                "Move {} off IMDSv1, and find out about {} of unknown usage",
                count(n, "instance"),
                thousands(unknown)
            ),
        },
        how:
            "Update their SDKs, agents and scripts, and watch until the calls end; unknown is not \
              unused. Then enforce them too."
                .to_owned(),
        names: Vec::new(),
        commands: vec![format!("imdsctl usage --days {days}")],
    })
}

fn enforce_known(document: &Document, survey: &Survey) -> Option<Step> {
    let asked = document.usage_days.is_some();
    (!asked && survey.to_enforce > 0 && is_scan(document)).then(|| Step {
        what: format!("Require tokens on {}", count(survey.to_enforce, "instance")),
        how: "First where IMDSv1 was not used, then the rest. The journal takes every change back."
            .to_owned(),
        names: Vec::new(),
        commands: vec!["imdsctl enforce --unused-only".to_owned()],
    })
}

fn watch(document: &Document) -> Option<Step> {
    let enforced = document.summary.enforced + document.summary.spared;
    (enforced > 0).then(|| Step {
        what: format!("Watch the {} that were mended", count(enforced, "instance")),
        how:
            "Calls that are refused now are software that fails; the answer holds the command that \
              takes the change back."
                .to_owned(),
        names: Vec::new(),
        commands: vec!["imdsctl usage --rejected".to_owned()],
    })
}

fn set_defaults(document: &Document) -> Option<Step> {
    let defaults = document.defaults.as_ref()?;
    let open = defaults.iter().filter(|row| {
        row.http_tokens.as_deref() != Some("required")
            && row.http_tokens_enforced.as_deref() != Some("enabled")
    });
    let regions: Vec<&str> = open.map(|row| row.region.as_str()).collect();
    (!regions.is_empty()).then(|| Step {
        what: format!("Set the defaults of {}", count(regions.len(), "region")),
        how: "A launch that does not say gets IMDSv1 there, unless its image says better."
            .to_owned(),
        names: named(regions.into_iter()),
        commands: vec!["imdsctl defaults set --http-tokens required --dry-run".to_owned()],
    })
}

/// The command that asks who uses IMDSv1.
pub(super) const USAGE: &str = "imdsctl scan --usage --format html --output report.html";

fn is_scan(document: &Document) -> bool {
    document.trigger == "scan" && document.summary.count(Outcome::Enforced) == 0
}

/// The first few, and how many more.
fn named<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut named: Vec<String> = names.map(|name| Plain(name).to_string()).collect();
    let left = named.len().saturating_sub(NAMED);
    named.truncate(NAMED);
    if left > 0 {
        named.push(format!("and {} more", thousands(left)));
    }
    named
}

/// A word that a shell takes as it stands, or none: names are chosen by others.
fn word(text: &str) -> Option<&str> {
    let harmless = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
    let fits = !text.is_empty() && !text.starts_with('-') && text.chars().all(harmless);
    fits.then_some(text)
}

#[cfg(test)]
mod tests;
