//! The words of a call that may be shown: the caller and the URL, and nothing else of the line.

use std::ops::Range;

use regex::Regex;

use crate::patterns::patterns;
use crate::statement::{end, start};

/// How much of a URL is read before and after the address, in bytes.
pub(crate) const URL_BYTES: usize = 1000;

/// How long the words of a finding may be, in characters.
const MAX_CHARACTERS: usize = 120;

patterns! {
    /// The scheme, and what may be a user name and a password.
    SCHEME = r#"(?i)(?:(?P<scheme>https?://)(?:[^\s/"'<>|;&()]*@)?)?(?P<bracket>\[?)$"#;
    PATH = r"^[\w./:~%$\[\]{}*+-]*";
    PATH_AFTER_NAME = r"^\}?(?:/[\w./:~%$\[\]{}*+-]*)?";
}

/// The caller and the URL, at most 120 characters.
pub(crate) fn call(caller: Option<&str>, url: &str) -> String {
    let caller = caller.unwrap_or_default().trim_matches(['.', '(', ' ']);
    let caller = caller.split_whitespace().next().unwrap_or_default();
    let words = format!("{caller} {url}");
    let words = words.trim();
    match words.chars().count() <= MAX_CHARACTERS {
        true => words.to_owned(),
        false => words
            .chars()
            .take(MAX_CHARACTERS - 1)
            .chain(['…'])
            .collect(),
    }
}

/// The URL that contains an address, without user name, password and query.
pub(crate) fn url(text: &str, address: &Range<usize>) -> String {
    let before = end(text.get(..address.start).unwrap_or_default(), URL_BYTES);
    let host = text.get(address.clone()).unwrap_or_default();
    let mut url = String::new();
    if let Some(found) = SCHEME.captures(before) {
        found.expand("$scheme$bracket", &mut url);
    }
    url + host + path(&PATH, text, address.end)
}

/// A name that stands for an address, with the path that follows it.
pub(crate) fn reference(text: &str, name: &Range<usize>) -> String {
    // In a string the name is in braces.
    let before = text.get(..name.start).unwrap_or_default();
    let mut signs = ["${", "{"].into_iter();
    let sign = signs
        .find(|sign| before.ends_with(sign))
        .unwrap_or_default();
    let shown = text.get(name.clone()).unwrap_or_default();
    sign.to_owned() + shown + path(&PATH_AFTER_NAME, text, name.end)
}

fn path<'t>(pattern: &Regex, text: &'t str, from: usize) -> &'t str {
    let after = start(text.get(from..).unwrap_or_default(), URL_BYTES);
    let path = pattern.find(after).map_or("", |found| found.as_str());
    // Text before an `@` is a user name and a password.
    let rest = after.get(path.len()..).unwrap_or_default();
    if rest.starts_with('@') { "" } else { path }
}
