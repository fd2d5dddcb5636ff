//! The JSON Schema accepts and refuses the same policies as `Policy::parse`.

use imds_core::policy::Policy;
use imds_core::policy_schema::schema;
use jsonschema::Validator;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::document;
use crate::refusals::refusals;

fn validator() -> Validator {
    jsonschema::options()
        .should_validate_formats(true)
        .build(&schema())
        .unwrap()
}

#[test]
fn the_schema_refuses_what_reading_refuses() {
    let validator = validator();
    for refusal in refusals() {
        let by_schema = match serde_json::from_str(&refusal.document) {
            Ok(document) => !validator.is_valid(&document),
            Err(_) => false,
        };
        assert_eq!(by_schema, refusal.by_schema, "{}", refusal.document);
    }
}

/// A document that uses everything.
fn full() -> Value {
    let full = document(
        r#""$schema": "policy.schema.json",
        "rules": [
            {"name": "all", "when": {
                "accounts": "111122223333", "regions": ["eu-*"], "tags": {"app": "x", "b*": ["y", "z"]}, "images": "ami-1",
                "instance_types": "m7g.*", "principals": "arn:*", "auto_scaling": true, "launch_templates": ["lt-1", "lt-2"]
            }, "action": "exempt", "expires": "2027-03-31", "reason": "ticket 4711"},
            {"name": "hops", "when": {"tags": {"k": "*"}}, "require": {"hop_limit": {"at_least": 2, "at_most": 3}, "http_endpoint": "disabled"}},
            {"name": "rest", "when": {"regions": "*"}, "action": "terminate"}
        ],
        "limits": {"disruptions_per_hour": 10, "enforcements_per_hour": 6}, 
        "new_instances": {"disrupt_within_minutes": 15, "enforce_within_hours": 24, "in_use": "report", "grace_seconds": 60, "enforce_grace_seconds": 0},
        "existing": {"usage_window_days": 14, "usage_data_hours": 24, "in_use": "report", "unknown": "enforce", "watch_days": 7}"#,
    );
    serde_json::from_str(&full).unwrap()
}

#[test]
fn the_schema_accepts_what_is_read() {
    let validator = validator();
    let minimal: Value = serde_json::from_str(&document("")).unwrap();
    for document in [full(), minimal] {
        assert!(Policy::parse(&document.to_string()).is_ok());
        assert!(validator.is_valid(&document));
    }
}

/// JSON pointers to every value of the document.
fn pointers(value: &Value) -> Vec<String> {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| (key.clone(), value))
            .collect(),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(index, value)| (index.to_string(), value))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => vec![],
    };
    let below = |(step, child): &(String, &Value)| {
        pointers(child)
            .into_iter()
            .map(|rest| format!("/{step}{rest}"))
            .collect::<Vec<_>>()
    };
    [String::new()]
        .into_iter()
        .chain(children.iter().flat_map(below))
        .collect()
}

fn any_value() -> impl Strategy<Value = Value> {
    const WORDS: &[&str] = &[
        "",
        " ",
        "x",
        "*",
        "?",
        "us-*",
        "US",
        "ami-1",
        "lt-1",
        "arn:a",
        "ec2fleet.amazonaws.com",
        "111122223333",
        "enabled",
        "required",
        "optional",
        "report",
        "exempt",
        "stop",
        "2027-02-28",
        "2027-02-29",
        "2027-2-28",
        "m7g.*",
    ];
    prop_oneof![
        4 => select(WORDS).prop_map(Value::from),
        2 => select(&[-1_i64, 0, 1, 2, 60, 61, 63, 64, 65, 168, 169, 600, 601, 1000, 1001, 10_000, 10_001][..]).prop_map(Value::from),
        1 => select(&[0.5_f64, 2.0, 64.0, 1e30][..]).prop_map(Value::from),
        1 => select(vec![json!(null), json!(true), json!([]), json!({}), json!([[]]), json!(["*"]), json!({"at_most": 2}), json!({"regions": "*"})]),
    ]
}

/// What only `Policy::parse` can detect, by its messages.
const BEYOND_SCHEMA: [&str; 5] = [
    "a name other than",
    "leaves over",
    "to be no more than",
    "to be at least a minute shorter",
    "to fit into",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn schema_and_reading_agree_on_documents_changed_at_random(
        changes in prop::collection::vec((select(pointers(&full())), any_value(), any::<bool>()), 1..3),
    ) {
        let mut document = full();
        for (pointer, value, remove) in changes {
            let (parent, key) = pointer.rsplit_once('/').unwrap_or_default();
            match document.pointer_mut(parent) {
                Some(Value::Object(fields)) if remove => drop(fields.remove(key)),
                _ => if let Some(place) = document.pointer_mut(&pointer) { *place = value },
            }
        }
        let faults = Policy::parse(&document.to_string()).err().map(|faults| faults.0).unwrap_or_default();
        let refused_by_values = faults.iter().any(|fault| !BEYOND_SCHEMA.iter().any(|words| fault.expected.contains(words)));
        thread_local! { static VALIDATOR: Validator = validator(); }
        let valid = VALIDATOR.with(|validator| validator.is_valid(&document));
        prop_assert_eq!(valid, !refused_by_values, "{}\n{:?}", document, faults);
    }

    #[test]
    fn no_text_makes_reading_panic(text in r#"[\{\}\[\]:,"a-z0-9\-\. ü\\]{0,60}"#) {
        let _ = Policy::parse(&text);
    }
}
