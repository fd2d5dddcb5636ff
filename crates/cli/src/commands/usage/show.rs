//! The usage as a table, JSON or CSV.

use std::io;

use imds_aws::Metric;
use imds_core::plain::Plain;
use imds_core::report::{Unreachable, VERSION};
use imds_core::usage::{NotKnown, Usage};
use imds_engine::{CallVerdict, InstanceCalls, Rejected};
use jiff::Timestamp;
use serde::Serialize;

use super::spark::spark;
use super::{UsageDocument, UsageRow};
use crate::output::csv::io_error;
use crate::output::grid::{self, Cell, Column, LAST, Tone};
use crate::output::tags;
use crate::output::{self, Format, Message, Style, count, harmless, json, not_known, thousands};
use crate::wrap::wrap;

/// The title of the column of bars.
const BY_DAY: &str = "BY DAY";

const LEGEND: &str = "BY DAY: one character for 24 hours, the latest last; · no calls, ? no data, which may be any number";

/// The formats of this command.
pub(super) const FORMATS: [Format; 3] = [Format::Table, Format::Json, Format::Csv];

pub(super) fn write(
    format: Format,
    document: &UsageDocument,
    style: &Style,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    match format {
        Format::Table => table(document, style, out),
        Format::Json => json(document, out),
        Format::Csv => csv(document, out),
        Format::Html | Format::Markdown | Format::Asff | Format::Ocsf => {
            Err(io::ErrorKind::Unsupported.into())
        }
    }
}

fn table(document: &UsageDocument, style: &Style, out: &mut dyn io::Write) -> io::Result<()> {
    let survey = &document.survey;
    let instances = &survey.instances;
    if instances.is_empty() {
        let what = if document.is_rejected() && survey.counts.all() > 0 {
            "No rejected calls."
        } else {
            "No instances to show."
        };
        writeln!(out, "{what}")?;
    } else {
        let columns = columns(document);
        let dropped = grid::write(&columns, instances, output::FULL, style, out)?;
        if !dropped.contains(&BY_DAY) {
            writeln!(out)?;
            output::line(LEGEND, style, out)?;
        }
    }
    by_tag(document, style, out)?;
    hints(document, style, out)?;
    output::unreachable(&survey.unreachable, style, out)?;
    writeln!(out)?;
    output::line(&summary(document), style, out)
}

/// The instances by the values of each tag that is shown.
fn by_tag(document: &UsageDocument, style: &Style, out: &mut dyn io::Write) -> io::Result<()> {
    let instances = &document.survey.instances;
    let title = if document.is_rejected() {
        "REJECTED"
    } else {
        "IN USE"
    };
    for key in document.show_tags.iter().filter(|_| !instances.is_empty()) {
        let totals = tags::totals(key, instances, |it| {
            (&it.tags, it.verdict.has_calls() == Some(true))
        });
        let columns = tags::columns(key, title, Some("LISTED"));
        output::tag_totals(key, &columns, &totals, style, out)?;
    }
    Ok(())
}

fn columns(document: &UsageDocument) -> Vec<Column<'_, InstanceCalls>> {
    let instances = &document.survey.instances;
    let first = instances.first().map(|it| &it.account);
    let several_accounts = instances.iter().any(|it| Some(&it.account) != first);
    let mut columns = vec![
        Column::fixed("REGION", |it: &InstanceCalls| Cell::new(Plain(&it.region))),
        Column::fixed("INSTANCE", |it: &InstanceCalls| Cell::new(&it.instance_id)),
        Column::flexible("NAME", 8, |it: &InstanceCalls| {
            Cell::optional(it.name.as_deref().map(Plain))
        })
        .enough(16)
        .dropped(LAST),
        Column::fixed("TOKENS", |it: &InstanceCalls| {
            Cell::optional(it.http_tokens)
        })
        .dropped(1),
        Column::fixed("CALLS", |it: &InstanceCalls| {
            Cell::new(it.calls.map_or("?".to_owned(), thousands))
        })
        .right(),
        Column::fixed("LAST (UTC)", last_call).evidence().dropped(3),
        Column::fixed(BY_DAY, |it: &InstanceCalls| Cell::new(spark(&it.days)))
            .evidence()
            .dropped(4),
        Column::flexible("VERDICT", 7, verdict_cell).evidence(),
    ];
    let keys = document.show_tags.iter();
    let tags = keys.map(|key| tags::column(key, |it: &InstanceCalls| &it.tags));
    columns.splice(3..3, tags);
    if several_accounts {
        let account = |it: &InstanceCalls| Cell::optional(it.account.as_deref().map(Plain));
        columns.insert(0, Column::fixed("ACCOUNT", account).dropped(5));
    }
    columns
}

fn last_call(calls: &InstanceCalls) -> Cell {
    let last = calls.last_at;
    Cell::optional(last.map(|at| at.strftime("%Y-%m-%d %H:%M").to_string()))
}

fn verdict_cell(calls: &InstanceCalls) -> Cell {
    Cell::shortening(verdict(calls)).toned(match calls.verdict.has_calls() {
        Some(true) => Tone::Warning,
        Some(false) | None => Tone::Plain,
    })
}

/// The usage, in full and shortened.
fn verdict(calls: &InstanceCalls) -> Vec<String> {
    let word = word(&calls.verdict);
    let gaps = calls.days.iter().filter(|day| day.is_none()).count();
    let why = match calls.verdict.unknown_because() {
        Some(because) => not_known(because).replace('_', " "),
        None if gaps > 0 && calls.verdict.has_calls() == Some(false) => {
            format!("no data of {}", count(gaps, "day"))
        }
        None => return vec![word.to_owned()],
    };
    vec![format!("{word}: {why}"), format!("{word}…")]
}

fn hints(document: &UsageDocument, style: &Style, out: &mut dyn io::Write) -> io::Result<()> {
    if document.hints.is_empty() {
        return Ok(());
    }
    output::heading("To make IMDSv1 answer again, paste", style, out)?;
    for UsageRow { calls, rollback } in document.rows() {
        if let Some(note) = rollback.and_then(|hint| hint.note.as_ref()) {
            let note = format!("# {}: {}", calls.instance_id, Message(note));
            // Each line is a comment of the shell.
            let note = wrap(&note, style.width).replace("\n  ", "\n# ");
            writeln!(out, "{note}")?;
        }
        if let Some(command) = rollback.and_then(|hint| hint.command.as_ref()) {
            writeln!(out, "{}", Message(command))?;
        }
    }
    Ok(())
}

fn summary(document: &UsageDocument) -> String {
    let counts = document.survey.counts;
    let (some, none) = if document.is_rejected() {
        ("rejected", "without rejected calls")
    } else {
        ("in use", "unused")
    };
    let closed = match counts.closed {
        0 => String::new(),
        n => format!(", {} with IMDSv1 off", thousands(n)),
    };
    format!(
        "{}, {}: {} {some}, {} {none}, {} unknown{closed}, {}",
        count(document.options.days, "day"),
        count(counts.all(), "instance"),
        thousands(counts.some),
        thousands(counts.none),
        thousands(counts.unknown),
        count(document.survey.unreachable.len(), "error")
    )
}

/// The verdict for people.
fn word(verdict: &CallVerdict) -> &'static str {
    match verdict {
        CallVerdict::Answered(Usage::InUse { .. }) => "in use",
        CallVerdict::Answered(Usage::Unused { .. }) => "unused",
        CallVerdict::Rejected(Rejected::Rejected) => "rejected",
        CallVerdict::Rejected(Rejected::None) => "none",
        CallVerdict::Answered(Usage::Unknown { .. })
        | CallVerdict::Rejected(Rejected::Unknown { .. }) => "unknown",
    }
}

/// A survey as JSON.
#[derive(Serialize)]
struct UsageJson<'a> {
    version: u8,
    account: Option<&'a String>,
    metric: &'static str,
    days: u8,
    begin: Timestamp,
    end: Timestamp,
    instances: Vec<UsageRow<'a>>,
    unreachable: &'a [Unreachable],
    summary: serde_json::Value,
}

fn json(document: &UsageDocument, out: &mut dyn io::Write) -> io::Result<()> {
    let survey = &document.survey;
    let counts = survey.counts;
    let (some, none) = match document.options.metric {
        Metric::NoTokenRejected => ("rejected", "none"),
        Metric::NoToken => ("in_use", "unused"),
    };
    let json = UsageJson {
        version: VERSION,
        account: survey.account.as_ref().ok(),
        metric: document.options.metric.name(),
        days: document.options.days,
        begin: survey.begin,
        end: document.options.now,
        instances: document.rows().collect(),
        unreachable: &survey.unreachable,
        summary: serde_json::json!({
            some: counts.some, none: counts.none, "unknown": counts.unknown, "closed": counts.closed
        }),
    };
    json::write(&json, out)
}

/// Programs depend on the columns: add new ones only at the end.
const HEADER: [&str; 12] = [
    "account",
    "region",
    "instance_id",
    "name",
    "state",
    "http_tokens",
    "calls",
    "last_at",
    "verdict",
    "unknown_because",
    "days",
    "rollback",
];

fn csv(document: &UsageDocument, out: &mut dyn io::Write) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(HEADER).map_err(io_error)?;
    for UsageRow { calls, rollback } in document.rows() {
        let text = |text: Option<&str>| harmless(Plain(text.unwrap_or_default()));
        let days = calls.days.iter();
        let days = days.map(|day| day.map_or("?".to_owned(), |calls| calls.to_string()));
        let command = rollback.and_then(|hint| hint.command.as_deref());
        let values = [
            text(calls.account.as_deref()),
            text(Some(&calls.region)),
            calls.instance_id.to_string(),
            text(calls.name.as_deref()),
            shown(calls.state),
            shown(calls.http_tokens),
            shown(calls.calls),
            shown(calls.last_at),
            word(&calls.verdict).replace(' ', "_"),
            because(&calls.verdict),
            days.collect::<Vec<_>>().join(" "),
            harmless(Message(command.unwrap_or_default())),
        ];
        writer.write_record(values).map_err(io_error)?;
    }
    writer.flush()
}

fn shown(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// Uses the same words as the JSON.
fn because(verdict: &CallVerdict) -> String {
    match verdict.unknown_because() {
        None => String::new(),
        Some(NotKnown::Unreadable(error)) => harmless(Message(&format!("unreadable: {error}"))),
        Some(because) => not_known(because).to_owned(),
    }
}
