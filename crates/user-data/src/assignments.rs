//! Which names a statement assigns values to.

mod code;
mod shell;

use std::ops::Range;

use regex::Regex;

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
}

/// What a statement assigns and runs.
#[derive(Debug, Default)]
pub(crate) struct StatementParts {
    pub(crate) assignments: Vec<Assignment>,
    /// Whether it does nothing but assign values.
    pub(crate) only_assigns: bool,
    /// Whether other programs get the values, as environment variables.
    pub(crate) exports: bool,
    /// The program that a shell runs.
    pub(crate) program: Option<String>,
}

patterns! {
    /// The variables of a loop, and the values that they take.
    LOOP = r"(?is)^\s*(?:for|foreach)\s*\(?\s*(?:const\s+|let\s+|var\s+)?(?P<names>[$@%]?\w+(?:\s*,\s*\w+)*)\s+(?:in|of)\s+(?P<value>.*)";
}

/// Names as they are written, separated by commas, and where their value is.
type Assigned<'t> = (&'t str, Range<usize>);

/// The names and values where a pattern occurs.
fn assigned<'t>(pattern: &'static Regex, text: &'t str) -> impl Iterator<Item = Assigned<'t>> {
    let found = pattern.captures_iter(text);
    found.filter_map(|it| Some((it.name("names")?.as_str(), it.name("value")?.range())))
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
