//! The JSON Schema in the repository. `UPDATE=1` writes it again.

use std::fs;
use std::path::Path;

use imds_core::policy_schema::schema;
use serde_json::Value;

#[test]
fn the_schema_in_the_repository_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policy.schema.json");
    let generated = schema();
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, format!("{generated:#}\n")).unwrap();
    }
    let written: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    assert!(
        written == generated,
        "policy.schema.json is stale: write it again with UPDATE=1"
    );
}

#[test]
fn the_schema_is_valid_and_allows_null_only_for_a_limit_that_is_none() {
    let mut schema = schema();
    jsonschema::meta::validate(&schema).unwrap();
    let limit = schema["$defs"]["Limits"]["properties"]["existing_per_hour"].take();
    assert_eq!(limit["oneOf"][1], serde_json::json!({ "const": null }));
    schema["$defs"]["Limits"]["properties"]["existing_per_hour"] = serde_json::json!({});
    assert!(!schema.to_string().contains("null"));
}
