//! A script, and the commands that it is split into.

use super::command::Command;
use super::{braces, patterns, python, shell};

/// Text that is run, or that may be.
#[derive(Debug, Clone)]
pub(super) struct Script {
    pub(super) text: String,
    /// The number of its first line.
    pub(super) line: usize,
    pub(super) language: Language,
    /// As in [`Finding`](super::Finding).
    pub(super) part: Option<String>,
    /// Within how many other scripts it stands.
    pub(super) depth: usize,
}

/// How a script is split; what is not known is read as shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    Shell,
    PowerShell,
    Python,
    /// JavaScript, Perl, PHP, Ruby and their like.
    Other,
}

/// Scripts in quotes in scripts in here-documents.
const DEEPEST: usize = 6;

impl Script {
    pub(super) fn new(text: impl Into<String>, language: Language, part: Option<String>) -> Self {
        Script {
            text: text.into(),
            line: 1,
            language,
            part,
            depth: 0,
        }
    }

    /// A script within this one.
    pub(super) fn inner(&self, text: String, line: usize, language: Language) -> Option<Script> {
        (self.depth < DEEPEST).then(|| Script {
            text,
            line,
            language,
            part: self.part.clone(),
            depth: self.depth + 1,
        })
    }

    /// Whether scripts within it are still looked into.
    pub(super) fn may_hold_more(&self) -> bool {
        self.depth < DEEPEST
    }
}

/// The commands of the scripts and of those within them.
pub(super) fn commands(scripts: &[Script]) -> Vec<Command> {
    let mut open: Vec<Script> = scripts.iter().rev().cloned().collect();
    let mut commands = Vec::new();
    while let Some(script) = open.pop() {
        let (found, inner) = match script.language {
            Language::Shell => shell::split(&script),
            Language::PowerShell | Language::Other => braces::split(&script),
            Language::Python => python::split(&script),
        };
        commands.extend(found);
        open.extend(inner);
    }
    commands
}

/// By the first line of a script.
pub(super) fn language(text: &str) -> Language {
    let first = text.trim_start().lines().next().unwrap_or_default();
    if first.starts_with("#ps1") {
        return Language::PowerShell;
    }
    if first.starts_with("#!") {
        return by_interpreter(first).unwrap_or(Language::Shell);
    }
    // Python and its like without a shebang, as modules and here-documents are.
    if patterns::PYTHON_LINE.is_match(text) {
        return Language::Python;
    }
    if patterns::POWERSHELL_LINE.is_match(text) {
        return Language::PowerShell;
    }
    Language::Shell
}

/// By the interpreter that a command line names.
pub(super) fn by_interpreter(line: &str) -> Option<Language> {
    let name = patterns::INTERPRETER.captures(line)?.get(1)?.as_str();
    Some(match name.to_ascii_lowercase().as_str() {
        "python" => Language::Python,
        "powershell" | "pwsh" => Language::PowerShell,
        "perl" | "ruby" | "node" | "php" => Language::Other,
        _ => Language::Shell,
    })
}

/// By a file's name.
pub(super) fn by_file_name(name: &str) -> Option<Language> {
    let (_, ending) = name.trim_matches(['"', '\'']).rsplit_once('.')?;
    Some(match ending.to_ascii_lowercase().as_str() {
        "py" => Language::Python,
        "ps1" | "psm1" => Language::PowerShell,
        "pl" | "rb" | "js" | "mjs" | "php" | "go" => Language::Other,
        "sh" | "bash" => Language::Shell,
        _ => return None,
    })
}
