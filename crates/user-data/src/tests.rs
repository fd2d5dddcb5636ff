//! Scripts as people write them, with and without calls, and arbitrary bytes.

mod brackets;
mod clean;
mod code;
mod handed;
mod included;
mod other_services;
mod packed;
mod properties;
mod shell;
mod text;

use super::*;

/// The findings as `line words`, with `in part` where they have a part.
fn found(user_data: impl AsRef<[u8]>) -> Vec<String> {
    let findings = search(user_data.as_ref()).unwrap();
    let shown = findings.into_iter().map(|finding| {
        let part = finding
            .part
            .map(|part| format!(" in {part}"))
            .unwrap_or_default();
        format!("{} {}{part}", finding.line, finding.words)
    });
    shown.collect()
}

#[track_caller]
fn check(user_data: impl AsRef<[u8]>, expected: &[&str]) {
    let user_data = user_data.as_ref();
    let text = String::from_utf8_lossy(user_data);
    assert_eq!(found(user_data), expected, "\n{text}\n");
}

/// Checks the findings of each script.
#[track_caller]
fn check_all(rows: &[(&str, &[&str])]) {
    for (script, expected) in rows {
        check(script, expected);
    }
}

/// Checks that the scripts have no findings.
#[track_caller]
fn check_clean(scripts: &[&str]) {
    for script in scripts {
        check(script, &[]);
    }
}
