//! One statement of a script, without comments.

use std::ops::Range;
use std::rc::Rc;

use crate::language::Language;
use crate::script::Script;

/// What is judged as one: a shell command without its substitutions, or a statement.
#[derive(Debug, Clone)]
pub(crate) struct ScriptStatement {
    /// On one line: continued lines are joined.
    pub(crate) text: String,
    /// Byte offsets in the text, with the line that begins there.
    lines: Vec<(usize, usize)>,
    /// As in [`Script`].
    last_line: usize,
    pub(crate) language: Language,
    /// The function that contains it.
    pub(crate) function: Option<Rc<str>>,
    /// As in [`Script`], or the program or the file of the command itself.
    pub(crate) reader: Option<Rc<str>>,
    /// As in [`Finding`](crate::Finding).
    pub(crate) part: Option<String>,
}

impl ScriptStatement {
    /// The line in the script of a byte of the text.
    pub(crate) fn line_at(&self, byte: usize) -> usize {
        let before = self.lines.partition_point(|(from, _)| *from <= byte);
        let last = before.checked_sub(1).and_then(|n| self.lines.get(n));
        last.map_or(1, |(_, line)| *line).min(self.last_line)
    }

    /// A statement of the text in a range, without that in ranges in it.
    pub(crate) fn without(&self, range: Range<usize>, inner: &[Range<usize>]) -> ScriptStatement {
        let (mut text, mut lines) = (String::new(), Vec::new());
        let mut at = range.start;
        for inner in inner.iter().chain([&(range.end..range.end)]) {
            lines.push((text.len(), self.line_at(at)));
            let first = self.lines.partition_point(|(from, _)| *from <= at);
            let further = self.lines.iter().skip(first);
            let further = further.take_while(|(from, _)| *from < inner.start);
            lines.extend(further.map(|(from, line)| (text.len() + from - at, *line)));
            text.push_str(self.text.get(at..inner.start).unwrap_or_default());
            at = inner.end;
        }
        ScriptStatement {
            text,
            lines,
            part: self.part.clone(),
            reader: self.reader.clone(),
            function: self.function.clone(),
            ..*self
        }
    }

    /// The text from a byte on.
    pub(crate) fn text_from(&self, byte: usize) -> &str {
        self.text.get(byte..).unwrap_or_default()
    }
}

/// A statement that is still being read.
#[derive(Debug, Default)]
pub(crate) struct StatementBuilder {
    pub(crate) text: String,
    lines: Vec<(usize, usize)>,
}

impl StatementBuilder {
    /// Adds a character. Blanks are collapsed into one, and dropped before the first word.
    pub(crate) fn push(&mut self, letter: char, line: usize) {
        let letter = if letter == '\n' { ' ' } else { letter };
        if letter.is_whitespace() && self.at_word() {
            return;
        }
        if self.lines.last().is_none_or(|(_, last)| *last != line) {
            self.lines.push((self.text.len(), line));
        }
        self.text.push(letter);
    }

    /// Adds text that begins on the line.
    pub(crate) fn push_text(&mut self, text: &str, mut line: usize) {
        for letter in text.chars() {
            self.push(letter, line);
            line += usize::from(letter == '\n');
        }
    }

    /// Whether the next character begins a word.
    pub(crate) fn at_word(&self) -> bool {
        let last = self.text.chars().next_back();
        last.is_none_or(char::is_whitespace)
    }

    /// The beginning of the text, which holds its program.
    pub(crate) fn head(&self) -> &str {
        start(&self.text, 1000)
    }

    /// The statement, unless it has no words. Leaves the builder empty.
    pub(crate) fn finish(
        &mut self,
        script: &Script,
        function: Option<Rc<str>>,
    ) -> Option<ScriptStatement> {
        let StatementBuilder { text, lines, .. } = std::mem::take(self);
        // `$@` runs the parameters of a function.
        let has_words = text.contains(|letter: char| letter.is_alphanumeric() || letter == '@');
        has_words.then(|| ScriptStatement {
            text,
            lines,
            last_line: script.last_line,
            language: script.language,
            function,
            reader: script.reader.clone(),
            part: script.part.clone(),
        })
    }
}

/// The first bytes of a text, to a whole character.
pub(crate) fn start(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or(text)
}

/// The last bytes of a text, from a whole character.
pub(crate) fn end(text: &str, bytes: usize) -> &str {
    let from = text.floor_char_boundary(text.len().saturating_sub(bytes));
    text.get(from..).unwrap_or(text)
}
