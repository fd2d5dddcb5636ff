//! What instances that are not new may be done to, and what nothing may do.

use imds_core::policy::{Action, Existing, NewInstances, Policy};

use crate::{document, parse, requiring};

const AT_MOST_ENFORCE: [(&str, Action); 2] =
    [("report", Action::Report), ("enforce", Action::Enforce)];

#[test]
fn instances_in_use_and_those_without_data_have_each_their_action() {
    for (in_use, expected_in_use) in AT_MOST_ENFORCE {
        for (unknown, expected_unknown) in AT_MOST_ENFORCE {
            let policy = parse(&document(&format!(
                r#""existing": {{"in_use": "{in_use}", "unknown": "{unknown}"}}"#
            )));
            let expected = Existing {
                in_use: expected_in_use,
                unknown: expected_unknown,
                ..Existing::default()
            };
            assert_eq!(policy.existing, expected);
        }
    }
}

#[test]
fn recent_instances_in_use_have_their_own_action() {
    for (word, in_use) in AT_MOST_ENFORCE {
        let policy = parse(&document(&format!(
            r#""new_instances": {{"in_use": "{word}"}}"#
        )));
        let expected = NewInstances {
            in_use,
            ..NewInstances::default()
        };
        assert_eq!(policy.new_instances, expected);
        assert_eq!(policy.existing, Existing::default());
    }
}

#[test]
fn what_is_not_new_can_be_neither_stopped_nor_terminated_nor_exempted() {
    for field in [
        "new_instances.in_use",
        "existing.in_use",
        "existing.unknown",
    ] {
        let (section, name) = field.split_once('.').unwrap();
        for word in ["stop", "terminate", "exempt"] {
            let fields = format!(r#""{section}": {{"{name}": "{word}"}}"#);
            let faults = Policy::parse(&document(&fields)).unwrap_err().to_string();
            let expected = format!(r#"$.{field} is "{word}"; expected one of `report`, `enforce`"#);
            assert_eq!(faults, expected);
        }
    }
}

#[test]
fn no_policy_and_no_rule_enables_an_endpoint() {
    let in_rule = document(
        r#""rules": [{"name": "a", "when": {"regions": "*"}, "require": {"http_endpoint": "enabled"}}]"#,
    );
    let in_policy = requiring(r#"{"http_tokens": "required", "http_endpoint": "enabled"}"#);
    for (document, path) in [
        (in_policy, "$.require.http_endpoint"),
        (in_rule, "$.rules[0].require.http_endpoint"),
    ] {
        let faults = Policy::parse(&document).unwrap_err().to_string();
        assert_eq!(
            faults,
            format!(
                "{path} is \"enabled\"; expected `disabled`: a policy cannot enable the metadata \
                 endpoint of an instance"
            )
        );
    }
}
