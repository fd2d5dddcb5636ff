//! CSV with one line per instance, for spreadsheets.

use std::fmt::Display;
use std::io;

use csv::Writer;
use imds_core::options::MetadataOption;
use imds_engine::ScannedInstance;
use serde::Serialize;
use serde_json::Value;

use super::words::Message;
use crate::document::Document;

/// The headers, and the JSON pointer of each value within an instance. The options before,
/// those to set, and those after follow these columns.
const COLUMNS: &[(&str, &str)] = &[
    ("account", "/account"),
    ("region", "/region"),
    ("instance_id", "/instance_id"),
    ("name", "/name"),
    ("state", "/state"),
    ("decision", "/decision"),
    ("outcome", "/outcome"),
    ("instead_of", "/instead_of"),
    ("because", "/because"),
    ("rule", "/rule"),
    ("violations", "/violations"),
    ("reason", "/reason"),
    ("usage", "/usage/verdict"),
    ("usage_calls", "/usage/calls"),
    ("usage_last_at", "/usage/last_at"),
    ("usage_unknown_because", "/usage/because"),
    (
        "usage_start_not_observed",
        "/usage/not_started_within_window",
    ),
    ("launch_template", "/launch_template/id"),
    ("launch_template_version", "/launch_template/version"),
    ("auto_scaling_group", "/auto_scaling_group"),
    ("first_launched_at", "/first_launched_at"),
    ("age_days", "/age_days"),
    ("started_at", "/started_at"),
    ("image", "/image"),
    ("instance_type", "/instance_type"),
    ("instance_profile", "/instance_profile"),
    ("public_addresses", "/public_addresses"),
    ("tags", "/tags"),
    ("user_data", "/user_data"),
];

/// Writes a header and a line for each instance.
pub(super) fn write(document: &Document, out: &mut dyn io::Write) -> io::Result<()> {
    let named = COLUMNS.iter();
    let named = named.map(|(header, pointer)| ((*header).to_owned(), (*pointer).to_owned()));
    let options = ["before", "set", "after"].into_iter().flat_map(|when| {
        let names = MetadataOption::ALL.iter().map(|option| option.name());
        names.map(move |name| (format!("{name}_{when}"), format!("/{when}/{name}")))
    });
    let columns: Vec<(String, String)> = named.chain(options).collect();
    let mut writer = Writer::from_writer(out);
    let headers = columns.iter().map(|(header, _)| header);
    writer.write_record(headers).map_err(io_error)?;
    for instance in &document.instances {
        let json = serde_json::to_value(CsvRow {
            instance,
            age_days: age_days(document, instance),
        })?;
        let pointers = columns.iter().map(|(_, pointer)| pointer);
        let values = pointers.map(|pointer| json.pointer(pointer).map(text).unwrap_or_default());
        writer.write_record(values).map_err(io_error)?;
    }
    writer.flush()
}

/// An instance, and what only CSV has.
#[derive(Serialize)]
struct CsvRow<'a> {
    #[serde(flatten)]
    instance: &'a ScannedInstance,
    age_days: Option<i64>,
}

/// The whole days since the first launch, where that is known.
fn age_days(document: &Document, instance: &ScannedInstance) -> Option<i64> {
    let first = instance.report.first_launched_at?;
    Some(document.at.duration_since(first).as_hours() / 24)
}

/// Keeps the kind of the error, so that the caller can ignore a closed pipe.
pub(crate) fn io_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => harmless(Message(text)),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join("; "),
        Value::Object(fields) => {
            let field = |(name, value): (&String, &Value)| {
                let text = text(value);
                format!("{}: {text}", Message(name))
            };
            harmless(fields.iter().map(field).collect::<Vec<_>>().join(", "))
        }
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// Puts `'` before text that a spreadsheet would evaluate as a formula.
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
    fn every_instance_is_one_flat_line() {
        insta::assert_snapshot!(written(&sample::fleet(12)));
        assert_eq!(written(&sample::fleet(300)).lines().count(), 301);
    }

    #[test]
    fn formulas_are_escaped() {
        let escaped = |name: &str| {
            let mut instance = sample::non_compliant(1);
            instance.name = Some(name.to_owned());
            let mut lines = read(&written(&sample::document(vec![instance])));
            lines.remove(0).remove("name").unwrap()
        };
        for name in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "＝1", "\r=1"] {
            let shown = escaped(name);
            assert!(shown.starts_with(['\'', '\u{fffd}']), "{name:?}");
        }
        assert_eq!(escaped("web-1 = main"), "web-1 = main");
    }

    #[test]
    fn a_tag_s_key_is_not_evaluated_as_a_formula() {
        let mut instance = sample::non_compliant(1);
        instance.tags = [("=1+1".to_owned(), "web".to_owned())].into();
        let mut lines = read(&written(&sample::document(vec![instance])));
        assert_eq!(lines.remove(0)["tags"], "'=1+1: web");
    }
}
