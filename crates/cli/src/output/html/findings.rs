//! What was found beside the instances' options: usage, user data, templates, defaults, and what
//! could not be seen.

use std::io;

use imds_core::plain::Plain;
use imds_user_data::Finding;
use maud::{Markup, PreEscaped, html};

use super::{emit, page};
use crate::document::Document;
use crate::output::next::USAGE;
use crate::output::survey::{BUSIEST, Survey};
use crate::output::words::{Message, count, day, thousands};

/// Who uses IMDSv1, or how to ask.
pub(super) fn usage(document: &Document, survey: &Survey) -> Markup {
    let used = survey.used;
    html! {
        section aria-labelledby="usage" {
            h2 #usage { "Who uses IMDSv1" }
            @match document.usage_days {
                None => {
                    p { "This was not asked. CloudWatch knows it; to ask:" }
                    pre tabindex="0" { (page::command(USAGE)) }
                }
                Some(days) => {
                    p {
                        "Of the instances that are not as required, in the last "
                        (count(usize::from(days), "day")) ": "
                        b { (thousands(used.in_use)) } " used it, "
                        b { (thousands(used.unused)) } " did not, and of "
                        b { (thousands(used.unknown)) } " there is no telling, which is not the \
                        same as unused."
                    }
                    @if !survey.busiest.is_empty() { (busiest(survey)) }
                }
            }
        }
        (PreEscaped("\n"))
    }
}

fn busiest(survey: &Survey) -> Markup {
    html! {
        div.box tabindex="0" role="region" aria-label="Instances that use IMDSv1" {
            table {
                thead {
                    tr {
                        th scope="col" { "Instance" }
                        th scope="col" { "Region" }
                        th.n scope="col" { "Calls" }
                        th scope="col" { "Last seen" }
                        th scope="col" { "IMDSv1 now" }
                    }
                }
                tbody {
                    @for found in &survey.busiest {
                        tr {
                            th scope="row" { (instance(&found.id, found.name.as_deref())) }
                            td { (Plain(&found.region)) }
                            td.n { (thousands(found.calls)) }
                            td { time datetime=(found.last_at) { (day(found.last_at)) } }
                            td { @if found.enforced { "refused" } @else { "answered" } }
                        }
                    }
                }
            }
        }
        @if survey.used.in_use > survey.busiest.len() {
            p.quiet {
                "The " (BUSIEST) " with the most calls. "
                a href="#u=in+use&sort=u&down=true" {
                    "All " (thousands(survey.used.in_use)) " are in the table of instances"
                }
                "."
            }
        }
    }
}

/// An instance by name and id.
pub(super) fn instance(id: &str, name: Option<&str>) -> Markup {
    html! {
        @if let Some(name) = name.filter(|name| !name.is_empty()) { bdi { (Plain(name)) } }
        code { (id) }
    }
}

/// What could not be seen, and why.
pub(super) fn unseen(document: &Document) -> Markup {
    html! {
        @if !document.unseen.is_empty() {
            section aria-labelledby="unseen" {
                h2 #unseen { "Not seen" }
                dl.unseen {
                    @for unseen in &document.unseen {
                        dt { (Plain(&unseen.region)) }
                        dd { bdi { (Message(&unseen.error)) } }
                    }
                }
            }
            (PreEscaped("\n"))
        }
    }
}

/// Calls without a token in user data, where that was asked; written row by row.
pub(super) fn write_user_data(
    document: &Document,
    survey: &Survey,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    if !document.user_data {
        return Ok(());
    }
    let templates = || document.templates.iter().flatten();
    let found = survey.findings + templates().map(|row| row.user_data.len()).sum::<usize>();
    let title = html! {
        h2 #user-data { "User data that calls IMDS without a token" }
        @if found == 0 { p { "None was found." } }
        @else {
            p.quiet { (count(found, "call")) ". Software that an instance runs otherwise is not searched." }
        }
    };
    emit(
        out,
        &html! { (PreEscaped("<section aria-labelledby=\"user-data\">")) (title) },
    )?;
    if found > 0 {
        emit(out, &table_of_calls())?;
        for row in &document.rows {
            let of = instance(row.report.instance_id.as_str(), row.name.as_deref());
            for finding in &row.user_data {
                emit(out, &call(&of, &row.report.region, finding))?;
            }
        }
        for row in templates() {
            let of = instance(&Plain(&row.id).to_string(), row.name.as_deref());
            for finding in &row.user_data {
                emit(out, &call(&of, &row.region, finding))?;
            }
        }
        out.write_all(b"</tbody></table></div>")?;
    }
    out.write_all(b"</section>\n")
}

fn table_of_calls() -> Markup {
    html! {
        (PreEscaped("<div class=\"box\" tabindex=\"0\" role=\"region\" aria-labelledby=\"user-data\">"))
        (PreEscaped("<table>"))
        thead {
            tr {
                th scope="col" { "In" }
                th scope="col" { "Region" }
                th.n scope="col" { "Line" }
                th scope="col" { "Words" }
            }
        }
        (PreEscaped("<tbody>\n"))
    }
}

fn call(of: &Markup, region: &str, finding: &Finding) -> Markup {
    html! {
        tr {
            th scope="row" { (of) }
            td { (Plain(region)) }
            td.n { (finding.line) }
            td { code { (Plain(&finding.words)) } }
        }
        (PreEscaped("\n"))
    }
}

/// What would launch the next instances, where that was asked.
pub(super) fn templates(document: &Document) -> Markup {
    html! {
        @if let Some(templates) = &document.templates {
            section aria-labelledby="templates" {
                h2 #templates { "What launches the next instances" }
                @if templates.is_empty() { p { "No launch templates or configurations." } }
                @else {
                    div.box tabindex="0" role="region" aria-labelledby="templates" {
                        table {
                            thead {
                                tr {
                                    th scope="col" { "Launched from" }
                                    th scope="col" { "Kind" }
                                    th scope="col" { "Region" }
                                    th scope="col" { "Version" }
                                    th scope="col" { "Tokens" }
                                    th scope="col" { "Because" }
                                }
                            }
                            tbody {
                                @for row in templates {
                                    tr {
                                        th scope="row" {
                                            (instance(&Plain(&row.id).to_string(), row.name.as_deref()))
                                        }
                                        td { (row.kind) }
                                        td { (Plain(&row.region)) }
                                        td { (Plain(row.version.as_deref().unwrap_or_default())) }
                                        td {
                                            span class=(format!("mark {}", mark(row.verdict))) {
                                                (row.verdict)
                                            }
                                        }
                                        td { bdi { (Message(&row.because)) } }
                                    }
                                }
                            }
                        }
                    }
                }
            }
            (PreEscaped("\n"))
        }
    }
}

fn mark(verdict: &str) -> &'static str {
    match verdict {
        "required" => "good",
        "wrong" => "wrong",
        _ => "exempt",
    }
}

/// The account's defaults, where they were asked.
pub(super) fn defaults(document: &Document) -> Markup {
    let shown = |value: &Option<String>| match value {
        Some(value) => html! { (Plain(value)) },
        None => html! { span.quiet { "no preference" } },
    };
    html! {
        @if let Some(defaults) = &document.defaults {
            section aria-labelledby="defaults" {
                h2 #defaults { "Defaults of the account" }
                div.box tabindex="0" role="region" aria-labelledby="defaults" {
                    table {
                        thead {
                            tr {
                                th scope="col" { "Region" }
                                th scope="col" { "Tokens" }
                                th.n scope="col" { "Hop limit" }
                                th scope="col" { "Endpoint" }
                                th scope="col" { "Tags" }
                                th scope="col" { "Tokens enforced" }
                                th scope="col" { "Managed by" }
                            }
                        }
                        tbody {
                            @for row in defaults {
                                tr {
                                    th scope="row" { (Plain(&row.region)) }
                                    td { (shown(&row.http_tokens)) }
                                    td.n { (shown(&row.hop_limit.map(|hops| hops.to_string()))) }
                                    td { (shown(&row.http_endpoint)) }
                                    td { (shown(&row.instance_metadata_tags)) }
                                    td { (shown(&row.http_tokens_enforced)) }
                                    td { (Plain(row.managed_by.as_deref().unwrap_or_default())) }
                                }
                            }
                        }
                    }
                }
            }
            (PreEscaped("\n"))
        }
    }
}
