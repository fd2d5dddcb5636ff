//! Separates the calls in one statement, so that each has to send a token of its own.

use std::ops::Range;

use crate::language::Language;
use crate::patterns::{self, patterns};
use crate::statement::{ScriptStatement, start};
use crate::{address, words};

patterns! {
    /// What ends a value: `:` as in a map, but not as in a URL.
    SEPARATOR = r"^(?:[,;=?|&+]|:(?:[^/]|$)|\s(?:or|and|if|else|unless|for|in)\s)";
    POWERSHELL_SEPARATOR = r"^[,;|]";
}

/// The statement, or where it has several calls, the value of each and the rest of the statement,
/// to which the first call outside of brackets belongs.
pub(super) fn separate(statement: ScriptStatement) -> Vec<ScriptStatement> {
    let Some(values) = values(&statement) else {
        return vec![statement];
    };
    let first = values.iter().position(|(_, outermost)| *outermost);
    let mut found = Vec::new();
    let mut inner: Vec<Range<usize>> = Vec::new();
    for (n, (value, _)) in values.into_iter().enumerate() {
        let within = inner.partition_point(|range| range.start < value.start);
        let within = inner.split_off(within);
        if first == Some(n) {
            inner.extend(within);
        } else {
            found.push(statement.without(value.clone(), &within));
            inner.push(value);
        }
    }
    found.push(statement.without(0..statement.text.len(), &inner));
    found
}

/// The values with calls, each after those that it contains, and whether they are outside of
/// brackets; `None` where there is one call at most, and where quotes or brackets are not closed.
fn values(statement: &ScriptStatement) -> Option<Vec<(Range<usize>, bool)>> {
    let text = &statement.text;
    patterns::callers(text).nth(1)?;
    let separator = match statement.language {
        Language::Shell => return None,
        Language::PowerShell => &POWERSHELL_SEPARATOR,
        _ => &SEPARATOR,
    };
    let is_quote = |it| matches!(it, '"' | '\'') || it == '`' && !statement.language.ignores_case();
    let mut callers = patterns::callers(text).peekable();
    let mut found = Vec::new();
    // For each open bracket, where the value at the position begins, whether it has a call, whether
    // the bracket is within the arguments of a call, and the quote of the string that contains it.
    let mut levels = vec![(0, false, false, None)];
    let mut arguments = 0;
    let mut quote = None;
    for (at, letter) in text.char_indices().chain([(text.len(), ';')]) {
        let outermost = levels.len() == 1;
        let (from, has_call, in_call, _) = levels.last_mut()?;
        if let Some(caller) = callers.next_if(|caller| caller.start <= at) {
            *has_call = true;
            arguments = caller.end;
        }
        let before = text.get(..at).unwrap_or_default();
        let closes = matches!(letter, ')' | ']' | '}');
        match letter {
            '(' | '[' | '{' if quote.is_none() || before.ends_with(['$', '#']) => {
                let in_call = *in_call || arguments == at + 1;
                levels.push((at + 1, false, in_call, quote.take()));
            }
            _ if quote == Some(letter) => quote = None,
            _ if quote.is_some() => {}
            _ if is_quote(letter) => quote = Some(letter),
            _ if closes || letter == ';' || separator.is_match(statement.text_from(at)) => {
                // An argument may be read from a dictionary.
                let value = *from..at;
                let text = text.get(value.clone()).unwrap_or_default();
                let is_call = || !address::find(start(text, words::URL_BYTES)).is_empty();
                if *has_call && (!*in_call || is_call()) {
                    found.push((value, outermost));
                }
                (*from, *has_call) = (at + letter.len_utf8(), false);
                if closes {
                    quote = levels.pop().and_then(|(.., quote)| quote);
                }
            }
            _ => {}
        }
    }
    (quote.is_none() && levels.len() == 1).then_some(found)
}
