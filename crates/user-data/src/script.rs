//! A script, or one that is nested in another.

use std::rc::Rc;

use crate::language::Language;

/// Text that is run, or may be.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    /// With line feeds alone at the ends of lines.
    pub(crate) text: String,
    /// The number of its first line.
    pub(crate) line: usize,
    /// The number of its last line: a line feed that is written as an escape begins no line.
    pub(crate) last_line: usize,
    pub(crate) language: Language,
    /// The program that prints it or, with `@`, the file to which it is written, where nothing else
    /// is known to read it.
    pub(crate) reader: Option<Rc<str>>,
    /// As in [`Finding`](crate::Finding).
    pub(crate) part: Option<String>,
    /// In how many other scripts it is nested.
    depth: usize,
}

/// Scripts in quotes in scripts in here-documents; deeper ones are text.
const MAX_DEPTH: usize = 6;

impl Script {
    /// A script that is not nested, and in no named part.
    pub(crate) fn new(text: &str, line: usize, language: Language) -> Self {
        Script {
            text: text.replace("\r\n", "\n").replace('\r', "\n"),
            line,
            last_line: usize::MAX,
            language,
            reader: None,
            part: None,
            depth: 0,
        }
    }

    /// A script nested in this one.
    pub(crate) fn nested(&self, text: &str, line: usize, language: Language) -> Script {
        Script {
            last_line: self.last_line,
            part: self.part.clone(),
            depth: self.depth + 1,
            ..Script::new(text, line, language)
        }
    }

    /// Whether the scripts nested in this one are searched.
    pub(crate) fn may_nest(&self) -> bool {
        self.depth < MAX_DEPTH
    }
}
