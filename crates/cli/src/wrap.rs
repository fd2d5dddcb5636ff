//! Sentences in lines that fit on a terminal.

use unicode_width::UnicodeWidthStr;

/// How much further a line that goes on is indented.
const HANGING: usize = 2;

/// Breaks lines between words where they would be wider than this many columns; `None`: nowhere. Lines
/// that follow are indented further. Text in backticks is not broken, because it may be a command, and a
/// number stays with its noun.
pub(crate) fn wrap(text: &str, width: Option<u16>) -> String {
    let Some(width) = width else {
        return text.to_owned();
    };
    let lines = text.split('\n').map(|line| fill(line, usize::from(width)));
    lines.collect::<Vec<String>>().join("\n")
}

fn fill(line: &str, width: usize) -> String {
    let words = line.trim_start_matches(' ');
    let indent = line.len() - words.len();
    let mut text = " ".repeat(indent);
    let mut column = indent;
    for (n, word) in words_of(words).iter().enumerate() {
        if n > 0 && column + 1 + word.width() > width {
            text.push('\n');
            text.push_str(&" ".repeat(indent + HANGING));
            column = indent + HANGING;
        } else if n > 0 {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += word.width();
    }
    text
}

fn words_of(line: &str) -> Vec<String> {
    let has_pairs = line.matches('`').count().is_multiple_of(2);
    let mut words: Vec<String> = Vec::new();
    let mut is_open = false;
    for word in line.split(' ') {
        let goes_on = |last: &&mut String| is_open || is_number(last);
        match words.last_mut().filter(goes_on) {
            Some(last) => last.extend([" ", word]),
            None => words.push(word.to_owned()),
        }
        is_open ^= has_pairs && !word.matches('`').count().is_multiple_of(2);
    }
    words
}

fn is_number(word: &str) -> bool {
    let is_part = |letter: char| letter.is_ascii_digit() || matches!(letter, ',' | '.');
    word.starts_with(|letter: char| letter.is_ascii_digit()) && word.chars().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words_and_those_that_follow_are_indented() {
        let text = "  ✗ eu-west-1: not allowed to describe\nyes";
        assert_eq!(wrap(text, None), text);
        let expected = "  ✗ eu-west-1: not\n    allowed to\n    describe\nyes";
        assert_eq!(wrap(text, Some(20)), expected);
        assert_eq!(wrap(text, Some(40)), text);
    }

    #[test]
    fn a_wide_character_takes_two_columns() {
        assert_eq!(wrap("数据库 数据库", Some(13)), "数据库 数据库");
        assert_eq!(wrap("数据库 数据库", Some(12)), "数据库\n  数据库");
    }

    #[test]
    fn commands_in_backticks_and_long_words_stay_whole() {
        let text = "run `aws sso login --profile audit` again";
        let expected = "run\n  `aws sso login --profile audit`\n  again";
        assert_eq!(wrap(text, Some(20)), expected);
        assert_eq!(wrap("a `b c", Some(4)), "a `b\n  c");
        assert_eq!(wrap("a whole_word b", Some(8)), "a\n  whole_word\n  b");
    }

    #[test]
    fn a_number_stays_with_its_noun() {
        let text = wrap("7 compliant, 1,000 exempt, 0 errors, 4.2 s", Some(23));
        assert_eq!(text, "7 compliant,\n  1,000 exempt,\n  0 errors, 4.2 s");
    }
}
