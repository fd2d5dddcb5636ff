//! The table of all instances, which the script sorts, filters and divides into pages; without the
//! script and on paper all of it is shown.

use std::io;

use imds_core::plain::Plain;
use imds_core::report::Outcome;
use imds_core::usage::Usage;
use maud::{Markup, PreEscaped, html};

use super::share::Share;
use super::{emit, findings};
use crate::document::Document;
use crate::output::survey::Survey;
use crate::output::words::{self, Message, Source, thousands};
use crate::row::{Row, Verdict};

/// Writes the section row by row.
pub(super) fn write(
    document: &Document,
    survey: &Survey,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let columns = Columns::of(document, survey);
    emit(out, &start(document, &columns))?;
    for row in &document.rows {
        emit(out, &line(row, &columns))?;
    }
    out.write_all(b"</tbody></table></div><nav class=\"pages\" aria-label=\"Pages\" hidden></nav></section>\n")
}

/// Which columns there are beside those that always are.
struct Columns {
    account: bool,
    usage: bool,
    outcome: bool,
    mend: bool,
}

impl Columns {
    fn of(document: &Document, survey: &Survey) -> Self {
        Columns {
            account: survey.several_accounts,
            usage: document.usage_days.is_some(),
            outcome: document.trigger != "scan",
            mend: !survey.sources.is_empty(),
        }
    }

    /// The class of a column's cells and its title.
    fn titles(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        [
            (true, "i", "Instance"),
            (self.account, "a", "Account"),
            (true, "r", "Region"),
            (true, "s", "State"),
            (true, "t", "Tokens"),
            (true, "h", "Hops"),
            (true, "e", "Endpoint"),
            (self.usage, "u", "IMDSv1 usage"),
            (true, "d", "Decision"),
            (self.outcome, "o", "Outcome"),
            (self.mend, "m", "To mend"),
        ]
        .into_iter()
        .filter_map(|(shown, class, title)| shown.then_some((class, title)))
    }
}

fn start(document: &Document, columns: &Columns) -> Markup {
    let (shown, all) = (document.rows.len(), {
        let counts = Outcome::ALL.iter().map(|o| document.summary.count(*o));
        counts.sum::<usize>()
    });
    html! {
        (PreEscaped("<section aria-labelledby=\"all\">"))
        h2 #all { "Instances" }
        @if shown < all {
            p.quiet { "Only " (thousands(shown)) " of " (thousands(all)) " passed the command's filters." }
        }
        div #controls hidden {
            label { span { "Search" } input #q type="search" autocomplete="off" spellcheck="false"; }
            @for (class, title) in columns.titles().filter(|(class, _)| "ardou".contains(class)) {
                label { span { (title) } select data-c=(class) { option value="" { "all" } } }
            }
            button #reset type="button" { "Reset" }
        }
        p #count.quiet role="status" { (words::count(shown, "instance")) }
        (PreEscaped("<div class=\"box wide\" tabindex=\"0\" role=\"region\" aria-labelledby=\"all\">"))
        (PreEscaped("<table id=\"fleet\">"))
        thead {
            tr {
                @for (class, title) in columns.titles() {
                    th.(class) scope="col" { span { (title) } }
                }
            }
        }
        (PreEscaped("<tbody>\n"))
    }
}

fn line(row: &Row, columns: &Columns) -> Markup {
    let options = row.report.before.unwrap_or_default();
    let source = Source::of(row);
    html! {
        tr {
            th.i scope="row" {
                (findings::instance(row.report.instance_id.as_str(), row.name.as_deref()))
            }
            @if columns.account { td.a { (Plain(row.account.as_deref().unwrap_or_default())) } }
            td.r { (Plain(&row.report.region)) }
            td.s { @if let Some(state) = row.state { (state) } }
            td.t { @if let Some(tokens) = options.http_tokens { (tokens) } @else { "not known" } }
            td.h { @if let Some(hops) = options.hop_limit { (hops) } }
            td.e { @if let Some(endpoint) = options.http_endpoint { (endpoint) } @else { "not known" } }
            @if columns.usage { (usage(row.report.usage.as_ref())) }
            td.d data-f=(row.decision.as_str()) {
                span class=(format!("mark {}", mark(row))) { (row.decision.as_str()) } " "
                bdi.why { (Message(&row.report.reason)) }
            }
            @if columns.outcome { td.o { (outcome(row.report.outcome)) } }
            @if columns.mend { td.m { @if let Some(source) = source { bdi { (launched_from(&source)) } } } }
        }
        (PreEscaped("\n"))
    }
}

fn outcome(outcome: Outcome) -> Markup {
    match outcome {
        Outcome::Failed => html! { span.mark.wrong { (outcome.as_str()) } },
        Outcome::Compliant
        | Outcome::Exempt
        | Outcome::Reported
        | Outcome::Enforced
        | Outcome::Stopped
        | Outcome::Terminated
        | Outcome::Spared
        | Outcome::Gone => html! { (outcome.as_str()) },
    }
}

fn launched_from(source: &Source) -> Markup {
    html! {
        @match source {
            Source::LaunchTemplate(id, version) => {
                span.id { (Plain(id)) }
                @if let Some(version) = version { " version " (Plain(version)) }
            }
            Source::AutoScalingGroup(_) => { (source) }
        }
    }
}

/// Sorted by the number of calls, for which the words stand in no order; filtered by the verdict.
fn usage(usage: Option<&Usage>) -> Markup {
    let told = words::usage(usage);
    let told = html! { @if let Some(told) = told.first() { (told) } };
    let (verdict, calls, told) = match usage {
        None => return html! { td.u {} },
        Some(Usage::Unknown { .. }) => ("unknown", -1, told),
        Some(Usage::Unused { .. }) => ("unused", 0, told),
        Some(Usage::InUse { calls, last_at }) => {
            let told = html! {
                "in use: " (words::count(*calls, "call")) ", "
                span.nb { "last " (words::day(*last_at)) }
            };
            ("in use", i64::try_from(*calls).unwrap_or(i64::MAX), told)
        }
    };
    html! { td.u data-f=(verdict) data-k=(calls) { (told) } }
}

fn mark(row: &Row) -> &'static str {
    match (row.decision, Share::kind(row.report.outcome)) {
        (Verdict::Report | Verdict::Enforce, Some(kind)) => kind.class(),
        (Verdict::Compliant, _) => "good",
        (Verdict::Exempt, _) => "exempt",
        (Verdict::Gone, _) | (_, None) => "",
    }
}
