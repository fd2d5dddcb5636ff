//! Tells it: as a table, as JSON, as CSV.

use std::io;

use imds_core::plain::Plain;
use imds_core::usage::NotKnown;
use jiff::Timestamp;
use jiff::tz::Offset;

use super::by_day::spark;
use super::member::{Member, Survey, Verdict};
use crate::output::grid::{self, Cell, Column, Tone};
use crate::output::json::{field, last, list};
use crate::output::{self, Format, Message, Style, count, harmless, thousands};

pub(super) fn write(
    format: Format,
    survey: &Survey,
    style: &Style,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    match format {
        Format::Table => table(survey, style, out),
        Format::Json => json(survey, out),
        Format::Csv => csv(survey, out),
        Format::Html => Err(io::ErrorKind::Unsupported.into()),
    }
}

fn table(survey: &Survey, style: &Style, out: &mut dyn io::Write) -> io::Result<()> {
    let members = &survey.members;
    if members.is_empty() {
        let what = if survey.rejected && survey.counts.all() > 0 {
            "No refused calls were seen."
        } else {
            "No instances to show."
        };
        writeln!(out, "{what}")?;
    } else {
        let first = members.first().map(|member| &member.account);
        let several = members.iter().any(|member| Some(&member.account) != first);
        let rows = || members.iter().map(|member| cells(member, several));
        let dropped = grid::write(&columns(several), rows, style, out)?;
        output::left_out(&dropped, style, out)?;
        writeln!(
            out,
            "\nBY DAY: one sign for 24 hours, the latest last; · no calls, ? no data, which may be any number"
        )?;
    }
    ways_back(members, style, out)?;
    output::unseen(&survey.unseen, style, out)?;
    writeln!(out, "\n{}", summary(survey))
}

fn columns(several_accounts: bool) -> Vec<Column> {
    let mut columns = vec![
        Column::fixed("REGION"),
        Column::fixed("INSTANCE"),
        Column::flexible("NAME", 10).enough(24).dropped(2),
        Column::fixed("TOKENS").dropped(1),
        Column::fixed("CALLS").right(),
        Column::flexible("LAST (UTC)", 10).dropped(3),
        Column::fixed("BY DAY").dropped(4),
        Column::flexible("VERDICT", 7),
    ];
    if several_accounts {
        columns.insert(0, Column::fixed("ACCOUNT").dropped(5));
    }
    columns
}

fn cells(member: &Member, several_accounts: bool) -> Vec<Cell> {
    let tone = match member.verdict.some() {
        Some(true) => Tone::Warning,
        Some(false) | None => Tone::Plain,
    };
    let mut cells = vec![
        Cell::of(Plain(&member.region)),
        Cell::of(&member.instance_id),
        Cell::of(Plain(member.name.as_deref().unwrap_or_default())),
        Cell::optional(member.http_tokens),
        Cell::of(member.calls.map_or("?".to_owned(), thousands)),
        Cell::shortening(member.last_at.map_or(vec![], |at| {
            vec![shown(at, "%Y-%m-%d %H:%M"), shown(at, "%Y-%m-%d")]
        })),
        Cell::of(spark(&member.days)),
        Cell::shortening(verdict(member)).toned(tone),
    ];
    if several_accounts {
        let account = member.account.as_deref();
        cells.insert(0, Cell::optional(account.map(Plain)));
    }
    cells
}

/// In full and ever shorter.
fn verdict(member: &Member) -> Vec<String> {
    let word = member.verdict.as_str();
    let gaps = member.days.iter().filter(|day| day.is_none()).count();
    let why = match member.verdict.because() {
        Some(NotKnown::NoData) => "no data".to_owned(),
        Some(NotKnown::StartedInWindow) => "started since".to_owned(),
        Some(NotKnown::Stopped) => "stopped".to_owned(),
        Some(NotKnown::Unreadable(_)) => "not readable".to_owned(),
        None if gaps > 0 && member.verdict.some() == Some(false) => {
            format!("no data of {}", count(gaps, "day"))
        }
        None => return vec![word.to_owned()],
    };
    vec![format!("{word}: {why}"), word.to_owned()]
}

fn shown(at: Timestamp, format: &str) -> String {
    Offset::UTC.to_datetime(at).strftime(format).to_string()
}

fn ways_back(members: &[Member], style: &Style, out: &mut dyn io::Write) -> io::Result<()> {
    if members.iter().all(|member| member.way_back.is_none()) {
        return Ok(());
    }
    output::heading("To let IMDSv1 answer again, paste", style, out)?;
    for member in members {
        let Some(way_back) = &member.way_back else {
            continue;
        };
        if let Some(note) = &way_back.note {
            writeln!(out, "# {}: {}", member.instance_id, Message(note))?;
        }
        if let Some(command) = &way_back.command {
            writeln!(out, "{}", Message(command))?;
        }
    }
    Ok(())
}

fn summary(survey: &Survey) -> String {
    let [some, none, unknown] = words(survey);
    let counts = survey.counts;
    let closed = match counts.closed {
        0 => String::new(),
        n => format!(", {} with IMDSv1 off", thousands(n)),
    };
    format!(
        "{}, {}: {} {some}, {} {none}, {} {unknown}{closed}, {}",
        count(survey.days, "day"),
        count(counts.all(), "instance"),
        thousands(counts.some),
        thousands(counts.none),
        thousands(counts.unknown),
        count(survey.unseen.len(), "error")
    )
}

fn words(survey: &Survey) -> [&'static str; 3] {
    if survey.rejected {
        ["refused", "without refused calls", "unknown"]
    } else {
        ["in use", "unused", "unknown"]
    }
}

fn json(survey: &Survey, out: &mut dyn io::Write) -> io::Result<()> {
    let counts = survey.counts;
    let (metric, some, none) = if survey.rejected {
        ("MetadataNoTokenRejected", "refused", "none")
    } else {
        ("MetadataNoToken", "in_use", "unused")
    };
    let summary = serde_json::json!({
        some: counts.some, none: counts.none, "unknown": counts.unknown, "closed": counts.closed
    });
    writeln!(out, "{{")?;
    field(out, "account", &survey.account)?;
    field(out, "metric", metric)?;
    field(out, "days", &survey.days)?;
    field(out, "begin", &survey.begin)?;
    field(out, "end", &survey.end)?;
    list(out, "instances", &survey.members)?;
    list(out, "unseen", &survey.unseen)?;
    last(out, "summary", &summary)
}

/// Programs read by it, so it only grows, at its end.
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
    "way_back",
];

fn csv(survey: &Survey, out: &mut dyn io::Write) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(HEADER)?;
    for member in &survey.members {
        let text = |text: Option<&str>| harmless(Plain(text.unwrap_or_default()));
        let days = member.days.iter();
        let days = days.map(|day| day.map_or("?".to_owned(), |calls| calls.to_string()));
        let way_back = member.way_back.as_ref();
        let command = way_back.and_then(|way_back| way_back.command.as_deref());
        writer.write_record([
            text(member.account.as_deref()),
            text(Some(&member.region)),
            member.instance_id.to_string(),
            text(member.name.as_deref()),
            member
                .state
                .map(|state| state.to_string())
                .unwrap_or_default(),
            member
                .http_tokens
                .map(|tokens| tokens.to_string())
                .unwrap_or_default(),
            member
                .calls
                .map(|calls| calls.to_string())
                .unwrap_or_default(),
            member.last_at.map(|at| at.to_string()).unwrap_or_default(),
            member.verdict.as_str().replace(' ', "_"),
            because(&member.verdict),
            days.collect::<Vec<_>>().join(" "),
            harmless(Message(command.unwrap_or_default())),
        ])?;
    }
    writer.flush()
}

/// In the words of the JSON.
fn because(verdict: &Verdict) -> String {
    match verdict.because() {
        None => String::new(),
        Some(NotKnown::NoData) => "no_data".to_owned(),
        Some(NotKnown::StartedInWindow) => "started_in_window".to_owned(),
        Some(NotKnown::Stopped) => "stopped".to_owned(),
        Some(NotKnown::Unreadable(why)) => harmless(Message(&format!("unreadable: {why}"))),
    }
}
