//! Splits every language but shell into statements.

use super::lexer::Lexer;
use crate::language::{Language, by_interpreter};
use crate::patterns::{self, patterns};
use crate::script::Script;
use crate::statement::{ScriptStatement, StatementBuilder, start};

/// The statements, and the scripts in multi-line strings. What is in brackets and in the braces of
/// a literal does not end a statement, but a block in brackets has statements of its own.
pub(super) fn split(script: &Script) -> (Vec<ScriptStatement>, Vec<Script>) {
    let mut splitter = CodeSplitter {
        lexer: Lexer::new(script),
        powershell: script.language == Language::PowerShell,
        python: script.language == Language::Python,
        open: Vec::new(),
        indent: 0,
        definitions: Vec::new(),
    };
    splitter.split();
    (splitter.lexer.statements, splitter.lexer.nested)
}

struct CodeSplitter<'s> {
    lexer: Lexer<'s>,
    powershell: bool,
    python: bool,
    /// What is open at the position: the character that closes it and, for a block, the beginning
    /// of the statement that contains it.
    open: Vec<(char, Option<StatementBuilder>)>,
    /// The indentation of the line.
    indent: usize,
    /// The indentation of the `def` of each open block of Python.
    definitions: Vec<usize>,
}

patterns! {
    /// A list of statements within a statement of PowerShell, and not of strings.
    STATEMENTS = r#"^(?:\$\(|@\(\s*[^\s"'])"#;

    /// What follows the brace of a literal: a key, or nothing. Or a block of Ruby on one line.
    LITERAL = r#"^\{\s*(?:\}|\.\.\.|(?:"[^"]*"|'[^']*'|\[[^\]]*\]|[:$]?[\w-]+)\s*(?:=>|:[^:=])|\|[^|\n]*\|[^\n]*\})"#;
}

/// How many brackets at most are taken as never closed.
const MAX_UNCLOSED: usize = 8;

/// How much of a literal shows that it is one, in bytes.
const LOOKAHEAD: usize = 300;

impl CodeSplitter<'_> {
    fn split(&mut self) {
        while let Some(letter) = self.lexer.cursor.peek() {
            let rest = self.lexer.cursor.rest;
            let escape = if self.powershell { '`' } else { '\\' };
            match letter {
                '#' | '/' | '<' if self.skips_comment() => {}
                _ if letter == escape => self.lexer.take_escape(" "),
                '"' if self.python && rest.starts_with("\"\"\"") => self.long_string(3, "\"\"\""),
                '\'' if self.python && rest.starts_with("'''") => self.long_string(3, "'''"),
                '@' if rest.starts_with("@\"\n") => self.long_string(2, "\n\"@"),
                '@' if rest.starts_with("@'\n") => self.long_string(2, "\n'@"),
                '"' | '\'' | '`' => self.quoted(letter),
                '$' | '@' if self.powershell && STATEMENTS.is_match(rest) => {
                    self.lexer.take();
                    self.begin_block(')');
                }
                '(' => self.open_bracket(')'),
                '[' => self.open_bracket(']'),
                '{' if self.begins_literal() => self.open_bracket('}'),
                '{' => self.begin_block('}'),
                '}' | ')' | ']' => self.close(letter),
                '\n' if self.lexer.draft.text.trim_end().ends_with('|') => self.lexer.take(),
                // Each line of a hash table is an entry.
                '\n' if self.powershell && matches!(self.open.last(), Some(('}', None))) => {
                    self.lexer.draft.push(';', self.lexer.cursor.line);
                    self.lexer.cursor.next();
                }
                '\n' | ';' if !self.in_brackets() => self.end_statement(),
                _ => self.lexer.take(),
            }
        }
        self.end_statement();
        while let Some((_, block)) = self.open.pop() {
            self.lexer.draft = block.unwrap_or_default();
            self.lexer.end_statement();
        }
    }

    fn in_brackets(&self) -> bool {
        matches!(self.open.last(), Some((_, None)))
    }

    fn skips_comment(&mut self) -> bool {
        let (line, begin, end) = match self.lexer.script.language {
            Language::PowerShell => ("#", "<#", "#>"),
            Language::Python => ("#", "#", "\n"),
            _ => ("//", "/*", "*/"),
        };
        let at_word = self.python || self.lexer.draft.at_word();
        let cursor = &mut self.lexer.cursor;
        if at_word && (cursor.rest.starts_with(line) || cursor.rest.starts_with('#')) {
            cursor.take_line();
            return true;
        }
        cursor.rest.starts_with(begin) && cursor.take_until(end).is_some()
    }

    fn open_bracket(&mut self, close: char) {
        self.open.push((close, None));
        self.lexer.take();
    }

    /// Whether a brace begins a value rather than a block.
    fn begins_literal(&self) -> bool {
        let before = self.lexer.draft.text.trim_end();
        if self.powershell {
            return before.ends_with(['$', '@']);
        }
        self.python
            || before.ends_with(['=', ':', ',', '(', '[', '$', '@'])
            || before.ends_with("return")
            || LITERAL.is_match(start(self.lexer.cursor.rest, LOOKAHEAD))
    }

    /// Leaves the statement until the block within it is closed.
    fn begin_block(&mut self, close: char) {
        self.lexer.cursor.next();
        let statement = std::mem::take(&mut self.lexer.draft);
        let function = patterns::defined_function(&statement.text);
        self.lexer.begin_block(function);
        self.open.push((close, Some(statement)));
    }

    fn close(&mut self, letter: char) {
        // A bracket that is never closed, as in a pattern, ends with the brackets around it.
        let mut last = self.open.iter().rev().take(MAX_UNCLOSED);
        let unclosed = last.position(|(close, block)| *close == letter || block.is_some());
        let open = self.open.len() - unclosed.unwrap_or_default();
        self.open.truncate(open);
        match self.open.pop_if(|(close, _)| *close == letter) {
            Some((_, Some(statement))) => {
                self.lexer.end_statement();
                self.lexer.blocks.pop();
                self.lexer.draft = statement;
                self.lexer.cursor.next();
                if !self.in_brackets() {
                    self.lexer.end_statement();
                }
            }
            None if letter == '}' => self.end_statement(),
            _ => self.lexer.take(),
        }
    }

    fn quoted(&mut self, quote: char) {
        let escape = match self.powershell {
            true if quote == '\'' => None,
            true => Some('`'),
            false => Some('\\'),
        };
        let line = self.lexer.cursor.line;
        self.lexer.cursor.next();
        let mut text = String::new();
        let ends = |letter: char| letter == quote || self.python && letter == '\n';
        while let Some(letter) = self.lexer.cursor.peek().filter(|letter| !ends(*letter)) {
            if Some(letter) == escape {
                self.lexer.cursor.next();
                let escaped = self.lexer.cursor.peek();
                text.extend(escaped.filter(|it| *it != quote).and(escape));
            }
            text.extend(self.lexer.cursor.next());
        }
        let closed = self.lexer.cursor.peek() == Some(quote);
        if closed {
            self.lexer.cursor.next();
        }
        self.string(quote, line, text, closed);
    }

    /// A string of several lines, after a beginning of as many bytes.
    fn long_string(&mut self, begin: usize, end: &str) {
        let line = self.lexer.cursor.line;
        self.lexer.cursor.take(begin);
        if let Some(text) = self.lexer.cursor.take_until(end) {
            self.string('"', line, text.to_owned(), true);
        }
    }

    /// A string that contains a call is a nested script where it has several lines or is passed to
    /// an interpreter. One with which a statement of Python begins describes what follows.
    fn string(&mut self, quote: char, line: usize, text: String, closed: bool) {
        if self.python && self.lexer.draft.text.is_empty() {
            return;
        }
        let is_script = patterns::CALLER.is_match(&text)
            && (!closed
                || text.contains('\n')
                || by_interpreter(self.lexer.draft.head()).is_some());
        self.lexer.push_string(quote, line, text, is_script);
    }

    /// Skips the character that ends the statement.
    fn end_statement(&mut self) {
        let letter = self.lexer.cursor.next();
        if self.python && !self.lexer.draft.text.trim().is_empty() {
            let indent = self.indent;
            while self.definitions.pop_if(|it| *it >= indent).is_some() {
                self.lexer.blocks.pop();
            }
            if let Some(name) = patterns::defined_function(&self.lexer.draft.text) {
                self.definitions.push(indent);
                self.lexer.blocks.push(Some(name.into()));
            }
        }
        self.lexer.end_statement();
        if letter == Some('\n') {
            let is_blank = |letter| matches!(letter, ' ' | '\t');
            self.indent = self.lexer.cursor.take_while(is_blank).len();
        }
    }
}
