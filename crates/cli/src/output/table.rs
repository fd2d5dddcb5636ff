//! The report for a terminal.

mod cell;
mod fit;
pub(crate) mod grid;

use std::io;

use imds_core::count::{count, thousands};
use imds_core::plain::Plain;
use imds_core::report::{Outcome, RefusedOption, Unreachable};
use imds_engine::{RegionDefaults, ScannedInstance, ScannedTemplate};

use self::grid::{Cell, Column};
use super::columns::{self, LauncherRow};
use super::covered;
use super::next;
use super::survey::Survey;
use super::tags::{self, TagTotal};
use super::words::{self, Message};
use super::{Style, UNNEEDED_EXEMPTIONS, USAGE_BY_SOURCE, is_always_counted};
use crate::coverage::not_examined;
use crate::document::Document;
use crate::usage_by_source::usage_by_source;
use crate::wrap::wrap;

/// The maximum number of launch templates, groups, or values of a tag to name; more would bury the summary.
const MOST_ROWS: usize = 20;

/// The maximum number of commands of a step.
const COMMANDS: usize = 10;

/// The option whose output has everything in full.
pub(crate) const FULL: &str = "--format json";

/// Writes the instances, the other findings and, last, the summary.
pub(super) fn write(document: &Document, style: &Style, out: &mut dyn io::Write) -> io::Result<()> {
    let survey = Survey::new(document);
    if document.instances.is_empty() {
        writeln!(out, "No instances to show.")?;
    } else {
        let decision =
            |it: &ScannedInstance| Cell::shortening(words::decision(it)).toned(columns::tone(it));
        let decision = Column::flexible("DECISION", 23, decision);
        let decision = decision.enough(40).evidence();
        let columns = columns::instances(document, &survey, [decision]);
        grid::write(&columns, &document.instances, FULL, style, out)?;
    }
    by_tag(document, style, out)?;
    if document.user_data {
        heading("User data that calls IMDS without a token", style, out)?;
        match columns::call_rows(document) {
            calls if calls.is_empty() => writeln!(out, "None found.")?,
            calls => drop(grid::write(&columns::calls(), &calls, FULL, style, out)?),
        }
    }
    launched_from(&survey, style, out)?;
    let usage = usage_by_source(&document.instances);
    if !usage.is_empty() {
        heading(USAGE_BY_SOURCE, style, out)?;
        beginning(&columns::usage_by_source(), &usage, style, out)?;
    }
    if document.templates.is_some() {
        let found: Vec<ScannedTemplate> = next::in_order(document).into_iter().cloned().collect();
        heading("Launch templates and configurations", style, out)?;
        let columns = columns::with_account(document, columns::templates(), |it| &it.account);
        if found.is_empty() {
            writeln!(out, "None found.")?;
        } else {
            grid::write(&columns, &found, FULL, style, out)?;
        }
    }
    if let Some(found) = &document.defaults {
        heading("Defaults of the account", style, out)?;
        let columns = columns::with_account(document, columns::defaults(), |it| &it.account);
        grid::write(&columns, found, FULL, style, out)?;
    }
    unneeded_exemptions(document, style, out)?;
    failed(document, style, out)?;
    refused(document, style, out)?;
    let several_accounts = document.has_several_accounts();
    unreachable_in(several_accounts, &document.unreachable, style, out)?;
    next_steps(document, &survey, style, out)?;
    scope(document, style, out)?;
    summary(document, style, out)
}

/// Writes what to do, with commands to paste, which are not broken into lines.
fn next_steps(
    document: &Document,
    survey: &Survey,
    style: &Style,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let steps = next::to_do(document, survey);
    if steps.is_empty() || document.is_plan {
        return Ok(());
    }
    heading("What to do next", style, out)?;
    line(&next::commands_are_for(document), style, out)?;
    for step in &steps {
        line(&format!("- {}", step.what), style, out)?;
        for name in &step.names {
            line(&format!("    {name}"), style, out)?;
        }
        for command in step.commands.iter().take(COMMANDS) {
            writeln!(out, "    {command}")?;
        }
        if let more @ 1.. = step.commands.len().saturating_sub(COMMANDS) {
            writeln!(
                out,
                "    and {} more, which --format html shows",
                thousands(more)
            )?;
        }
    }
    Ok(())
}

fn by_tag(document: &Document, style: &Style, out: &mut dyn io::Write) -> io::Result<()> {
    for tag in tags::by_tag(document) {
        tag_totals(tag.key, &tag.columns, &tag.totals, style, out)?;
    }
    Ok(())
}

/// Writes the totals by the values of a tag.
pub(crate) fn tag_totals(
    key: &str,
    columns: &[Column<TagTotal>],
    totals: &[TagTotal],
    style: &Style,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    heading(&format!("By tag {}", Plain(key)), style, out)?;
    beginning(columns, totals, style, out)
}

fn launched_from(survey: &Survey, style: &Style, out: &mut dyn io::Write) -> io::Result<()> {
    if survey.launched_from.is_empty() {
        return Ok(());
    }
    let title = "Update these, so that the next launch is compliant";
    heading(title, style, out)?;
    let all = survey.launched_from.iter();
    let rows = all.map(|((region, from), count)| (*region, from.label.as_str(), *count));
    let rows: Vec<LauncherRow> = rows.collect();
    beginning(&columns::launchers(), &rows, style, out)
}

/// Writes the first rows, and how many more there are.
fn beginning<T>(
    columns: &[Column<T>],
    rows: &[T],
    style: &Style,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let first = rows.get(..MOST_ROWS).unwrap_or(rows);
    grid::write(columns, first, FULL, style, out)?;
    match rows.len() - first.len() {
        0 => Ok(()),
        more => writeln!(out, "and {} more", thousands(more)),
    }
}

/// Writes the account's metadata defaults, one line per region; `elsewhere` is the option that shows all.
pub(crate) fn defaults(
    found: &[RegionDefaults],
    elsewhere: &str,
    style: &Style,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    grid::write(&columns::defaults(), found, elsewhere, style, out).map(drop)
}

fn unneeded_exemptions(
    document: &Document,
    style: &Style,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let unneeded = document.unneeded_exemptions.as_deref().unwrap_or_default();
    if !unneeded.is_empty() {
        heading(UNNEEDED_EXEMPTIONS, style, out)?;
    }
    unneeded.iter().try_for_each(|it| writeln!(out, "{it}"))
}

fn failed(document: &Document, style: &Style, out: &mut dyn io::Write) -> io::Result<()> {
    if document.summary().failed > 0 {
        heading("Failed", style, out)?;
    }
    let reports = document.instances.iter().map(|it| &it.report);
    for report in reports.filter(|report| report.outcome == Outcome::Failed) {
        let (region, id) = (Plain(&report.region), &report.instance_id);
        let text = format!("{region} {id}: {}", Message(&report.reason));
        line(&text, style, out)?;
    }
    Ok(())
}

fn refused(document: &Document, style: &Style, out: &mut dyn io::Write) -> io::Result<()> {
    let reports = document.instances.iter().map(|it| &it.report);
    let mut reports = reports
        .filter(|report| !report.refused.is_empty())
        .peekable();
    if reports.peek().is_some() {
        heading("Refused by EC2", style, out)?;
    }
    for report in reports {
        let (region, id) = (Plain(&report.region), &report.instance_id);
        for RefusedOption { option, error } in &report.refused {
            let text = format!("{region} {id}: {}: {}", option.name(), Message(error));
            line(&text, style, out)?;
        }
    }
    Ok(())
}

/// Writes what could not be described, if anything.
pub(crate) fn unreachable(
    unreachable: &[Unreachable],
    style: &Style,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    unreachable_in(false, unreachable, style, out)
}

/// The same, with the accounts if there are several.
pub(crate) fn unreachable_in(
    several_accounts: bool,
    unreachable: &[Unreachable],
    style: &Style,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    if !unreachable.is_empty() {
        heading("Could not be described", style, out)?;
    }
    for it in unreachable {
        let place = words::place(it.account.as_deref(), &it.region, several_accounts);
        let text = format!("{place}: {}", Message(&it.error));
        line(&text, style, out)?;
    }
    Ok(())
}

fn summary(document: &Document, style: &Style, out: &mut dyn io::Write) -> io::Result<()> {
    let all: usize = Outcome::ALL.iter().map(|it| document.has(*it)).sum();
    let counts = Outcome::ALL.iter().filter_map(|outcome| {
        let n = document.has(*outcome);
        let word = words::outcome(*outcome, document.trigger);
        let is_shown = n > 0 || is_always_counted(*outcome, document.trigger);
        is_shown.then(|| format!("{} {word}", thousands(n)))
    });
    let mut parts: Vec<String> = counts.collect();
    let regions = words::extent(document);
    if let Some(first) = parts.first_mut() {
        *first = format!("{regions}, {}: {first}", count(all, "instance"));
    }
    parts.push(count(document.unreachable.len(), "error"));
    parts.push(words::duration(document.took));
    if document.instances.len() < all {
        parts.push(format!("{} shown", thousands(document.instances.len())));
    }
    line(&parts.join(", "), style, out)
}

/// Writes what the report covers, and what it does not.
fn scope(document: &Document, style: &Style, out: &mut dyn io::Write) -> io::Result<()> {
    writeln!(out)?;
    let parts = covered::scope(document).into_iter();
    let parts: Vec<String> = parts
        .map(|(label, text)| format!("{label} {text}"))
        .collect();
    line(&parts.join("; "), style, out)?;
    if let Some(empty) = words::empty_regions(document, |names| names.join(", ")) {
        line(&empty, style, out)?;
    }
    let not_examined = not_examined(document);
    let words: Vec<&str> = not_examined.iter().map(|it| it.what.words()).collect();
    let text = format!("not examined: {}", words.join(", "));
    line(&text, style, out)
}

/// Writes a heading after an empty line.
pub(crate) fn heading(text: &str, style: &Style, out: &mut dyn io::Write) -> io::Result<()> {
    if style.colour {
        writeln!(out, "\n\u{1b}[1m{text}\u{1b}[0m")
    } else {
        writeln!(out, "\n{text}")
    }
}

/// Writes a sentence.
pub(crate) fn line(text: &str, style: &Style, out: &mut dyn io::Write) -> io::Result<()> {
    writeln!(out, "{}", wrap(text, style.width))
}

#[cfg(test)]
mod tests;
