//! The report as one self-contained HTML file, for a manager or an auditor.

mod charts;
mod rows;
mod verdict;

use std::io;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use imds_core::count::{count, thousands};
use imds_core::plain::Plain;
use imds_engine::{ScanDecision, ScannedInstance};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use self::rows::Rows;
use super::columns::{self, CallRow};
use super::grid::{Cell, Column};
use super::next::{self, NextStep};
use super::survey::Survey;
use super::tags;
use super::words::{self, Message, day, place};
use super::{UNNEEDED_EXEMPTIONS, covered};
use crate::document::Document;
use crate::usage_by_source::usage_by_source;

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
    let survey = Survey::new(document);
    let mut rows = Rows::default();
    let body = html! {
        (verdict::verdict(document))
        main { (sections(document, &survey, &mut rows)) }
    };
    let style = rows.style(STYLE);
    let style_hash = BASE64_STANDARD.encode(Sha256::digest(&style));
    let security = format!(
        "default-src 'none'; style-src 'sha256-{style_hash}'; base-uri 'none'; form-action 'none'"
    );
    let title = verdict::title(document);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(security);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="referrer" content="no-referrer";
                title { (title) ", " (day(document.at)) }
                style { (PreEscaped(style)) }
            }
            body {
                (body)
                footer {
                    "Written by imdsctl " (env!("CARGO_PKG_VERSION")) ". IMDSv1 is the EC2 instance \
                     metadata service when it answers without a session token. An instance that \
                     requires tokens answers IMDSv2 only."
                }
            }
        }
    }
}

/// What is wrong, what to do about it, and then everything else.
fn sections(document: &Document, survey: &Survey, rows: &mut Rows) -> Markup {
    let decision = Column::flexible("DECISION", 23, |it: &ScannedInstance| {
        let words = match it.decision {
            ScanDecision::Enforce => words::decision(it),
            _ => vec![it.decision.as_str().to_owned()],
        };
        Cell::shortening(words).toned(columns::tone(it))
    });
    let reason = Column::flexible("REASON", 20, |it: &ScannedInstance| {
        Cell::new(Message(&it.report.reason))
    });
    let instances = columns::instances(document, survey, [decision, reason]);
    let (wrong, fine): (Vec<_>, Vec<_>) = document
        .instances
        .iter()
        .partition(|it| it.is_non_compliant());
    let listed = count(fine.len(), "instance");
    let next = next::steps(document, survey);
    let several = document.has_several_accounts();
    html! {
        @if !document.unreachable.is_empty() {
            (section("unreachable", "Could not be described", &html! {
                @for it in &document.unreachable {
                    p { b { (place(it.account.as_deref(), &it.region, several)) } ": " (Message(&it.error)) }
                }
            }))
        }
        @if !wrong.is_empty() {
            (section("instances", "Non-compliant instances", &rows.table("instances", &instances, &wrong)))
        }
        @for (n, tag) in tags::by_tag(document).iter().enumerate() {
            @let totals: Vec<_> = tag.totals.iter().collect();
            (section(&format!("tag-{n}"), &format!("By tag {}", Plain(tag.key)),
                &rows.table(&format!("tag-{n}"), &tag.columns, &totals)))
        }
        (found(document, rows))
        (section("next", "What to do next", &html! {
            p { (next::commands_are_for(document)) }
            ol { @for step in &next { (next_step(step)) } }
        }))
        (section("usage", "Who uses IMDSv1", &usage(document, survey, rows, &instances)))
        (section("shares", "Share of compliant instances", &charts::shares(document)))
        @if !fine.is_empty() {
            (section("others", "Other instances", &rows.folded(
                &format!("{listed} compliant, exempt, or terminated"), "others", &instances, &fine,
            )))
        }
        (section("coverage", "What this report covers", &coverage(document)))
    }
}

/// What was found besides instances; what is compliant is folded.
fn found(document: &Document, rows: &mut Rows) -> Markup {
    let calls = columns::call_rows(document);
    let calls: Vec<&CallRow> = calls.iter().collect();
    let templates = columns::with_account(document, columns::templates(), |it| &it.account);
    let defaults = columns::with_account(document, columns::defaults(), |it| &it.account);
    html! {
        @if document.user_data {
            (section("user-data", "User data that calls IMDS without a token", &html! {
                p { (count(calls.len(), "call")) ". Only user data is searched." }
                @if !calls.is_empty() { (rows.table("calls", &columns::calls(), &calls)) }
            }))
        }
        @if document.templates.is_some() {
            @let found = next::in_order(document);
            @let (wrong, fine): (Vec<_>, Vec<_>) = found.iter().partition(|it| it.is_violation());
            (section("templates", "Launch templates and configurations", &html! {
                @if !wrong.is_empty() { (rows.table("templates", &templates, &wrong)) }
                @if !fine.is_empty() {
                    (rows.folded(&format!("{} compliant", thousands(fine.len())), "fine-templates",
                        &templates, &fine))
                }
                @if found.is_empty() { p { "None found." } }
            }))
        }
        @if let Some(unneeded) = document.unneeded_exemptions.as_ref().filter(|it| !it.is_empty()) {
            (section("unneeded-exemptions", UNNEEDED_EXEMPTIONS, &html! {
                ul { @for it in unneeded { li { bdi { (it) } } } }
            }))
        }
        @if let Some(found) = &document.defaults {
            @let found: Vec<_> = found.iter().collect();
            (section("defaults", "Defaults of the account", &rows.table("defaults", &defaults, &found)))
        }
    }
}

fn coverage(document: &Document) -> Markup {
    html! {
        ul {
            @for (label, text) in covered::scope(document) { li { (label) " " bdi { (text) } } }
            li { "not examined: " (covered::reasons(document).join(", ")) }
        }
    }
}

fn section(id: &str, title: &str, content: &Markup) -> Markup {
    html! { section id=(id) { h2 { (title) } (content) } "\n" }
}

fn usage(
    document: &Document,
    survey: &Survey,
    rows: &mut Rows,
    columns: &[Column<ScannedInstance>],
) -> Markup {
    let in_use = survey.in_use.len();
    let busiest: Vec<_> = survey.in_use.iter().copied().take(BUSIEST).collect();
    let Some(days) = document.usage_days else {
        return html! {
            p { "This command did not ask CloudWatch who uses IMDSv1. To ask:" }
            pre { (next::ask_usage(document)) }
        };
    };
    let by_source = usage_by_source(&document.instances);
    let by_source: Vec<_> = by_source.iter().collect();
    html! {
        p {
            "In the last " (count(days, "day")) ", " b { (thousands(in_use)) } " of the non-compliant \
             instances used IMDSv1 and " b { (thousands(survey.unused)) } " did not. For "
            b { (thousands(survey.unknown)) } " it is not known, which is not the same as not used."
        }
        @if !by_source.is_empty() {
            p { "By what launched them:" }
            (rows.table("by-source", &columns::usage_by_source(), &by_source))
        }
        @if in_use > BUSIEST { p { "These instances made the most calls:" } }
        @if in_use > 0 { (rows.table("busiest", columns, &busiest)) }
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

#[cfg(test)]
mod tests;
