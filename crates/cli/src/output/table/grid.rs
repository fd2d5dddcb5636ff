//! Rows in columns. Their widths are known before the first row is written, so that memory holds a few
//! hundred rows and not the fleet.

use std::fmt::Display;
use std::io;

use comfy_table::{Attribute, CellAlignment, Color, ColumnConstraint, Row, Table, Width, presets};
use imds_core::plain::Plain;

use crate::output::Style;

/// A column, and how it adapts to a narrow terminal.
pub(crate) struct Column<T> {
    pub(crate) title: &'static str,
    pub(crate) cell: fn(&T) -> Cell,
    /// The minimum width; `None` if the column is never shortened.
    least: Option<u16>,
    /// The width to which this column is shortened before any other column is.
    enough: u16,
    /// The column with the lowest number is dropped first; `None` if it is never dropped.
    drop: Option<u8>,
    alignment: CellAlignment,
}

impl<T> Column<T> {
    /// A column that is not shortened.
    pub(crate) fn fixed(title: &'static str, cell: fn(&T) -> Cell) -> Self {
        Column {
            title,
            cell,
            least: None,
            enough: u16::MAX,
            drop: None,
            alignment: CellAlignment::Left,
        }
    }

    /// A column that may be shortened to this width.
    pub(crate) fn flexible(title: &'static str, least: u16, cell: fn(&T) -> Cell) -> Self {
        let mut column = Column::fixed(title, cell);
        column.least = Some(least);
        column
    }

    /// Shortens this column to this width before any other column is shortened.
    pub(crate) fn enough(self, enough: u16) -> Self {
        Column { enough, ..self }
    }

    /// Allows the column to be dropped; the column with the lowest number goes first.
    pub(crate) fn dropped(self, drop: u8) -> Self {
        let drop = Some(drop);
        Column { drop, ..self }
    }

    /// Aligns the cells to the right.
    pub(crate) fn right(self) -> Self {
        let alignment = CellAlignment::Right;
        Column { alignment, ..self }
    }
}

/// The text of a cell, without line breaks and control characters.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    texts: Vec<String>,
    pub(crate) tone: Tone,
}

/// A colour. It conveys nothing that the text does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Good,
    Warning,
    Error,
}

impl Cell {
    pub(crate) fn new(text: impl Display) -> Self {
        Cell::shortening(vec![text.to_string()])
    }

    /// Untrusted text, if any.
    pub(crate) fn text<'a>(text: impl Into<Option<&'a str>>) -> Self {
        Cell::optional(text.into().map(Plain))
    }

    /// A cell that is empty without a value.
    pub(crate) fn optional(text: Option<impl Display>) -> Self {
        Cell::shortening(text.iter().map(ToString::to_string).collect())
    }

    /// Versions of the same text, longest first; the first that fits is shown.
    pub(crate) fn shortening(texts: Vec<String>) -> Self {
        let tone = Tone::Plain;
        Cell { texts, tone }
    }

    pub(crate) fn toned(self, tone: Tone) -> Self {
        Cell { tone, ..self }
    }

    /// The longest text.
    pub(crate) fn full(&self) -> &str {
        self.texts.first().map_or("", String::as_str)
    }

    fn render(&self, width: u16) -> comfy_table::Cell {
        let fits = |text: &&String| text.chars().count() <= usize::from(width);
        let text = self.texts.iter().find(fits).or(self.texts.last());
        let cell = comfy_table::Cell::new(text.map_or("", String::as_str));
        match self.tone {
            Tone::Plain => cell,
            Tone::Good => cell.fg(Color::Green),
            Tone::Warning => cell.fg(Color::Yellow),
            Tone::Error => cell.fg(Color::Red),
        }
    }
}

const CHUNK: usize = 256;
const GAP: u16 = 2;

/// Writes a row for each item, and returns the titles of the columns that were left out.
pub(crate) fn write<T>(
    columns: &[Column<T>],
    items: &[T],
    style: &Style,
    out: &mut dyn io::Write,
) -> io::Result<Vec<&'static str>> {
    let widths = match style.width {
        Some(width) => fit(columns, &natural(columns, items), width),
        None => natural(columns, items).into_iter().map(Some).collect(),
    };
    let columns = columns.iter().zip(widths);
    let (shown, dropped): (Vec<_>, Vec<_>) = columns.partition(|(_, width)| width.is_some());
    let shown = shown.into_iter();
    let shown: Vec<_> = shown.filter_map(|(it, width)| Some((it, width?))).collect();
    for (n, chunk) in items.chunks(CHUNK).enumerate() {
        let mut table = empty(style);
        if n == 0 {
            let titles = shown.iter().map(|(column, _)| column.title);
            let bold = |title| comfy_table::Cell::new(title).add_attribute(Attribute::Bold);
            table.set_header(titles.map(bold));
        }
        add_rows(&mut table, &shown, chunk);
        for line in table.lines() {
            writeln!(out, "{}", line.trim_end())?;
        }
    }
    let titles = dropped.into_iter().map(|(column, _)| column.title);
    Ok(titles.collect())
}

/// The widths at which nothing is shortened.
fn natural<T>(columns: &[Column<T>], items: &[T]) -> Vec<u16> {
    let mut widths = vec![0; columns.len()];
    for chunk in items.chunks(CHUNK) {
        let mut table = Table::new();
        table.set_header(columns.iter().map(|column| column.title));
        let cells = |item| {
            columns
                .iter()
                .map(move |it| (it.cell)(item).render(u16::MAX))
        };
        table.add_rows(chunk.iter().map(cells));
        for (width, other) in widths.iter_mut().zip(table.column_max_content_widths()) {
            *width = other.max(*width);
        }
    }
    widths
}

/// The widths that fit; `None` for a dropped column.
fn fit<T>(columns: &[Column<T>], natural: &[u16], width: u16) -> Vec<Option<u16>> {
    let mut widths: Vec<Option<u16>> = natural.iter().copied().map(Some).collect();
    if total(&widths) <= usize::from(width) {
        return widths;
    }
    for (column, width) in columns.iter().zip(&mut widths) {
        *width = width.map(|width| width.min(column.enough));
    }
    let least = |(column, width): (&Column<T>, &Option<u16>)| {
        width.map(|width| column.least.unwrap_or(width).min(width))
    };
    loop {
        let leasts: Vec<_> = columns.iter().zip(&widths).map(least).collect();
        if total(&leasts) <= usize::from(width) {
            break;
        }
        let shown = columns.iter().zip(&mut widths);
        let droppable = shown.filter(|(column, width)| column.drop.is_some() && width.is_some());
        match droppable.min_by_key(|(column, _)| column.drop) {
            Some((_, width)) => *width = None,
            None => break,
        }
    }
    while total(&widths) > usize::from(width) {
        let shown = columns.iter().zip(&mut widths);
        let spare = shown.filter_map(|(column, width)| {
            let spare = (*width)?.checked_sub(column.least?)?;
            Some((spare, width.as_mut()?))
        });
        match spare.max_by_key(|(spare, _)| *spare) {
            Some((1.., width)) => *width -= 1,
            Some((0, _)) | None => break,
        }
    }
    widths
}

/// The width of the columns that are shown, with the gaps between them.
fn total(widths: &[Option<u16>]) -> usize {
    let widths = widths.iter().flatten().map(|width| usize::from(*width));
    let gap = usize::from(GAP);
    widths
        .map(|width| width + gap)
        .sum::<usize>()
        .saturating_sub(gap)
}

fn empty(style: &Style) -> Table {
    let mut table = Table::new();
    // No text contains a line break, so cells are cut at a character and not at a word.
    table.set_delimiter('\n');
    table.load_style(presets::NOTHING).force_no_tty();
    if style.colour {
        table.enforce_styling();
        table.style_text_only();
    }
    table
}

fn add_rows<T>(table: &mut Table, columns: &[(&Column<T>, u16)], items: &[T]) {
    for item in items {
        let cells = columns.iter();
        let mut row = Row::from(cells.map(|(it, width)| (it.cell)(item).render(*width)));
        row.max_height(1);
        table.add_row(row);
    }
    for (n, (column, width)) in columns.iter().enumerate() {
        let gap = if n + 1 == columns.len() { 0 } else { GAP };
        if let Some(added) = table.column_mut(n) {
            added.set_padding((0, gap));
            added.set_constraint(ColumnConstraint::Absolute(Width::Fixed(width + gap)));
            added.set_cell_alignment(column.alignment);
        }
    }
}
