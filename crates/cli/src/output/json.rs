//! JSON with one instance per line, so that two reports can be compared line by line.

#[cfg(test)]
pub(crate) mod schema;

use std::io::{self, Write};

use imds_core::plain::misleads;
use imds_core::report::{Summary, Unreachable, VERSION};
use imds_engine::{
    RegionDefaults, RegionTotal, ScannedInstance, ScannedTemplate, UnneededExemption,
};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};

use crate::coverage::{Coverage, EmptyRegions, NotExamined, Source, not_examined};
use crate::document::{CommandTrigger, Document};
use crate::usage_by_source::{OriginUsage, usage_by_source};

/// A document in the format of the function's report, with a few additional fields.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(title = "imdsctl report"))]
struct DocumentJson<'a> {
    /// The version of this format. Fields may be added to a version; none is removed or changed.
    #[cfg_attr(test, schemars(extend("const" = 1)))]
    version: u8,
    /// The command.
    trigger: CommandTrigger,
    /// The account, 12 digits, where it is known.
    account: &'a Option<String>,
    /// Always `null`: each instance names its region.
    region: Option<&'a str>,
    /// What the command was asked for; `None` if reports were joined: `sources` have it.
    scope: Option<Coverage>,
    /// The reports that were joined, if any were.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    sources: &'a [Source],
    /// What the command did not examine.
    not_examined: Vec<NotExamined>,
    /// How many instances had which outcome, listed or not.
    summary: Summary,
    /// The instances, region by region.
    instances: &'a [ScannedInstance],
    /// What could not be described.
    unreachable: &'a [Unreachable],
    /// The summary of each region that has instances or could not be described.
    regions: Vec<&'a RegionTotal>,
    /// The regions that were described and have none of the instances that were asked for, by account.
    empty_regions: Vec<EmptyRegions>,
    /// What launches the next instances, if that was requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    templates: &'a Option<Vec<ScannedTemplate>>,
    /// How the non-compliant instances use IMDSv1, by what launched them, if that was requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage_by_source: Option<Vec<OriginUsage<'a>>>,
    /// The account's metadata defaults, if they were requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    defaults: &'a Option<Vec<RegionDefaults>>,
    /// Exemptions that no instance of the account needs; `null`: not every instance of the
    /// account was described.
    unneeded_exemptions: &'a Option<Vec<UnneededExemption>>,
    /// The file that records the changes, for `imdsctl rollback`, where any were made.
    #[serde(skip_serializing_if = "Option::is_none")]
    journal: &'a Option<String>,
    /// How long the command took, in seconds.
    took_seconds: f64,
    /// When the command finished.
    #[cfg_attr(test, schemars(with = "imds_core::report_schema::Time"))]
    finished_at: Timestamp,
}

/// Writes a document.
pub(super) fn write_document(document: &Document, out: &mut dyn Write) -> io::Result<()> {
    let (empty, regions) = document.split_regions();
    let json = DocumentJson {
        version: VERSION,
        trigger: document.trigger,
        account: &document.account,
        region: None,
        scope: document.sources.is_empty().then(|| Coverage::new(document)),
        sources: &document.sources,
        not_examined: not_examined(document),
        summary: document.summary(),
        instances: &document.instances,
        unreachable: &document.unreachable,
        regions,
        empty_regions: EmptyRegions::by_account(&empty),
        templates: &document.templates,
        usage_by_source: document
            .usage_days
            .map(|_| usage_by_source(&document.instances)),
        defaults: &document.defaults,
        unneeded_exemptions: &document.unneeded_exemptions,
        journal: &document.journal,
        took_seconds: (document.took.as_secs_f64() * 1000.0).round() / 1000.0,
        finished_at: document.at,
    };
    write(&json, out)
}

/// Writes an object with one line per field, and one line per item where the field is a list.
pub(crate) fn write(object: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    object.serialize(&mut Serializer::with_formatter(&mut *out, Lines::default()))?;
    writeln!(out)
}

/// Writes a list with one line per item.
pub(super) fn write_list(
    items: impl Iterator<Item = impl Serialize>,
    out: &mut dyn Write,
) -> io::Result<()> {
    write!(out, "[")?;
    for (n, item) in items.enumerate() {
        let comma = if n > 0 { "," } else { "" };
        write!(out, "{comma}\n  ")?;
        item.serialize(&mut Serializer::with_formatter(&mut *out, Lines::within(2)))?;
    }
    writeln!(out, "\n]")
}

/// Breaks lines, and escapes characters that a terminal would interpret, although JSON does not require
/// it.
#[derive(Default)]
struct Lines {
    /// How many objects and lists are open.
    depth: usize,
    /// Whether the list has items so far.
    has_items: bool,
}

impl Lines {
    /// Breaks no line, because so many objects and lists are open already.
    fn within(depth: usize) -> Self {
        Lines {
            depth,
            ..Lines::default()
        }
    }
}

impl Formatter for Lines {
    fn begin_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.depth += 1;
        out.write_all(b"{")
    }

    fn end_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.depth -= 1;
        out.write_all(if self.depth == 0 { b"\n}" } else { b"}" })
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        CompactFormatter.begin_object_key(out, first)?;
        out.write_all(if self.depth == 1 { b"\n  " } else { b"" })
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(if self.depth == 1 { b": " } else { b":" })
    }

    fn begin_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.depth += 1;
        self.has_items = false;
        out.write_all(b"[")
    }

    fn end_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.depth -= 1;
        let breaks = self.depth == 1 && self.has_items;
        out.write_all(if breaks { b"\n  ]" } else { b"]" })
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        CompactFormatter.begin_array_value(out, first)?;
        out.write_all(if self.depth == 2 { b"\n    " } else { b"" })
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.has_items = true;
        Ok(())
    }

    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        out: &mut W,
        text: &str,
    ) -> io::Result<()> {
        for part in text.split_inclusive(misleads) {
            let safe = part.trim_end_matches(misleads);
            out.write_all(safe.as_bytes())?;
            for unit in part.strip_prefix(safe).unwrap_or_default().encode_utf16() {
                write!(out, "\\u{unit:04x}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::output::sample;

    fn written(document: &Document) -> String {
        let mut out = Vec::new();
        write_document(document, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn it_has_the_format_of_the_functions_report() {
        insta::assert_snapshot!(written(&sample::fleet(12)));
    }

    #[test]
    fn it_reads_back_with_an_instance_per_line() {
        let document = sample::document(sample::instances(300));
        let text = written(&document);
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["instances"], json!(document.instances));
        let read: Vec<ScannedInstance> =
            serde_json::from_value(value["instances"].clone()).unwrap();
        assert_eq!(read, document.instances);
        assert!(value.get("templates").is_none(), "it was not asked for");
        let begin = "    {\"instance_id\"";
        let lines = text.lines().filter(|line| line.starts_with(begin));
        assert_eq!(lines.count(), 300);
    }

    #[test]
    fn the_empty_regions_of_an_account_share_a_line_and_unknown_ones_are_not_among_them() {
        let mut document = sample::document(vec![sample::non_compliant(1)]);
        let region = |account: &str, region: &str| RegionTotal {
            account: Some(account.to_owned()),
            region: region.to_owned(),
            ..RegionTotal::default()
        };
        let more = [
            ("123456789012", "me-south-1"),
            ("222222222222", "eu-west-1"),
        ];
        let more = more.map(|(account, name)| region(account, name));
        document.regions.extend(more);
        let text = written(&document);
        let expected = r#"
  "empty_regions": [
    {"account":"123456789012","regions":["eu-central-1","us-east-1"]},
    {"account":"222222222222","regions":["eu-west-1"]}
  ],
"#;
        assert!(text.contains(expected), "{text}");
        let value: Value = serde_json::from_str(&text).unwrap();
        let listed = value["regions"].as_array().unwrap().iter();
        let listed: Vec<&Value> = listed.map(|it| &it["region"]).collect();
        assert_eq!(listed, ["eu-west-1", "me-south-1"]);
    }

    #[test]
    fn a_hostile_name_reads_back_and_sends_nothing_to_the_terminal() {
        let hostile = "a\u{9b}31m\u{202e}\u{7f}\u{1b}[2J\n\"</script>\u{feff}é🦀";
        let mut instance = sample::non_compliant(1);
        instance.name = Some(hostile.to_owned());
        let text = written(&sample::document(vec![instance]));
        assert!(!text.contains(|letter| letter != '\n' && misleads(letter)));
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["instances"][0]["name"], hostile);
        assert!(text.contains("é🦀"));
    }
}
