//! Assignments in shell commands.

use std::ops::Range;

use super::{Assignment, LOOP, StatementParts, assigned, file};
use crate::patterns::{self, patterns};
use crate::statement::ScriptStatement;

patterns! {
    /// `name=value`, as a whole or the value in quotes.
    ASSIGNED = r#"(?s)^["']*(?P<names>\w+)(?:\[[^\]]*\])?\+?=(?P<value>.*)"#;

    /// `${name:=value}`.
    DEFAULT = r"\$\{(?P<names>\w+):?=(?P<value>[^}]*)";

    /// Separated by blanks that are neither in quotes nor in the parentheses of an array.
    WORD = r#"(?xs)(?: =\( (?: "[^"]*" | '[^']*' | \([^()]*\) | [^()"'] )* \)? | \\. | [^\s"'\\]
          | " (?: \\. | [^"\\] )* "? | ' (?: \\. | [^'\\] )* '? )+"#;

    /// An option of `sudo` and the like, or the duration that `timeout` takes.
    OPTION = r"^(?:-.*|[0-9s]*)$";
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
    let named = |(name, value)| Assignment {
        names: vec![format!("${name}")],
        value,
    };
    let mut assignments: Vec<Assignment> = assigned(&LOOP, text).map(named).collect();
    let (program, declares) = match assignments.is_empty() {
        true => read_words(text, &mut assignments),
        false => (None, false),
    };
    assignments.extend(assigned(&DEFAULT, text).map(named));
    let assigns = declares || !assignments.is_empty();
    assignments.extend(written_file(statement));
    StatementParts {
        only_assigns: program.is_none() && assigns,
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
    for found in WORD.find_iter(text) {
        let word = found.as_str();
        if let Some((name, value)) = assigned(&ASSIGNED, word).next() {
            let mut names = vec![format!("${name}")];
            names.extend((declaration == Some("alias")).then(|| name.to_owned()));
            let Range { start, end } = value;
            let value = found.start() + start..found.start() + end;
            assignments.push(Assignment { names, value });
        } else if DECLARATIONS.contains(&word) {
            declaration = Some(word);
        } else if PREFIXES.contains(&word) {
            prefixed = true;
        } else if declaration.is_none() && !(prefixed && OPTION.is_match(word)) {
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
    let reader = statement.reader.as_deref();
    let within = reader.filter(|reader| reader.starts_with('@'));
    Some(Assignment {
        names: vec![target.or_else(|| within.map(str::to_owned))?],
        value: 0..statement.text.len(),
    })
}
