//! The language of a script.

use crate::patterns;

/// The language by which a script is split. A script whose language is not known is read as shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    Shell,
    PowerShell,
    Python,
    /// JavaScript, Perl, PHP, Ruby and similar languages.
    Other,
}

impl Language {
    /// Whether names are the same in upper and lower case.
    pub(crate) fn ignores_case(self) -> bool {
        self == Language::PowerShell
    }

    /// A name in the spelling by which it is compared.
    pub(crate) fn canonical_name(self, name: &str) -> String {
        match self.ignores_case() {
            true => name.to_lowercase(),
            false => name.to_owned(),
        }
    }
}

/// The language of a script, by its first line or by lines that occur in one language only.
pub(crate) fn language(text: &str) -> Language {
    let first = text.trim_start().lines().next().unwrap_or_default();
    if first.starts_with("#ps1") {
        return Language::PowerShell;
    }
    if first.starts_with("#!") {
        return by_interpreter(first).unwrap_or(Language::Shell);
    }
    // Modules and here-documents have no shebang.
    if patterns::PYTHON_LINE.is_match(text) {
        return Language::Python;
    }
    if patterns::POWERSHELL_LINE.is_match(text) {
        return Language::PowerShell;
    }
    Language::Shell
}

/// The language of the interpreter that a command line names.
pub(crate) fn by_interpreter(line: &str) -> Option<Language> {
    by_name(patterns::INTERPRETER.captures(line)?.get(1)?.as_str())
}

/// The language that a file name's extension stands for.
pub(crate) fn by_file_name(name: &str) -> Option<Language> {
    by_name(name.trim_matches(['"', '\'']).rsplit_once('.')?.1)
}

fn by_name(interpreter_or_extension: &str) -> Option<Language> {
    Some(match &*interpreter_or_extension.to_ascii_lowercase() {
        "python" | "py" => Language::Python,
        "powershell" | "pwsh" | "ps1" | "psm1" => Language::PowerShell,
        "perl" | "pl" | "ruby" | "rb" | "node" | "js" | "mjs" | "php" | "go" | "groovy" => {
            Language::Other
        }
        "sh" | "bash" | "dash" | "ksh" | "zsh" => Language::Shell,
        _ => return None,
    })
}
