//! Judges every statement: does it call the metadata service, and without a token?

use std::collections::HashSet;
use std::ops::Range;

use crate::analysis::AnalyzedStatement;
use crate::finding::Finding;
use crate::language::Language;
use crate::names::ResolvedNames;
use crate::patterns;
use crate::resolution::resolve;
use crate::script::Script;
use crate::split::statements;
use crate::uses::NameUse;
use crate::{address, words};

/// The calls without a token, in the order of the parts and lines.
pub(crate) fn find(scripts: &[Script]) -> Vec<Finding> {
    let statements = statements(scripts).into_iter();
    let statements: Vec<_> = statements.map(AnalyzedStatement::new).collect();
    let names = resolve(&statements);
    let mentioned = mentioned_words(&statements);
    let mut findings: Vec<Finding> = statements
        .iter()
        .filter_map(|statement| statement.call_without_token(&names, &mentioned))
        .collect();
    let part = |finding: &Finding| {
        scripts
            .iter()
            .position(|script| script.part == finding.part)
    };
    findings.sort_by_cached_key(|finding| (part(finding), finding.line));
    findings.dedup();
    findings
}

/// The words of all statements, except the names to which a statement assigns values.
fn mentioned_words(statements: &[AnalyzedStatement]) -> HashSet<String> {
    let mut mentioned = HashSet::new();
    for analyzed in statements {
        let assigned: HashSet<&str> = analyzed.assigned_names().collect();
        let is_separator = |letter: char| !letter.is_alphanumeric() && letter != '_';
        let words = analyzed.statement.text.split(is_separator);
        let words = words.filter(|word| !word.is_empty() && !assigned.contains(word));
        mentioned.extend(words.map(|word| analyzed.statement.language.canonical_name(word)));
    }
    mentioned
}

/// The service as a statement refers to it.
struct CallTarget<'s> {
    /// Its first address.
    address: Option<&'s Range<usize>>,
    /// The first name that stands for it.
    name: Option<&'s NameUse>,
    /// Where the address is, or the name if there is no address.
    at: usize,
    url: String,
}

impl AnalyzedStatement {
    /// The call, if the statement is one and sends no token.
    fn call_without_token(
        &self,
        names: &ResolvedNames,
        mentioned: &HashSet<String>,
    ) -> Option<Finding> {
        if let Some(finding) = self.boto_call(names) {
            return Some(finding);
        }
        if self.is_text(names)
            || self.puts
            || self.sends_token(names)
            || self.is_handed_header(names)
            || patterns::OTHER_HEADER.is_match(&self.statement.text)
        {
            return None;
        }
        let target = self.target(names)?;
        if self.parts.only_assigns && !self.assigns_response(names) {
            let may_call = self.is_for_others(&target, mentioned);
            return may_call.then(|| self.finding(target.at, None, &target.url));
        }
        let alias = self.use_of_any(&names.callers).map(|used| &used.range);
        if let Some(caller) = self.caller.as_ref().or(alias) {
            return Some(self.call_by(caller, &target));
        }
        let fetches = self.may_fetch(&target, names);
        fetches.then(|| self.finding(target.at, None, &target.url))
    }

    fn finding(&self, at: usize, caller: Option<&str>, url: &str) -> Finding {
        Finding {
            line: self.statement.line_at(at),
            words: words::call(caller, url),
            part: self.statement.part.clone(),
        }
    }

    /// A call of Python's `boto`, unless the script defines a function of that name.
    fn boto_call(&self, names: &ResolvedNames) -> Option<Finding> {
        if self.statement.language == Language::Other {
            return None;
        }
        let found = patterns::BOTO.find(&self.statement.text)?;
        let after = self.statement.text_from(found.end());
        let is_call = after.trim_start().starts_with('(');
        let is_own = names.functions.contains(found.as_str());
        (is_call && !is_own).then(|| self.finding(found.start(), None, found.as_str()))
    }

    fn target(&self, names: &ResolvedNames) -> Option<CallTarget<'_>> {
        let text = &self.statement.text;
        let address = self.addresses.first();
        let name = self.use_of_address(names);
        let (at, url) = match (address, name) {
            (Some(range), _) => (range.start, words::url(text, range)),
            (None, Some(used)) => (used.range.start, words::reference(text, &used.range)),
            (None, None) => return None,
        };
        Some(CallTarget {
            address,
            name,
            at,
            url,
        })
    }

    /// Whether it assigns a URL that no statement uses, so that another program may read it.
    fn is_for_others(&self, target: &CallTarget, mentioned: &HashSet<String>) -> bool {
        self.parts.exports
            && !self.parts.assignments.is_empty()
            && target.address.is_some_and(|range| self.has_path(range))
            && !self.assigned_names().any(|name| mentioned.contains(name))
    }

    fn assigned_names(&self) -> impl Iterator<Item = &str> {
        let names = (self.parts.assignments.iter()).flat_map(|assignment| &assignment.names);
        names.map(|name| name.trim_start_matches('$'))
    }

    fn call_by(&self, caller: &Range<usize>, target: &CallTarget) -> Finding {
        // An alias may be both the caller and the URL.
        if target.name.is_some_and(|name| name.range == *caller) {
            return self.finding(target.at, None, &target.url);
        }
        let name = self.statement.text.get(caller.clone());
        self.finding(target.at.min(caller.start), name, &target.url)
    }

    /// Whether a statement without a known caller fetches the URL.
    fn may_fetch(&self, target: &CallTarget, names: &ResolvedNames) -> bool {
        let is_url = target.address.is_none_or(|range| self.has_path(range));
        let runs = match self.statement.language {
            // A word before a colon is the key of a setting.
            Language::Shell => !self.called().is_some_and(|program| program.ends_with(':')),
            Language::PowerShell | Language::Python | Language::Other => {
                self.runs_unknown(names) && !target.name.is_some_and(|name| self.is_object(name))
            }
        };
        is_url && runs && !self.mentions(names)
    }

    /// Whether a path of the service follows an address.
    fn has_path(&self, address: &Range<usize>) -> bool {
        let after = self.statement.text_from(address.end);
        address::has_path(after.trim_start_matches(']'))
    }

    /// Whether only a method of the object is called that a name stands for.
    fn is_object(&self, name: &NameUse) -> bool {
        let after = self.statement.text_from(name.range.end);
        after.starts_with('.') || after.starts_with("->")
    }
}
