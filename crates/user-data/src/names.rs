//! What the names of scripts stand for: variables, functions and aliases.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use crate::command::Command;
use crate::language::Language;
use crate::patterns::regex;

/// Names by what they stand for; a shell's and PowerShell's variables with a `$` before.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// The metadata service, or what talks to it.
    pub(crate) addresses: HashSet<String>,
    /// The header with a token, or what sends it.
    pub(crate) tokens: HashSet<String>,
    /// A program that fetches.
    pub(crate) callers: HashSet<String>,
    /// Functions that the scripts define.
    pub(crate) functions: HashSet<String>,
    /// Functions that give the header with a token back.
    pub(crate) give_headers: HashSet<String>,
}

/// A place where a name is used.
#[derive(Debug, Clone)]
pub(crate) struct Use {
    pub(crate) name: String,
    /// With its sign, without the brace at its end.
    pub(crate) range: Range<usize>,
}

/// A name is given a value.
#[derive(Debug, Clone)]
pub(crate) struct Binding {
    pub(crate) names: Vec<String>,
    /// Where the value stands.
    pub(crate) value: Range<usize>,
}

/// What a command is made of.
#[derive(Debug, Default)]
pub(crate) struct Anatomy {
    pub(crate) bindings: Vec<Binding>,
    /// It does nothing but give values to names.
    pub(crate) only_binds: bool,
    /// The program or the first word.
    pub(crate) program: Option<String>,
}

static SIGNED: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?i)(?:\$\{?[!#]?(?:(?:script|global|local|private|env|using):)?|@|%\{?|!)([a-z_]\w*)(?:%|!)?",
    )
});
static BARE: LazyLock<Regex> = LazyLock::new(|| regex(r"[A-Za-z_]\w*"));
static CMDLET: LazyLock<Regex> = LazyLock::new(|| regex(r"[A-Za-z_][\w-]*"));
static SHELL_VALUE: LazyLock<Regex> = LazyLock::new(|| regex(r"^(\w+)(?:\[[^\]]*\])?\+?="));
static SHELL_DEFAULT: LazyLock<Regex> = LazyLock::new(|| regex(r"\$\{(\w+):?=([^}]*)"));
static LOOP: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?i)^\s*(?:for|foreach)\s*\(?\s*(?:const\s+|let\s+|var\s+)?([$@%]?\w+(?:\s*,\s*\w+)*)\s+(?:in|of)\s+",
    )
});
static ASSIGNED: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?xi)^\s*(?:\[[^\]]*\]\s*)* (?:(?:const|let|var|my|our|local|final|static|public|private|string|return)\s+)*
          (?P<names> [$@%]?[\w.:]+ (?:\s*,\s*[$@]?[\w.]+)* ) (?P<index>\s*\[[^\]]*\])? \s* (?: :\s*[\w.\[\],\s]+? )?
          \s* (?: \+ | : | \|\| )? (?P<sign>=) (?: [^=~>] | $ )",
    )
});
/// `name.add_header(…)`, `$name.Headers.Add(…)`, `name.headers.update(…)`.
/// What a shell puts in the place of a function or reads from a file: `$(name)`, `@file`.
static TAKEN: LazyLock<Regex> = LazyLock::new(|| {
    regex(r#"(?P<function>\$\([\w-]+\))|(?:@|(?:-K|--config)[\s=]*)["']?(?P<file>[\w./~-]+)"#)
});
static CHANGED: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?i)^\s*(?:\[void\]\s*)?(?:([$@%]?[\w.]+?)(?:\.headers?)?(?:\.|->)(?:\w*add\w*|update|set\w*|append|\w*header\w*|store|push)\s*(?:\(|=)|curl_setopt\(\s*([$]\w+))",
    )
});
static PARAMETER: LazyLock<Regex> =
    LazyLock::new(|| regex(r#"([$]?\w+)\s*(?::\s*\w+\s*)?=\s*(["'][^"']*["'])"#));

/// Words after which the command still comes.
const PREFIXES: &[&str] = &[
    "if", "then", "elif", "else", "while", "until", "do", "!", "time", "sudo", "env", "exec",
    "command", "nohup", "builtin", "timeout", "{", "-", "&&", "||", "ENV", "RUN",
];
const DECLARES: &[&str] = &[
    "export", "local", "readonly", "declare", "typeset", "set", "alias", "setx",
];

/// The key of a name in [`Names`].
fn key(language: Language, name: &str) -> String {
    match language {
        Language::PowerShell => name.to_lowercase(),
        Language::Shell | Language::Python | Language::Other => name.to_owned(),
    }
}

/// All uses of names in a command.
pub(crate) fn uses(command: &Command, program: Option<&str>) -> Vec<Use> {
    let text = &command.text;
    let signed = SIGNED.captures_iter(text).filter_map(|found| {
        let name = key(command.language, found.get(1)?.as_str());
        let name = format!("${name}");
        let range = found.get(0)?.start()..found.get(1)?.end();
        Some(Use { name, range })
    });
    let words: &Regex = match command.language {
        Language::PowerShell => &CMDLET,
        Language::Shell | Language::Python | Language::Other => &BARE,
    };
    let bare = words.find_iter(text).filter(|found| {
        let before = text.get(..found.start()).unwrap_or_default();
        let after = text.get(found.end()..).unwrap_or_default().trim_start();
        // The name of an argument is no use of a variable that is called the same.
        let names_argument = after.starts_with('=') && !after.starts_with("==");
        !before.ends_with(['/', '-']) && !names_argument
    });
    let bare = bare.map(|found| Use {
        name: key(command.language, found.as_str()),
        range: found.range(),
    });
    let mut uses: Vec<Use> = match command.language {
        // A word of a shell is a function or an alias only where a program stands.
        Language::Shell => {
            let program = program.and_then(|program| {
                let start = text.find(program)?;
                let range = start..start + program.len();
                let name = program.to_owned();
                Some(Use { name, range })
            });
            let taken = TAKEN.captures_iter(text).filter_map(|found| {
                let (name, range) = match (found.name("function"), found.name("file")) {
                    (Some(function), _) => (function.as_str().to_owned(), function.range()),
                    (None, file) => (format!("@{}", file?.as_str()), file?.range()),
                };
                Some(Use { name, range })
            });
            signed.chain(program).chain(taken).collect()
        }
        Language::PowerShell | Language::Python | Language::Other => signed.chain(bare).collect(),
    };
    uses.sort_by_key(|used| used.range.start);
    uses
}

/// Which names a command gives values to.
pub(crate) fn anatomy(command: &Command) -> Anatomy {
    match command.language {
        Language::Shell => of_shell(&command.text),
        Language::PowerShell | Language::Python | Language::Other => of_code(command),
    }
}

fn of_shell(text: &str) -> Anatomy {
    let mut anatomy = Anatomy::default();
    // What is printed to a file stands there, and not what a call answers.
    if crate::patterns::caller(text).is_none()
        && let Some(file) = crate::patterns::TARGET
            .captures(text)
            .and_then(|found| found.get(1))
    {
        let names = vec![format!("@{}", file.as_str().trim_matches(['"', '\'']))];
        let value = 0..file.start();
        anatomy.bindings.push(Binding { names, value });
    }
    for found in SHELL_DEFAULT.captures_iter(text) {
        if let (Some(name), Some(value)) = (found.get(1), found.get(2)) {
            let names = vec![format!("${}", name.as_str())];
            let value = value.range();
            anatomy.bindings.push(Binding { names, value });
        }
    }
    if let Some(found) = LOOP.captures(text)
        && let (Some(whole), Some(name)) = (found.get(0), found.get(1))
    {
        anatomy.bindings.push(Binding {
            names: vec![format!("${}", name.as_str())],
            value: whole.end()..text.len(),
        });
        anatomy.only_binds = true;
        return anatomy;
    }
    let mut declares = None;
    let mut prefixed = false;
    for range in words(text) {
        let word = text.get(range.clone()).unwrap_or_default();
        let bare = word.trim_start_matches(['"', '\'']);
        if let Some(found) = SHELL_VALUE.captures(bare)
            && let (Some(whole), Some(name)) = (found.get(0), found.get(1))
        {
            let quotes = word.len() - bare.len();
            let mut names = vec![format!("${}", name.as_str())];
            if declares == Some("alias") {
                names.push(name.as_str().to_owned());
            }
            anatomy.bindings.push(Binding {
                names,
                value: range.start + quotes + whole.end()..range.end,
            });
        } else if let Some(known) = DECLARES.iter().find(|known| **known == word) {
            declares = Some(*known);
        } else if PREFIXES.contains(&word) {
            prefixed = true;
        } else if (prefixed || declares.is_some()) && is_option(word) {
        } else if declares.is_none() {
            anatomy.program = Some(word.to_owned());
            return anatomy;
        }
    }
    let assigns = anatomy
        .bindings
        .iter()
        .any(|b| !b.names.iter().any(|n| n.starts_with('@')));
    anatomy.only_binds = assigns || declares.is_some();
    anatomy
}

fn is_option(word: &str) -> bool {
    word.starts_with('-')
        || word
            .chars()
            .all(|letter| letter.is_ascii_digit() || letter == 's')
}

/// Words apart by blanks that stand neither in quotes nor in an array's brackets.
fn words(text: &str) -> Vec<Range<usize>> {
    let mut words = Vec::new();
    let mut start = None;
    let mut quote = None;
    let mut brackets = 0_usize;
    let mut before = ' ';
    for (at, letter) in text.char_indices() {
        let inside = quote.is_some() || brackets > 0;
        if letter.is_whitespace() && !inside {
            words.extend(start.take().map(|start| start..at));
        } else {
            start.get_or_insert(at);
            match (quote, letter) {
                (Some(open), _) if letter == open && before != '\\' => quote = None,
                (None, '"' | '\'') if before != '\\' => quote = Some(letter),
                (None, '(') if before == '=' || brackets > 0 => brackets += 1,
                (None, ')') => brackets = brackets.saturating_sub(1),
                _ => {}
            }
        }
        before = letter;
    }
    words.extend(start.map(|start| start..text.len()));
    words
}

/// The part of `self.session.headers` that is used again: `session`. PowerShell's objects are used
/// as a whole.
fn owner(language: Language, name: &str) -> &str {
    let bare = name.trim_start_matches(['$', '@', '%']);
    let bare = bare.rsplit(':').next().unwrap_or(bare);
    if language == Language::PowerShell {
        return bare.split('.').next().unwrap_or(bare);
    }
    let bare = bare
        .strip_prefix("self.")
        .or(bare.strip_prefix("this."))
        .unwrap_or(bare);
    let owner = match bare.rsplit_once('.') {
        Some((object, last)) if last.to_lowercase().ends_with("headers") => object,
        _ => bare,
    };
    owner.rsplit('.').next().unwrap_or(owner)
}

fn of_code(command: &Command) -> Anatomy {
    let text = &command.text;
    let language = command.language;
    let mut anatomy = Anatomy::default();
    let mut bind = |names: &str, value: Range<usize>| {
        let names = names.split(',').map(|name| {
            let name = name.trim();
            let own = key(language, owner(language, name));
            let signed = name.starts_with('$') && language == Language::PowerShell;
            if signed { format!("${own}") } else { own }
        });
        let names = names.collect();
        anatomy.bindings.push(Binding { names, value });
    };
    if let Some(found) = LOOP.captures(text)
        && let (Some(whole), Some(names)) = (found.get(0), found.get(1))
    {
        bind(names.as_str(), whole.end()..text.len());
    } else if crate::patterns::FUNCTION.is_match(text) || text.to_lowercase().starts_with("param") {
        for found in PARAMETER.captures_iter(text) {
            if let (Some(name), Some(value)) = (found.get(1), found.get(2)) {
                bind(name.as_str(), value.range());
            }
        }
        anatomy.only_binds = true;
    } else if let Some(found) = ASSIGNED.captures(text)
        && let (Some(sign), Some(names)) = (found.name("sign"), found.name("names"))
    {
        // With an index the key is a part of what is stored.
        let stored = found.name("index").map(|index| index.start());
        bind(names.as_str(), stored.unwrap_or(sign.end())..text.len());
        anatomy.only_binds = true;
    } else if let Some(name) = CHANGED
        .captures(text)
        .and_then(|found| found.get(1).or(found.get(2)))
    {
        bind(name.as_str(), name.end()..text.len());
        anatomy.only_binds = true;
    }
    anatomy.program = text.split_whitespace().next().map(str::to_owned);
    anatomy
}
