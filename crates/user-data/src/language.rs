//! Which language a script is in.

use crate::patterns;

/// How a script is split; what is not known is read as shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    Shell,
    PowerShell,
    Python,
    /// JavaScript, Perl, PHP, Ruby and their like.
    Other,
}

/// By the first line of a script.
pub(crate) fn language(text: &str) -> Language {
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
pub(crate) fn by_interpreter(line: &str) -> Option<Language> {
    let name = patterns::INTERPRETER.captures(line)?.get(1)?.as_str();
    Some(match name.to_ascii_lowercase().as_str() {
        "python" => Language::Python,
        "powershell" | "pwsh" => Language::PowerShell,
        "perl" | "ruby" | "node" | "php" => Language::Other,
        _ => Language::Shell,
    })
}

/// By a file's name.
pub(crate) fn by_file_name(name: &str) -> Option<Language> {
    let (_, ending) = name.trim_matches(['"', '\'']).rsplit_once('.')?;
    Some(match ending.to_ascii_lowercase().as_str() {
        "py" => Language::Python,
        "ps1" | "psm1" => Language::PowerShell,
        "pl" | "rb" | "js" | "mjs" | "php" | "go" => Language::Other,
        "sh" | "bash" => Language::Shell,
        _ => return None,
    })
}
