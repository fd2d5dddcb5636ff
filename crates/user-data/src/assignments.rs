//! Which names a statement assigns values to.

mod code;
mod shell;

use std::ops::Range;

use crate::language::Language;
use crate::patterns::patterns;
use crate::statement::ScriptStatement;

/// Names and the value that a statement assigns to them.
#[derive(Debug, Clone)]
pub(crate) struct Assignment {
    /// In the form of [`ResolvedNames`](crate::names::ResolvedNames).
    pub(crate) names: Vec<String>,
    /// Where the value is in the text.
    pub(crate) value: Range<usize>,
    /// The program of which the value is the configuration.
    pub(crate) configures: Option<&'static str>,
}

/// What a statement assigns and runs.
#[derive(Debug, Default)]
pub(crate) struct StatementParts {
    pub(crate) assignments: Vec<Assignment>,
    /// Whether it does nothing but assign values.
    pub(crate) only_assigns: bool,
    /// Whether other programs get the values, as environment variables.
    pub(crate) exports: bool,
    /// The program or the first word.
    pub(crate) program: Option<String>,
}

patterns! {
    LOOP = r"(?i)^\s*(?:for|foreach)\s*\(?\s*(?:const\s+|let\s+|var\s+)?([$@%]?\w+(?:\s*,\s*\w+)*)\s+(?:in|of)\s+";
}

/// The parts of a statement.
pub(crate) fn parts(statement: &ScriptStatement) -> StatementParts {
    match statement.language {
        Language::Shell => shell::parts(statement),
        _ => code::parts(statement),
    }
}

/// The program that a shell's command runs.
pub(crate) fn program(text: &str) -> Option<&str> {
    shell::read_words(text, &mut Vec::new()).0
}

/// The name of a file, in the form of [`ResolvedNames`](crate::names::ResolvedNames).
pub(crate) fn file(name: &str) -> String {
    format!("@{}", name.trim_matches(['"', '\'']))
}

/// The variables of a loop, and where the values are that they take.
fn loop_variables(text: &str) -> Option<(&str, Range<usize>)> {
    let found = LOOP.captures(text)?;
    Some((found.get(1)?.as_str(), found.get(0)?.end()..text.len()))
}
