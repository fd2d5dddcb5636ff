//! The text of a cell, and how it is shortened.

use std::fmt::Display;

use comfy_table::{Attribute, Color};
use imds_core::plain::Plain;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::wrap::wrap;

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

impl Tone {
    /// A colour of the 6 × 6 × 6 cube, which themes do not change, unlike the first 16. Its contrast is
    /// at least 4.4 on white and on black.
    fn colour(self) -> Option<u8> {
        match self {
            Tone::Plain => None,
            Tone::Good => Some(28),
            Tone::Warning | Tone::Error => Some(130),
        }
    }
}

/// What ends a text that says less than it would at full length.
pub(super) const SHORTENED: char = '…';

/// The maximum number of lines of a cell.
pub(super) const LINES: usize = 4;

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

    /// Versions of the same text, longest first; the first that fits is shown. One that says less than
    /// the first ends in `…`.
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

    /// The shortest text that says as much.
    pub(super) fn brief(&self) -> &str {
        let complete = self.texts.iter().rfind(|text| !text.ends_with(SHORTENED));
        complete.map_or(self.full(), String::as_str)
    }

    /// The lines that fit, and whether they say less than the full text.
    pub(super) fn fitting(&self, width: u16, lines: usize) -> (String, bool) {
        let fits = |text: &&String| columns_of(text) <= width;
        let text = match self.texts.iter().find(fits) {
            Some(text) => text.clone(),
            None => in_lines(self.texts.last().map_or("", String::as_str), width, lines),
        };
        let is_shortened = text.split('\n').any(|line| line.ends_with(SHORTENED));
        (text, is_shortened)
    }

    pub(super) fn toned_cell(&self, text: String) -> comfy_table::Cell {
        let mut cell = comfy_table::Cell::new(text);
        if let Some(colour) = self.tone.colour() {
            cell = cell.fg(Color::AnsiValue(colour));
        }
        match self.tone {
            Tone::Error => cell.add_attribute(Attribute::Bold),
            Tone::Plain | Tone::Good | Tone::Warning => cell,
        }
    }
}

/// The width of the text, in columns of the terminal.
pub(super) fn columns_of(text: &str) -> u16 {
    u16::try_from(text.width()).unwrap_or(u16::MAX)
}

/// Breaks the text between words, and shortens the last line and words that are longer than a line.
fn in_lines(text: &str, width: u16, most: usize) -> String {
    if most < 2 {
        return shortened(text, width);
    }
    let wrapped = wrap(text, Some(width));
    let mut lines: Vec<String> = wrapped
        .split('\n')
        .map(|line| shortened(line, width))
        .collect();
    if lines.len() > most {
        lines.truncate(most);
        if let Some(last) = lines.last_mut() {
            *last = shortened(&format!("{last}{SHORTENED}"), width);
        }
    }
    lines.join("\n")
}

/// The beginning of the text that fits, with `…` if that is not all of it.
fn shortened(text: &str, width: u16) -> String {
    let width = usize::from(width);
    if text.width() <= width {
        return text.to_owned();
    }
    let mut column = 1;
    // An emoji or a letter with its marks may consist of several characters.
    let beginning = text.graphemes(true).take_while(|letter| {
        column += letter.width();
        column <= width
    });
    let mut beginning: String = beginning.collect();
    beginning.push(SHORTENED);
    beginning
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The relative luminance of a colour of the cube.
    /// <https://www.w3.org/TR/WCAG22/#dfn-relative-luminance>
    fn luminance(colour: u8) -> f64 {
        let channel = |place: u8| {
            let level = [0.0, 95.0, 135.0, 175.0, 215.0, 255.0];
            let value: f64 = level[usize::from(place % 6)] / 255.0;
            match value <= 0.04045 {
                true => value / 12.92,
                false => ((value + 0.055) / 1.055).powf(2.4),
            }
        };
        let place = colour.checked_sub(16).unwrap();
        0.2126 * channel(place / 36) + 0.7152 * channel(place / 6) + 0.0722 * channel(place)
    }

    #[test]
    fn the_contrast_of_every_colour_is_at_least_4_4_on_white_and_on_black() {
        for tone in [Tone::Good, Tone::Warning, Tone::Error] {
            let luminance = luminance(tone.colour().unwrap());
            let (on_white, on_black) = (1.05 / (luminance + 0.05), (luminance + 0.05) / 0.05);
            assert!(
                on_white >= 4.4 && on_black >= 4.4,
                "{tone:?}: {on_white} {on_black}"
            );
        }
    }

    #[test]
    fn evidence_takes_several_lines_before_it_is_shortened() {
        let long = "report: http_tokens is optional and the reason is as long as this";
        let cell = Cell::shortening(vec![long.to_owned()]);
        let (text, is_shortened) = cell.fitting(24, LINES);
        assert_eq!(
            text,
            "report: http_tokens is\n  optional and the\n  reason is as long as\n  this"
        );
        assert!(!is_shortened);
        let (text, is_shortened) = cell.fitting(24, 2);
        assert_eq!(text, "report: http_tokens is\n  optional and the…");
        assert!(is_shortened);
        assert_eq!(cell.fitting(24, 1).0, "report: http_tokens is …");
    }
}
