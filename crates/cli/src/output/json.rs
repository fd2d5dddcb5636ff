//! The report as JSON, named as the function's answer is; an instance a line, so that two reports
//! can be compared line by line.

use std::io::{self, Write};

use imds_core::plain::misleads;
use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter};

use crate::document::Document;

/// Writes one JSON object.
pub(super) fn write(document: &Document, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{{")?;
    field(out, "trigger", document.trigger)?;
    field(out, "account", &document.account)?;
    field(out, "region", &None::<&str>)?;
    field(out, "summary", &document.summary)?;
    list(out, "instances", &document.rows)?;
    list(out, "unseen", &document.unseen)?;
    list(out, "regions", &document.regions)?;
    if let Some(templates) = &document.templates {
        list(out, "templates", templates)?;
    }
    if let Some(defaults) = &document.defaults {
        list(out, "defaults", defaults)?;
    }
    let seconds = (document.took.as_secs_f64() * 1000.0).round() / 1000.0;
    field(out, "took_seconds", &seconds)?;
    last(out, "finished_at", &document.at)
}

/// A field of the object, with one more after it.
pub(crate) fn field(
    out: &mut dyn Write,
    name: &str,
    of: &(impl Serialize + ?Sized),
) -> io::Result<()> {
    write!(out, "  \"{name}\": ")?;
    value(out, of)?;
    writeln!(out, ",")
}

/// The last field of the object, and its end.
pub(crate) fn last(
    out: &mut dyn Write,
    name: &str,
    of: &(impl Serialize + ?Sized),
) -> io::Result<()> {
    write!(out, "  \"{name}\": ")?;
    value(out, of)?;
    writeln!(out, "\n}}")
}

/// A list with an item a line, and one more field after it.
pub(crate) fn list(out: &mut dyn Write, name: &str, items: &[impl Serialize]) -> io::Result<()> {
    write!(out, "  \"{name}\": [")?;
    let mut empty = true;
    for item in items {
        write!(out, "{}    ", if empty { "\n" } else { ",\n" })?;
        value(out, item)?;
        empty = false;
    }
    writeln!(out, "{}],", if empty { "" } else { "\n  " })
}

fn value(out: &mut dyn Write, of: &(impl Serialize + ?Sized)) -> io::Result<()> {
    let mut writer = serde_json::Serializer::with_formatter(out, Harmless);
    Ok(of.serialize(&mut writer)?)
}

/// Escapes what a terminal would act on, also where JSON does not ask for it; nothing is lost.
struct Harmless;

impl Formatter for Harmless {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        out: &mut W,
        text: &str,
    ) -> io::Result<()> {
        for part in text.split_inclusive(misleads) {
            let Some(letter) = part.chars().next_back().filter(|last| misleads(*last)) else {
                CompactFormatter.write_string_fragment(out, part)?;
                continue;
            };
            let before = part.strip_suffix(letter).unwrap_or_default();
            CompactFormatter.write_string_fragment(out, before)?;
            for unit in letter.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::output::sample;
    use crate::row::Row;

    fn written(document: &Document) -> String {
        let mut out = Vec::new();
        write(document, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn it_has_the_shape_of_the_functions_answer() {
        let text = written(&sample::fleet(12));
        insta::assert_snapshot!(text);
    }

    #[test]
    fn it_reads_back_to_the_same_rows() {
        let document = sample::fleet(300);
        let value: Value = serde_json::from_str(&written(&document)).unwrap();
        let read: Vec<Row> = serde_json::from_value(value["instances"].clone()).unwrap();
        assert_eq!(read, document.rows);
        for field in [
            "trigger", "account", "region", "summary", "unseen", "regions",
        ] {
            assert!(value.get(field).is_some(), "{field} is missing");
        }
        assert_eq!(value["region"], Value::Null);
        assert_eq!(value["summary"]["gone"], document.summary.gone);
        assert_eq!(value["unseen"][0]["region"], "me-south-1");
        assert_eq!(value["took_seconds"], 4.24);
        assert_eq!(value["finished_at"], "2026-11-23T15:11:57Z");
    }

    #[test]
    fn every_instance_has_its_own_line() {
        let document = sample::fleet(300);
        let text = written(&document);
        let lines = text
            .lines()
            .filter(|line| line.starts_with("    {\"instance_id\""));
        assert_eq!(lines.count(), 300);
    }

    #[test]
    fn what_is_empty_or_was_not_asked_is_valid_too() {
        let mut document = sample::document(&[]);
        document.unseen.clear();
        document.templates = None;
        document.defaults = None;
        let value: Value = serde_json::from_str(&written(&document)).unwrap();
        assert_eq!(value["instances"], Value::Array(Vec::new()));
        assert_eq!(value.get("templates"), None);
        assert_eq!(value.get("defaults"), None);
    }

    #[test]
    fn a_hostile_name_comes_back_whole_and_sends_nothing_to_the_terminal() {
        let hostile = "a\u{9b}31m\u{202e}\u{7f}\u{1b}[2J\n\"</script>\u{feff}é🦀";
        let mut row = sample::row(1);
        row.name = Some(hostile.to_owned());
        let text = written(&sample::document(&[row]));
        let sent = |letter: char| letter != '\n' && misleads(letter);
        assert_eq!(text.chars().find(|letter| sent(*letter)), None);
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["instances"][0]["name"], hostile);
        assert!(text.contains("é🦀"));
    }
}
