//! Rows in columns. Their widths are known before the first row is written, so that memory holds a few
//! hundred rows and not the fleet.

use std::borrow::Cow;
use std::io;

use comfy_table::{Attribute, CellAlignment, ColumnConstraint, Row, Table, Width, presets};

pub(crate) use super::cell::{Cell, Tone};
use super::cell::{LINES, SHORTENED, columns_of};
pub(crate) use super::fit::LAST;
use super::fit::{GAP, Need, fit};
use crate::output::Style;
use crate::wrap::wrap;

/// A column, and how it adapts to a narrow terminal.
pub(crate) struct Column<'a, T> {
    pub(crate) title: Cow<'a, str>,
    pub(crate) cell: Box<dyn Fn(&T) -> Cell + 'a>,
    least: Option<u16>,
    /// The width to which this column is shortened before any column is left out.
    enough: u16,
    is_evidence: bool,
    drop: Option<u8>,
    alignment: CellAlignment,
}

impl<'a, T> Column<'a, T> {
    /// A column that is not shortened.
    pub(crate) fn fixed(title: impl Into<Cow<'a, str>>, cell: impl Fn(&T) -> Cell + 'a) -> Self {
        Column {
            title: title.into(),
            cell: Box::new(cell),
            least: None,
            enough: u16::MAX,
            is_evidence: false,
            drop: None,
            alignment: CellAlignment::Left,
        }
    }

    /// A column that may be shortened to this width.
    pub(crate) fn flexible(
        title: impl Into<Cow<'a, str>>,
        least: u16,
        cell: impl Fn(&T) -> Cell + 'a,
    ) -> Self {
        let mut column = Column::fixed(title, cell);
        column.least = Some(least);
        column
    }

    /// Shortens this column only after all others. Where no version of a text fits, it takes several
    /// lines.
    pub(crate) fn evidence(self) -> Self {
        let is_evidence = true;
        Column {
            is_evidence,
            ..self
        }
    }

    /// Shortens this column to this width before any column is left out.
    pub(crate) fn enough(self, enough: u16) -> Self {
        Column { enough, ..self }
    }

    /// Allows the column to be left out; the column with the lowest number goes first.
    pub(crate) fn dropped(self, drop: u8) -> Self {
        let drop = Some(drop);
        Column { drop, ..self }
    }

    /// Aligns the cells to the right.
    pub(crate) fn right(self) -> Self {
        let alignment = CellAlignment::Right;
        Column { alignment, ..self }
    }

    /// The widths that it needs for these items.
    pub(crate) fn need<'i>(&self, items: impl IntoIterator<Item = &'i T>) -> Need
    where
        T: 'i,
    {
        let title = columns_of(&self.title);
        let mut need = Need {
            full: title,
            brief: title,
            least: self.least.map(|least| least.max(title)),
            is_evidence: self.is_evidence,
            is_broken: false,
            drop: self.drop,
        };
        for item in items {
            let cell = (self.cell)(item);
            need.full = need.full.max(columns_of(cell.full()));
            need.brief = need.brief.max(columns_of(cell.brief()));
        }
        need.is_broken = self.is_evidence && need.brief > self.enough;
        need.brief = need.brief.min(self.enough);
        need
    }
}

const CHUNK: usize = 256;

/// Writes a row for each item, and a note if anything is left out or shortened; `elsewhere` is the option
/// that shows all of it. Returns the titles of the columns that are left out.
pub(crate) fn write<'c, T>(
    columns: &'c [Column<T>],
    items: &[T],
    elsewhere: &str,
    style: &Style,
    out: &mut dyn io::Write,
) -> io::Result<Vec<&'c str>> {
    let needs: Vec<Need> = columns.iter().map(|column| column.need(items)).collect();
    let widths = match style.width {
        Some(width) => fit(&needs, width),
        None => needs.iter().map(|need| Some(need.full)).collect(),
    };
    let columns = columns.iter().zip(widths);
    let (shown, dropped): (Vec<_>, Vec<_>) = columns.partition(|(_, width)| width.is_some());
    let shown = shown.into_iter();
    let shown: Vec<_> = shown.filter_map(|(it, width)| Some((it, width?))).collect();
    let mut is_shortened = false;
    for (n, chunk) in items.chunks(CHUNK).enumerate() {
        let mut table = empty(style);
        if n == 0 {
            let titles = shown.iter().map(|(column, _)| column.title.as_ref());
            let bold = |title| comfy_table::Cell::new(title).add_attribute(Attribute::Bold);
            table.set_header(titles.map(bold));
        }
        is_shortened |= add_rows(&mut table, &shown, chunk);
        for line in table.lines() {
            writeln!(out, "{}", line.trim_end())?;
        }
    }
    let dropped: Vec<&str> = dropped.iter().map(|(column, _)| &*column.title).collect();
    note(&dropped, is_shortened, elsewhere, style, out)?;
    Ok(dropped)
}

fn note(
    dropped: &[&str],
    is_shortened: bool,
    elsewhere: &str,
    style: &Style,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let mut words = Vec::new();
    if !dropped.is_empty() {
        let names = dropped.join(", ").to_lowercase();
        words.push(format!("Columns that do not fit: {names}."));
    }
    if is_shortened {
        words.push(format!("What ends in {SHORTENED} is shortened."));
    }
    if words.is_empty() {
        return Ok(());
    }
    words.push(format!("{elsewhere} shows all."));
    let note = format!("({})", words.join(" "));
    writeln!(out, "{}", wrap(&note, style.width))
}

fn empty(style: &Style) -> Table {
    let mut table = Table::new();
    // Lines are broken before, so that none is broken here.
    table.set_delimiter('\n');
    table.load_style(presets::NOTHING).force_no_tty();
    if style.colour {
        table.enforce_styling();
        table.style_text_only();
    }
    table
}

/// Adds rows, and returns whether a text is shortened.
fn add_rows<T>(table: &mut Table, columns: &[(&Column<T>, u16)], items: &[T]) -> bool {
    let mut is_any_shortened = false;
    for item in items {
        let cells = columns.iter().map(|(column, width)| {
            let cell = (column.cell)(item);
            let lines = if column.is_evidence { LINES } else { 1 };
            let (text, is_shortened) = cell.fitting(*width, lines);
            is_any_shortened |= is_shortened;
            cell.toned_cell(text)
        });
        table.add_row(Row::from(cells.collect::<Vec<_>>()));
    }
    for (n, (column, width)) in columns.iter().enumerate() {
        let gap = if n + 1 == columns.len() { 0 } else { GAP };
        if let Some(added) = table.column_mut(n) {
            added.set_padding((0, gap));
            added.set_constraint(ColumnConstraint::Absolute(Width::Fixed(width + gap)));
            added.set_cell_alignment(column.alignment);
        }
    }
    is_any_shortened
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_or_shortened_is_noted() {
        let written = |width| {
            let columns = [
                Column::fixed("ID", |it: &(&str, &str)| Cell::text(it.0)),
                Column::flexible("NAME", 6, |it: &(&str, &str)| Cell::text(it.1)),
                Column::fixed("STATE", |_: &(&str, &str)| Cell::new("running")).dropped(1),
            ];
            let rows = [("i-1", "数据库主节点"), ("i-2", "web")];
            let style = Style {
                colour: false,
                width,
            };
            let mut out = Vec::new();
            write(&columns, &rows, "--json", &style, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        let all =
            "ID   NAME          STATE\ni-1  数据库主节点  running\ni-2  web           running\n";
        assert_eq!(written(None), all);
        assert_eq!(written(Some(26)), all);
        assert_eq!(
            written(Some(17)),
            "ID   NAME\ni-1  数据库主节点\ni-2  web\n(Columns that do\n  not fit: state.\n  --json shows\n  all.)\n"
        );
        assert_eq!(
            written(Some(12)),
            "ID   NAME\ni-1  数据库…\ni-2  web\n(Columns\n  that do\n  not fit:\n  state.\n  What ends\n  in … is\n  shortened.\n  --json\n  shows\n  all.)\n"
        );
    }
}
