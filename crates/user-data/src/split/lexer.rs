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
    pub(super) cursor: ScriptCursor<'s>,
    /// The statement at the position.
    pub(super) draft: StatementBuilder,
    /// For each open block, the function that contains it.
    pub(super) blocks: Vec<Option<Rc<str>>>,
    pub(super) statements: Vec<ScriptStatement>,
    /// Scripts in strings and here-documents.
    pub(super) nested: Vec<Script>,
}

impl<'s> Lexer<'s> {
    pub(super) fn new(script: &'s Script) -> Self {
        Lexer {
            script,
            cursor: ScriptCursor {
                rest: &script.text,
                line: script.line,
            },
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
        if self.cursor.second() == Some('\n') {
            self.cursor.take(2);
            self.draft.push_text(joint, self.cursor.line);
        } else {
            self.take();
            self.take();
        }
    }

    /// Adds a string to the statement, or as a nested script, of which the statement keeps only the
    /// quotes.
    pub(super) fn push_string(&mut self, quote: char, line: usize, text: String, is_script: bool) {
        self.draft.push(quote, line);
        if is_script && self.script.may_nest() {
            let interpreter = match self.script.language {
                Language::Python => None,
                _ => by_interpreter(self.draft.head()),
            };
            let language = interpreter.unwrap_or_else(|| language(&text));
            self.nested.push(self.script.nested(&text, line, language));
        } else {
            self.draft.push_text(&text, line);
        }
        self.draft.push(quote, line);
    }

    /// Begins a block, of a function where it has a name.
    pub(super) fn begin_block(&mut self, function: Option<&str>) {
        let function = function.map(|name| self.script.language.canonical_name(name).into());
        self.blocks.push(function.or_else(|| self.function()));
    }

    /// The function that contains the position.
    pub(super) fn function(&self) -> Option<Rc<str>> {
        self.blocks.last().cloned().flatten()
    }

    pub(super) fn end_statement(&mut self) {
        let assigned = match self.script.language {
            Language::Shell => None,
            _ => patterns::ASSIGNED_FUNCTION.captures(&self.draft.text),
        };
        let assigned = assigned.and_then(|found| Some(found.name("name")?.as_str().into()));
        let function = assigned.or_else(|| self.function());
        let statement = self.draft.finish(self.script, function);
        self.statements.extend(statement);
    }
}
