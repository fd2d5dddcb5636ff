//! Resolves the names of scripts: variables, functions and aliases.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::analysis::AnalyzedStatement;
use crate::language::Language;
use crate::names::ResolvedNames;
use crate::patterns;

/// Files with options of programs.
const CONFIGURATIONS: [(&str, &str); 2] = [(".curlrc", "curl"), (".wgetrc", "wget")];

/// How many times a value is passed from name to name at most.
const MAX_ROUNDS: usize = 12;

/// Resolves the names in all statements.
pub(crate) fn resolve(statements: &[AnalyzedStatement]) -> ResolvedNames {
    let functions = function_bodies(statements);
    let defined = statements
        .iter()
        .filter_map(|analyzed| patterns::defined_function(&analyzed.statement.text))
        .chain(functions.keys().map(|(function, _)| *function));
    let mut names = ResolvedNames {
        functions: defined.map(str::to_owned).collect(),
        ..ResolvedNames::default()
    };
    for _ in 0..MAX_ROUNDS {
        let before = names.resolved();
        for statement in statements {
            names.assign(statement);
        }
        for ((function, _), body) in &functions {
            names.define(function, body);
        }
        if names.resolved() == before {
            break;
        }
    }
    names.handed = handed(statements, &names);
    names
}

/// The functions of which all calls send the header or request a token.
fn handed(statements: &[AnalyzedStatement], names: &ResolvedNames) -> HashSet<String> {
    let mut handed = HashMap::new();
    for statement in statements {
        let sends = statement.requests_token || statement.sends_token(names);
        for function in statement.called_functions() {
            let function = statement.statement.language.canonical_name(function);
            if statement.statement.function.as_deref() == Some(&*function) {
                continue;
            }
            *handed.entry(function).or_insert(true) &= sends;
        }
    }
    handed.retain(|_, sends| *sends);
    handed.into_keys().collect()
}

/// The statements of each function, by its name and whether that ignores case.
fn function_bodies(
    statements: &[AnalyzedStatement],
) -> BTreeMap<(&str, bool), Vec<&AnalyzedStatement>> {
    let mut functions: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for analyzed in statements {
        if let Some(function) = &analyzed.statement.function {
            let ignores_case = analyzed.statement.language.ignores_case();
            let body = functions.entry((function.as_ref(), ignores_case));
            body.or_default().push(analyzed);
        }
    }
    functions
}

impl ResolvedNames {
    /// How many meanings are known.
    fn resolved(&self) -> usize {
        self.addresses.len()
            + self.tokens.len()
            + self.callers.len()
            + self.header_functions.len()
            + self.printers.len()
    }

    /// Adds the names to which a statement assigns values.
    fn assign(&mut self, statement: &AnalyzedStatement) {
        let response = statement.assigns_response(self);
        for assignment in &statement.parts.assignments {
            let value = &assignment.value;
            let is_address = !response && statement.holds_address(value, self);
            let is_token = statement.holds_header(value)
                || !response && statement.uses_any_within(value, &self.tokens);
            let is_caller = statement.holds_caller(value, self);
            let is_parameter = statement.is_parameter(value);
            for (holds, names) in [
                (is_address, &mut self.addresses),
                (is_token, &mut self.tokens),
                (is_caller, &mut self.callers),
                (is_parameter, &mut self.parameters),
            ] {
                if holds {
                    names.extend(assignment.names.iter().cloned());
                }
            }
            for (file, program) in CONFIGURATIONS {
                if is_token && assignment.names.iter().any(|name| name.ends_with(file)) {
                    let line = statement.statement.line_at(0);
                    let set = (statement.statement.part.clone(), line);
                    self.configured.entry(program).or_insert(set);
                }
            }
        }
    }

    /// Adds a function: it sends tokens if all its calls do. If it only requests tokens, it returns
    /// the header or the address that it contains.
    fn define(&mut self, function: &str, body: &[&AnalyzedStatement]) {
        let Some(language) = body.first().map(|first| first.statement.language) else {
            return;
        };
        let calls: Vec<_> = body.iter().filter(|call| call.calls(self)).collect();
        let is_safe = |call: &&&AnalyzedStatement| call.requests_token || call.sends_token(self);
        if !calls.iter().all(is_safe) {
            return;
        }
        let function = language.canonical_name(function);
        if calls.is_empty() && body.iter().all(|statement| statement.only_prints(self)) {
            self.printers.insert(function.clone());
        }
        let output = format!("$({function})");
        if calls.iter().any(|call| !call.requests_token) {
            self.tokens.insert(function);
        } else if body.iter().any(|statement| statement.sends_token(self)) {
            self.header_functions.insert(function.clone());
            self.tokens.extend([function, output]);
        } else if calls.is_empty() && body.iter().any(|s| s.returns_address(self)) {
            // A shell's function prints what it returns.
            let in_shell = |s: &&AnalyzedStatement| s.statement.language == Language::Shell;
            let is_printed = body.iter().any(in_shell);
            self.addresses
                .insert(if is_printed { output } else { function });
        }
    }
}
