//! `*` and `?`, against oracles that try everything.

use imds_core::policy::Pattern;
use proptest::prelude::*;

#[track_caller]
fn check(pattern: &str, text: &str, expected: bool) {
    assert_eq!(
        Pattern::new(pattern).matches(text),
        expected,
        "`{pattern}` on `{text}`"
    );
}

#[test]
fn wildcards_stand_for_characters_and_all_else_for_itself() {
    check("*", "", true);
    check("?", "", false);
    check("?", "ü", true);
    check("?", "üü", false);
    check("a*", "a", true);
    check("*a", "ba", true);
    check("a", "A", false);
    check("a.c", "abc", false);
    check("[ab]", "a", false);
    check("[ab]", "[ab]", true);
    check(r"\*", r"\anything", true);
    check("us-*-1", "us-gov-west-1", true);
    check("us-*-1", "us-gov-west-2", false);
    check("*?*", "", false);
    check("**?**?", "ab", true);
    check("", "", true);
    check("", "a", false);
}

#[test]
fn one_pattern_covers_another_as_a_set() {
    let rows = [
        ("*", "anything?*", true),
        ("?*", "*", false),
        ("?*", "*a", true),
        ("*?", "a*", true),
        ("*?", "?*", true),
        ("?*?", "*a*", false),
        ("?*?", "?*a*", true),
        ("a*", "ab*c", true),
        ("a*c", "ab*", false),
        ("*ab*", "*a*b*", false),
        ("*a*b*", "*ab*", true),
        ("?", "*", false),
        ("?", "a", true),
        ("a", "?", false),
        ("a??*", "a?b", true),
        ("", "*", false),
        ("*", "", true),
    ];
    for (pattern, other, expected) in rows {
        assert_eq!(
            Pattern::new(pattern).covers(&Pattern::new(other)),
            expected,
            "`{pattern}` over `{other}`"
        );
    }
}

#[test]
fn many_stars_cost_no_more_than_length_times_length() {
    let pattern = Pattern::new("a*".repeat(2_000) + "b");
    assert!(!pattern.matches(&"a".repeat(4_000)));
    assert!(!pattern.covers(&Pattern::new("*a".repeat(4_000))));
}

/// Tries every way to split the text.
fn naive(pattern: &[char], text: &[char]) -> bool {
    match pattern {
        [] => text.is_empty(),
        ['*', rest @ ..] => (0..=text.len()).any(|taken| naive(rest, &text[taken..])),
        ['?', rest @ ..] => !text.is_empty() && naive(rest, &text[1..]),
        [own, rest @ ..] => text.first() == Some(own) && naive(rest, &text[1..]),
    }
}

fn naive_text(pattern: &str, text: &str) -> bool {
    naive(
        &pattern.chars().collect::<Vec<_>>(),
        &text.chars().collect::<Vec<_>>(),
    )
}

/// Texts that fit the pattern, with a letter that is in no pattern where anything will do: some
/// text is among them that another pattern lacks, if it lacks any.
fn witnesses(pattern: &str) -> Vec<String> {
    pattern.chars().fold(vec![String::new()], |texts, sign| {
        let choices: &[&str] = match sign {
            '*' => &["", "z", "zzzzzzz"],
            '?' => &["z"],
            _ => &[],
        };
        texts
            .iter()
            .flat_map(|text| match choices {
                [] => vec![format!("{text}{sign}")],
                _ => choices
                    .iter()
                    .map(|choice| format!("{text}{choice}"))
                    .collect(),
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_match_is_what_trying_everything_finds(pattern in "[abü*?]{0,8}", text in "[abü]{0,8}") {
        prop_assert_eq!(Pattern::new(pattern.as_str()).matches(&text), naive_text(&pattern, &text));
    }

    #[test]
    fn a_pattern_covers_another_exactly_when_it_lacks_none_of_its_texts(a in "[ab*?]{0,6}", b in "[ab*?]{0,6}") {
        let lacking = witnesses(&b).into_iter().find(|text| !naive_text(&a, text));
        prop_assert_eq!(Pattern::new(a.as_str()).covers(&Pattern::new(b.as_str())), lacking.is_none(), "{:?}", lacking);
    }
}
