//! Assignments in PowerShell, Python and other languages.

use std::ops::Range;

use super::{Assignment, StatementParts, loop_variables};
use crate::language::Language;
use crate::patterns::{self, patterns};
use crate::statement::ScriptStatement;

patterns! {
    ASSIGNED = r"(?xi)^\s*(?:\[[^\]]*\]\s*)* (?:(?:const|let|var|my|our|local|final|static|public|private|string|def|return)\s+)*
          (?P<names> [$@%]?[\w.:]+ (?:\s*,\s*[$@]?[\w.]+)* ) (?P<index>\s*\[[^\]]*\])? \s* (?: :\s*[\w.\[\],\s]+? )?
          \s* (?: \+ | : | \|\| )? (?P<sign>=) (?: [^=~>] | $ )";
    /// `name.add_header(…)`, `$name.Headers.Add(…)`, `name.headers.update(…)`.
    MODIFIED = r"(?i)^\s*(?:\[void\]\s*)?(?:([$@%]?[\w.]+?)(?:\.headers?)?(?:\.|->)(?:\w*add\w*|update|connect|set\w*|append|\w*header\w*|store|push)\s*(?:\(|=)|curl_setopt\(\s*([$]\w+))";
    PARAMETER = r#"([$]?\w+)\s*(?::\s*\w+\s*)?=\s*(["'][^"']*["']|@?\{[^{}]*\})"#;

    BLOCK = r"(?:\bdo|\{)\s*\|\s*(\w+)[^|]*\|";
}

/// ResolvedNames, separated by commas, and where their value is.
type Assigned<'t> = (&'t str, Range<usize>);

/// The parts of a statement.
pub(super) fn parts(statement: &ScriptStatement) -> StatementParts {
    let text = &statement.text;
    let of_loop = loop_variables(text);
    let only_assigned = match of_loop {
        Some(_) => None,
        None => defaults(text)
            .or_else(|| assigned(text).map(|found| vec![found]))
            .or_else(|| modified(text).map(|found| vec![found])),
    };
    let only_assigns = only_assigned.is_some();
    let all = (of_loop.into_iter())
        .chain(block_parameter(text))
        .chain(only_assigned.into_iter().flatten());
    StatementParts {
        assignments: all
            .map(|(names, value)| assignment(statement.language, names, value))
            .collect(),
        only_assigns,
        exports: only_assigns,
        program: text.split_whitespace().next().map(str::to_owned),
    }
}

/// The default values of parameters, where a statement declares parameters.
fn defaults(text: &str) -> Option<Vec<Assigned<'_>>> {
    let declares = patterns::FUNCTION.is_match(text)
        || text
            .get(..5)
            .is_some_and(|word| word.eq_ignore_ascii_case("param"));
    let found = PARAMETER.captures_iter(text);
    let defaults = found.filter_map(|found| Some((found.get(1)?.as_str(), found.get(2)?.range())));
    declares.then(|| defaults.collect())
}

fn assigned(text: &str) -> Option<Assigned<'_>> {
    let found = ASSIGNED.captures(text)?;
    // An index is the key of what is stored, and searched with it.
    let value = match found.name("index") {
        Some(index) => index.start(),
        None => found.name("sign")?.end(),
    };
    Some((found.name("names")?.as_str(), value..text.len()))
}

/// The parameter of a block of Ruby, which is made from what is before the block.
fn block_parameter(text: &str) -> Option<Assigned<'_>> {
    let found = BLOCK.captures(text)?;
    Some((found.get(1)?.as_str(), 0..found.get(0)?.start()))
}

/// An object to which a method adds something.
fn modified(text: &str) -> Option<Assigned<'_>> {
    let found = MODIFIED.captures(text)?;
    let name = found.get(1).or(found.get(2))?;
    Some((name.as_str(), name.end()..text.len()))
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
        configures: None,
    }
}

/// The part of a name by which it is used elsewhere: `session` in `self.session.headers`.
/// PowerShell's objects are used as a whole.
fn object(language: Language, name: &str) -> &str {
    let bare = name.trim_start_matches(['$', '@', '%']);
    let bare = bare.rsplit(':').next().unwrap_or(bare);
    if language == Language::PowerShell {
        return bare.split('.').next().unwrap_or(bare);
    }
    let bare = bare
        .strip_prefix("self.")
        .or(bare.strip_prefix("this."))
        .unwrap_or(bare);
    let object = match bare.rsplit_once('.') {
        Some((object, last)) if last.to_lowercase().ends_with("headers") => object,
        _ => bare,
    };
    object.rsplit('.').next().unwrap_or(object)
}
