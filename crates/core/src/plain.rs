//! Text from outside, made safe for logs, reports and messages.

use std::fmt;

/// Shows text without control characters and cut to 200 characters, so that a tag or an error
/// message can neither forge a line nor flood one.
#[derive(Debug, Clone, Copy)]
pub struct Plain<'a>(pub &'a str);

const LONGEST: usize = 200;

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_plain(self.0, LONGEST, f)
    }
}

/// Writes text without characters that mislead, cut to so many characters.
///
/// # Errors
/// If it cannot be written.
pub fn write_plain(text: &str, longest: usize, out: &mut impl fmt::Write) -> fmt::Result {
    for (n, (letter, misleads)) in judged(text).enumerate() {
        if n == longest {
            return out.write_char('…');
        }
        out.write_char(if misleads { '\u{fffd}' } else { letter })?;
    }
    Ok(())
}

/// Each character, and whether it misleads: control characters, and characters that reorder or hide
/// others. A joiner does not where it belongs to the spelling, between letters of a script that has
/// joiners, or between emoji.
pub fn judged(text: &str) -> impl Iterator<Item = (char, bool)> {
    let mut before = None;
    let mut letters = text.chars().peekable();
    std::iter::from_fn(move || {
        let letter = letters.next()?;
        let joins = is_joiner(letter)
            && before.is_some_and(is_joined)
            && letters.peek().copied().is_some_and(is_joined);
        before = Some(letter);
        Some((letter, misleads(letter) && !joins))
    })
}

/// Control characters, and characters that reorder or hide other characters.
pub fn misleads(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// The zero-width non-joiner and joiner.
fn is_joiner(letter: char) -> bool {
    matches!(letter, '\u{200c}' | '\u{200d}')
}

/// The blocks of the scripts in which joiners change how words are written, and of emoji.
///
/// <https://www.unicode.org/reports/tr31/#Layout_and_Format_Control_Characters>
fn is_joined(letter: char) -> bool {
    matches!(letter,
        // Arabic, Syriac, Thaana, N'Ko and what follows them; the scripts of India to Myanmar.
        '\u{600}'..='\u{109f}'
        // Philippine scripts, Khmer, Mongolian; Limbu to Lepcha; Saurashtra to Meetei Mayek.
        | '\u{1700}'..='\u{18af}' | '\u{1900}'..='\u{1c4f}' | '\u{a880}'..='\u{abff}'
        // The forms of Arabic letters.
        | '\u{fb50}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}'
        // Brahmi and its relatives.
        | '\u{11000}'..='\u{11fff}'
        // Symbols that are emoji, their variants, emoji.
        | '\u{2190}'..='\u{2bff}' | '\u{fe0f}' | '\u{1f000}'..='\u{1faff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_colours_and_hidden_signs_are_shown_as_such() {
        let forged = "web\n{\"level\":\"INFO\"}\u{1b}[31m\u{202e}\r";
        assert_eq!(
            Plain(forged).to_string(),
            "web\u{fffd}{\"level\":\"INFO\"}\u{fffd}[31m\u{fffd}\u{fffd}"
        );
    }

    #[test]
    fn names_with_joiners_stay_whole() {
        for name in [
            "\u{1f469}\u{200d}\u{1f4bb} team",     // woman technologist
            "\u{1f3f3}\u{fe0f}\u{200d}\u{1f308}",  // rainbow flag
            "\u{1f9d1}\u{1f3fd}\u{200d}\u{1f680}", // astronaut with a skin tone
            "\u{0645}\u{06cc}\u{200c}\u{062e}\u{0648}\u{0627}", // Persian
            "\u{0915}\u{094d}\u{200d}\u{0937}",    // Hindi
            "\u{0d28}\u{0d4d}\u{200d}\u{0d31}",    // Malayalam
        ] {
            assert_eq!(Plain(name).to_string(), name);
        }
    }

    #[test]
    fn joiners_that_hide_nothing_but_themselves_are_shown() {
        for name in [
            "pro\u{200d}d",
            "\u{43f}\u{200c}\u{440}",
            "\u{200d}\u{0645}",
            "\u{0645}\u{200c}",
            "\u{0645}\u{200c}\u{200c}\u{062e}",
            "\u{0645}\u{202e}\u{062e}",
            "\u{0645}\u{200f}\u{062e}",
        ] {
            let shown = Plain(name).to_string();
            assert!(shown.contains('\u{fffd}'), "{name:?}");
            assert_eq!(shown.chars().count(), name.chars().count());
        }
    }

    #[test]
    fn long_text_is_cut() {
        let shown = Plain(&"ä".repeat(5000)).to_string();
        assert_eq!(shown.chars().count(), 201);
        assert_eq!(Plain(&"ä".repeat(200)).to_string().chars().count(), 200);
    }
}
