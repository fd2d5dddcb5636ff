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
    /// A command that writes to a file what another one prints.
    TEE = r"^\s*(?:sudo\s+)?tee\b";

    /// The beginning of a here-document, with its delimiter; before a number, a sign of arithmetic.
    HERE_DOCUMENT = r"^<<(?P<indented>-)?[ \t]*(?P<delimiter>[^\s\d;|&()<>`][^\s;|&()<>`]*)";
}

struct ShellSplitter<'s> {
    lexer: Lexer<'s>,
    /// How many lists of commands are open: the script and substitutions and subshells in it.
    depth: usize,
    /// The function whose body begins at the next brace.
    announced: Option<String>,
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
                '<' if let Some(found) = self.here_document() => self.here_documents.push(found),
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
                let named = named.map(|name| name.trim().to_owned());
                let function = self.announced.take().or(named);
                self.end_command();
                self.lexer.begin_block(function.as_deref());
            }
            '}' if draft.text.is_empty() => {
                self.lexer.cursor.next();
                self.lexer.blocks.pop();
            }
            _ => self.lexer.take(),
        }
    }

    fn end_command(&mut self) {
        if patterns::NO_COMMAND.is_match(&self.lexer.draft.text) {
            self.lexer.draft = StatementBuilder::default();
            return;
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
        let before = file.and_then(|file| text.get(..file.start()));
        let mut commands = before.unwrap_or_default().split('|').skip(1);
        if rest.contains('|') || commands.any(|command| !TEE.is_match(command)) {
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
        let line = self.lexer.cursor.line;
        let rest = self.lexer.cursor.rest.get(1..).unwrap_or_default();
        match letter {
            '\\' => self.lexer.take_escape(""),
            '#' if self.lexer.draft.at_word() => {
                self.lexer.cursor.take_line();
            }
            '\'' if let Some((text, _)) = rest.split_once('\'') => {
                self.lexer.cursor.take(text.len() + 2);
                self.string('\'', line, text.to_owned(), true);
            }
            '"' => self.double_quoted(),
            '$' | '`' if let Some(output) = self.substitution() => {
                self.lexer.draft.push_text(&output, line);
            }
            _ => self.lexer.take(),
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
                '$' | '`' if let Some(output) = self.substitution() => text += &output,
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

    /// Reads a substitution. Returns `$(name)` for a single command, which may be a function, and
    /// `$()` for anything else.
    fn substitution(&mut self) -> Option<String> {
        let rest = self.lexer.cursor.rest;
        let mut kinds = [("$(", ')'), ("`", '`')].into_iter();
        let (open, close) = kinds.find(|(open, _)| rest.starts_with(open))?;
        if self.depth > MAX_DEPTH {
            return None;
        }
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
        Some(format!("$({})", if is_function { name } else { "" }))
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
    fn here_document(&mut self) -> Option<HereDocument<'s>> {
        let cursor = &mut self.lexer.cursor;
        let found = HERE_DOCUMENT.captures(cursor.rest)?;
        if self.lexer.draft.text.ends_with('<') {
            return None;
        }
        cursor.take(found.get_match().len());
        Some(HereDocument {
            delimiter: found
                .name("delimiter")?
                .as_str()
                .replace(['\'', '"', '\\'], ""),
            indented: found.name("indented").is_some(),
            command: self.lexer.draft.head().to_owned(),
            after: cursor.rest,
        })
    }

    fn read_here_documents(&mut self) {
        if self.here_documents.is_empty() {
            return;
        }
        let read = self.line.len() - self.lexer.cursor.rest.len();
        let line = start(self.line, read);
        let target = patterns::TARGET.captures(line);
        let by_target = target.and_then(|target| by_file_name(target.get(1)?.as_str()));
        let by_line = by_target.or_else(|| by_interpreter(line).filter(|l| *l != Language::Shell));
        for here_document in std::mem::take(&mut self.here_documents) {
            let line = self.lexer.cursor.line;
            let text = self.here_document_text(&here_document);
            if self.lexer.script.may_nest() {
                let language = by_line.unwrap_or_else(|| language(text));
                let mut nested = self.lexer.script.nested(text, line, language);
                let after = start(here_document.after, HEAD).lines().next();
                let after = after.unwrap_or_default();
                nested.reader = self.reader(&format!("{} {after}", here_document.command));
                self.lexer.nested.push(nested);
            }
        }
    }

    fn here_document_text(&mut self, here_document: &HereDocument) -> &'s str {
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
        text
    }
}
