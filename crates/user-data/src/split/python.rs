//! Splits Python into statements.

use super::lexer::{Lexer, StringLiteral};
use crate::patterns;
use crate::script::Script;
use crate::statement::{ScriptStatement, StatementBuilder};

/// The statements, and the scripts in triple-quoted strings.
pub(super) fn split(script: &Script) -> (Vec<ScriptStatement>, Vec<Script>) {
    let mut splitter = PythonSplitter {
        lexer: Lexer::new(script),
        indent: 0,
        brackets: 0,
        definitions: Vec::new(),
    };
    splitter.split();
    (splitter.lexer.statements, splitter.lexer.nested)
}

struct PythonSplitter<'s> {
    lexer: Lexer<'s>,
    indent: usize,
    /// How many brackets are open.
    brackets: usize,
    /// The indentation of the `def` of each open block.
    definitions: Vec<usize>,
}

impl PythonSplitter<'_> {
    fn split(&mut self) {
        self.indent = self.lexer.cursor.skip_blanks();
        while let Some(letter) = self.lexer.cursor.peek() {
            match letter {
                '#' => self.lexer.cursor.skip_line(),
                '\\' if self.lexer.cursor.ahead(1) == Some('\n') => self.lexer.cursor.skip(2),
                '"' if self.lexer.cursor.starts_with("\"\"\"") => self.long_string("\"\"\""),
                '\'' if self.lexer.cursor.starts_with("'''") => self.long_string("'''"),
                '"' | '\'' => self.string(letter),
                '(' | '[' | '{' => {
                    self.brackets += 1;
                    self.lexer.take();
                }
                ')' | ']' | '}' => {
                    self.brackets = self.brackets.saturating_sub(1);
                    self.lexer.take();
                }
                '\n' | ';' if self.brackets == 0 => {
                    self.lexer.cursor.next();
                    self.end_statement();
                    if letter == '\n' {
                        self.indent = self.lexer.cursor.skip_blanks();
                    }
                }
                _ => self.lexer.take(),
            }
        }
        self.end_statement();
    }

    /// A string that ends at the end of the line at the latest.
    fn string(&mut self, quote: char) {
        self.lexer.take();
        while let Some(letter) = self.lexer.cursor.peek().filter(|letter| *letter != '\n') {
            self.lexer.take();
            match letter {
                '\\' => self.lexer.take(),
                _ if letter == quote => return,
                _ => {}
            }
        }
    }

    fn long_string(&mut self, quotes: &str) {
        let line = self.lexer.cursor.line;
        self.lexer.cursor.skip(3);
        let Some(text) = self.lexer.cursor.take_until(quotes) else {
            return;
        };
        let is_script = patterns::CALLER.is_match(&text);
        let string = StringLiteral::closed(text, '"', line);
        if is_script {
            self.lexer.push_nested(string);
        } else {
            self.lexer.push_string(&string);
        }
    }

    fn end_statement(&mut self) {
        if self.lexer.draft.text.trim().is_empty() {
            self.lexer.draft = StatementBuilder::default();
            return;
        }
        let has_ended = |indent: &mut usize| *indent >= self.indent;
        while self.definitions.pop_if(has_ended).is_some() {
            self.lexer.blocks.pop();
        }
        if let Some(name) = patterns::defined_function(&self.lexer.draft.text) {
            self.definitions.push(self.indent);
            self.lexer.blocks.push(Some(name.into()));
        }
        self.lexer.end_statement();
    }
}
