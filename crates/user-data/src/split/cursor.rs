//! A position in a script.

/// Reads a script character by character and counts its lines.
pub(super) struct ScriptCursor {
    letters: Vec<char>,
    at: usize,
    pub(super) line: usize,
}

impl ScriptCursor {
    pub(super) fn new(text: &str, line: usize) -> Self {
        let letters = text.replace("\r\n", "\n").replace('\r', "\n");
        ScriptCursor {
            letters: letters.chars().collect(),
            at: 0,
            line,
        }
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.ahead(0)
    }

    pub(super) fn ahead(&self, by: usize) -> Option<char> {
        self.letters.get(self.at.saturating_add(by)).copied()
    }

    /// The next characters.
    pub(super) fn text_ahead(&self, letters: usize) -> String {
        self.letters.iter().skip(self.at).take(letters).collect()
    }

    pub(super) fn starts_with(&self, text: &str) -> bool {
        text.chars()
            .enumerate()
            .all(|(n, letter)| self.ahead(n) == Some(letter))
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let letter = self.peek()?;
        self.at += 1;
        if letter == '\n' {
            self.line += 1;
        }
        Some(letter)
    }

    pub(super) fn skip(&mut self, letters: usize) {
        for _ in 0..letters {
            self.next();
        }
    }

    /// Skips spaces and tabs, and returns how many.
    pub(super) fn skip_blanks(&mut self) -> usize {
        let start = self.at;
        while matches!(self.peek(), Some(' ' | '\t')) {
            self.next();
        }
        self.at - start
    }

    /// Skips to the end of the line, where a comment ends.
    pub(super) fn skip_line(&mut self) {
        self.rest_of_line();
    }

    /// The rest of the line. The line feed is left.
    pub(super) fn rest_of_line(&mut self) -> String {
        let mut rest = String::new();
        while let Some(letter) = self.peek().filter(|letter| *letter != '\n') {
            rest.push(letter);
            self.next();
        }
        rest
    }

    /// The text before `end`, which is skipped. Where `end` does not follow, returns `None` and
    /// consumes nothing.
    pub(super) fn take_until(&mut self, end: &str) -> Option<String> {
        let (at, line) = (self.at, self.line);
        let mut text = String::new();
        while !self.starts_with(end) {
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
