//! What is refused, and with which message.

use imds_core::policy::{Policy, PolicyFault};

use crate::{document, requiring, with_conditions, with_rules};

/// A refused document.
pub(crate) struct PolicyRefusal {
    pub(crate) document: String,
    faults: &'static str,
    /// Whether the schema refuses it too.
    pub(crate) by_schema: bool,
}

/// Those of `refusals.txt`.
pub(crate) fn refusals() -> impl Iterator<Item = PolicyRefusal> {
    let blocks = include_str!("refusals.txt").split("\n\n");
    blocks.filter(|block| !block.starts_with('#')).map(|block| {
        let (part, faults) = block.trim_end().split_once('\n').unwrap();
        let (kind, text) = part.split_once(": ").unwrap();
        let document = match kind.trim_start_matches("! ") {
            "document" => text.to_owned(),
            "fields" => document(text),
            "require" => requiring(text),
            "rules" => with_rules(&[text]),
            "rule" => with_rules(&[
                r#"{"name": "a", "when": {"regions": "us-*"}, "action": "report"}"#,
                &format!("{{{text}}}"),
            ]),
            "when" => with_conditions(text),
            other => panic!("`{other}` is not a part of a document"),
        };
        PolicyRefusal {
            document,
            faults,
            by_schema: !kind.starts_with('!'),
        }
    })
}

#[test]
fn every_refusal_names_path_value_and_expectation() {
    assert_eq!(refusals().count(), 132);
    for PolicyRefusal {
        document, faults, ..
    } in refusals()
    {
        let found = Policy::parse(&document).expect_err(&document);
        assert_eq!(found.to_string(), faults, "{document}");
    }
}

#[test]
fn a_fault_has_path_value_and_expectation() {
    let faults = Policy::parse(&with_conditions(
        r#""tags": {"eks:cluster-name": ["a", 7]}"#,
    ))
    .unwrap_err();
    let fault = PolicyFault {
        path: r#"$.rules[0].when.tags["eks:cluster-name"][1]"#.to_owned(),
        value: "7".to_owned(),
        expected: "a tag's value, or a pattern; `*` matches any value, also an empty one"
            .to_owned(),
    };
    assert_eq!(faults.0, [fault]);
}

#[test]
fn all_faults_are_reported_together_in_the_order_of_the_document() {
    let faults = Policy::parse(
        r#"{
            "new_instances": {"grace_seconds": 601},
            "rules": [
                {"expires": "soon", "name": "a", "action": "exempt", "when": {"regions": ["EU"], "accounts": "*"}},
                {"name": "b", "when": {"regions": "us-*"}, "reason": ""},
                {"name": "b", "action": "kill", "when": {"regions": "us-east-1"}, "require": {"hop_limit": {"at_least": 2, "at_most": 1}}}
            ],
            "on_violation": "report",
            "on_violation": "delete",
            "enabled": true
        }"#,
    );
    assert_eq!(
        faults.unwrap_err().to_string(),
        r#"$.require is missing; expected an object with at least one metadata option
$.new_instances.grace_seconds is 601; expected a whole number from 0 to 600
$.rules[0].expires is "soon"; expected the exemption's last day as `YYYY-MM-DD`
$.rules[0].when.regions[0] is "EU"; expected a region such as `eu-west-1`, or a pattern such as `us-*`
$.rules[0].when.accounts is "*"; expected an account id: a string of 12 digits, without wildcards
$.rules[1].action is missing; expected what happens to an instance that violates the policy, or `require` in its place
$.rules[1].reason is ""; expected a reason that is not blank
$.rules[2].name is "b"; expected a name other than that of $.rules[1]
$.rules[2].action is "kill"; expected one of `report`, `enforce`, `stop`, `terminate`, `exempt`
$.rules[2].when is {"regions":"us-east-1"}; expected instances that rule `b` ($.rules[1]) leaves over: the first rule that matches decides
$.rules[2].require.hop_limit is {"at_least":2,"at_most":1}; expected `at_least` to be no more than `at_most`
$.on_violation is "delete"; expected the key "on_violation" only once in its object
$.enabled is true; expected one of the fields `$schema`, `version`, `require`, `on_violation`, `rules`, `new_instances`, `existing`, `limits`"#
    );
}

#[test]
fn a_rule_after_an_exemption_that_expires_can_be_reached() {
    let expiring = r#"{"name": "a", "when": {"regions": "us-*"}, "action": "exempt", "expires": "2027-03-31"}"#;
    let permanent = r#"{"name": "a", "when": {"regions": "us-*"}, "action": "exempt"}"#;
    let later = r#"{"name": "b", "when": {"regions": "us-*"}, "action": "stop"}"#;
    assert!(Policy::parse(&with_rules(&[expiring, later])).is_ok());
    assert!(Policy::parse(&with_rules(&[permanent, later])).is_err());
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
        let message = Policy::parse(text).unwrap_err().to_string();
        assert_eq!(
            message,
            format!("$ is {value}; expected a JSON document: {error}")
        );
    }
}

#[test]
fn the_line_shown_of_broken_json_ends_where_reading_stopped() {
    let long = format!(r#"{{"reason": "{}", "umlaut": "ü" x}}"#, "y".repeat(200));
    let PolicyFault {
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
