//! What the splitters of all languages share.

use std::rc::Rc;

use super::cursor::ScriptCursor;
use crate::language::{Language, by_interpreter, language};
use crate::patterns;
use crate::script::Script;
use crate::statement::{ScriptStatement, StatementBuilder};

/// The position in a script, and what was found before it.
pub(super) struct Lexer<'s> {
    pub(super) script: &'s Script,
    pub(super) cursor: ScriptCursor,
    /// The statement at the position.
    pub(super) draft: StatementBuilder,
    /// For each open block, the function that contains it.
    pub(super) blocks: Vec<Option<Rc<str>>>,
    pub(super) statements: Vec<ScriptStatement>,
    /// Scripts in strings and here-documents.
    pub(super) nested: Vec<Script>,
}

/// A string of a script, without its quotes.
pub(super) struct StringLiteral {
    pub(super) text: String,
    pub(super) quote: char,
    pub(super) line: usize,
    /// Whether the closing quote was found.
    pub(super) closed: bool,
}

impl StringLiteral {
    pub(super) fn closed(text: String, quote: char, line: usize) -> Self {
        StringLiteral {
            text,
            quote,
            line,
            closed: true,
        }
    }
}

impl<'s> Lexer<'s> {
    pub(super) fn new(script: &'s Script) -> Self {
        Lexer {
            script,
            cursor: ScriptCursor::new(&script.text, script.line),
            draft: StatementBuilder::default(),
            blocks: Vec::new(),
            statements: Vec::new(),
            nested: Vec::new(),
        }
    }

    /// Moves the next character to the statement.
    pub(super) fn take(&mut self) {
        let line = self.cursor.line;
        if let Some(letter) = self.cursor.next() {
            self.draft.push(letter, line);
        }
    }

    /// Moves an escape and the character after it to the statement. An escaped line feed continues
    /// the line, with `joint` in its place.
    pub(super) fn take_escape(&mut self, joint: &str) {
        if self.cursor.ahead(1) == Some('\n') {
            self.cursor.skip(2);
            self.draft.push_text(joint, self.cursor.line);
        } else {
            self.take();
            self.take();
        }
    }

    /// Adds a string to the statement.
    pub(super) fn push_string(&mut self, string: &StringLiteral) {
        self.draft.push(string.quote, string.line);
        self.draft.push_text(&string.text, string.line);
        self.draft.push(string.quote, string.line);
    }

    /// Adds a string as a nested script, of which the statement keeps only the quotes.
    pub(super) fn push_nested(&mut self, string: StringLiteral) {
        if !self.script.may_nest() {
            return self.push_string(&string);
        }
        self.draft.push(string.quote, string.line);
        let interpreter = match self.script.language {
            Language::Python => None,
            Language::Shell | Language::PowerShell | Language::Other => {
                by_interpreter(self.draft.head())
            }
        };
        let language = interpreter.unwrap_or_else(|| language(&string.text));
        self.nest(string.text, string.line, language);
        self.draft.push(string.quote, string.line);
    }

    /// Adds a nested script, unless it is nested too deeply.
    pub(super) fn nest(&mut self, text: String, line: usize, language: Language) {
        self.nested.extend(self.script.nested(text, line, language));
    }

    /// The function that contains the position.
    pub(super) fn function(&self) -> Option<Rc<str>> {
        self.blocks.last().cloned().flatten()
    }

    pub(super) fn end_statement(&mut self) {
        let defined = match self.script.language {
            Language::Shell => None,
            _ => patterns::assigned_function(&self.draft.text).map(Rc::from),
        };
        let function = defined.or_else(|| self.function());
        let statement = self.draft.finish(self.script, function);
        self.statements.extend(statement);
    }
}
