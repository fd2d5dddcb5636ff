//! Assignments in shell commands.

use std::ops::Range;

use super::{Assignment, StatementParts, file, loop_variables};
use crate::patterns::{self, patterns};
use crate::statement::ScriptStatement;

patterns! {
    ASSIGNED = r"^(\w+)(?:\[[^\]]*\])?\+?=";
    DEFAULT = r"\$\{(\w+):?=([^}]*)";
}

/// Words before a command.
const PREFIXES: &[&str] = &[
    "if", "then", "elif", "else", "while", "until", "do", "!", "time", "sudo", "env", "exec",
    "command", "nohup", "builtin", "timeout", "{", "-", "&&", "||", "ENV", "RUN",
];

/// Commands whose arguments are assignments.
const DECLARATIONS: &[&str] = &[
    "export", "local", "readonly", "declare", "typeset", "set", "alias", "setx",
];

/// The parts of a command.
pub(super) fn parts(statement: &ScriptStatement) -> StatementParts {
    let text = &statement.text;
    let mut assignments: Vec<Assignment> = written_file(statement)
        .into_iter()
        .chain(defaults(text))
        .collect();
    let (program, declares) = match loop_variables(text) {
        Some((name, value)) => {
            let names = vec![format!("${name}")];
            assignments.push(Assignment {
                names,
                value,
                configures: None,
            });
            (None, false)
        }
        None => read_words(text, &mut assignments),
    };
    let is_file = |name: &String| name.starts_with('@');
    let sets_variable = |assignment: &Assignment| !assignment.names.iter().any(is_file);
    StatementParts {
        only_assigns: program.is_none() && (declares || assignments.iter().any(sets_variable)),
        exports: declares,
        program: program.map(str::to_owned),
        assignments,
    }
}

/// The program, and whether the command is a declaration. Adds the assignments before the program.
pub(super) fn read_words<'t>(
    text: &'t str,
    assignments: &mut Vec<Assignment>,
) -> (Option<&'t str>, bool) {
    let mut declaration = None;
    let mut prefixed = false;
    for range in words(text) {
        let word = text.get(range.clone()).unwrap_or_default();
        if let Some(assignment) = assignment(word, range, declaration) {
            assignments.push(assignment);
        } else if DECLARATIONS.contains(&word) {
            declaration = Some(word);
        } else if PREFIXES.contains(&word) {
            prefixed = true;
        } else if declaration.is_none() && !(prefixed && is_option(word)) {
            return (Some(word), false);
        }
    }
    (None, declaration.is_some())
}

/// A file holds what a command prints to it, but not what a call responds.
fn written_file(statement: &ScriptStatement) -> Option<Assignment> {
    if patterns::callers(&statement.text).next().is_some() {
        return None;
    }
    let target = patterns::TARGET.captures(&statement.text);
    let target = target.and_then(|found| Some(file(found.get(1)?.as_str())));
    let within = statement
        .reader
        .as_deref()
        .filter(|reader| reader.starts_with('@'));
    let file = target.or_else(|| within.map(str::to_owned))?;
    let configurations = [(".curlrc", "curl"), (".wgetrc", "wget")];
    let mut configurations = configurations.into_iter();
    let configured = configurations.find(|(name, _)| file.ends_with(name));
    Some(Assignment {
        names: vec![file],
        value: 0..statement.text.len(),
        configures: configured.map(|(_, program)| program),
    })
}

/// `${name:=value}`.
fn defaults(text: &str) -> impl Iterator<Item = Assignment> {
    DEFAULT.captures_iter(text).filter_map(|found| {
        Some(Assignment {
            names: vec![format!("${}", found.get(1)?.as_str())],
            value: found.get(2)?.range(),
            configures: None,
        })
    })
}

/// `name=value`, as a whole or the value in quotes.
fn assignment(word: &str, range: Range<usize>, declaration: Option<&str>) -> Option<Assignment> {
    let unquoted = word.trim_start_matches(['"', '\'']);
    let found = ASSIGNED.captures(unquoted)?;
    let name = found.get(1)?.as_str();
    let mut names = vec![format!("${name}")];
    if declaration == Some("alias") {
        names.push(name.to_owned());
    }
    let quotes = word.len() - unquoted.len();
    Some(Assignment {
        names,
        value: range.start + quotes + found.get(0)?.end()..range.end,
        configures: None,
    })
}

/// An option of `sudo` and the like, or the duration that `timeout` takes.
fn is_option(word: &str) -> bool {
    let in_duration = |letter: char| letter.is_ascii_digit() || letter == 's';
    word.starts_with('-') || word.chars().all(in_duration)
}

/// The words, separated by blanks that are neither in quotes nor in the parentheses of an array.
fn words(text: &str) -> Vec<Range<usize>> {
    let mut words = Vec::new();
    let mut start = None;
    let mut quote = None;
    let mut parentheses = 0_usize;
    let mut before = ' ';
    for (at, letter) in text.char_indices() {
        let inside = quote.is_some() || parentheses > 0;
        if letter.is_whitespace() && !inside {
            words.extend(start.take().map(|start| start..at));
        } else {
            start.get_or_insert(at);
            match (quote, letter) {
                (Some(open), _) if letter == open && before != '\\' => quote = None,
                (None, '"' | '\'') if before != '\\' => quote = Some(letter),
                (None, '(') if before == '=' || parentheses > 0 => parentheses += 1,
                (None, ')') => parentheses = parentheses.saturating_sub(1),
                _ => {}
            }
        }
        before = letter;
    }
    words.extend(start.map(|start| start..text.len()));
    words
}
