//! The beginning of the page: how many instances are not compliant.

use imds_core::count::{count, thousands};
use imds_core::plain::Plain;
use imds_core::report::Outcome;
use jiff::tz::Offset;
use maud::{Markup, html};

use super::charts;
use crate::document::{CommandTrigger, Document};
use crate::output::is_always_counted;
use crate::output::words::{duration, extent, outcome};

pub(super) fn title(document: &Document) -> String {
    match &document.account {
        Some(account) => format!("IMDSv1 in account {}", Plain(account)),
        None => "IMDSv1".to_owned(),
    }
}

/// The title, the verdict, the key numbers and links to the sections.
pub(super) fn verdict(document: &Document) -> Markup {
    let verb = match document.trigger {
        CommandTrigger::Scan => "Scanned",
        CommandTrigger::Enforce => "Enforced",
        CommandTrigger::Report => "Joined from reports; the last one finished",
    };
    let at = Offset::UTC.to_datetime(document.at);
    let (class, sentence) = sentence(document);
    html! {
        header {
            h1 { (title(document)) }
            p.verdict.(class) { (sentence) }
            @if !document.unreachable.is_empty() {
                p.warning {
                    strong { "Not everything could be described. " }
                    "What is missing is listed under “Could not be described” and does not count as \
                     compliant."
                }
            }
            (totals(document))
            p {
                (verb) " on " (at.strftime("%-d %B %Y, %H:%M UTC"))
                " · " (extent(document))
                " · " (duration(document.took))
            }
            nav {
                a href="#next" { "What to do next" } " "
                a href="#usage" { "Who uses IMDSv1" } " "
                a href="#shares" { "Share of compliant instances" } " "
                a href="#coverage" { "What this report covers" }
            }
        }
    }
}

/// What is wrong, and the CSS class of it. Terminated instances do not count.
fn sentence(document: &Document) -> (&'static str, String) {
    let has = |class| {
        let outcomes = Outcome::ALL.iter();
        let outcomes = outcomes.filter(|it| charts::class(**it) == Some(class));
        outcomes.map(|it| document.has(*it)).sum::<usize>()
    };
    let wrong = has("non-compliant");
    let all = wrong + has("compliant") + has("exempt");
    match (wrong, all) {
        (0, _) if !document.unreachable.is_empty() => {
            let all = count(all, "instance");
            (
                "exempt",
                format!("{all} described, and none is non-compliant."),
            )
        }
        (0, 0) => ("exempt", "There are no instances.".to_owned()),
        (wrong, all) => {
            let class = match wrong {
                0 => "compliant",
                _ => "non-compliant",
            };
            let are = if wrong == 1 { "is" } else { "are" };
            let (wrong, all) = (thousands(wrong), count(all, "instance"));
            (class, format!("{wrong} of {all} {are} non-compliant."))
        }
    }
}

fn totals(document: &Document) -> Markup {
    let is_shown = |outcome: &&Outcome| {
        document.has(**outcome) > 0 || is_always_counted(**outcome, document.trigger)
    };
    html! {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::sample;

    #[test]
    fn the_verdict_counts_what_is_not_compliant_and_never_calls_unknown_compliant() {
        let mut document = sample::document(vec![sample::non_compliant(1)]);
        let one = "1 of 1 instance is non-compliant.";
        assert_eq!(sentence(&document), ("non-compliant", one.to_owned()));
        document.regions[1].summary.reported = 1_000;
        document.regions[1].summary.compliant = 1;
        document.regions[1].summary.gone = 5;
        let many = "1,000 of 1,001 instances are non-compliant.";
        assert_eq!(sentence(&document), ("non-compliant", many.to_owned()));
        document.regions[1].summary.reported = 0;
        let unknown = "1 instance described, and none is non-compliant.";
        assert_eq!(sentence(&document), ("exempt", unknown.to_owned()));
        document.unreachable.clear();
        let none = "0 of 1 instance are non-compliant.";
        assert_eq!(sentence(&document), ("compliant", none.to_owned()));
        document.regions.clear();
        let nothing = "There are no instances.";
        assert_eq!(sentence(&document), ("exempt", nothing.to_owned()));
    }
}
