//! The JSON Schema of the policy: up to date, and of one mind with the parser.
//! `UPDATE=1 cargo test -p imds-core --test policy_schema` writes it anew.

use std::path::Path;

use imds_core::policy::{Policy, schema};
use serde_json::{Value, json};

#[test]
fn the_schema_in_the_repository_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../policy.schema.json");
    let generated = format!("{:#}\n", schema());
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &generated).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == generated, "policy.schema.json is stale: write it anew with UPDATE=1");
}
