//! Judges every statement: does it call the metadata service, and without a token?

use std::collections::HashSet;

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
    let found = statements.iter();
    let mut found: Vec<Finding> = found
        .filter_map(|statement| statement.call_without_token(&names, &mentioned))
        .collect();
    found.sort_by_cached_key(|finding| {
        let part = scripts
            .iter()
            .position(|script| script.part == finding.part);
        (part, finding.line)
    });
    found.dedup();
    found
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
    /// The first name that stands for it.
    name: Option<&'s NameUse>,
    /// Where the first address is, or the name if there is no address.
    at: usize,
    url: String,
    /// Whether it is a name, or a path of the service follows the address.
    is_url: bool,
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
        let caller = self.caller.as_ref().or(alias);
        let is_call = caller.is_some() || self.may_fetch(&target, names);
        // An alias may be both the caller and the URL.
        let caller = caller.filter(|caller| target.name.is_none_or(|name| name.range != **caller));
        let at = caller.map_or(target.at, |caller| target.at.min(caller.start));
        let program = caller.and_then(|caller| self.statement.text.get(caller.clone()));
        is_call.then(|| self.finding(at, program, &target.url))
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
        let found = patterns::BOTO.find(&self.statement.text)?;
        let after = self.statement.text_from(found.end());
        let is_call = after.trim_start().starts_with('(');
        let is_own = names.functions.contains(found.as_str());
        (is_call && !is_own && self.statement.language != Language::Other)
            .then(|| self.finding(found.start(), None, found.as_str()))
    }

    fn target(&self, names: &ResolvedNames) -> Option<CallTarget<'_>> {
        let text = &self.statement.text;
        let name = self.use_of_address(names);
        let (at, url, is_url) = match (self.addresses.first(), name) {
            (Some(range), _) => {
                let after = self.statement.text_from(range.end).trim_start_matches(']');
                let url = words::url(text, range);
                (range.start, url, address::has_path(after))
            }
            (None, Some(used)) => {
                let url = words::reference(text, &used.range);
                (used.range.start, url, true)
            }
            (None, None) => return None,
        };
        Some(CallTarget {
            name,
            at,
            url,
            is_url,
        })
    }

    /// Whether it assigns a URL that no statement uses, so that another program may read it.
    fn is_for_others(&self, target: &CallTarget, mentioned: &HashSet<String>) -> bool {
        self.parts.exports
            && !self.parts.assignments.is_empty()
            && !self.addresses.is_empty()
            && target.is_url
            && !self.assigned_names().any(|name| mentioned.contains(name))
    }

    fn assigned_names(&self) -> impl Iterator<Item = &str> {
        let names = (self.parts.assignments.iter()).flat_map(|assignment| &assignment.names);
        names.map(|name| name.trim_start_matches('$'))
    }

    /// Whether a statement without a known caller fetches the URL.
    fn may_fetch(&self, target: &CallTarget, names: &ResolvedNames) -> bool {
        let runs = match self.in_shell() {
            // A word before a colon is the key of a setting.
            true => !self.called().is_some_and(|program| program.ends_with(':')),
            false => self.runs_unknown(names) && !target.name.is_some_and(|it| self.is_object(it)),
        };
        target.is_url && runs && !self.mentions(names)
    }

    /// Whether only a method of the object is called that a name stands for.
    fn is_object(&self, name: &NameUse) -> bool {
        let after = self.statement.text_from(name.range.end);
        after.starts_with('.') || after.starts_with("->")
    }
}
