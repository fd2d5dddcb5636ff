//! The report as GitHub-flavoured Markdown, for a pull request or the summary of a CI job.

use std::fmt::{self, Display};
use std::io;

use imds_core::count::{count, thousands};
use imds_core::report::Outcome;
use imds_engine::ScannedInstance;

use super::covered;
use super::survey::{LaunchedFrom, Survey};
use super::words::{self, Message, day, outcome, place};
use super::{UNNEEDED_EXEMPTIONS, USAGE_BY_SOURCE, is_always_counted};
use crate::document::Document;
use crate::usage_by_source::usage_by_source;

/// The most rows of a table: a comment on GitHub takes 65,536 characters.
const ROWS: usize = 100;
/// The most characters of a text.
const LONGEST: usize = 200;

/// Text that is not ours, as code: nothing in it is Markdown or HTML, and it notifies nobody.
struct Code<T>(T);

impl<T: Display> Display for Code<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        let text = Message(text.trim()).to_string();
        let mut letters = text.chars();
        let shown: String = letters.by_ref().take(LONGEST).collect();
        if shown.is_empty() {
            return Ok(());
        }
        let more = if letters.next().is_some() { "…" } else { "" };
        // A code span cannot contain its delimiter, and a `|` would end the cell.
        let shown = shown.replace('`', "'").replace('|', "\\|");
        write!(f, "`{shown}{more}`")
    }
}

/// Writes the report.
pub(super) fn write(document: &Document, out: &mut dyn io::Write) -> io::Result<()> {
    let survey = Survey::new(document);
    writeln!(out, "## {}\n", title(document))?;
    totals(document, out)?;
    for (label, text) in covered::scope(document) {
        writeln!(out, "- {label} {}", Code(text))?;
    }
    let not_examined = covered::reasons(document);
    let not_examined = not_examined.into_iter().map(|it| Code(it).to_string());
    let not_examined: Vec<String> = not_examined.collect();
    writeln!(out, "- not examined: {}", not_examined.join(", "))?;
    if let Some(empty) = words::empty_regions(document, in_line) {
        writeln!(out, "- {empty}")?;
    }
    writeln!(out, "- finished on {}", day(document.at))?;
    unreachable(document, out)?;
    instances(document, out)?;
    let launched_from = survey.launched_from.iter().map(|((region, from), found)| {
        vec![
            Code(region).to_string(),
            Code(&from.label).to_string(),
            thousands(*found),
        ]
    });
    let title = "Update these, so that the next launch is compliant";
    let header = ["Region", "Launched from", "Non-compliant"];
    table(title, &header, launched_from, out)?;
    by_source(document, out)?;
    templates(document, out)?;
    let unneeded = document.unneeded_exemptions.iter().flatten();
    list(
        UNNEEDED_EXEMPTIONS,
        unneeded.map(|it| Code(it).to_string()),
        out,
    )
}

fn title(document: &Document) -> String {
    match &document.account {
        Some(account) => format!("IMDSv1 in account {}", Code(account)),
        None => "IMDSv1".to_owned(),
    }
}

fn totals(document: &Document, out: &mut dyn io::Write) -> io::Result<()> {
    let counted = Outcome::ALL.iter().filter(|outcome| {
        document.has(**outcome) > 0 || is_always_counted(**outcome, document.trigger)
    });
    let counted = counted.map(|it| {
        let (found, word) = (thousands(document.has(*it)), outcome(*it, document.trigger));
        format!("{found} {word}")
    });
    let counted: Vec<String> = counted.collect();
    let regions = count(document.regions.len(), "Region");
    let errors = count(document.unreachable.len(), "error");
    writeln!(out, "**{}** in {regions}, {errors}\n", counted.join(", "))
}

/// Names in one line, as many as a table has rows.
fn in_line(names: &[String]) -> String {
    let shown: Vec<String> = names
        .iter()
        .take(ROWS)
        .map(|it| Code(it).to_string())
        .collect();
    let shown = shown.join(", ");
    match names.len().saturating_sub(ROWS) {
        0 => shown,
        more => format!("{shown} and {} more", thousands(more)),
    }
}

fn unreachable(document: &Document, out: &mut dyn io::Write) -> io::Result<()> {
    let unreachable = document.unreachable.iter();
    let several = document.has_several_accounts();
    let lines = unreachable.map(|it| {
        let place = place(it.account.as_deref(), &it.region, several);
        format!("{}: {}", Code(&place), Code(&it.error))
    });
    list("Could not be described", lines, out)
}

fn instances(document: &Document, out: &mut dyn io::Write) -> io::Result<()> {
    let open = document.instances.iter().filter(|it| it.is_non_compliant());
    let rows = open.map(|it| {
        let from = LaunchedFrom::non_compliant(it);
        let usage = words::usage(it.report.usage.as_ref()).into_iter().next();
        vec![
            Code(&it.report.region).to_string(),
            Code(&it.report.instance_id).to_string(),
            Code(it.name.as_deref().unwrap_or_default()).to_string(),
            it.report.outcome.as_str().to_owned(),
            Code(reason(it)).to_string(),
            Code(usage.unwrap_or_default()).to_string(),
            Code(from.map(|it| it.label).unwrap_or_default()).to_string(),
        ]
    });
    let header = [
        "Region",
        "Instance",
        "Name",
        "Outcome",
        "Reason",
        "Use of IMDSv1",
        "Launched from",
    ];
    table("Non-compliant instances", &header, rows, out)
}

fn reason(instance: &ScannedInstance) -> &str {
    &instance.report.reason
}

fn by_source(document: &Document, out: &mut dyn io::Write) -> io::Result<()> {
    let sources = usage_by_source(&document.instances);
    let rows = sources.iter().map(|it| {
        vec![
            Code(it.region).to_string(),
            Code(it.launched_from).to_string(),
            thousands(it.in_use),
            thousands(it.unused),
            thousands(it.unknown),
            it.outlook(),
        ]
    });
    let header = [
        "Region",
        "Launched from",
        "In use",
        "Unused",
        "Unknown",
        "Outlook",
    ];
    table(USAGE_BY_SOURCE, &header, rows, out)
}

fn templates(document: &Document, out: &mut dyn io::Write) -> io::Result<()> {
    let templates = document.templates.iter().flatten();
    let rows = templates.filter(|it| !it.is_compliant()).map(|it| {
        vec![
            Code(&it.region).to_string(),
            Code(&it.id).to_string(),
            Code(it.version.as_deref().unwrap_or_default()).to_string(),
            Code(&it.reason).to_string(),
        ]
    });
    let title = "Launch templates whose next instance is not known to be compliant";
    table(
        title,
        &["Region", "Template", "Version", "Reason"],
        rows,
        out,
    )
}

/// Writes a section with a table, if it has rows.
fn table(
    title: &str,
    header: &[&str],
    rows: impl Iterator<Item = Vec<String>>,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        return Ok(());
    }
    writeln!(out, "\n### {title}\n\n| {} |", header.join(" | "))?;
    writeln!(out, "|{}", " --- |".repeat(header.len()))?;
    for row in rows.by_ref().take(ROWS) {
        writeln!(out, "| {} |", row.join(" | "))?;
    }
    more(rows.count(), out)
}

/// Writes a section with a list, if it has items.
fn list(
    title: &str,
    items: impl Iterator<Item = String>,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let mut items = items.peekable();
    if items.peek().is_none() {
        return Ok(());
    }
    writeln!(out, "\n### {title}\n")?;
    for item in items.by_ref().take(ROWS) {
        writeln!(out, "- {item}")?;
    }
    more(items.count(), out)
}

fn more(left: usize, out: &mut dyn io::Write) -> io::Result<()> {
    match left {
        0 => Ok(()),
        left => writeln!(
            out,
            "\nand {} more, which `--format json` lists",
            thousands(left)
        ),
    }
}

#[cfg(test)]
mod tests {
    use imds_engine::RegionTotal;

    use super::*;
    use crate::output::sample;

    fn written(document: &Document) -> String {
        let mut out = Vec::new();
        write(document, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_is_to_be_done_is_in_tables_that_github_renders() {
        insta::assert_snapshot!(written(&sample::fleet(12)));
    }

    #[test]
    fn empty_regions_share_a_line_that_stays_short() {
        let mut document = sample::document(vec![sample::non_compliant(1)]);
        let text = written(&document);
        let expected = "\n- 2 regions have no instances: `eu-central-1`, `us-east-1`\n";
        assert!(text.contains(expected), "{text}");
        let region = |n: usize| RegionTotal {
            region: format!("r-{n}"),
            ..RegionTotal::default()
        };
        document.regions = (1..=103).map(region).collect();
        let text = written(&document);
        assert!(text.contains(", `r-100` and 3 more\n"), "{text}");
    }

    #[test]
    fn a_large_fleet_fits_into_a_comment() {
        let text = written(&sample::fleet(10_000));
        assert!(text.len() < 65_536, "{}", text.len());
        assert!(text.contains(" more, which `--format json` lists"));
    }

    #[test]
    fn a_name_is_neither_markup_nor_mentions_anybody() {
        let hostile = "a`|b\n| c <b>@octocat</b> [x](http://evil.example)\u{202e}";
        let mut instance = sample::non_compliant(1);
        instance.name = Some(hostile.to_owned());
        let text = written(&sample::document(vec![instance]));
        let shown = "`a'\\|b\u{fffd}\\| c <b>@octocat</b> [x](http://evil.example)\u{fffd}`";
        let row = text.lines().find(|line| line.contains("octocat")).unwrap();
        assert!(row.contains(shown), "{row}");
        // Outside of code spans there is nothing of it, and the row has as many cells as the header.
        let outside: String = row.split('`').step_by(2).collect();
        assert!(!outside.contains(['<', '@', '[']), "{outside}");
        assert_eq!(outside.matches('|').count(), 8, "{outside}");
    }
}
