//! What is refused, and how it is told.

use imds_core::policy::{Fault, Policy};

use crate::{document, requiring, with_conditions, with_rules};

/// A document with a single fault.
pub(crate) struct Refusal {
    pub(crate) document: String,
    fault: &'static str,
    /// Whether the schema refuses it too.
    pub(crate) by_schema: bool,
}

/// Those of `refusals.txt`.
pub(crate) fn refusals() -> impl Iterator<Item = Refusal> {
    let blocks = include_str!("refusals.txt").split("\n\n");
    blocks.filter(|block| !block.starts_with('#')).map(|block| {
        let (part, fault) = block.trim_end().split_once('\n').unwrap();
        let (kind, text) = part.split_once(": ").unwrap();
        let document = match kind.trim_start_matches("! ") {
            "document" => text.to_owned(),
            "fields" => document(text),
            "require" => requiring(text),
            "rules" => with_rules(&[text]),
            "rule" => with_rules(&[
                r#"{"name": "a", "when": {"regions": "us-*"}, "then": "report"}"#,
                &format!("{{{text}}}"),
            ]),
            "when" => with_conditions(text),
            other => panic!("`{other}` is no part of a document"),
        };
        Refusal {
            document,
            fault,
            by_schema: !kind.starts_with('!'),
        }
    })
}

#[test]
fn every_refusal_names_path_value_and_expectation() {
    assert_eq!(refusals().count(), 96);
    for Refusal {
        document, fault, ..
    } in refusals()
    {
        let faults = Policy::parse(&document).expect_err(&document);
        assert_eq!(faults.to_string(), fault, "{document}");
    }
}

#[test]
fn a_fault_holds_path_value_and_expectation_apart() {
    let faults = Policy::parse(&with_conditions(
        r#""tags": {"eks:cluster-name": ["a", 7]}"#,
    ))
    .unwrap_err();
    let fault = Fault {
        path: r#"$.rules[0].when.tags["eks:cluster-name"][1]"#.to_owned(),
        value: "7".to_owned(),
        expected: "a tag's value, or a pattern; `*` fits any, also an empty one".to_owned(),
    };
    assert_eq!(faults.0, [fault]);
}

#[test]
fn all_faults_are_told_together_in_the_order_of_the_document() {
    let faults = Policy::parse(
        r#"{
            "limits": {"grace_seconds": 601},
            "rules": [
                {"until": "soon", "name": "a", "then": "exempt", "when": {"regions": ["EU"], "accounts": "*"}},
                {"name": "b", "when": {"regions": "us-*"}, "because": ""},
                {"name": "b", "then": "kill", "when": {"regions": "us-east-1"}, "require": {"hop_limit": {"at_least": 2, "at_most": 1}}}
            ],
            "on_violation": "report",
            "on_violation": "delete",
            "enabled": true
        }"#,
    );
    assert_eq!(
        faults.unwrap_err().to_string(),
        r#"$.require is missing; expected an object with at least one metadata option
$.limits.grace_seconds is 601; expected a whole number from 0 to 600
$.rules[0].until is "soon"; expected the exemption's last day as `YYYY-MM-DD`
$.rules[0].when.regions[0] is "EU"; expected a region such as `eu-west-1`, or a pattern such as `us-*`
$.rules[0].when.accounts is "*"; expected an account id: a string of 12 digits, without wildcards
$.rules[1].then is missing; expected what happens to an instance that breaks the policy, or `require` in its place
$.rules[1].because is ""; expected a reason that is not blank
$.rules[2].name is "b"; expected a name other than that of $.rules[1]
$.rules[2].then is "kill"; expected one of `report`, `enforce`, `stop`, `terminate`, `exempt`
$.rules[2].when is {"regions":"us-east-1"}; expected instances that rule `b` ($.rules[1]) leaves over: the first rule that matches decides
$.rules[2].require.hop_limit is {"at_least":2,"at_most":1}; expected `at_least` to be no more than `at_most`
$.on_violation is "delete"; expected the key "on_violation" only once in its object
$.enabled is true; expected one of the fields `$schema`, `require`, `on_violation`, `rules`, `limits`, `existing`"#
    );
}

#[test]
fn a_rule_behind_an_exemption_that_ends_can_be_reached() {
    let ending =
        r#"{"name": "a", "when": {"regions": "us-*"}, "then": "exempt", "until": "2027-03-31"}"#;
    let lasting = r#"{"name": "a", "when": {"regions": "us-*"}, "then": "exempt"}"#;
    let later = r#"{"name": "b", "when": {"regions": "us-*"}, "then": "stop"}"#;
    assert!(Policy::parse(&with_rules(&[ending, later])).is_ok());
    assert!(Policy::parse(&with_rules(&[lasting, later])).is_err());
}

#[test]
fn broken_json_is_shown_with_line_and_column() {
    let rows = [
        (
            "",
            "nothing",
            "EOF while parsing a value at line 1 column 0",
        ),
        (
            "{\n  \"require\": tru,\n}",
            r#"`"require": tru,`"#,
            "expected ident at line 2 column 17",
        ),
        (
            r#"{"a": 1} {}"#,
            r#"`{"a": 1} {`"#,
            "trailing characters at line 1 column 10",
        ),
    ];
    for (text, value, error) in rows {
        let told = Policy::parse(text).unwrap_err().to_string();
        assert_eq!(
            told,
            format!("$ is {value}; expected a JSON document: {error}")
        );
    }
}

#[test]
fn the_line_shown_of_broken_json_ends_where_reading_stopped() {
    let long = format!(r#"{{"because": "{}", "umlaut": "ü" x}}"#, "y".repeat(200));
    let Fault {
        path,
        value,
        expected,
    } = Policy::parse(&long).unwrap_err().0.remove(0);
    assert_eq!(path, "$");
    assert!(
        value.ends_with(r#"yy", "umlaut": "ü" x`"#) && value.chars().count() <= 80,
        "{value}"
    );
    assert!(
        expected.starts_with("a JSON document: expected `,` or `}` at line 1"),
        "{expected}"
    );
}

#[test]
fn nesting_without_end_is_refused() {
    let faults = Policy::parse(&"[".repeat(100_000)).unwrap_err();
    assert!(
        faults.to_string().contains("recursion limit exceeded"),
        "{faults}"
    );
}
