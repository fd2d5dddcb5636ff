//! The share of compliant instances, as bars that are also described in words.

use imds_core::count::thousands;
use imds_core::plain::Plain;
use imds_core::report::{Outcome, Summary};
use maud::{Markup, html};

use crate::document::Document;
use crate::output::words::{empty_regions, place};

/// The CSS class of an outcome; `None` for terminated instances, which do not count.
pub(super) fn class(outcome: Outcome) -> Option<&'static str> {
    match outcome {
        Outcome::Compliant | Outcome::Enforced => Some("compliant"),
        Outcome::Exempt => Some("exempt"),
        Outcome::Reported | Outcome::Stopped | Outcome::Failed => Some("non-compliant"),
        Outcome::Terminated | Outcome::Gone => None,
    }
}

/// A bar for all instances and for those of each region.
pub(super) fn shares(document: &Document) -> Markup {
    let (_, totals) = document.split_regions();
    let several = document.has_several_accounts();
    html! {
        (bar("all regions", &document.summary()))
        @for total in totals {
            (bar(&place(total.account.as_deref(), &total.region, several), &total.summary))
        }
        @if let Some(empty) = empty_regions(document, |names| names.join(", ")) { p { (empty) "." } }
        p {
            "Terminated instances are not counted, and exempt instances do not count as compliant."
        }
    }
}

fn bar(name: &str, summary: &Summary) -> Markup {
    let compliant = summary.compliant + summary.enforced;
    let exempt = summary.exempt;
    // A stopped instance keeps its options.
    let non_compliant = summary.reported + summary.stopped + summary.failed;
    let all = compliant + exempt + non_compliant;
    // Rounded down, so that 100 means all.
    let description = match (compliant * 100).checked_div(all) {
        None => "no instances".to_owned(),
        Some(percent) => format!(
            "{percent}%: {} of {} compliant, {} exempt, {} non-compliant",
            thousands(compliant),
            thousands(all),
            thousands(exempt),
            thousands(non_compliant)
        ),
    };
    html! {
        div.share {
            span { (Plain(name)) }
            svg viewBox={ "0 0 " (all.max(1)) " 1" } preserveAspectRatio="none" aria-hidden="true" {
                rect.compliant width=(compliant) height="1" {}
                rect.exempt x=(compliant) width=(exempt) height="1" {}
                rect.non-compliant x=(compliant + exempt) width=(non_compliant) height="1" {}
            }
            span { (description) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_per_cent_means_all_that_are_not_terminated() {
        let shown = |compliant, failed| {
            let summary = Summary {
                compliant,
                failed,
                gone: 100,
                ..Summary::default()
            };
            bar("eu-west-1", &summary).into_string()
        };
        assert!(
            shown(9_999, 1).contains("99%: 9,999 of 10,000 compliant, 0 exempt, 1 non-compliant")
        );
        assert!(shown(10, 0).contains("100%: 10 of 10 compliant"));
        assert!(shown(0, 0).contains("no instances"));
    }
}
