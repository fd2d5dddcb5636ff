//! Scripts as people write them, good and bad, and bytes as nobody does.

mod calls;
mod clean;
mod packed;
mod properties;

use super::*;

/// The findings as `line words`, with the part behind them where there is one.
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
    assert_eq!(
        found(user_data),
        expected,
        "\n{}\n",
        String::from_utf8_lossy(user_data)
    );
}
