//! The report for a terminal.

pub(crate) mod grid;

use std::io;

use imds_core::plain::Plain;
use imds_core::report::{Outcome, Unseen};

use self::grid::{Cell, Column, Tone};
use super::Style;
use super::survey::Survey;
use super::words::{self, Message, Source, count, thousands};
use crate::document::{DefaultsRow, Document};
use crate::row::{Row, Verdict};

/// How many sources are named; more would bury the summary.
const SOURCES: usize = 20;

/// Writes the instances, then what was found beside them, and the summary last.
pub(super) fn write(document: &Document, style: &Style, out: &mut dyn io::Write) -> io::Result<()> {
    let survey = Survey::of(document);
    instances(document, &survey, style, out)?;
    if document.user_data {
        user_data(document, &survey, style, out)?;
    }
    sources(&survey, style, out)?;
    if let Some(templates) = &document.templates {
        heading("Launch templates and configurations", style, out)?;
        let columns = &[
            Column::fixed("REGION"),
            Column::flexible("KIND", 6).dropped(1),
            Column::flexible("ID", 12),
            Column::flexible("NAME", 10).dropped(2),
            Column::flexible("VERSION", 8).dropped(3),
            Column::fixed("VERDICT"),
            Column::flexible("BECAUSE", 16),
        ];
        let rows = || {
            templates.iter().map(|row| {
                vec![
                    Cell::of(Plain(&row.region)),
                    Cell::of(row.kind),
                    Cell::of(Plain(&row.id)),
                    Cell::of(Plain(row.name.as_deref().unwrap_or_default())),
                    Cell::of(Plain(row.version.as_deref().unwrap_or_default())),
                    Cell::of(row.verdict).toned(match row.verdict {
                        "required" => Tone::Plain,
                        _ => Tone::Warning,
                    }),
                    Cell::of(Message(&row.because)),
                ]
            })
        };
        grid::write(columns, rows, style, out)?;
    }
    if let Some(rows) = &document.defaults {
        heading("Defaults of the account", style, out)?;
        defaults(rows, style, out)?;
    }
    failed(document, style, out)?;
    unseen(&document.unseen, style, out)?;
    summary(document, style, out)
}

/// Writes what could not be seen, if anything.
pub(crate) fn unseen(unseen: &[Unseen], style: &Style, out: &mut dyn io::Write) -> io::Result<()> {
    if !unseen.is_empty() {
        heading("Not seen", style, out)?;
    }
    for Unseen { region, error, .. } in unseen {
        writeln!(out, "{}: {}", Plain(region), Message(error))?;
    }
    Ok(())
}

/// Writes the account's metadata defaults, a line for each region.
pub(crate) fn defaults(
    rows: &[DefaultsRow],
    style: &Style,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let columns = &[
        Column::fixed("REGION"),
        Column::flexible("TOKENS", 8),
        Column::flexible("HOP LIMIT", 9).right(),
        Column::flexible("ENDPOINT", 8).dropped(2),
        Column::flexible("TAGS", 8).dropped(1),
        Column::flexible("TOKENS ENFORCED", 15),
        Column::flexible("MANAGED BY", 10),
    ];
    let text = |value: Option<&str>| match value {
        Some(value) => Cell::of(Plain(value)),
        None => Cell::shortening(vec!["no preference".to_owned(), "-".to_owned()]),
    };
    let cells = || {
        rows.iter().map(|row| {
            let hops = row.hop_limit.map(|hops| hops.to_string());
            vec![
                Cell::of(Plain(&row.region)),
                text(row.http_tokens.as_deref()),
                text(hops.as_deref()),
                text(row.http_endpoint.as_deref()),
                text(row.instance_metadata_tags.as_deref()),
                text(row.http_tokens_enforced.as_deref()),
                Cell::of(Plain(row.managed_by.as_deref().unwrap_or_default())),
            ]
        })
    };
    grid::write(columns, cells, style, out).map(drop)
}

fn instances(
    document: &Document,
    survey: &Survey,
    style: &Style,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    if document.rows.is_empty() {
        return writeln!(out, "No instances to show.");
    }
    let enforce = document.trigger != "scan";
    let mut columns = vec![
        Column::fixed("REGION"),
        Column::fixed("INSTANCE"),
        Column::flexible("NAME", 10).enough(24).dropped(8),
        Column::fixed("STATE").dropped(2),
        Column::fixed("TOKENS").dropped(5),
        Column::fixed("HOPS").right().dropped(3),
        Column::fixed("ENDPOINT").dropped(1),
    ];
    if survey.several_accounts {
        columns.insert(0, Column::fixed("ACCOUNT").dropped(6));
    }
    if document.usage_days.is_some() {
        columns.push(Column::flexible("USAGE", 7).dropped(7));
    }
    columns.push(Column::flexible("DECISION", 20));
    if enforce {
        columns.push(Column::fixed("OUTCOME"));
    }
    if !survey.sources.is_empty() {
        columns.push(Column::flexible("TO MEND", 20).enough(32).dropped(4));
    }
    let rows = || {
        let rows = document.rows.iter();
        rows.map(|row| cells(row, document, survey))
    };
    let dropped = grid::write(&columns, rows, style, out)?;
    left_out(&dropped, style, out)
}

/// Says which columns did not fit.
pub(crate) fn left_out(
    dropped: &[&'static str],
    style: &Style,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    if dropped.is_empty() {
        return Ok(());
    }
    let names = dropped.join(", ").to_lowercase();
    let note = format!("(Left out for want of width: {names}. --format csv has all.)");
    wrapped(note.split(' '), " ", style, out)
}

/// One row, in the order of the columns.
fn cells(row: &Row, document: &Document, survey: &Survey) -> Vec<Cell> {
    let options = row.report.before.unwrap_or_default();
    let mut cells = vec![
        Cell::of(Plain(&row.report.region)),
        Cell::of(&row.report.instance_id),
        Cell::of(Plain(row.name.as_deref().unwrap_or_default())),
        Cell::optional(row.state.map(|state| state.as_str())),
        Cell::optional(options.http_tokens),
        Cell::optional(options.hop_limit),
        Cell::optional(options.http_endpoint),
    ];
    if survey.several_accounts {
        let account = row.account.as_deref();
        cells.insert(0, Cell::optional(account.map(Plain)));
    }
    if document.usage_days.is_some() {
        cells.push(Cell::shortening(words::usage(row.report.usage.as_ref())));
    }
    cells.push(
        Cell::shortening(words::decision(row)).toned(match row.decision {
            Verdict::Report | Verdict::Enforce => Tone::Warning,
            Verdict::Compliant | Verdict::Exempt | Verdict::Gone => Tone::Plain,
        }),
    );
    if document.trigger != "scan" {
        let outcome = row.report.outcome;
        cells.push(Cell::of(outcome.as_str()).toned(match outcome {
            Outcome::Failed => Tone::Error,
            Outcome::Enforced => Tone::Good,
            Outcome::Compliant
            | Outcome::Exempt
            | Outcome::Reported
            | Outcome::Stopped
            | Outcome::Terminated
            | Outcome::Spared
            | Outcome::Gone => Tone::Plain,
        }));
    }
    if !survey.sources.is_empty() {
        let source = Source::of(row);
        cells.push(Cell::shortening(
            source.map_or(vec![], |source| source.shortening()),
        ));
    }
    cells
}

fn user_data(
    document: &Document,
    survey: &Survey,
    style: &Style,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    heading("User data that calls IMDS without a token", style, out)?;
    let templates = document.templates.iter().flatten();
    if survey.findings == 0 && templates.clone().all(|row| row.user_data.is_empty()) {
        return writeln!(out, "None found.");
    }
    let columns = &[
        Column::fixed("REGION").dropped(1),
        Column::flexible("OF", 19),
        Column::fixed("LINE").right(),
        Column::flexible("WORDS", 20),
    ];
    let cells = |region: &str, of: &str, finding: &imds_user_data::Finding| {
        vec![
            Cell::of(Plain(region)),
            Cell::of(Plain(of)),
            Cell::of(finding.line),
            Cell::of(Plain(&finding.words)),
        ]
    };
    let rows = || {
        let of_instances = document.rows.iter().flat_map(|row| {
            let (region, id) = (&row.report.region, row.report.instance_id.as_str());
            let found = row.user_data.iter();
            found.map(move |found| cells(region, id, found))
        });
        let of_templates = templates.clone().flat_map(|row| {
            let found = row.user_data.iter();
            found.map(|found| cells(&row.region, &row.id, found))
        });
        of_instances.chain(of_templates)
    };
    grid::write(columns, rows, style, out).map(drop)
}

fn sources(survey: &Survey, style: &Style, out: &mut dyn io::Write) -> io::Result<()> {
    if survey.sources.is_empty() {
        return Ok(());
    }
    heading("To mend, so that the next launch is right", style, out)?;
    let columns = &[
        Column::fixed("REGION"),
        Column::flexible("LAUNCHED FROM", 20),
        Column::fixed("WRONG INSTANCES").right(),
    ];
    let rows = || {
        let sources = survey.sources.iter().take(SOURCES);
        sources.map(|((region, source), count)| {
            vec![
                Cell::of(Plain(region)),
                Cell::of(source),
                Cell::of(thousands(*count)),
            ]
        })
    };
    grid::write(columns, rows, style, out)?;
    if survey.more_sources {
        writeln!(out, "and more")?;
    } else if let left @ 1.. = survey.sources.len().saturating_sub(SOURCES) {
        writeln!(out, "and {left} more")?;
    }
    Ok(())
}

fn failed(document: &Document, style: &Style, out: &mut dyn io::Write) -> io::Result<()> {
    if document.summary.failed == 0 {
        return Ok(());
    }
    heading("Failed", style, out)?;
    for row in &document.rows {
        let report = &row.report;
        if report.outcome == Outcome::Failed {
            let (region, id) = (Plain(&report.region), &report.instance_id);
            writeln!(out, "{region} {id}: {}", Message(&report.reason))?;
        }
    }
    Ok(())
}

fn summary(document: &Document, style: &Style, out: &mut dyn io::Write) -> io::Result<()> {
    let scan = document.trigger == "scan";
    let summary = document.summary;
    let all: usize = Outcome::ALL.iter().map(|o| summary.count(*o)).sum();
    let always: &[Outcome] = match scan {
        true => &[
            Outcome::Compliant,
            Outcome::Reported,
            Outcome::Exempt,
            Outcome::Gone,
        ],
        false => &[
            Outcome::Compliant,
            Outcome::Enforced,
            Outcome::Exempt,
            Outcome::Gone,
        ],
    };
    let counted = Outcome::ALL.iter().filter_map(|outcome| {
        let n = summary.count(*outcome);
        let shown = n > 0 || *outcome == Outcome::Failed || always.contains(outcome);
        shown.then(|| format!("{} {}", thousands(n), words::outcome(*outcome, scan)))
    });
    let of = format!(
        "{}, {}",
        count(document.regions.len(), "region"),
        count(all, "instance")
    );
    writeln!(out)?;
    let mut parts: Vec<String> = counted.collect();
    if let Some(first) = parts.first_mut() {
        *first = format!("{of}: {first}");
    }
    parts.push(count(document.unseen.len(), "error"));
    parts.push(words::took(document.took));
    if document.rows.len() < all {
        parts.push(format!("{} shown", thousands(document.rows.len())));
    }
    wrapped(parts.iter().map(String::as_str), ", ", style, out)
}

/// Writes a heading after an empty line.
pub(crate) fn heading(text: &str, style: &Style, out: &mut dyn io::Write) -> io::Result<()> {
    writeln!(out)?;
    grid::bold(text, style, out)
}

/// Breaks lines only between parts.
fn wrapped<'a>(
    parts: impl Iterator<Item = &'a str>,
    between: &str,
    style: &Style,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let width = style.width.map_or(usize::MAX, usize::from);
    let mut line = String::new();
    for part in parts {
        let longer = line.chars().count() + between.len() + part.chars().count() + 1;
        if !line.is_empty() {
            line.push_str(between);
            if longer > width {
                writeln!(out, "{}", line.trim_end())?;
                line.clear();
            }
        }
        line.push_str(part);
    }
    writeln!(out, "{line}")
}

#[cfg(test)]
mod tests;
