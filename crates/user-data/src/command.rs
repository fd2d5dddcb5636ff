//! One command or statement of a script, without comments.

use std::rc::Rc;

use crate::language::Language;

/// What is judged as one: a shell command without those within it, or a statement.
#[derive(Debug, Clone)]
pub(crate) struct Command {
    /// Continued lines are joined.
    pub(crate) text: String,
    /// From which byte on it stands on which line.
    lines: Vec<(usize, usize)>,
    pub(crate) language: Language,
    /// The function that it is in.
    pub(crate) function: Option<Rc<str>>,
    pub(crate) part: Option<String>,
}

impl Command {
    /// The line of a byte of the text.
    pub(crate) fn line_at(&self, byte: usize) -> usize {
        let before = self.lines.iter().take_while(|(from, _)| *from <= byte);
        before.last().map_or(1, |(_, line)| *line)
    }
}

/// A command as it is read.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    pub(crate) text: String,
    lines: Vec<(usize, usize)>,
    /// Where the last word begins.
    word: usize,
}

impl Draft {
    /// Of several blanks one is kept, and none before the first word.
    pub(crate) fn push(&mut self, letter: char, line: usize) {
        let letter = if letter == '\n' { ' ' } else { letter };
        if letter.is_whitespace() && self.at_word() {
            return;
        }
        if self.lines.last().is_none_or(|(_, last)| *last != line) {
            self.lines.push((self.text.len(), line));
        }
        self.text.push(letter);
        if letter.is_whitespace() {
            self.word = self.text.len();
        }
    }

    /// Whether the next letter begins a word.
    pub(crate) fn at_word(&self) -> bool {
        self.word == self.text.len()
    }

    /// The end of the text since the last blank.
    pub(crate) fn last_word(&self) -> &str {
        self.text.get(self.word..).unwrap_or_default()
    }

    /// The beginning of the text, where its program stands.
    pub(crate) fn head(&self) -> &str {
        start(&self.text, 1000)
    }

    /// The command, unless there is none; the draft is empty then.
    pub(crate) fn finish(
        &mut self,
        language: Language,
        function: Option<Rc<str>>,
        part: Option<&String>,
    ) -> Option<Command> {
        let Draft { text, lines, .. } = std::mem::take(self);
        let has_words = text.chars().any(char::is_alphanumeric);
        has_words.then(|| Command {
            text,
            lines,
            language,
            function,
            part: part.cloned(),
        })
    }
}

/// The start of a text, of about so many bytes.
pub(crate) fn start(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or(text)
}

/// The end of a text, of about so many bytes.
pub(crate) fn end(text: &str, bytes: usize) -> &str {
    let from = text.floor_char_boundary(text.len().saturating_sub(bytes));
    text.get(from..).unwrap_or(text)
}

/// Letters with their lines.
pub(crate) struct Cursor {
    letters: Vec<char>,
    at: usize,
    pub(crate) line: usize,
}

impl Cursor {
    pub(crate) fn new(text: &str, line: usize) -> Self {
        let letters = text.replace("\r\n", "\n").replace('\r', "\n");
        Cursor {
            letters: letters.chars().collect(),
            at: 0,
            line,
        }
    }

    pub(crate) fn peek(&self) -> Option<char> {
        self.ahead(0)
    }

    pub(crate) fn ahead(&self, by: usize) -> Option<char> {
        self.letters.get(self.at.saturating_add(by)).copied()
    }

    /// Whether the next letters are these.
    pub(crate) fn sees(&self, text: &str) -> bool {
        text.chars()
            .enumerate()
            .all(|(n, letter)| self.ahead(n) == Some(letter))
    }

    pub(crate) fn next(&mut self) -> Option<char> {
        let letter = self.peek()?;
        self.at += 1;
        if letter == '\n' {
            self.line += 1;
        }
        Some(letter)
    }

    pub(crate) fn skip(&mut self, letters: usize) {
        for _ in 0..letters {
            self.next();
        }
    }

    /// The rest of the line; its end stays.
    pub(crate) fn rest_of_line(&mut self) -> String {
        let mut rest = String::new();
        while let Some(letter) = self.peek().filter(|letter| *letter != '\n') {
            rest.push(letter);
            self.next();
        }
        rest
    }

    /// What stands before `end`, which is taken too; `None` where it does not come, and nothing is
    /// taken then.
    pub(crate) fn until(&mut self, end: &str) -> Option<String> {
        let (at, line) = (self.at, self.line);
        let mut text = String::new();
        while !self.sees(end) {
            let Some(letter) = self.next() else {
                (self.at, self.line) = (at, line);
                return None;
            };
            text.push(letter);
        }
        self.skip(end.chars().count());
        Some(text)
    }
}
