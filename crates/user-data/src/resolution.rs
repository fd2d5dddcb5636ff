//! Resolves the names of scripts: variables, functions and aliases.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::analysis::AnalyzedStatement;
use crate::assignments::Assignment;
use crate::names::ResolvedNames;
use crate::patterns;
use crate::statement::ScriptStatement;

/// Files with options of programs.
const CONFIGURATIONS: [(&str, &str); 2] = [(".curlrc", "curl"), (".wgetrc", "wget")];

/// How many times a value is passed from name to name at most.
const MAX_ROUNDS: usize = 12;

/// Resolves the names in all statements.
pub(crate) fn resolve(statements: &[AnalyzedStatement]) -> ResolvedNames {
    let functions = function_bodies(statements);
    let texts = statements.iter().map(|analyzed| &*analyzed.statement.text);
    let defined = texts.filter_map(patterns::defined_function);
    let defined = defined.chain(functions.keys().copied());
    let mut names = ResolvedNames::default();
    names.functions.extend(defined.map(str::to_owned));
    for _ in 0..MAX_ROUNDS {
        let before = names.resolved();
        for statement in statements {
            names.assign(statement);
        }
        for (function, body) in &functions {
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
        let ScriptStatement {
            language, function, ..
        } = &statement.statement;
        let called = statement.called_functions().into_iter();
        let called = called.map(|name| language.canonical_name(name));
        for name in called.filter(|name| function.as_deref() != Some(name)) {
            *handed.entry(name).or_insert(true) &= sends;
        }
    }
    handed.retain(|_, sends| *sends);
    handed.into_keys().collect()
}

/// The statements of each function, by its name.
fn function_bodies(statements: &[AnalyzedStatement]) -> BTreeMap<&str, Vec<&AnalyzedStatement>> {
    let mut functions: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for analyzed in statements {
        if let Some(function) = analyzed.statement.function.as_deref() {
            functions.entry(function).or_default().push(analyzed);
        }
    }
    functions
}

impl ResolvedNames {
    /// How many meanings are known from which others follow.
    fn resolved(&self) -> usize {
        self.addresses.len() + self.tokens.len() + self.callers.len() + self.printers.len()
    }

    /// Adds the names to which a statement assigns values.
    fn assign(&mut self, statement: &AnalyzedStatement) {
        let response = statement.assigns_response(self);
        for Assignment { names, value } in &statement.parts.assignments {
            let is_address = !response && statement.holds_address(value, self);
            let is_token = statement.holds_header(value)
                || !response && statement.uses_any_within(value, &self.tokens);
            let is_caller = statement.holds_caller(value, self);
            for (holds, known) in [
                (is_address, &mut self.addresses),
                (is_token, &mut self.tokens),
                (is_caller, &mut self.callers),
                (statement.has_parameter(value), &mut self.parameters),
            ] {
                known.extend(names.iter().filter(|_| holds).cloned());
            }
            for (file, program) in CONFIGURATIONS {
                if is_token && names.iter().any(|name| name.ends_with(file)) {
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
        let calls: Vec<_> = body.iter().filter(|call| call.calls(self)).collect();
        let is_safe = |call: &&&AnalyzedStatement| call.requests_token || call.sends_token(self);
        if !calls.iter().all(is_safe) {
            return;
        }
        let function = function.to_owned();
        if calls.is_empty() && body.iter().all(|statement| statement.only_prints(self)) {
            self.printers.insert(function.clone());
        }
        // A shell's function prints what it returns.
        let output = format!("$({function})");
        if calls.iter().any(|call| !call.requests_token) {
            self.tokens.insert(function);
        } else if body.iter().any(|statement| statement.sends_token(self)) {
            self.header_functions.insert(function.clone());
            self.tokens.extend([function, output]);
        } else if calls.is_empty() && body.iter().any(|it| it.returns_address(self)) {
            let is_printed = body.iter().any(|statement| statement.in_shell());
            let name = if is_printed { output } else { function };
            self.addresses.insert(name);
        }
    }
}
