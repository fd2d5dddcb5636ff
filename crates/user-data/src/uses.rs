//! Where a statement uses names: variables, functions and aliases.

use std::ops::Range;

use crate::language::Language;
use crate::patterns::patterns;
use crate::statement::{ScriptStatement, end};

/// A name where a statement uses it.
#[derive(Debug, Clone)]
pub(crate) struct NameUse {
    /// In the form of [`ResolvedNames`](crate::names::ResolvedNames).
    pub(crate) name: String,
    /// With its sign, without a closing brace.
    pub(crate) range: Range<usize>,
}

patterns! {
    /// Names with a sign: `$name`, `${name}`, `@name`, `%name%`.
    SIGNED = r"(?i)(?:\$\{?[!#]?(?:(?:script|global|local|private|env|using):)?|@|%\{?|!)([a-z_]\w*)(?:%|!)?";
    WORD = r"[A-Za-z_]\w*";
    CMDLET = r"[A-Za-z_][\w-]*";

    /// What is before a method of a library, which is not the script's function of that name.
    LIBRARY = r"(?:\b(?:requests|httpx|axios|https?|urllib\.\w+|HTTP)\.|[/-])$";

    /// What a shell replaces by the output of a function or reads from a file: `$(name)`, `@file`.
    SUBSTITUTED = r#"(?P<function>\$\([\w-]+\))|(?:@|(?:-K|-i|--config|--input-file)[\s=]*)["']?(?P<file>[\w./~-]+)"#;
}

/// How much is read before a name, in bytes.
const LIBRARY_BYTES: usize = 20;

/// All uses of names in a statement, in the order of the text.
pub(crate) fn uses(statement: &ScriptStatement, program: Option<&str>) -> Vec<NameUse> {
    let (text, language) = (&statement.text, statement.language);
    let named = |sign: &str, name: &str, range: Range<usize>| NameUse {
        name: format!("{sign}{}", language.canonical_name(name)),
        range,
    };
    let signed = SIGNED.captures_iter(text).filter_map(|found| {
        let name = found.get(1)?;
        Some(named("$", name.as_str(), found.get(0)?.start()..name.end()))
    });
    let mut uses: Vec<NameUse> = signed.collect();
    let words = match language {
        Language::Shell => {
            // A word is a function or an alias only in the place of the program.
            let program = program.and_then(|program| Some((program, text.find(program)?)));
            let program = program.map(|(it, start)| named("", it, start..start + it.len()));
            let substituted = SUBSTITUTED.captures_iter(text).filter_map(|found| {
                let file = found.name("file").map(|file| ("@", file));
                let (sign, name) = file.or(found.name("function").map(|name| ("", name)))?;
                Some(named(sign, name.as_str(), name.range()))
            });
            uses.extend(program.into_iter().chain(substituted));
            None
        }
        Language::PowerShell => Some(&CMDLET),
        Language::Python | Language::Other => Some(&WORD),
    };
    let words = words.into_iter().flat_map(|words| words.find_iter(text));
    uses.extend(words.filter_map(|found| {
        let before = text.get(..found.start())?;
        let after = statement.text_from(found.end()).trim_start();
        // The name of an argument is not a use of a variable with the same name.
        let names_argument = after.starts_with('=') && !after.starts_with("==");
        let is_name = !LIBRARY.is_match(end(before, LIBRARY_BYTES)) && !names_argument;
        is_name.then(|| named("", found.as_str(), found.range()))
    }));
    uses.sort_by_key(|used| used.range.start);
    uses
}
