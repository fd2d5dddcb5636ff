//! Rows in columns whose widths are fixed before the first is written, so that memory holds a few
//! hundred rows and not the fleet.

use std::fmt::Display;
use std::io;

use comfy_table::{Attribute, CellAlignment, Color, ColumnConstraint, Row, Table, Width, presets};

use crate::output::Style;

/// A column, and what may be done to it where the terminal is narrow.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    title: &'static str,
    /// The width down to which it is shortened; `None`: not at all.
    least: Option<u16>,
    /// The width to which it is shortened before any other is.
    enough: u16,
    /// The lowest is left out first; `None`: never.
    drop: Option<u8>,
    right: bool,
}

impl Column {
    /// One that is not shortened.
    pub(crate) fn fixed(title: &'static str) -> Self {
        Column {
            title,
            least: None,
            enough: u16::MAX,
            drop: None,
            right: false,
        }
    }

    /// One that may be shortened to this width.
    pub(crate) fn flexible(title: &'static str, least: u16) -> Self {
        Column {
            least: Some(least),
            ..Column::fixed(title)
        }
    }

    /// It is shortened to this width before any other is.
    pub(crate) fn enough(self, enough: u16) -> Self {
        Column { enough, ..self }
    }

    /// It may be left out, the lower the earlier.
    pub(crate) fn dropped(self, drop: u8) -> Self {
        Column {
            drop: Some(drop),
            ..self
        }
    }

    /// Its cells end at its right edge.
    pub(crate) fn right(self) -> Self {
        Column {
            right: true,
            ..self
        }
    }
}

/// What stands in a column; no sign of it may be a line break or a control character.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    /// The same ever shorter.
    texts: Vec<String>,
    tone: Tone,
}

/// What a colour underlines; the words say it too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Good,
    Warning,
    Error,
}

impl Cell {
    pub(crate) fn of(text: impl Display) -> Self {
        Cell::shortening(vec![text.to_string()])
    }

    pub(crate) fn optional(text: Option<impl Display>) -> Self {
        Cell::of(text.map(|text| text.to_string()).unwrap_or_default())
    }

    /// The same ever shorter: the first that fits is shown.
    pub(crate) fn shortening(texts: Vec<String>) -> Self {
        Cell {
            texts,
            tone: Tone::Plain,
        }
    }

    pub(crate) fn toned(self, tone: Tone) -> Self {
        Cell { tone, ..self }
    }

    fn fitting(&self, width: u16) -> &str {
        let fits = |text: &&String| text.chars().count() <= usize::from(width);
        let text = self.texts.iter().find(fits).or(self.texts.last());
        text.map_or("", String::as_str)
    }
}

const CHUNK: usize = 256;
const GAP: u16 = 2;

/// Writes the rows, which are read twice, and says which columns were left out.
pub(crate) fn write<I: Iterator<Item = Vec<Cell>>>(
    columns: &[Column],
    rows: impl Fn() -> I,
    style: &Style,
    out: &mut dyn io::Write,
) -> io::Result<Vec<&'static str>> {
    let mut natural: Vec<u16> = columns.iter().map(|c| width_of(c.title)).collect();
    in_chunks(rows(), |chunk| {
        let mut table = Table::new();
        for row in chunk {
            table.add_row(row.iter().map(|cell| cell.fitting(u16::MAX)));
        }
        for (width, wider) in natural.iter_mut().zip(table.column_max_content_widths()) {
            *width = wider.max(*width);
        }
        Ok(())
    })?;
    let widths = match style.width {
        Some(width) => fit(columns, &natural, width),
        None => natural.into_iter().map(Some).collect(),
    };
    let mut first = true;
    in_chunks(rows(), |chunk| {
        let table = render(columns, &widths, chunk, style, std::mem::take(&mut first));
        for line in table.lines() {
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    })?;
    let dropped = columns.iter().zip(&widths);
    Ok(dropped
        .filter(|(_, width)| width.is_none())
        .map(|(column, _)| column.title)
        .collect())
}

/// Writes a line in bold, where that may be.
pub(crate) fn bold(text: &str, style: &Style, out: &mut dyn io::Write) -> io::Result<()> {
    let mut table = bare(style);
    table.add_row([comfy_table::Cell::new(text).add_attribute(Attribute::Bold)]);
    if let Some(column) = table.column_mut(0) {
        column.set_padding((0, 0));
    }
    writeln!(out, "{table}")
}

/// The widths that fit; `None` is left out.
fn fit(columns: &[Column], natural: &[u16], width: u16) -> Vec<Option<u16>> {
    let gaps = usize::from(GAP) * columns.len().saturating_sub(1);
    if natural.iter().map(|w| usize::from(*w)).sum::<usize>() + gaps <= usize::from(width) {
        return natural.iter().copied().map(Some).collect();
    }
    let enough = columns.iter().zip(natural);
    let natural: Vec<u16> = enough.map(|(column, w)| column.enough.min(*w)).collect();
    let mut shown: Vec<Option<u16>> = natural.iter().copied().map(Some).collect();
    loop {
        let shown_now: Vec<u16> = shown.iter().flatten().copied().collect();
        let gaps = usize::from(GAP) * shown_now.len().saturating_sub(1);
        let total = shown_now.iter().map(|w| usize::from(*w)).sum::<usize>() + gaps;
        if total <= usize::from(width) {
            return shown;
        }
        let spare = |(column, width): (&Column, &Option<u16>)| {
            let least = column.least?;
            (*width)?.checked_sub(least).filter(|spare| *spare > 0)
        };
        let spares = columns.iter().zip(&shown).map(spare).enumerate();
        let widest = spares.filter_map(|(n, spare)| Some((spare?, n))).max();
        if let Some((_, n)) = widest {
            if let Some(Some(width)) = shown.get_mut(n) {
                *width -= 1;
            }
            continue;
        }
        let still = columns.iter().zip(&shown).enumerate();
        let droppable = still.filter_map(|(n, (column, width))| {
            (*width)?;
            Some((column.drop?, n))
        });
        let Some((_, least)) = droppable.min() else {
            return shown;
        };
        for (n, (width, natural)) in shown.iter_mut().zip(&natural).enumerate() {
            *width = width.filter(|_| n != least).map(|_| *natural);
        }
    }
}

fn render(
    columns: &[Column],
    widths: &[Option<u16>],
    rows: &[Vec<Cell>],
    style: &Style,
    header: bool,
) -> Table {
    let shown = || {
        columns
            .iter()
            .zip(widths)
            .filter_map(|(c, w)| Some((c, (*w)?)))
    };
    let mut table = bare(style);
    if header {
        let titles = shown()
            .map(|(column, _)| comfy_table::Cell::new(column.title).add_attribute(Attribute::Bold));
        table.set_header(titles);
    }
    for row in rows {
        let cells = row.iter().zip(widths).filter_map(|(cell, width)| {
            let text = comfy_table::Cell::new(cell.fitting((*width)?));
            Some(match cell.tone {
                Tone::Plain => text,
                Tone::Good => text.fg(Color::Green),
                Tone::Warning => text.fg(Color::Yellow),
                Tone::Error => text.fg(Color::Red),
            })
        });
        let mut row = Row::from(cells);
        row.max_height(1);
        table.add_row(row);
    }
    let last = shown().count().saturating_sub(1);
    for (n, (column, width)) in shown().enumerate() {
        let Some(of_table) = table.column_mut(n) else {
            continue;
        };
        let gap = if n == last { 0 } else { GAP };
        of_table.set_padding((0, gap));
        of_table.set_constraint(ColumnConstraint::Absolute(Width::Fixed(width + gap)));
        if column.right {
            of_table.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// Whether it is coloured is for the style to say, and not for comfy-table to find out.
fn bare(style: &Style) -> Table {
    let mut table = Table::new();
    // No word ends with a line break, so cells are cut at a sign and not at a word.
    table.set_delimiter('\n');
    table.load_style(presets::NOTHING).force_no_tty();
    if style.colour {
        table.enforce_styling();
        table.style_text_only();
    }
    table
}

fn in_chunks(
    rows: impl Iterator<Item = Vec<Cell>>,
    mut each: impl FnMut(&[Vec<Cell>]) -> io::Result<()>,
) -> io::Result<()> {
    let mut chunk = Vec::with_capacity(CHUNK);
    for row in rows {
        chunk.push(row);
        if chunk.len() == CHUNK {
            each(&chunk)?;
            chunk.clear();
        }
    }
    if chunk.is_empty() {
        Ok(())
    } else {
        each(&chunk)
    }
}

fn width_of(title: &str) -> u16 {
    u16::try_from(title.len()).unwrap_or(u16::MAX)
}
