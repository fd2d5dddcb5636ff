//! Splits Python into statements.

use std::rc::Rc;

use crate::command::{Command, Cursor, Draft};
use crate::language::{Language, language};
use crate::patterns;
use crate::script::Script;

/// The statements, and the scripts in strings of several lines.
pub(crate) fn split(script: &Script) -> (Vec<Command>, Vec<Script>) {
    let mut reader = Reader {
        script,
        cursor: Cursor::new(&script.text, script.line),
        draft: Draft::default(),
        indent: 0,
        brackets: 0,
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
    indent: usize,
    brackets: usize,
    /// With the indent of their `def`.
    functions: Vec<(usize, Rc<str>)>,
    commands: Vec<Command>,
    inner: Vec<Script>,
}

impl Reader<'_> {
    fn read(&mut self) {
        self.measure();
        while let Some(letter) = self.cursor.peek() {
            match letter {
                '#' => {
                    self.cursor.rest_of_line();
                }
                '\\' if self.cursor.ahead(1) == Some('\n') => self.cursor.skip(2),
                '"' if self.cursor.sees("\"\"\"") => self.long_string("\"\"\""),
                '\'' if self.cursor.sees("'''") => self.long_string("'''"),
                '"' | '\'' => self.string(letter),
                '(' | '[' | '{' => {
                    self.brackets += 1;
                    self.take();
                }
                ')' | ']' | '}' => {
                    self.brackets = self.brackets.saturating_sub(1);
                    self.take();
                }
                '\n' if self.brackets == 0 => {
                    self.cursor.next();
                    self.end();
                    self.measure();
                }
                ';' if self.brackets == 0 => {
                    self.cursor.next();
                    self.end();
                }
                _ => self.take(),
            }
        }
        self.end();
    }

    fn measure(&mut self) {
        self.indent = 0;
        while self.cursor.peek().is_some_and(|l| l == ' ' || l == '\t') {
            self.cursor.next();
            self.indent += 1;
        }
    }

    fn take(&mut self) {
        let line = self.cursor.line;
        if let Some(letter) = self.cursor.next() {
            self.draft.push(letter, line);
        }
    }

    /// Ends with its line at the latest.
    fn string(&mut self, quote: char) {
        self.take();
        while let Some(letter) = self.cursor.peek() {
            match letter {
                '\n' => return,
                '\\' => {
                    self.take();
                    self.take();
                }
                _ => {
                    self.take();
                    if letter == quote {
                        return;
                    }
                }
            }
        }
    }

    fn long_string(&mut self, quotes: &str) {
        let line = self.cursor.line;
        self.cursor.skip(3);
        let Some(text) = self.cursor.until(quotes) else {
            return;
        };
        self.draft.push('"', line);
        if patterns::CALLER.is_match(&text) && self.script.may_hold_more() {
            let of_text = language(&text);
            self.inner.extend(self.script.inner(text, line, of_text));
        } else {
            let mut at = line;
            for letter in text.chars() {
                self.draft.push(letter, at);
                at += usize::from(letter == '\n');
            }
        }
        self.draft.push('"', line);
    }

    fn end(&mut self) {
        if self.draft.text.trim().is_empty() {
            self.draft = Draft::default();
            return;
        }
        self.functions.retain(|(indent, _)| *indent < self.indent);
        let function = patterns::FUNCTION.captures(&self.draft.text);
        if let Some(name) = function.and_then(|f| Some(Rc::from(f.get(1)?.as_str()))) {
            self.functions.push((self.indent, name));
        }
        let within = self.functions.last().map(|(_, name)| name.clone());
        let part = self.script.part.as_ref();
        let command = self.draft.finish(Language::Python, within, part);
        self.commands.extend(command);
    }
}
