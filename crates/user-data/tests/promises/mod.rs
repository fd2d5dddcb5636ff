//! Properties of the search for any bytes.

use imds_user_data::search;

/// Panics where a property does not hold.
pub(crate) fn hold(data: &[u8]) {
    let found = search(data);
    assert_eq!(
        format!("{found:?}"),
        format!("{:?}", search(data)),
        "the same bytes have the same findings"
    );
    for finding in found.unwrap_or_default() {
        let words = &finding.words;
        assert!(finding.line >= 1, "{finding:?}");
        assert!((1..=120).contains(&words.chars().count()), "{finding:?}");
        assert!(!words.contains(char::is_control), "{finding:?}");
    }
}
