//! A comparison as a table, JSON, CSV or Markdown.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use imds_core::plain::Plain;
use imds_core::report::{Unreachable, VERSION};
use jiff::Timestamp;
use serde::Serialize;

use crate::args::DiffFormat;
use crate::comparison::{ChangeKind, Comparison, Difference, InstanceChange, Standing};
use crate::coverage::Source;
use crate::output::csv::io_error;
use crate::output::grid::{self, Cell, Column, Tone};
use crate::output::{self, Message, Style, count, harmless, json, thousands};
use crate::report_file::ReportFile;

/// The reports that are compared.
pub(super) struct Reports<'a> {
    pub(super) old: &'a ReportFile,
    pub(super) new: &'a ReportFile,
}

pub(super) fn write(
    format: DiffFormat,
    comparison: &Comparison,
    reports: &Reports,
    style: &Style,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    match format {
        DiffFormat::Table => table(comparison, reports, style, out),
        DiffFormat::Json => json(comparison, reports, out),
        DiffFormat::Csv => csv(comparison, out),
        DiffFormat::Markdown => markdown(comparison, reports, out),
    }
}

fn table(
    comparison: &Comparison,
    reports: &Reports,
    style: &Style,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    for line in introduction(comparison, reports) {
        output::line(&line, style, out)?;
    }
    writeln!(out)?;
    if comparison.changes.is_empty() {
        writeln!(out, "No changes.")?;
    } else {
        let columns = columns(&comparison.changes);
        grid::write(&columns, &comparison.changes, FULL, style, out)?;
    }
    let several = accounts(reports.new).len() > 1;
    output::unreachable_in(several, comparison.unreachable, style, out)?;
    writeln!(out)?;
    output::line(&summary(comparison), style, out)
}

/// The option whose output has everything in full.
const FULL: &str = "--format csv";

/// What is compared, and where the reports do not cover the same.
fn introduction(comparison: &Comparison, reports: &Reports) -> Vec<String> {
    let mut lines = vec![
        format!("OLD  {}", described(reports.old)),
        format!("NEW  {}", described(reports.new)),
    ];
    let difference = |it: &Difference| {
        let [old, new] = [&it.old, &it.new].map(|texts| match texts.is_empty() {
            true => "none".to_owned(),
            false => texts.join("; "),
        });
        format!("Not the same {}: OLD {old}, NEW {new}", it.what.words())
    };
    lines.extend(comparison.differences.iter().map(difference));
    lines
}

/// The accounts of a report, where they are known.
fn accounts(report: &ReportFile) -> BTreeSet<&str> {
    let accounts = report.regions.iter().map(|it| it.account.as_deref());
    accounts.flatten().collect()
}

/// The files, the accounts, the time and the size of a report.
fn described(report: &ReportFile) -> String {
    let files = report.sources.iter().map(|it| Plain(&it.file).to_string());
    let accounts: Vec<&str> = accounts(report).into_iter().collect();
    let accounts = match accounts.as_slice() {
        [] => "account not known".to_owned(),
        [one] => format!("account {}", Plain(one)),
        several => count(several.len(), "account"),
    };
    let at = match report.finished_at() {
        Some(at) => at.strftime("%Y-%m-%d %H:%M UTC").to_string(),
        None => "time not known".to_owned(),
    };
    let regions = count(report.regions.len(), "region");
    let instances = count(report.instances.len(), "instance");
    let files = files.collect::<Vec<_>>().join(" + ");
    format!("{files}: {at}, {accounts}, {regions}, {instances}")
}

fn columns<'a>(changes: &[InstanceChange]) -> Vec<Column<'static, InstanceChange<'a>>> {
    let mut columns = vec![
        Column::fixed("CHANGE", |it: &InstanceChange| {
            Cell::new(it.kind.words()).toned(tone(it.kind))
        }),
        Column::fixed("REGION", |it: &InstanceChange| {
            Cell::text(it.instance.report.region.as_str())
        }),
        Column::fixed("INSTANCE", |it: &InstanceChange| {
            Cell::new(&it.instance.report.instance_id)
        }),
        Column::flexible("NAME", 10, |it: &InstanceChange| {
            Cell::text(it.instance.name.as_deref())
        })
        .enough(24)
        .dropped(2),
        Column::flexible("OLD", 10, |it: &InstanceChange| match it.old == it.new {
            true => Cell::new("same"),
            false => Cell::new(&it.old),
        })
        .dropped(3),
        Column::flexible("NEW", 14, |it: &InstanceChange| Cell::new(&it.new))
            .enough(40)
            .evidence(),
    ];
    let first = changes.first().map(|it| &it.instance.report.account);
    if changes
        .iter()
        .any(|it| Some(&it.instance.report.account) != first)
    {
        let account = |it: &InstanceChange| Cell::text(it.instance.report.account.as_deref());
        columns.insert(1, Column::fixed("ACCOUNT", account).dropped(1));
    }
    columns
}

fn tone(kind: ChangeKind) -> Tone {
    match kind {
        ChangeKind::Remediated => Tone::Good,
        kind if kind.is_newly_non_compliant() => Tone::Error,
        ChangeKind::Unknown | ChangeKind::StillNonCompliant => Tone::Warning,
        _ => Tone::Plain,
    }
}

/// How many instances changed in which way.
fn summary(comparison: &Comparison) -> String {
    let shown = ChangeKind::ALL.iter().filter_map(|kind| {
        let n = comparison.count(*kind);
        let is_shown = n > 0 || is_always_counted(*kind);
        is_shown.then(|| format!("{} {}", thousands(n), kind.words()))
    });
    shown.collect::<Vec<_>>().join(", ")
}

/// What a weekly report states even if there is none.
fn is_always_counted(kind: ChangeKind) -> bool {
    matches!(
        kind,
        ChangeKind::New
            | ChangeKind::Reopened
            | ChangeKind::StillNonCompliant
            | ChangeKind::Remediated
            | ChangeKind::Gone
            | ChangeKind::Unknown
    )
}

/// A comparison as JSON.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(title = "imdsctl diff"))]
struct ComparisonJson<'a> {
    /// The version of this format. Fields may be added to a version; none is removed or changed.
    #[cfg_attr(test, schemars(extend("const" = 1)))]
    version: u8,
    /// The reports that the old report consists of.
    old: &'a [Source],
    /// The reports that the new report consists of.
    new: &'a [Source],
    /// Where the reports do not cover the same.
    differences: &'a [Difference],
    /// How many instances changed in which way.
    summary: BTreeMap<ChangeKind, usize>,
    /// The changes of single instances, the most urgent first.
    changes: Vec<ChangeJson<'a>>,
    /// What the new report could not describe.
    unreachable: &'a [Unreachable],
}

/// What changed of one instance.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ChangeJson<'a> {
    /// What changed.
    change: ChangeKind,
    /// The account that owns it, 12 digits, where it is known.
    account: Option<&'a str>,
    /// Its region.
    region: &'a str,
    /// The instance.
    instance_id: &'a str,
    /// The tag `Name`.
    name: Option<&'a str>,
    /// When it was first launched, where that is known.
    #[cfg_attr(test, schemars(with = "Option<imds_core::report_schema::Time>"))]
    first_launched_at: Option<Timestamp>,
    /// In the old report.
    old: &'a Standing,
    /// In the new report.
    new: &'a Standing,
}

fn json(comparison: &Comparison, reports: &Reports, out: &mut dyn io::Write) -> io::Result<()> {
    let all = ChangeKind::ALL.iter();
    let changes = comparison.changes.iter().map(|it| ChangeJson {
        change: it.kind,
        account: it.instance.report.account.as_deref(),
        region: &it.instance.report.region,
        instance_id: it.instance.report.instance_id.as_str(),
        name: it.instance.name.as_deref(),
        first_launched_at: it.instance.report.first_launched_at,
        old: &it.old,
        new: &it.new,
    });
    let json = ComparisonJson {
        version: VERSION,
        old: &reports.old.sources,
        new: &reports.new.sources,
        differences: &comparison.differences,
        summary: all.map(|kind| (*kind, comparison.count(*kind))).collect(),
        changes: changes.collect(),
        unreachable: comparison.unreachable,
    };
    json::write(&json, out)
}

/// The titles of the CSV and of the tables in Markdown.
const TITLES: [&str; 7] = [
    "change",
    "account",
    "region",
    "instance_id",
    "name",
    "old",
    "new",
];

fn texts(change: &InstanceChange) -> [String; 7] {
    let report = &change.instance.report;
    let text = |text: Option<&str>| Message(text.unwrap_or_default()).to_string();
    [
        change.kind.words().to_owned(),
        text(report.account.as_deref()),
        text(Some(&report.region)),
        report.instance_id.to_string(),
        text(change.instance.name.as_deref()),
        change.old.to_string(),
        change.new.to_string(),
    ]
}

fn csv(comparison: &Comparison, out: &mut dyn io::Write) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(TITLES).map_err(io_error)?;
    for change in &comparison.changes {
        writer
            .write_record(texts(change).map(harmless))
            .map_err(io_error)?;
    }
    writer.flush()
}

fn markdown(comparison: &Comparison, reports: &Reports, out: &mut dyn io::Write) -> io::Result<()> {
    writeln!(out, "## IMDSv1: changes\n")?;
    writeln!(out, "{}\n", summary(comparison))?;
    for line in introduction(comparison, reports) {
        writeln!(out, "- {}", escaped(&line))?;
    }
    for Unreachable { region, error, .. } in comparison.unreachable {
        let error = format!(
            "Could not be described: {}: {}",
            Plain(region),
            Message(error)
        );
        writeln!(out, "- {}", escaped(&error))?;
    }
    if comparison.changes.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n| {} |", TITLES.join(" | "))?;
    writeln!(out, "|{}", " --- |".repeat(TITLES.len()))?;
    for change in &comparison.changes {
        let cells = texts(change).map(|text| escaped(&text));
        writeln!(out, "| {} |", cells.join(" | "))?;
    }
    Ok(())
}

/// Text that Markdown shows as it is; URLs do not become links.
///
/// <https://github.github.com/gfm/#backslash-escapes>
fn escaped(text: &str) -> String {
    let special = |letter: char| "\\`*_[]<>|~&@#".contains(letter);
    let letters = text.chars().flat_map(|letter| {
        let backslash = special(letter).then_some('\\');
        backslash.into_iter().chain([letter])
    });
    let letters: String = letters.collect();
    letters.replace("://", r":\//").replace("www.", r"www\.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::json::schema::{check_file, generated};

    #[test]
    fn the_schema_in_the_repository_is_up_to_date() {
        check_file("diff.schema.json", &generated::<ComparisonJson>());
    }

    #[test]
    fn a_hostile_name_neither_ends_a_cell_nor_formats_one_in_markdown() {
        assert_eq!(
            escaped("a|b `c` <d> *e* _f_ https://evil.example"),
            r"a\|b \`c\` \<d\> \*e\* \_f\_ https:\//evil.example"
        );
    }
}
