//! Tables of any length. On a screen, only the rows in view are laid out, and on a narrow one each row is
//! a card. On paper, they are plain tables, whose titles repeat on each page.

use std::fmt::Write;

use maud::{Markup, html};

use crate::output::grid::{Column, Tone};

/// How many rows of a long table are laid out together.
const CHUNK: usize = 100;

/// The minimum width and the maximum share of a column whose texts may take several lines, in characters.
const LEAST: u16 = 12;
const WIDEST: u16 = 40;

/// Writes tables, and collects what they add to the style sheet.
#[derive(Debug, Default)]
pub(super) struct Rows {
    wide: String,
    narrow: String,
    print: String,
}

impl Rows {
    /// The style sheet, with the columns of the tables so far.
    pub(super) fn style(&self, base: &str) -> String {
        let Rows {
            wide,
            narrow,
            print,
        } = self;
        format!(
            "{base}@media screen and (min-width: 48.01rem) {{\n{wide}}}\n\
             @media screen and (max-width: 48rem) {{\n{narrow}}}\n@media print {{\n{print}}}\n"
        )
    }

    /// A table with a row for each item; nothing is shortened. `class` is its own.
    pub(super) fn table<T>(&mut self, class: &str, columns: &[Column<T>], items: &[&T]) -> Markup {
        self.add_columns(class, columns, items);
        let is_long = items.len() > CHUNK;
        html! {
            table.rows.(class).long[is_long] {
                thead { tr { @for column in columns { th scope="col" { (column.title) } } } }
                @for chunk in items.chunks(CHUNK) {
                    tbody {
                        @for item in chunk {
                            "\n"
                            tr {
                                @for cell in columns.iter().map(|column| (column.cell)(item)) {
                                    td class=[tone_class(cell.tone)] { (cell.full()) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    /// A table that is neither shown nor printed until it is opened.
    pub(super) fn folded<T>(
        &mut self,
        summary: &str,
        class: &str,
        columns: &[Column<T>],
        items: &[&T],
    ) -> Markup {
        html! { details { summary { (summary) } (self.table(class, columns, items)) } }
    }

    fn add_columns<T>(&mut self, class: &str, columns: &[Column<T>], items: &[&T]) {
        let mut template = String::new();
        for (n, column) in columns.iter().enumerate() {
            let need = column.need(items.iter().copied());
            let least = need.least.map_or(need.full, |_| LEAST);
            let share = need.full.clamp(1, WIDEST);
            // Writing to a string cannot fail.
            let _ = write!(template, " minmax({least}ch, {share}fr)");
            let cells = format!(".{class} :is(th, td):nth-child({})", n + 1);
            let style = match need.least {
                None => "white-space: nowrap",
                Some(_) => "min-width: 4.5em",
            };
            let _ = writeln!(self.print, "{cells} {{ {style}; }}");
            let (nth, title) = (n + 1, quoted(&column.title));
            let _ = writeln!(
                self.narrow,
                ".{class} td:nth-child({nth})::before {{ content: {title}; }}"
            );
        }
        let _ = writeln!(
            self.wide,
            ".{class} tr {{ grid-template-columns:{template}; }}"
        );
    }
}

fn tone_class(tone: Tone) -> Option<&'static str> {
    match tone {
        Tone::Plain => None,
        Tone::Good => Some("compliant"),
        Tone::Warning | Tone::Error => Some("non-compliant"),
    }
}

/// The text as a string of CSS.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        if letter.is_ascii_alphanumeric() || letter == ' ' {
            quoted.push(letter);
        } else {
            let _ = write!(quoted, "\\{:x} ", u32::from(letter));
        }
    }
    quoted + "\""
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::grid::Cell;

    #[test]
    fn a_title_cannot_leave_its_string() {
        let title = "a\"}</style>\n\\数";
        let columns = [Column::fixed(title, |_: &()| Cell::new("x"))];
        let mut rows = Rows::default();
        rows.table("own", &columns, &[&()]);
        let expected = r#".own td:nth-child(1)::before { content: "a\22 \7d \3c \2f style\3e \a \5c \6570 "; }"#;
        assert!(rows.style("").contains(expected), "{}", rows.style(""));
    }
}
