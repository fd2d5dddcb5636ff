//! Terraform gives the role what the code asks for, and nothing else.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::path::Path;

use imds_aws::PERMISSIONS;
use serde_json::{Value, json};

#[test]
fn terraform_grants_the_permissions_that_the_code_names() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../terraform/permissions.json");
    let granted: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let named = PERMISSIONS.map(|(part, actions)| (part.to_owned(), json!(actions)));
    assert_eq!(granted, Value::Object(named.into_iter().collect()));
}

#[test]
fn the_code_names_a_permission_for_every_call_that_it_makes() {
    let calls = ["ec2.rs", "power.rs", "cloudwatch.rs", "state_table.rs"].map(|file| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(file);
        std::fs::read_to_string(path).unwrap()
    });
    let named: Vec<&str> = PERMISSIONS
        .iter()
        .flat_map(|(_, actions)| *actions)
        .copied()
        .collect();
    for action in &named {
        let (_, call) = action.split_once(':').unwrap();
        assert!(
            calls
                .iter()
                .any(|code| code.contains(&format!("\"{call}\""))),
            "{call} is not called"
        );
    }
    let verbs = [
        "Describe",
        "Modify",
        "Create",
        "Stop",
        "Terminate",
        "Get",
        "BatchGet",
        "Update",
    ];
    let words = calls
        .iter()
        .flat_map(|code| code.split('"').skip(1).step_by(2));
    let call = |word: &&str| verbs.iter().any(|verb| word.starts_with(verb));
    for call in words.filter(call).filter(|word| !word.ends_with("Result")) {
        let allowed = named
            .iter()
            .any(|action| action.split_once(':').unwrap().1 == call);
        assert!(allowed, "{call} has no permission");
    }
}
