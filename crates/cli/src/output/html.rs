//! The report as one self-contained HTML file, for a manager or an auditor.

mod charts;

use std::io;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use imds_core::plain::Plain;
use imds_core::report::Outcome;
use imds_engine::ScannedInstance;
use jiff::tz::Offset;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use super::grid::{Cell, Column, Tone};
use super::next::{self, NextStep};
use super::survey::Survey;
use super::words::{Message, count, day, duration, outcome, thousands};
use super::{columns, covered, is_always_counted};
use crate::document::{CommandTrigger, Document};

const STYLE: &str = include_str!("html/style.css");

/// How many of the instances with the most calls are listed.
const BUSIEST: usize = 10;

/// Writes the page.
pub(super) fn write(document: &Document, out: &mut dyn io::Write) -> io::Result<()> {
    let page = page(document).into_string();
    out.write_all(page.as_bytes())?;
    writeln!(out)
}

fn page(document: &Document) -> Markup {
    let style_hash = BASE64_STANDARD.encode(Sha256::digest(STYLE));
    let security = format!(
        "default-src 'none'; style-src 'sha256-{style_hash}'; base-uri 'none'; form-action 'none'"
    );
    let title = match &document.account {
        Some(account) => format!("IMDSv1 in account {}", Plain(account)),
        None => "IMDSv1".to_owned(),
    };
    html! {
        (DOCTYPE)
        html lang="en-GB" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(security);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="referrer" content="no-referrer";
                title { (title) ", " (day(document.at)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { (title) }
                (introduction(document))
                (sections(document))
                footer {
                    "Written by imdsctl " (env!("CARGO_PKG_VERSION")) ". IMDSv1 is the EC2 instance \
                     metadata service when it answers without a session token. An instance that \
                     requires tokens answers IMDSv2 only."
                }
            }
        }
    }
}

/// The date and the key numbers.
fn introduction(document: &Document) -> Markup {
    let verb = match document.trigger {
        CommandTrigger::Scan => "Scanned",
        CommandTrigger::Enforce => "Enforced",
    };
    let at = Offset::UTC.to_datetime(document.at);
    let is_shown = |outcome: &&Outcome| {
        document.has(**outcome) > 0 || is_always_counted(**outcome, document.trigger)
    };
    html! {
        p {
            (verb) " on " (at.strftime("%-d %B %Y, %H:%M UTC"))
            " · " (count(document.regions.len(), "region"))
            " · " (duration(document.took))
        }
        ul {
            @for (label, text) in covered::scope(document) { li { (label) " " bdi { (text) } } }
            li { "not examined: " (covered::reasons(document).join(", ")) }
        }
        @if !document.unreachable.is_empty() {
            p.warning {
                strong { "Not everything could be described. " }
                "What is missing is listed under “Could not be described” and does not count as \
                 compliant."
            }
        }
        dl.totals {
            @for found in Outcome::ALL.iter().filter(is_shown) {
                div class=[charts::class(*found).filter(|_| document.has(*found) > 0)] {
                    dt { (outcome(*found, document.trigger)) }
                    dd { (thousands(document.has(*found))) }
                }
            }
            @if !document.unreachable.is_empty() {
                div.non-compliant {
                    dt { "errors" }
                    dd { (thousands(document.unreachable.len())) }
                }
            }
        }
    }
}

fn sections(document: &Document) -> Markup {
    let survey = Survey::new(document);
    let next = next::steps(document, &survey);
    let decision = Column::fixed("DECISION", |it: &ScannedInstance| {
        Cell::new(it.decision.as_str()).toned(columns::tone(it))
    });
    let reason = Column::fixed("REASON", |it: &ScannedInstance| {
        Cell::new(Message(&it.report.reason))
    });
    let instances = columns::instances(document, &survey, [decision, reason]);
    let calls = columns::call_rows(document);
    html! {
        (section("shares", "Share of compliant instances", &charts::shares(document)))
        (section("usage", "Who uses IMDSv1", &usage(document, &survey, &instances)))
        (section("next", "What to do next", &html! {
            p { (next::commands_are_for(document)) }
            ol { @for step in &next { (next_step(step)) } }
        }))
        @if !document.unreachable.is_empty() {
            (section("unreachable", "Could not be described", &html! {
                @for it in &document.unreachable {
                    p { b { (Plain(&it.region)) } ": " bdi { (Message(&it.error)) } }
                }
            }))
        }
        (section("instances", "Instances", &html! {
            p { (count(document.instances.len(), "instance")) " match the filters of the command." }
            (table(&instances, document.instances.iter()))
        }))
        @if document.user_data {
            (section("user-data", "User data that calls IMDS without a token", &html! {
                p { (count(calls.len(), "call")) ". Only user data is searched." }
                (table(&columns::calls(), calls.iter()))
            }))
        }
        @if let Some(found) = &document.templates {
            (section("templates", "Launch templates and configurations", &table(&columns::templates(), found.iter())))
        }
        @if let Some(found) = &document.defaults {
            (section("defaults", "Defaults of the account", &table(&columns::defaults(), found.iter())))
        }
    }
}

fn section(id: &str, title: &str, content: &Markup) -> Markup {
    html! { section id=(id) { h2 { (title) } (content) } "\n" }
}

fn usage(document: &Document, survey: &Survey, columns: &[Column<ScannedInstance>]) -> Markup {
    let in_use = survey.in_use.len();
    let Some(days) = document.usage_days else {
        return html! {
            p { "This command did not ask CloudWatch who uses IMDSv1. To ask:" }
            pre { (next::ask_usage(document)) }
        };
    };
    html! {
        p {
            "In the last " (count(days, "day")) ", " b { (thousands(in_use)) } " of the non-compliant \
             instances used IMDSv1 and " b { (thousands(survey.unused)) } " did not. For "
            b { (thousands(survey.unknown)) } " it is not known, which is not the same as not used."
        }
        @if in_use > BUSIEST { p { "These instances made the most calls:" } }
        @if in_use > 0 { (table(columns, survey.in_use.iter().copied().take(BUSIEST))) }
    }
}

fn next_step(step: &NextStep) -> Markup {
    html! {
        li {
            strong { (step.what) }
            p { (step.how) }
            ul { @for name in &step.names { li { bdi { (name) } } } }
            @for command in &step.commands { pre { (command) } }
        }
    }
}

fn class(tone: Tone) -> Option<&'static str> {
    match tone {
        Tone::Plain => None,
        Tone::Good => Some("compliant"),
        Tone::Warning | Tone::Error => Some("non-compliant"),
    }
}

/// A table with a row for each item; nothing is shortened.
fn table<'a, T: 'a>(columns: &[Column<T>], items: impl Iterator<Item = &'a T>) -> Markup {
    html! {
        div.box tabindex="0" {
            table {
                thead { tr { @for column in columns { th scope="col" { (column.title) } } } }
                tbody {
                    @for item in items {
                        "\n"
                        tr {
                            @for cell in columns.iter().map(|column| (column.cell)(item)) {
                                td class=[class(cell.tone)] { bdi { (cell.full()) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
