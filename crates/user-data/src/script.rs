//! A script, or one within another.

use crate::language::Language;

/// Text that is run, or that may be.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    pub(crate) text: String,
    /// The number of its first line.
    pub(crate) line: usize,
    pub(crate) language: Language,
    /// As in [`Finding`](crate::Finding).
    pub(crate) part: Option<String>,
    /// Within how many other scripts it stands.
    pub(crate) depth: usize,
}

/// Scripts in quotes in scripts in here-documents.
const DEEPEST: usize = 6;

impl Script {
    pub(crate) fn new(text: impl Into<String>, language: Language, part: Option<String>) -> Self {
        Script {
            text: text.into(),
            line: 1,
            language,
            part,
            depth: 0,
        }
    }

    /// A script within this one.
    pub(crate) fn inner(&self, text: String, line: usize, language: Language) -> Option<Script> {
        (self.depth < DEEPEST).then(|| Script {
            text,
            line,
            language,
            part: self.part.clone(),
            depth: self.depth + 1,
        })
    }

    /// Whether scripts within it are still looked into.
    pub(crate) fn may_hold_more(&self) -> bool {
        self.depth < DEEPEST
    }
}
