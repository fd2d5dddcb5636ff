//! Splits scripts into statements, each by its language.

mod calls;
mod code;
mod cursor;
mod lexer;
mod shell;

use crate::language::Language;
use crate::script::Script;
use crate::statement::ScriptStatement;

/// The statements of the scripts and of the scripts nested in them.
pub(crate) fn statements(scripts: &[Script]) -> Vec<ScriptStatement> {
    let mut pending: Vec<Script> = scripts.iter().rev().cloned().collect();
    let mut statements = Vec::new();
    while let Some(script) = pending.pop() {
        let (found, nested) = match script.language {
            Language::Shell => shell::split(&script),
            _ => code::split(&script),
        };
        statements.extend(found.into_iter().flat_map(calls::separate));
        pending.extend(nested);
    }
    statements
}
