//! Text from outside, made safe for logs, reports and messages.

use std::fmt;

/// Shows text without control characters and cut to 200 characters, so that a tag or an error
/// message can neither forge a line nor flood one.
#[derive(Debug, Clone, Copy)]
pub struct Plain<'a>(pub &'a str);

const LONGEST: usize = 200;

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        for (n, letter) in self.0.chars().enumerate() {
            if n == LONGEST {
                return f.write_char('…');
            }
            f.write_char(if misleads(letter) { '\u{fffd}' } else { letter })?;
        }
        Ok(())
    }
}

/// Control characters, and characters that reorder or hide other characters.
pub fn misleads(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
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
    fn long_text_is_cut() {
        let shown = Plain(&"ä".repeat(5000)).to_string();
        assert_eq!(shown.chars().count(), 201);
        assert_eq!(Plain(&"ä".repeat(200)).to_string().chars().count(), 200);
    }
}
