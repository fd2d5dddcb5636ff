//! One line for each instance, for spreadsheets.

use std::fmt::Display;
use std::io;

use csv::Writer;
use imds_core::instance::MetadataOptions;
use imds_core::plain::Plain;
use imds_core::usage::{NotKnown, Usage};

use super::words::Message;
use crate::document::Document;
use crate::row::Row;

/// The header; programs read by it, so it only grows, at its end.
const HEADER: &[&str] = &[
    "account",
    "region",
    "instance_id",
    "name",
    "state",
    "decision",
    "outcome",
    "rule",
    "violations",
    "reason",
    "http_tokens_before",
    "http_endpoint_before",
    "hop_limit_before",
    "http_protocol_ipv6_before",
    "instance_metadata_tags_before",
    "http_tokens_after",
    "http_endpoint_after",
    "hop_limit_after",
    "http_protocol_ipv6_after",
    "instance_metadata_tags_after",
    "usage",
    "usage_calls",
    "usage_last_at",
    "usage_unknown_because",
    "launch_template",
    "launch_template_version",
    "auto_scaling_group",
    "launched_at",
    "user_data",
];

/// Writes a header and a line for each instance.
pub(super) fn write(document: &Document, out: &mut dyn io::Write) -> io::Result<()> {
    let mut writer = Writer::from_writer(out);
    writer.write_record(HEADER).map_err(cause)?;
    for row in &document.rows {
        writer.write_record(fields(row)).map_err(cause)?;
    }
    writer.flush()
}

/// The fault of the place that is written to, of its own kind: a reader that has gone is none.
fn cause(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

fn fields(row: &Row) -> Vec<String> {
    let report = &row.report;
    let mut fields = vec![
        text(row.account.as_deref()),
        text(Some(&report.region)),
        text(Some(report.instance_id.as_str())),
        text(row.name.as_deref()),
        shown(row.state),
        row.decision.as_str().to_owned(),
        report.outcome.as_str().to_owned(),
        text(report.rule.as_deref()),
        harmless(Message(&report.violations.join(" "))),
        harmless(Message(&report.reason)),
    ];
    fields.extend(options(report.before));
    fields.extend(options(report.after));
    fields.extend(usage(report.usage.as_ref()));
    let template = report.launch_template.as_ref();
    let version = template.and_then(|template| template.version.as_deref());
    let found = row.user_data.iter();
    let found = found.map(|found| format!("line {}: {}", found.line, Plain(&found.words)));
    fields.extend([
        text(template.map(|template| template.id.as_str())),
        text(version),
        text(row.auto_scaling_group.as_deref()),
        shown(report.launched_at),
        harmless(Message(&found.collect::<Vec<_>>().join("; "))),
    ]);
    fields
}

fn options(options: Option<MetadataOptions>) -> [String; 5] {
    let options = options.unwrap_or_default();
    [
        shown(options.http_tokens),
        shown(options.http_endpoint),
        shown(options.hop_limit),
        shown(options.http_protocol_ipv6),
        shown(options.instance_metadata_tags),
    ]
}

/// In the words of the JSON.
fn usage(usage: Option<&Usage>) -> [String; 4] {
    let verdict = |word: &str| [word.to_owned(), String::new(), String::new(), String::new()];
    match usage {
        None => verdict(""),
        Some(Usage::Unused { .. }) => verdict("unused"),
        Some(Usage::InUse { calls, last_at }) => [
            "in_use".to_owned(),
            calls.to_string(),
            last_at.to_string(),
            String::new(),
        ],
        Some(Usage::Unknown { because }) => {
            let because = match because {
                NotKnown::NoData => "no_data".to_owned(),
                NotKnown::StartedInWindow => "started_in_window".to_owned(),
                NotKnown::Stopped => "stopped".to_owned(),
                NotKnown::Unreadable(why) => harmless(Message(&format!("unreadable: {why}"))),
            };
            let [verdict, calls, last_at, _] = verdict("unknown");
            [verdict, calls, last_at, because]
        }
    }
}

fn text(text: Option<&str>) -> String {
    text.map(|text| harmless(Plain(text))).unwrap_or_default()
}

fn shown(value: Option<impl Display>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// What a spreadsheet would take for a formula begins with a `'`, so that it does not.
///
/// <https://owasp.org/www-community/attacks/CSV_Injection>
pub(crate) fn harmless(text: impl Display) -> String {
    let text = text.to_string();
    let formula = |first: char| "=+-@＝＋－＠".contains(first);
    if text.trim_start().starts_with(formula) {
        format!("'{text}")
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::output::sample;

    fn written(document: &Document) -> String {
        let mut out = Vec::new();
        write(document, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn read(text: &str) -> Vec<BTreeMap<String, String>> {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        reader.deserialize().map(Result::unwrap).collect()
    }

    #[test]
    fn it_reads_back_with_every_field_under_its_header() {
        let document = sample::fleet(300);
        let lines = read(&written(&document));
        assert_eq!(lines.len(), document.rows.len());
        for (line, row) in lines.iter().zip(&document.rows) {
            assert_eq!(line.len(), HEADER.len());
            assert_eq!(line["instance_id"], row.report.instance_id.as_str());
            assert_eq!(line["decision"], row.decision.as_str());
            assert_eq!(line["outcome"], row.report.outcome.as_str());
            assert_eq!(
                line["hop_limit_before"],
                shown(row.report.before.unwrap().hop_limit)
            );
            let after = row.report.after.unwrap_or_default();
            assert_eq!(line["http_tokens_after"], shown(after.http_tokens));
        }
    }

    #[test]
    fn a_row_is_flat_and_complete() {
        insta::assert_snapshot!(written(&sample::fleet(12)));
    }

    #[test]
    fn an_instance_stays_on_one_line_whatever_its_name() {
        let document = sample::fleet(300);
        assert_eq!(written(&document).lines().count(), 301);
    }

    #[test]
    fn formulas_are_defused() {
        let names = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "＝1", "\r=1"];
        for name in names {
            let mut row = sample::row(1);
            row.name = Some(name.to_owned());
            let lines = read(&written(&sample::document(&[row])));
            let first = lines[0]["name"].chars().next().unwrap();
            assert!(first == '\'' || first == '\u{fffd}', "{name:?}");
        }
        let mut row = sample::row(1);
        row.name = Some("web-1 = main".to_owned());
        let lines = read(&written(&sample::document(&[row])));
        assert_eq!(lines[0]["name"], "web-1 = main");
    }
}
