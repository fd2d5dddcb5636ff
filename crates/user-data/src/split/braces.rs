//! Splits PowerShell, and other languages whose blocks are in braces, into statements.

use std::rc::Rc;
use std::sync::LazyLock;

use regex::Regex;

use super::lexer::{Lexer, StringLiteral};
use crate::language::{Language, by_interpreter};
use crate::patterns::{self, regex};
use crate::script::Script;
use crate::statement::{ScriptStatement, StatementBuilder};

/// The statements, and the scripts in multi-line strings. What is in brackets and in the braces of
/// a literal does not end a statement, but a block in brackets has statements of its own.
pub(super) fn split(script: &Script) -> (Vec<ScriptStatement>, Vec<Script>) {
    let mut splitter = BraceSplitter {
        lexer: Lexer::new(script),
        powershell: script.language == Language::PowerShell,
        open: Vec::new(),
    };
    splitter.split();
    (splitter.lexer.statements, splitter.lexer.nested)
}

struct BraceSplitter<'s> {
    lexer: Lexer<'s>,
    powershell: bool,
    /// What is open at the position, with the character that closes it.
    open: Vec<(char, Opened)>,
}

enum Opened {
    /// A bracket, or the brace of a literal.
    Bracket,
    Block,
    /// A block within a statement, of which this is the beginning.
    Within(StatementBuilder),
}

/// What follows the brace of a literal: a key, or nothing.
static LITERAL: LazyLock<Regex> = LazyLock::new(|| {
    regex(r#"^\{\s*(?:\}|\.\.\.|(?:"[^"]*"|'[^']*'|\[[^\]]*\]|[:$]?[\w-]+)\s*(?:=>|:[^:=]))"#)
});
/// Ends a block of Ruby on the line on which it begins.
static ONE_LINE_BLOCK: LazyLock<Regex> = LazyLock::new(|| regex(r"^\{\s*\|[^|\n]*\|[^\n]*\}"));

/// Expressions in strings, with at most two levels of brackets in them.
static SUBEXPRESSION: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^\$\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)"));
static TEMPLATE: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^\$\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\}"));

/// How many brackets at most are taken as never closed.
const MAX_UNCLOSED: usize = 8;

/// How much of a literal shows that it is one, in characters.
const LOOKAHEAD: usize = 300;

impl BraceSplitter<'_> {
    fn split(&mut self) {
        while let Some(letter) = self.lexer.cursor.peek() {
            let in_brackets = matches!(self.open.last(), Some((_, Opened::Bracket)));
            match letter {
                '#' if self.lexer.draft.at_word() => self.lexer.cursor.skip_line(),
                '<' | '/' => self.comment(),
                '`' if self.powershell => self.lexer.take_escape(" "),
                '\\' if !self.powershell => self.lexer.take_escape(" "),
                '"' | '\'' | '`' => self.quoted(letter),
                '@' => self.at_sign(),
                '$' if self.powershell && self.lexer.cursor.starts_with("$(") => self.list(),
                '(' => self.open_bracket(')'),
                '[' => self.open_bracket(']'),
                '{' if self.begins_literal() => self.open_bracket('}'),
                '{' => self.begin_block(in_brackets),
                '}' | ')' | ']' => self.close(letter),
                '\n' if self.lexer.draft.text.trim_end().ends_with('|') => self.lexer.take(),
                // Each line of a hash table is an entry.
                '\n' if self.powershell
                    && matches!(self.open.last(), Some(('}', Opened::Bracket))) =>
                {
                    self.lexer.draft.push(';', self.lexer.cursor.line);
                    self.lexer.cursor.next();
                }
                '\n' | ';' if !in_brackets => self.end_statement(),
                _ => self.lexer.take(),
            }
        }
        self.lexer.end_statement();
        while let Some((_, opened)) = self.open.pop() {
            if let Opened::Within(draft) = opened {
                self.lexer.draft = draft;
                self.lexer.end_statement();
            }
        }
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
            self.open_bracket('}');
        } else if self.powershell && cursor.starts_with("@(") {
            self.list();
        } else {
            self.lexer.take();
        }
    }

    fn open_bracket(&mut self, close: char) {
        self.open.push((close, Opened::Bracket));
        self.lexer.take();
    }

    /// A list of statements within a statement of PowerShell: `$(…)`, `@(…)`.
    fn list(&mut self) {
        self.lexer.take();
        self.suspend(')', None);
    }

    /// Leaves the statement until the block within it is closed.
    fn suspend(&mut self, close: char, function: Option<Rc<str>>) {
        self.lexer.take();
        let draft = std::mem::take(&mut self.lexer.draft);
        self.open.push((close, Opened::Within(draft)));
        let function = function.or_else(|| self.lexer.function());
        self.lexer.blocks.push(function);
    }

    /// Whether a brace begins a value rather than a block.
    fn begins_literal(&self) -> bool {
        let before = self.lexer.draft.text.trim_end();
        if self.powershell {
            return before.ends_with('$');
        }
        let ahead = self.lexer.cursor.text_ahead(LOOKAHEAD);
        before.ends_with(['=', ':', ',', '(', '[', '$'])
            || before.ends_with("return")
            || LITERAL.is_match(&ahead)
            || ONE_LINE_BLOCK.is_match(&ahead)
    }

    fn begin_block(&mut self, in_brackets: bool) {
        let defined = patterns::defined_function(&self.lexer.draft.text).map(Rc::from);
        if in_brackets {
            return self.suspend('}', defined);
        }
        self.end_statement();
        let function = defined.or_else(|| self.lexer.function());
        self.lexer.blocks.push(function);
        self.open.push(('}', Opened::Block));
    }

    fn close(&mut self, letter: char) {
        // A bracket that is never closed, as in a pattern, ends with the brackets around it.
        let is_bracket = |(_, opened): &&(char, Opened)| matches!(opened, Opened::Bracket);
        let mut brackets = (self.open.iter().rev().take(MAX_UNCLOSED)).take_while(is_bracket);
        let unclosed = brackets.position(|(close, _)| *close == letter);
        let unclosed = match unclosed {
            None if letter == '}' => self.open.len().min(MAX_UNCLOSED),
            unclosed => unclosed.unwrap_or_default(),
        };
        for _ in 0..unclosed {
            self.open
                .pop_if(|(_, opened)| matches!(opened, Opened::Bracket));
        }
        let closes = |(close, _): &mut (char, Opened)| *close == letter;
        match self.open.pop_if(closes) {
            Some((_, Opened::Bracket)) => self.lexer.take(),
            Some((_, Opened::Block)) => {
                self.end_statement();
                self.lexer.blocks.pop();
            }
            Some((_, Opened::Within(draft))) => {
                self.lexer.end_statement();
                self.lexer.blocks.pop();
                self.lexer.draft = draft;
                self.lexer.take();
            }
            None if letter == '}' => self.end_statement(),
            None => self.lexer.take(),
        }
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
            } else if letter == '$' && quote == if self.powershell { '"' } else { '`' } {
                text += &self.interpolated();
                continue;
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

    /// An expression in a string. One that contains a call is a nested script.
    fn interpolated(&mut self) -> String {
        let pattern = if self.powershell {
            &SUBEXPRESSION
        } else {
            &TEMPLATE
        };
        let ahead = self.lexer.cursor.text_ahead(LOOKAHEAD);
        let Some(found) = pattern.find(&ahead) else {
            return self.lexer.cursor.next().into_iter().collect();
        };
        let line = self.lexer.cursor.line;
        self.lexer.cursor.skip(found.as_str().chars().count());
        if !patterns::CALLER.is_match(found.as_str()) || !self.lexer.script.may_nest() {
            return found.as_str().to_owned();
        }
        let inner = found.as_str().get(2..found.len() - 1).unwrap_or_default();
        self.lexer
            .nest(inner.to_owned(), line, self.lexer.script.language);
        String::new()
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
