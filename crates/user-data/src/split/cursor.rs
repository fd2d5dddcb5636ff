//! A position in a script.

/// Reads a script from its beginning to its end and counts its lines.
pub(super) struct ScriptCursor<'s> {
    /// What is not yet read.
    pub(super) rest: &'s str,
    /// The line of the position.
    pub(super) line: usize,
}

impl<'s> ScriptCursor<'s> {
    pub(super) fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    pub(super) fn second(&self) -> Option<char> {
        self.rest.chars().nth(1)
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let letter = self.peek()?;
        self.take(letter.len_utf8());
        Some(letter)
    }

    /// Reads as many bytes, or all where they are fewer.
    pub(super) fn take(&mut self, bytes: usize) -> &'s str {
        let (taken, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        self.line += taken.matches('\n').count();
        self.rest = rest;
        taken
    }

    /// Reads letters of a kind.
    pub(super) fn take_while(&mut self, is_of_kind: impl Fn(char) -> bool) -> &'s str {
        let end = self.rest.find(|letter| !is_of_kind(letter));
        self.take(end.unwrap_or(self.rest.len()))
    }

    /// Reads the rest of the line. The line feed is left.
    pub(super) fn take_line(&mut self) -> &'s str {
        self.take_while(|letter| letter != '\n')
    }

    /// The text before `end`, which is skipped. Where `end` does not follow, returns `None` and
    /// reads nothing.
    pub(super) fn take_until(&mut self, end: &str) -> Option<&'s str> {
        let text = self.take(self.rest.find(end)?);
        self.take(end.len());
        Some(text)
    }
}
