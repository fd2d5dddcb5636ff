//! The words of a call that may be shown: who calls and what, and nothing else of the line.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use crate::command::{end, start};
use crate::patterns::regex;

/// How far around an address a URL is followed, in bytes: longer ones are only shown cut.
pub(crate) const LOOKED_AT: usize = 1000;

/// Characters.
const LONGEST: usize = 120;

/// The scheme, and what may be a name and a password.
static SCHEME: LazyLock<Regex> =
    LazyLock::new(|| regex(r#"(?i)(?P<scheme>https?://)(?:[^\s/"'<>|;&()]*@)?\[?$"#));
static PATH: LazyLock<Regex> = LazyLock::new(|| regex(r"^[\w./:~%$\[\]{}*+-]*"));
static IN_CODE: LazyLock<Regex> = LazyLock::new(|| regex(r"^\}?(?:/[\w./:~%$\[\]{}*+-]*)?"));

/// The caller and the URL, at most 120 characters.
pub(crate) fn shown(caller: Option<&str>, url: &str) -> String {
    let caller = caller.unwrap_or_default().trim_matches(['.', '(', ' ']);
    let caller = caller.split_whitespace().next().unwrap_or_default();
    let words = format!("{caller} {url}");
    let words = words.trim();
    if words.chars().count() <= LONGEST {
        return words.to_owned();
    }
    words.chars().take(LONGEST - 1).chain(['…']).collect()
}

/// The URL around an address, without name, password and query.
pub(crate) fn url(text: &str, address: &Range<usize>) -> String {
    let before = end(text.get(..address.start).unwrap_or_default(), LOOKED_AT);
    let own = text.get(address.clone()).unwrap_or_default();
    let after = start(text.get(address.end..).unwrap_or_default(), LOOKED_AT);
    let scheme = SCHEME
        .captures(before)
        .and_then(|found| found.name("scheme"));
    let scheme = scheme.map_or("", |scheme| scheme.as_str());
    let bracket = if before.ends_with('[') { "[" } else { "" };
    format!("{scheme}{bracket}{own}{}", path(&PATH, after))
}

/// A name that stands for an address, with the path that follows it.
pub(crate) fn reference(text: &str, name: &Range<usize>) -> String {
    // Within a string the name stands in braces.
    let before = text.get(..name.start).unwrap_or_default();
    let signs = ["${", "{"]
        .into_iter()
        .find(|signs| before.ends_with(signs));
    let signs = signs.unwrap_or_default();
    let own = text.get(name.clone()).unwrap_or_default();
    let after = start(text.get(name.end..).unwrap_or_default(), LOOKED_AT);
    format!("{signs}{own}{}", path(&IN_CODE, after))
}

fn path<'t>(pattern: &Regex, after: &'t str) -> &'t str {
    let Some(found) = pattern.find(after) else {
        return "";
    };
    // Before an `@` stand a name and a password.
    let is_secret = after
        .get(found.end()..)
        .is_some_and(|rest| rest.starts_with('@'));
    if is_secret { "" } else { found.as_str() }
}
