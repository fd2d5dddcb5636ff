//! Splits PowerShell, and other languages whose blocks are in braces, into statements.

use std::rc::Rc;

use super::lexer::{Lexer, StringLiteral};
use crate::language::{Language, by_interpreter};
use crate::patterns;
use crate::script::Script;
use crate::statement::ScriptStatement;

/// The statements, and the scripts in multi-line strings. Brackets and the braces of a literal do
/// not end a statement.
pub(super) fn split(script: &Script) -> (Vec<ScriptStatement>, Vec<Script>) {
    let mut splitter = BraceSplitter {
        lexer: Lexer::new(script),
        powershell: script.language == Language::PowerShell,
        brackets: 0,
    };
    splitter.split();
    (splitter.lexer.statements, splitter.lexer.nested)
}

struct BraceSplitter<'s> {
    lexer: Lexer<'s>,
    powershell: bool,
    /// How many brackets and braces of literals are open.
    brackets: usize,
}

impl BraceSplitter<'_> {
    fn split(&mut self) {
        while let Some(letter) = self.lexer.cursor.peek() {
            match letter {
                '#' if self.lexer.draft.at_word() => self.lexer.cursor.skip_line(),
                '<' | '/' => self.comment(),
                '`' if self.powershell => self.lexer.take_escape(" "),
                '\\' if !self.powershell => self.lexer.take_escape(" "),
                '"' | '\'' | '`' => self.quoted(letter),
                '@' => self.at_sign(),
                '(' | '[' => self.open_bracket(),
                '{' if self.begins_literal() => self.open_bracket(),
                '{' => self.begin_block(),
                '}' | ')' | ']' if self.brackets > 0 => {
                    self.brackets -= 1;
                    self.lexer.take();
                }
                '}' => {
                    self.end_statement();
                    self.lexer.blocks.pop();
                }
                '\n' if self.lexer.draft.text.trim_end().ends_with('|') => self.lexer.take(),
                '\n' | ';' if self.brackets == 0 => self.end_statement(),
                _ => self.lexer.take(),
            }
        }
        self.end_statement();
    }

    /// Skips a comment, or takes a character that does not begin one.
    fn comment(&mut self) {
        let cursor = &mut self.lexer.cursor;
        let (begin, end) = match self.powershell {
            true => ("<#", "#>"),
            false => ("/*", "*/"),
        };
        let is_block = cursor.starts_with(begin) && cursor.take_until(end).is_some();
        if is_block {
            return;
        }
        if !self.powershell && self.lexer.draft.at_word() && cursor.starts_with("//") {
            cursor.skip_line();
        } else {
            self.lexer.take();
        }
    }

    /// A here-string, a literal or a plain `@`.
    fn at_sign(&mut self) {
        let cursor = &self.lexer.cursor;
        if cursor.starts_with("@\"\n") {
            self.here_string("\n\"@");
        } else if cursor.starts_with("@'\n") {
            self.here_string("\n'@");
        } else if cursor.starts_with("@{") {
            self.lexer.take();
            self.open_bracket();
        } else {
            self.lexer.take();
        }
    }

    fn open_bracket(&mut self) {
        self.brackets += 1;
        self.lexer.take();
    }

    /// Whether a brace begins a value rather than a block.
    fn begins_literal(&self) -> bool {
        let before = self.lexer.draft.text.trim_end();
        self.brackets > 0 || before.ends_with(['=', ':', ',']) || before.ends_with("return")
    }

    fn begin_block(&mut self) {
        let defined = patterns::defined_function(&self.lexer.draft.text).map(Rc::from);
        self.end_statement();
        let function = defined.or_else(|| self.lexer.function());
        self.lexer.blocks.push(function);
    }

    fn quoted(&mut self, quote: char) {
        let escape = match self.powershell {
            true => Some('`').filter(|_| quote != '\''),
            false => Some('\\'),
        };
        let line = self.lexer.cursor.line;
        self.lexer.cursor.next();
        let mut text = String::new();
        while let Some(letter) = self.lexer.cursor.peek().filter(|letter| *letter != quote) {
            if Some(letter) == escape {
                self.lexer.cursor.next();
            }
            text.extend(self.lexer.cursor.next());
        }
        let closed = self.lexer.cursor.next().is_some();
        self.string(StringLiteral {
            text,
            quote,
            line,
            closed,
        });
    }

    fn here_string(&mut self, end: &str) {
        let line = self.lexer.cursor.line;
        self.lexer.cursor.skip(2);
        match self.lexer.cursor.take_until(end) {
            Some(text) => self.string(StringLiteral::closed(text, '"', line)),
            None => self.lexer.draft.push('@', line),
        }
    }

    /// A string that contains a call is a nested script where it has several lines or is passed to
    /// an interpreter.
    fn string(&mut self, string: StringLiteral) {
        let is_script = patterns::CALLER.is_match(&string.text)
            && (!string.closed
                || string.text.contains('\n')
                || by_interpreter(self.lexer.draft.head()).is_some());
        if is_script {
            self.lexer.push_nested(string);
        } else {
            self.lexer.push_string(&string);
        }
    }

    /// Skips the character that ends the statement.
    fn end_statement(&mut self) {
        self.lexer.cursor.next();
        self.lexer.end_statement();
    }
}
