//! The share that is compliant, drawn; every number stands beside its picture too.

use imds_core::plain::Plain;
use maud::{Markup, PreEscaped, html};

use super::share::{Kind, Share};
use crate::document::Document;
use crate::output::words::thousands;

/// The whole as a ring and each region as a bar.
pub(super) fn shares(document: &Document) -> Markup {
    let all = Share::of(&document.summary);
    html! {
        section aria-labelledby="shares" {
            h2 #shares { "How much is compliant" }
            div.shares {
                figure { (ring(&all)) (legend(&all)) }
                ul.regions {
                    @for region in &document.regions {
                        (bar(&region.region, &Share::of(&region.summary)))
                    }
                }
            }
            p.quiet {
                "Shares are of the instances that run or may run again; those that end or have \
                 ended are not counted, and exempt ones are not counted as compliant."
            }
        }
        (PreEscaped("\n"))
    }
}

fn ring(share: &Share) -> Markup {
    let told = told(share);
    html! {
        svg.ring viewBox="0 0 120 120" role="img" aria-labelledby="ring-title ring-told" {
            title #ring-title { "Share compliant" }
            desc #ring-told { (told) }
            circle.track cx="60" cy="60" r="50" {}
            @for (kind, from, to) in share.parts() {
                circle class=(kind.class()) cx="60" cy="60" r="50" pathLength="1000"
                    stroke-dasharray=(format!("{} 1000", to - from))
                    stroke-dashoffset=(format!("-{from}")) transform="rotate(-90 60 60)" {}
            }
            text x="60" y="66" text-anchor="middle" aria-hidden="true" {
                @match share.percent() {
                    Some(percent) => { (percent) "%" }
                    None => { "–" }
                }
            }
        }
    }
}

fn legend(share: &Share) -> Markup {
    let parts = [
        (Kind::Compliant, "compliant", share.compliant),
        (Kind::Exempt, "exempt", share.exempt),
        (Kind::Wrong, "not compliant", share.wrong),
    ];
    html! {
        figcaption {
            ul.legend {
                @for (kind, name, n) in parts {
                    li { span.dot.(kind.class()) {} (name) " " b { (thousands(n)) } }
                }
            }
        }
    }
}

fn bar(region: &str, share: &Share) -> Markup {
    let told = told(share);
    html! {
        li {
            span.place { (Plain(region)) }
            svg viewBox="0 0 1000 10" preserveAspectRatio="none" role="img"
                aria-label=(format!("{}: {told}", Plain(region))) {
                title { (Plain(region)) }
                desc { (told) }
                rect.track width="1000" height="10" {}
                @for (kind, from, to) in share.parts() {
                    rect class=(kind.class()) x=(from) width=(to - from) height="10" {}
                }
            }
            span.told aria-hidden="true" {
                @match share.percent() {
                    Some(percent) => {
                        b { (percent) "%" } " "
                        span.of { (thousands(share.compliant)) " of " (thousands(share.all())) }
                    }
                    None => { span.of { "no instances" } }
                }
            }
        }
    }
}

fn told(share: &Share) -> String {
    match share.percent() {
        None => "no instances".to_owned(),
        Some(percent) => format!(
            "{} of {} compliant ({percent}%), {} exempt, {} not compliant",
            thousands(share.compliant),
            thousands(share.all()),
            thousands(share.exempt),
            thousands(share.wrong)
        ),
    }
}
