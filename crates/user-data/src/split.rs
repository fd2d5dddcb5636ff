//! Splits scripts into commands, each by its language.

use crate::command::Command;
use crate::language::Language;
use crate::script::Script;
use crate::{braces, python, shell};

/// The commands of the scripts and of those within them.
pub(crate) fn commands(scripts: &[Script]) -> Vec<Command> {
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
