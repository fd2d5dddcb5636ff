//! The page around the findings: head, title, totals, next steps.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use imds_core::plain::Plain;
use imds_core::report::Outcome;
use jiff::Timestamp;
use jiff::tz::Offset;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use super::share::Share;
use crate::document::Document;
use crate::output::next::Step;
use crate::output::words::{self, count, thousands};

const SCRIPT: &str = include_str!("script.js");
const STYLE: &str = include_str!("style.css");

/// Everything before the title; leaves `html` and `body` open.
pub(super) fn head(document: &Document) -> Markup {
    let policy = format!(
        "default-src 'none'; script-src '{}'; style-src '{}'; base-uri 'none'; form-action 'none'",
        hash(SCRIPT),
        hash(STYLE)
    );
    html! {
        (DOCTYPE)
        (PreEscaped("<html lang=\"en-GB\">"))
        head {
            meta charset="utf-8";
            meta http-equiv="Content-Security-Policy" content=(policy);
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="referrer" content="no-referrer";
            meta name="color-scheme" content="light dark";
            title { (heading(document)) ", " (words::day(document.at)) }
            style { (PreEscaped(STYLE)) }
            script { (PreEscaped(SCRIPT)) }
        }
        (PreEscaped("<body><main>\n"))
    }
}

/// What the page is about, in a line or two.
pub(super) fn title(document: &Document) -> Markup {
    let act = match document.trigger {
        "scan" => "Scan of",
        _ => "Enforced on",
    };
    html! {
        header {
            h1 { (heading(document)) }
            p.quiet {
                (act) " " time datetime=(document.at) { (moment(document.at)) }
                " · " (count(document.regions.len(), "region"))
                " · took " (words::took(document.took))
            }
        }
        @if !document.unseen.is_empty() {
            p.warning role="note" {
                strong { "Not everything could be seen. " }
                "What is missing is listed under “Not seen”, and is not counted as compliant."
            }
        }
    }
}

/// The numbers that a reader looks for first.
pub(super) fn totals(document: &Document) -> Markup {
    let scan = document.trigger == "scan";
    let summary = document.summary;
    let always = |outcome| match outcome {
        Outcome::Compliant | Outcome::Exempt => true,
        Outcome::Reported => scan,
        Outcome::Enforced => !scan,
        Outcome::Stopped
        | Outcome::Terminated
        | Outcome::Spared
        | Outcome::Gone
        | Outcome::Failed => false,
    };
    let outcomes = Outcome::ALL.iter().copied();
    let shown = outcomes.filter(|outcome| always(*outcome) || summary.count(*outcome) > 0);
    let all: usize = Outcome::ALL
        .iter()
        .map(|outcome| summary.count(*outcome))
        .sum();
    html! {
        section aria-label="Totals" {
            dl.totals {
                div { dt { "instances" } dd { (thousands(all)) } }
                @for outcome in shown {
                    div class=(tone(outcome, summary.count(outcome))) {
                        dt { (words::outcome(outcome, scan)) }
                        dd { (thousands(summary.count(outcome))) }
                    }
                }
                @if !document.unseen.is_empty() {
                    div.wrong {
                        dt { "not seen" }
                        dd { (thousands(document.unseen.len())) }
                    }
                }
            }
        }
        (PreEscaped("\n"))
    }
}

/// What to do next, in order.
pub(super) fn next(steps: &[Step]) -> Markup {
    html! {
        section aria-labelledby="next" {
            h2 #next { "What to do next" }
            ol.steps {
                @for step in steps {
                    li {
                        strong { (step.what) }
                        p { (step.how) }
                        @if !step.names.is_empty() {
                            ul { @for name in &step.names { li { bdi { (name) } } } }
                        }
                        @if !step.commands.is_empty() {
                            pre tabindex="0" {
                                @for line in &step.commands { (command(line)) }
                            }
                        }
                    }
                }
            }
        }
        (PreEscaped("\n"))
    }
}

/// A command that breaks between its words only: `--dry-run` never after its first sign.
pub(super) fn command(line: &str) -> Markup {
    html! {
        code { @for word in line.split(' ') { span.word { (word) } " " } }
    }
}

/// Everything after the findings.
pub(super) fn foot() -> Markup {
    html! {
        footer.quiet {
            p {
                "Written by imdsctl " (env!("CARGO_PKG_VERSION")) ". "
                "IMDSv1 is the EC2 instance metadata service answering without a session token; "
                "an instance that requires tokens answers IMDSv2 only."
            }
        }
        (PreEscaped("</main></body></html>\n"))
    }
}

/// The colour of the charts, where there is anything to point out.
fn tone(outcome: Outcome, n: usize) -> &'static str {
    match Share::kind(outcome) {
        Some(kind) if n > 0 => kind.class(),
        Some(_) | None => "",
    }
}

fn heading(document: &Document) -> String {
    match &document.account {
        Some(account) => format!("IMDSv1 in account {}", Plain(account)),
        None => "IMDSv1".to_owned(),
    }
}

fn moment(at: Timestamp) -> String {
    let at = Offset::UTC.to_datetime(at);
    at.strftime("%-d %B %Y, %H:%M UTC").to_string()
}

fn hash(text: &str) -> String {
    format!("sha256-{}", BASE64_STANDARD.encode(Sha256::digest(text)))
}
