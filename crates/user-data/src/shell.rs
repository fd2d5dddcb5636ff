//! Splits shell scripts into commands. It understands quotes, substitutions, here-documents and
//! functions, and takes whatever it does not understand as text.

use std::rc::Rc;

use crate::command::{Command, Cursor, Draft, start};
use crate::language::{Language, by_file_name, by_interpreter, language};
use crate::patterns;
use crate::script::Script;

/// The commands, and the scripts in quotes and here-documents. What is substituted, in `$(…)` or
/// backticks, is a command of its own and missing in the command around it.
pub(crate) fn split(script: &Script) -> (Vec<Command>, Vec<Script>) {
    let mut reader = Reader {
        script,
        cursor: Cursor::new(&script.text, script.line),
        functions: Vec::new(),
        announced: None,
        documents: Vec::new(),
        line: String::new(),
        commands: Vec::new(),
        inner: Vec::new(),
    };
    while reader.cursor.peek().is_some() {
        reader.list(None, 0);
    }
    (reader.commands, reader.inner)
}

/// Substitutions within substitutions; deeper ones are text.
const DEEPEST: usize = 24;

struct Reader<'s> {
    script: &'s Script,
    cursor: Cursor,
    /// An item for each open brace: the function that it is in.
    functions: Vec<Option<Rc<str>>>,
    announced: Option<Rc<str>>,
    /// Here-documents that begin after this line.
    documents: Vec<Document>,
    /// The line so far, with the commands before.
    line: String,
    commands: Vec<Command>,
    inner: Vec<Script>,
}

struct Document {
    end: String,
    indented: bool,
}

impl Reader<'_> {
    /// Commands up to the closing letter, which is taken.
    fn list(&mut self, close: Option<char>, depth: usize) {
        let mut draft = Draft::default();
        while let Some(letter) = self.cursor.peek() {
            let line = self.cursor.line;
            let at_word = draft.at_word();
            match letter {
                _ if Some(letter) == close => {
                    self.cursor.next();
                    break;
                }
                '\\' => self.escape(&mut draft),
                '#' if at_word => {
                    self.cursor.rest_of_line();
                }
                '\'' => self.single_quoted(&mut draft),
                '"' => self.double_quoted(&mut draft, depth),
                '$' if self.cursor.ahead(1) == Some('(') && depth < DEEPEST => {
                    self.cursor.skip(2);
                    self.substitution(&mut draft, ')', depth);
                }
                '`' if depth < DEEPEST => {
                    self.cursor.next();
                    self.substitution(&mut draft, '`', depth);
                }
                '<' if self.cursor.sees("<<") && !self.cursor.sees("<<<") => self.document(),
                '\n' => {
                    self.cursor.next();
                    self.end(&mut draft);
                    self.documents();
                    self.line.clear();
                }
                '&' if draft.text.ends_with('>') || draft.text.ends_with('<') => {
                    self.take(&mut draft);
                }
                ';' | '|' | '&' => {
                    self.cursor.next();
                    self.end(&mut draft);
                }
                '(' if draft.text.ends_with('=') => self.array(&mut draft, depth),
                '(' if self.cursor.ahead(1) == Some(')') && !at_word => {
                    self.cursor.skip(2);
                    self.announced = Some(draft.last_word().into());
                    draft = Draft::default();
                }
                '(' if depth < DEEPEST => {
                    self.cursor.next();
                    self.end(&mut draft);
                    self.list(Some(')'), depth + 1);
                }
                ')' => {
                    self.cursor.next();
                    self.end(&mut draft);
                }
                '{' if at_word && self.cursor.ahead(1).is_none_or(char::is_whitespace) => {
                    self.cursor.next();
                    let named = draft.text.strip_prefix("function ");
                    let named = named.map(|name| name.trim().into());
                    let function = self.announced.take().or(named).or_else(|| self.function());
                    self.end(&mut draft);
                    self.functions.push(function);
                }
                '}' if draft.text.is_empty() => {
                    self.cursor.next();
                    self.functions.pop();
                }
                _ => self.take(&mut draft),
            }
            if self.cursor.line == line {
                self.line.push(letter);
            }
        }
        self.end(&mut draft);
    }

    fn function(&self) -> Option<Rc<str>> {
        self.functions.last().cloned().flatten()
    }

    fn take(&mut self, draft: &mut Draft) {
        let line = self.cursor.line;
        if let Some(letter) = self.cursor.next() {
            draft.push(letter, line);
        }
    }

    fn escape(&mut self, draft: &mut Draft) {
        if self.cursor.ahead(1) == Some('\n') {
            self.cursor.skip(2);
        } else {
            self.take(draft);
            self.take(draft);
        }
    }

    fn end(&mut self, draft: &mut Draft) {
        self.line.push_str(&draft.text);
        let function = self.function();
        let part = self.script.part.as_ref();
        let command = draft.finish(Language::Shell, function, part);
        // `rem` is the comment of Windows' command files.
        let is_comment = |command: &Command| patterns::REMARK.is_match(&command.text);
        self.commands
            .extend(command.filter(|command| !is_comment(command)));
    }

    fn single_quoted(&mut self, draft: &mut Draft) {
        let line = self.cursor.line;
        self.cursor.next();
        // An apostrophe that is never closed is no quote.
        match self.cursor.until("'") {
            Some(text) => self.quoted(draft, '\'', text, line, true),
            None => draft.push('\'', line),
        }
    }

    fn double_quoted(&mut self, draft: &mut Draft, depth: usize) {
        let line = self.cursor.line;
        self.cursor.next();
        let mut plain = String::new();
        while let Some(letter) = self.cursor.peek() {
            match letter {
                '"' => break,
                '\\' if self.cursor.ahead(1) == Some('\n') => self.cursor.skip(2),
                '\\' => {
                    self.cursor.next();
                    let escaped = self.cursor.next();
                    plain.extend(escaped);
                }
                '$' if self.cursor.ahead(1) == Some('(') && depth < DEEPEST => {
                    self.cursor.skip(2);
                    plain.push_str(&self.substituted(')', depth));
                }
                '`' if depth < DEEPEST => {
                    self.cursor.next();
                    plain.push_str(&self.substituted('`', depth));
                }
                _ => {
                    plain.push(letter);
                    self.cursor.next();
                }
            }
        }
        let closed = self.cursor.next().is_some();
        self.quoted(draft, '"', plain, line, closed);
    }

    /// Text in quotes is looked into where it may be a script, but for what is assigned to a name.
    fn quoted(&mut self, draft: &mut Draft, quote: char, text: String, line: usize, closed: bool) {
        let assigned = closed && patterns::ASSIGNS.is_match(start(draft.last_word(), 200));
        let runs = text.contains(char::is_whitespace) && patterns::CALLER.is_match(&text);
        draft.push(quote, line);
        if runs && !assigned && self.script.may_hold_more() {
            let language = by_interpreter(draft.head()).unwrap_or_else(|| language(&text));
            self.inner.extend(self.script.inner(text, line, language));
        } else {
            let mut at = line;
            for letter in text.chars() {
                draft.push(letter, at);
                at += usize::from(letter == '\n');
            }
        }
        draft.push(quote, line);
    }

    /// Leaves `$(name)` for a function without arguments that matter, and else `$()`.
    fn substitution(&mut self, draft: &mut Draft, close: char, depth: usize) {
        let line = self.cursor.line;
        for letter in self.substituted(close, depth).chars() {
            draft.push(letter, line);
        }
    }

    fn substituted(&mut self, close: char, depth: usize) -> String {
        let before = self.commands.len();
        self.list(Some(close), depth + 1);
        let inner = self.commands.get(before..).unwrap_or_default();
        let name = match inner {
            [only] => only.text.split(' ').next().unwrap_or_default(),
            _ => "",
        };
        let is_name = name
            .chars()
            .all(|l| l.is_alphanumeric() || l == '_' || l == '-');
        if is_name && !patterns::CALLER.is_match(name) {
            format!("$({name})")
        } else {
            "$()".to_owned()
        }
    }

    fn array(&mut self, draft: &mut Draft, depth: usize) {
        self.take(draft);
        while let Some(letter) = self.cursor.peek() {
            match letter {
                ')' => {
                    self.take(draft);
                    return;
                }
                '\\' => self.escape(draft),
                '\'' => self.single_quoted(draft),
                '"' => self.double_quoted(draft, depth),
                '#' if draft.at_word() => {
                    self.cursor.rest_of_line();
                }
                '$' if self.cursor.ahead(1) == Some('(') && depth < DEEPEST => {
                    self.cursor.skip(2);
                    self.substitution(draft, ')', depth);
                }
                _ => self.take(draft),
            }
        }
    }

    /// Notes a here-document; its text comes after the line.
    fn document(&mut self) {
        self.cursor.skip(2);
        let indented = self.cursor.peek() == Some('-');
        if indented {
            self.cursor.next();
        }
        while self.cursor.peek().is_some_and(|l| l == ' ' || l == '\t') {
            self.cursor.next();
        }
        let mut end = String::new();
        while let Some(letter) = self.cursor.peek() {
            match letter {
                '\'' | '"' | '\\' => {}
                _ if letter.is_whitespace() || ";|&()<>`".contains(letter) => break,
                _ => end.push(letter),
            }
            self.cursor.next();
        }
        if !end.is_empty() {
            self.documents.push(Document { end, indented });
        }
    }

    fn documents(&mut self) {
        let documents = std::mem::take(&mut self.documents);
        if documents.is_empty() {
            return;
        }
        let by_target = patterns::TARGET
            .captures(&self.line)
            .and_then(|target| by_file_name(target.get(1)?.as_str()));
        let by_line =
            by_target.or_else(|| by_interpreter(&self.line).filter(|l| *l != Language::Shell));
        for Document { end, indented } in documents {
            let first = self.cursor.line;
            let mut text = String::new();
            while self.cursor.peek().is_some() {
                let line = self.cursor.rest_of_line();
                self.cursor.next();
                let bare = if indented {
                    line.trim_start_matches('\t')
                } else {
                    &line
                };
                if bare.trim_end() == end {
                    break;
                }
                text.push_str(&line);
                text.push('\n');
            }
            let of_text = by_line.unwrap_or_else(|| language(&text));
            self.inner.extend(self.script.inner(text, first, of_text));
        }
    }
}
