//! Splits shell scripts into commands. It understands quotes, substitutions, here-documents and
//! functions, and takes everything else as text.

use std::rc::Rc;

use super::lexer::Lexer;
use crate::assignments;
use crate::language::{Language, by_file_name, by_interpreter, language};
use crate::patterns::{self, patterns};
use crate::script::Script;
use crate::statement::{ScriptStatement, StatementBuilder, end, start};

/// The commands, and the scripts in quotes and here-documents. A substitution, `$(…)` or in
/// backticks, is a command of its own and left out of the command that contains it.
pub(super) fn split(script: &Script) -> (Vec<ScriptStatement>, Vec<Script>) {
    let mut splitter = ShellSplitter {
        lexer: Lexer::new(script),
        depth: 0,
        announced: None,
        here_documents: Vec::new(),
        line: &script.text,
        strings: Vec::new(),
        pipes_blocks: patterns::BLOCK_OUTPUT.is_match(&script.text),
    };
    splitter.list(None);
    (splitter.lexer.statements, splitter.lexer.nested)
}

/// How much is read of a line with a here-document, in bytes.
const HEAD: usize = 1000;

/// Substitutions within substitutions; deeper ones are text.
const MAX_DEPTH: usize = 24;

patterns! {
    /// The beginning of a here-document, with its delimiter.
    HERE_DOCUMENT = r"^<<(?P<indented>-?)[ \t]*(?P<delimiter>[^\s;|&()<>`]+)";
}

struct ShellSplitter<'s> {
    lexer: Lexer<'s>,
    /// How many lists of commands are open: the script and substitutions and subshells in it.
    depth: usize,
    /// The function whose body begins at the next brace.
    announced: Option<Rc<str>>,
    /// Here-documents that begin after this line.
    here_documents: Vec<HereDocument<'s>>,
    /// The script from the beginning of the line on.
    line: &'s str,
    /// Which of the nested scripts are in strings of this command.
    strings: Vec<usize>,
    /// Whether the output of a loop or the like is redirected or piped.
    pipes_blocks: bool,
}

struct HereDocument<'s> {
    delimiter: String,
    /// `<<-`: tabs may precede the delimiter.
    indented: bool,
    /// The command so far.
    command: String,
    /// The script after the delimiter.
    after: &'s str,
}

impl<'s> ShellSplitter<'s> {
    /// Commands up to the closing character, which is skipped.
    fn list(&mut self, close: Option<char>) {
        self.depth += 1;
        while let Some(letter) = self.lexer.cursor.peek() {
            if Some(letter) == close {
                self.lexer.cursor.next();
                break;
            }
            match letter {
                '\n' => {
                    self.lexer.cursor.next();
                    self.end_command();
                    self.read_here_documents();
                    self.line = self.lexer.cursor.rest;
                }
                ';' | '|' | '&' | '(' | ')' | '{' | '}' => self.operator(letter),
                '<' if !self.lexer.draft.text.ends_with('<') => self.here_document(),
                '`' if self.begins_substitution("`") => self.substitution("`", '`'),
                _ => self.word_character(letter),
            }
        }
        self.end_command();
        self.depth -= 1;
    }

    fn operator(&mut self, letter: char) {
        let draft = &mut self.lexer.draft;
        let next = self.lexer.cursor.second();
        match letter {
            '&' if draft.text.ends_with(['>', '<']) => self.lexer.take(),
            // What is printed belongs to the command that reads it.
            '|' if next != Some('|') && !draft.text.ends_with('|') => {
                self.lexer.take();
                if !patterns::PRINTS.is_match(self.lexer.draft.head()) {
                    self.end_command();
                }
            }
            // The pattern of a `case`.
            ')' if !draft.text.contains(char::is_whitespace) => {
                self.lexer.cursor.next();
                *draft = StatementBuilder::default();
            }
            ';' | '|' | '&' | ')' => {
                self.lexer.cursor.next();
                self.end_command();
            }
            '(' if draft.text.ends_with('=') => self.array(),
            '(' if next == Some(')') && !draft.at_word() => {
                self.lexer.cursor.take(2);
                let draft = std::mem::take(draft);
                self.announced = draft.text.rsplit(' ').next().map(Into::into);
            }
            '(' if self.depth <= MAX_DEPTH => {
                self.lexer.cursor.next();
                self.end_command();
                self.list(Some(')'));
            }
            '{' if draft.at_word() && next.is_none_or(char::is_whitespace) => {
                self.lexer.cursor.next();
                let named = draft.text.strip_prefix("function ");
                let named = named.map(|name| name.trim().into());
                let function = self.announced.take().or(named);
                self.end_command();
                self.lexer.begin_block(function);
            }
            '}' if draft.text.is_empty() => {
                self.lexer.cursor.next();
                self.lexer.blocks.pop();
            }
            _ => self.lexer.take(),
        }
    }

    fn end_command(&mut self) {
        if patterns::BATCH_COMMENT.is_match(&self.lexer.draft.text) {
            self.lexer.draft = StatementBuilder::default();
        }
        let reader = self.reader(&self.lexer.draft.text);
        for string in std::mem::take(&mut self.strings) {
            if let Some(nested) = self.lexer.nested.get_mut(string) {
                nested.reader.clone_from(&reader);
            }
        }
        let before = self.lexer.statements.len();
        self.lexer.end_statement();
        if let Some(statement) = self.lexer.statements.get_mut(before)
            && (self.depth > 1 || self.lexer.script.reader.is_none())
        {
            statement.reader = reader;
        }
    }

    /// Who reads what a command prints: a file or, if nothing else does, who runs the program.
    fn reader(&self, text: &str) -> Option<Rc<str>> {
        let file = patterns::TARGET.captures(text).and_then(|it| it.get(1));
        let file = file.filter(|file| !file.as_str().starts_with("/dev/"));
        let rest = file.map_or(text, |file| text.get(file.end()..).unwrap_or_default());
        if rest.contains('|') {
            return None;
        }
        let program = assignments::program(text)?;
        let prints = patterns::PRINTS.is_match(program);
        if let Some(file) = file.filter(|_| prints) {
            return Some(assignments::file(file.as_str()).into());
        }
        // What a block prints may be piped as a whole.
        let in_block = !self.lexer.blocks.is_empty() || self.pipes_blocks;
        let is_piped = in_block && prints && !text.contains(">&2");
        (!is_piped && self.depth == 1).then(|| program.into())
    }

    /// Quotes, a substitution, a comment or one character.
    fn word_character(&mut self, letter: char) {
        match letter {
            '\\' => self.lexer.take_escape(""),
            '#' if self.lexer.draft.at_word() => {
                self.lexer.cursor.take_line();
            }
            '\'' => self.single_quoted(),
            '"' => self.double_quoted(),
            '$' if self.begins_substitution("$(") => self.substitution("$(", ')'),
            _ => self.lexer.take(),
        }
    }

    fn single_quoted(&mut self) {
        let line = self.lexer.cursor.line;
        self.lexer.cursor.next();
        match self.lexer.cursor.take_until("'") {
            Some(text) => self.string('\'', line, text.to_owned(), true),
            // An apostrophe that is never closed is not a quote.
            None => self.lexer.draft.push('\'', line),
        }
    }

    fn double_quoted(&mut self) {
        let line = self.lexer.cursor.line;
        self.lexer.cursor.next();
        let mut text = String::new();
        while let Some(letter) = self.lexer.cursor.peek().filter(|letter| *letter != '"') {
            match letter {
                '\\' => {
                    self.lexer.cursor.next();
                    text.extend(self.lexer.cursor.next().filter(|it| *it != '\n'));
                }
                '$' if self.begins_substitution("$(") => text += &self.substituted("$(", ')'),
                '`' if self.begins_substitution("`") => text += &self.substituted("`", '`'),
                _ => text.extend(self.lexer.cursor.next()),
            }
        }
        let closed = self.lexer.cursor.next().is_some();
        self.string('"', line, text, closed);
    }

    /// A string that contains a call is a nested script, unless it is assigned to a variable.
    fn string(&mut self, quote: char, line: usize, text: String, closed: bool) {
        let draft = &self.lexer.draft;
        let assigned = closed && patterns::ASSIGNS.is_match(end(&draft.text, 200));
        let is_script =
            !assigned && text.contains(char::is_whitespace) && patterns::CALLER.is_match(&text);
        // An apostrophe in a word may not be meant as a quote.
        if is_script && !draft.text.ends_with(char::is_alphanumeric) {
            self.strings.push(self.lexer.nested.len());
        }
        self.lexer.push_string(quote, line, text, is_script);
    }

    fn begins_substitution(&self, open: &str) -> bool {
        self.depth <= MAX_DEPTH && self.lexer.cursor.rest.starts_with(open)
    }

    fn substitution(&mut self, open: &str, close: char) {
        let line = self.lexer.cursor.line;
        let text = self.substituted(open, close);
        self.lexer.draft.push_text(&text, line);
    }

    /// Reads a substitution. Returns `$(name)` for a single command, which may be a function, and
    /// `$()` for anything else.
    fn substituted(&mut self, open: &str, close: char) -> String {
        self.lexer.cursor.take(open.len());
        let outer = std::mem::take(&mut self.lexer.draft);
        let strings = std::mem::take(&mut self.strings);
        let before = self.lexer.statements.len();
        self.list(Some(close));
        self.lexer.draft = outer;
        self.strings = strings;
        let name = match self.lexer.statements.get(before..) {
            Some([only]) => only.text.split(' ').next().unwrap_or_default(),
            _ => "",
        };
        let is_name = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '-';
        let is_function = name.chars().all(is_name) && !patterns::CALLER.is_match(name);
        format!("$({})", if is_function { name } else { "" })
    }

    fn array(&mut self) {
        self.lexer.take();
        while let Some(letter) = self.lexer.cursor.peek() {
            if letter == ')' {
                return self.lexer.take();
            }
            self.word_character(letter);
        }
    }

    /// Reads the beginning of a here-document; its text follows after the line.
    fn here_document(&mut self) {
        let cursor = &mut self.lexer.cursor;
        let Some(found) = HERE_DOCUMENT.captures(cursor.rest) else {
            return self.lexer.take();
        };
        let text = |name| found.name(name).map_or("", |it| it.as_str());
        cursor.take(found.get_match().len());
        self.here_documents.push(HereDocument {
            delimiter: text("delimiter").replace(['\'', '"', '\\'], ""),
            indented: !text("indented").is_empty(),
            command: self.lexer.draft.head().to_owned(),
            after: cursor.rest,
        });
    }

    fn read_here_documents(&mut self) {
        let read = self.line.len() - self.lexer.cursor.rest.len();
        let line = start(self.line, read);
        let target = patterns::TARGET.captures(line);
        let by_target = target.and_then(|target| by_file_name(target.get(1)?.as_str()));
        let by_line = by_target.or_else(|| by_interpreter(line).filter(|l| *l != Language::Shell));
        for here_document in std::mem::take(&mut self.here_documents) {
            let line = self.lexer.cursor.line;
            let text = self.here_document_text(&here_document);
            if self.lexer.script.may_nest() {
                let language = by_line.unwrap_or_else(|| language(&text));
                let mut nested = self.lexer.script.nested(text, line, language);
                let after = start(here_document.after, HEAD).lines().next();
                let after = after.unwrap_or_default();
                nested.reader = self.reader(&format!("{} {after}", here_document.command));
                self.lexer.nested.push(nested);
            }
        }
    }

    fn here_document_text(&mut self, here_document: &HereDocument) -> String {
        let indent = if here_document.indented { "\t" } else { "" };
        let is_text = |line: &&str| {
            let line = line.trim_start_matches(|letter| indent.contains(letter));
            line.trim_end() != here_document.delimiter
        };
        let cursor = &mut self.lexer.cursor;
        let lines = cursor.rest.split_inclusive('\n').take_while(is_text);
        let text = cursor.take(lines.map(str::len).sum());
        cursor.take_line();
        cursor.next();
        text.to_owned()
    }
}
