//! Assignments in PowerShell, Python and other languages.

use std::ops::Range;

use super::{Assigned, Assignment, LOOP, StatementParts, assigned};
use crate::language::Language;
use crate::patterns::{self, patterns};
use crate::statement::ScriptStatement;

patterns! {
    /// An index is the key of what is stored, and belongs to the value.
    ASSIGNED = r"(?xis)^\s*(?:\[[^\]]*\]\s*)* (?:(?:const|let|var|my|our|local|final|static|public|private|string|def|return)\s+)*
          (?P<names> [$@%]?[\w.:]+ (?:\s*,\s*[$@]?[\w.]+)* )
          (?P<value> (?:\s*\[[^\]]*\])? \s* (?: :\s*[\w.\[\],\s]+? )? \s* (?: \+ | : | \|\| )? = (?: [^=~>].* | $ ) )";

    /// `name.add_header(…)`, `$name.Headers.Add(…)`, `name.headers.update(…)`.
    MODIFIED = r"(?xis)^\s*(?:\[void\]\s*)?(?:curl_setopt\(\s*)? (?P<names> [$@%]?[\w.]+? )
          (?P<value> (?:\.headers?)? (?:\.|->|,\s*) (?:\w*add\w*|update|connect|set\w*|append|\w*header\w*|store|push|curlopt_\w+) \s* [(=,].* )";

    /// The parameter of a block of Ruby, which is made from what is before the block.
    BLOCK = r"(?s)^(?P<value>.*?)(?:\bdo|\{)\s*\|\s*(?P<names>\w+)[^|]*\|";

    /// The default value of a parameter.
    DEFAULT = r#"(?P<names>[$]?\w+)\s*(?::\s*\w+\s*)?=\s*(?P<value>["'][^"']*["']|@?\{[^{}]*\})"#;

    /// A statement that declares parameters.
    DECLARES = r"(?i)^param\b";
}

/// The parts of a statement.
pub(super) fn parts(statement: &ScriptStatement) -> StatementParts {
    let text = &statement.text;
    let mut all: Vec<Assigned> = assigned(&LOOP, text).collect();
    let mut only_assigns = false;
    if all.is_empty() {
        only_assigns = patterns::FUNCTION.is_match(text) || DECLARES.is_match(text);
        match only_assigns {
            true => all.extend(assigned(&DEFAULT, text)),
            false => all.extend(
                assigned(&ASSIGNED, text)
                    .chain(assigned(&MODIFIED, text))
                    .take(1),
            ),
        }
        only_assigns |= !all.is_empty();
    }
    all.extend(assigned(&BLOCK, text));
    let all = all.into_iter();
    StatementParts {
        assignments: all
            .map(|(names, value)| assignment(statement.language, names, value))
            .collect(),
        only_assigns,
        exports: only_assigns,
        program: None,
    }
}

fn assignment(language: Language, names: &str, value: Range<usize>) -> Assignment {
    let names = names.split(',').map(|name| {
        let name = name.trim();
        let signed = name.starts_with('$') && language == Language::PowerShell;
        let sign = if signed { "$" } else { "" };
        format!("{sign}{}", language.canonical_name(object(language, name)))
    });
    Assignment {
        names: names.collect(),
        value,
    }
}

/// The part of a name by which it is used elsewhere: `session` in `self.session.headers`.
/// PowerShell's objects are used as a whole.
fn object(language: Language, name: &str) -> &str {
    let bare = name.trim_start_matches(['$', '@', '%']);
    let bare = bare.rsplit(':').next().unwrap_or(bare);
    let mut parts = bare.split('.');
    if language == Language::PowerShell {
        return parts.next().unwrap_or(bare);
    }
    let mut parts = parts.rev();
    let last = parts.next().unwrap_or(bare);
    let object = parts.next().filter(|it| !matches!(*it, "self" | "this"));
    let is_headers = last.to_lowercase().ends_with("headers");
    object.filter(|_| is_headers).unwrap_or(last)
}
