//! Where a statement uses names: variables, functions and aliases.

use std::ops::Range;

use regex::Regex;

use crate::language::Language;
use crate::patterns::patterns;
use crate::statement::ScriptStatement;

/// A name where a statement uses it.
#[derive(Debug, Clone)]
pub(crate) struct NameUse {
    /// In the form of [`ResolvedNames`](crate::names::ResolvedNames).
    pub(crate) name: String,
    /// With its sign, without a closing brace.
    pub(crate) range: Range<usize>,
}

patterns! {
    SIGNED = r"(?i)(?:\$\{?[!#]?(?:(?:script|global|local|private|env|using):)?|@|%\{?|!)([a-z_]\w*)(?:%|!)?";
    WORD = r"[A-Za-z_]\w*";
    CMDLET = r"[A-Za-z_][\w-]*";
    /// What a shell replaces by the output of a function or reads from a file: `$(name)`, `@file`.
    SUBSTITUTED = r#"(?P<function>\$\([\w-]+\))|(?:@|(?:-K|-i|--config|--input-file)[\s=]*)["']?(?P<file>[\w./~-]+)"#;
}

/// All uses of names in a statement, in the order of the text.
pub(crate) fn uses(statement: &ScriptStatement, program: Option<&str>) -> Vec<NameUse> {
    let mut uses = signed(statement);
    match statement.language {
        Language::Shell => uses.extend(in_shell(&statement.text, program)),
        Language::PowerShell => uses.extend(words(statement, &CMDLET)),
        Language::Python | Language::Other => uses.extend(words(statement, &WORD)),
    }
    uses.sort_by_key(|used| used.range.start);
    uses
}

/// Names with a sign: `$name`, `${name}`, `@name`, `%name%`.
fn signed(statement: &ScriptStatement) -> Vec<NameUse> {
    let found = SIGNED.captures_iter(&statement.text);
    let uses = found.filter_map(|found| {
        let name = found.get(1)?;
        Some(NameUse {
            name: format!("${}", statement.language.canonical_name(name.as_str())),
            range: found.get(0)?.start()..name.end(),
        })
    });
    uses.collect()
}

fn words(statement: &ScriptStatement, pattern: &'static Regex) -> impl Iterator<Item = NameUse> {
    let found = pattern.find_iter(&statement.text).filter(|found| {
        let before = statement.text.get(..found.start()).unwrap_or_default();
        let after = statement.text_from(found.end()).trim_start();
        // The name of an argument is not a use of a variable with the same name.
        let names_argument = after.starts_with('=') && !after.starts_with("==");
        !before.ends_with(['/', '-']) && !names_argument
    });
    found.map(|found| NameUse {
        name: statement.language.canonical_name(found.as_str()),
        range: found.range(),
    })
}

/// In a shell, a word is a function or an alias only in the place of the program.
fn in_shell(text: &str, program: Option<&str>) -> impl Iterator<Item = NameUse> {
    let program = program.and_then(|program| {
        let start = text.find(program)?;
        Some(NameUse {
            name: program.to_owned(),
            range: start..start + program.len(),
        })
    });
    let substituted = SUBSTITUTED.captures_iter(text).filter_map(|found| {
        let (sign, name) = match found.name("function") {
            Some(function) => ("", function),
            None => ("@", found.name("file")?),
        };
        Some(NameUse {
            name: format!("{sign}{}", name.as_str()),
            range: name.range(),
        })
    });
    program.into_iter().chain(substituted)
}
