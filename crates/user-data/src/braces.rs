//! Splits PowerShell, and languages with braces and their like, into statements.

use std::rc::Rc;

use crate::command::{Command, Cursor, Draft};
use crate::language::{Language, by_interpreter, language};
use crate::patterns;
use crate::script::Script;

/// The statements, and the scripts in long strings. What stands in brackets, or in the braces of a
/// literal, is one statement with what is around it.
pub(crate) fn split(script: &Script) -> (Vec<Command>, Vec<Script>) {
    let mut reader = Reader {
        script,
        cursor: Cursor::new(&script.text, script.line),
        draft: Draft::default(),
        open: Vec::new(),
        functions: Vec::new(),
        commands: Vec::new(),
        inner: Vec::new(),
    };
    reader.read();
    (reader.commands, reader.inner)
}

struct Reader<'s> {
    script: &'s Script,
    cursor: Cursor,
    draft: Draft,
    /// Brackets and the braces of literals.
    open: Vec<char>,
    /// An item for each block: the function that it is in.
    functions: Vec<Option<Rc<str>>>,
    commands: Vec<Command>,
    inner: Vec<Script>,
}

impl Reader<'_> {
    fn read(&mut self) {
        while let Some(letter) = self.cursor.peek() {
            let at_word = self.draft.at_word();
            let powershell = self.script.language == Language::PowerShell;
            match letter {
                '<' if powershell && self.cursor.sees("<#") => self.comment("#>"),
                '/' if !powershell && self.cursor.sees("/*") => self.comment("*/"),
                '#' if at_word => {
                    self.cursor.rest_of_line();
                }
                '/' if !powershell && at_word && self.cursor.sees("//") => {
                    self.cursor.rest_of_line();
                }
                '`' if powershell => self.escape(),
                '\\' if !powershell => self.escape(),
                '@' if self.cursor.sees("@\"\n") => self.here_string("\n\"@"),
                '@' if self.cursor.sees("@'\n") => self.here_string("\n'@"),
                '"' | '\'' | '`' => self.quoted(letter),
                '(' | '[' => self.bracket(letter),
                '@' if self.cursor.sees("@{") => {
                    self.take();
                    self.bracket('{');
                }
                '{' if self.is_literal() => self.bracket('{'),
                '{' => {
                    self.cursor.next();
                    let function = patterns::FUNCTION.captures(&self.draft.text);
                    let name = function.and_then(|f| Some(Rc::from(f.get(1)?.as_str())));
                    self.end();
                    let name = name.or_else(|| self.function());
                    self.functions.push(name);
                }
                '}' | ')' | ']' if !self.open.is_empty() => {
                    self.open.pop();
                    self.take();
                }
                '}' => {
                    self.cursor.next();
                    self.end();
                    self.functions.pop();
                }
                '\n' if self.draft.text.trim_end().ends_with('|') => self.take(),
                '\n' | ';' if self.open.is_empty() => {
                    self.cursor.next();
                    self.end();
                }
                _ => self.take(),
            }
        }
        self.end();
    }

    /// A brace that begins a value rather than a block.
    fn is_literal(&self) -> bool {
        let before = self.draft.text.trim_end();
        !self.open.is_empty() || before.ends_with(['=', ':', ',']) || before.ends_with("return")
    }

    fn function(&self) -> Option<Rc<str>> {
        self.functions.last().cloned().flatten()
    }

    fn take(&mut self) {
        let line = self.cursor.line;
        if let Some(letter) = self.cursor.next() {
            self.draft.push(letter, line);
        }
    }

    fn bracket(&mut self, letter: char) {
        self.open.push(letter);
        self.take();
    }

    fn comment(&mut self, end: &str) {
        if self.cursor.until(end).is_none() {
            self.take();
        }
    }

    fn escape(&mut self) {
        if self.cursor.ahead(1) == Some('\n') {
            self.cursor.skip(2);
            self.draft.push(' ', self.cursor.line);
        } else {
            self.take();
            self.take();
        }
    }

    fn quoted(&mut self, quote: char) {
        let powershell = self.script.language == Language::PowerShell;
        let escape = if powershell { '`' } else { '\\' };
        let line = self.cursor.line;
        self.cursor.next();
        let mut text = String::new();
        while let Some(letter) = self.cursor.peek() {
            if letter == quote {
                break;
            }
            let escapes = letter == escape && !(powershell && quote == '\'');
            if escapes {
                self.cursor.next();
            }
            text.extend(self.cursor.next());
        }
        let closed = self.cursor.next().is_some();
        self.string(text, quote, line, closed);
    }

    fn here_string(&mut self, end: &str) {
        let line = self.cursor.line;
        self.cursor.skip(2);
        match self.cursor.until(end) {
            Some(text) => self.string(text, '"', line, true),
            None => self.draft.push('@', line),
        }
    }

    /// A string of several lines with a call in it is a script of its own, and one that a shell is
    /// told to run.
    fn string(&mut self, text: String, quote: char, line: usize, closed: bool) {
        let runs = by_interpreter(self.draft.head()).is_some();
        let is_script =
            patterns::CALLER.is_match(&text) && (!closed || runs || text.contains('\n'));
        self.draft.push(quote, line);
        if is_script && self.script.may_hold_more() {
            let language = by_interpreter(self.draft.head()).unwrap_or_else(|| language(&text));
            self.inner.extend(self.script.inner(text, line, language));
        } else {
            let mut at = line;
            for letter in text.chars() {
                self.draft.push(letter, at);
                at += usize::from(letter == '\n');
            }
        }
        self.draft.push(quote, line);
    }

    fn end(&mut self) {
        let function = self.function();
        let part = self.script.part.as_ref();
        let command = self.draft.finish(self.script.language, function, part);
        self.commands.extend(command);
    }
}
