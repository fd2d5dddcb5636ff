//! What holds for any bytes that are searched as user data.

use imds_user_data::search;

/// Panics where a promise is broken.
pub(crate) fn hold(data: &[u8]) {
    let found = search(data);
    assert_eq!(
        format!("{found:?}"),
        format!("{:?}", search(data)),
        "the same bytes are always searched the same"
    );
    for finding in found.unwrap_or_default() {
        let words = &finding.words;
        assert!(finding.line >= 1, "{finding:?}");
        assert!((1..=120).contains(&words.chars().count()), "{finding:?}");
        assert!(!words.contains(char::is_control), "{finding:?}");
    }
}
