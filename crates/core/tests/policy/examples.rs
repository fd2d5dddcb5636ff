//! The example policies, and what their README shows of them.

use std::fs;
use std::path::{Path, PathBuf};

use imds_core::policy::{Action, Policy};
use serde_json::Value;

fn policies() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies")
}

fn example(name: &str) -> Policy {
    crate::parse(&fs::read_to_string(policies().join(name)).unwrap())
}

#[test]
fn the_examples_do_what_their_names_say() {
    for (name, action) in [
        ("observe.json", Action::Report),
        ("enforce.json", Action::Enforce),
        ("terminate.json", Action::Terminate),
    ] {
        assert_eq!(example(name).on_violation, action, "{name}");
    }
}

#[test]
fn the_readme_comments_every_example_as_it_is() {
    let readme = fs::read_to_string(policies().join("README.md")).unwrap();
    let mut shown: Vec<Value> = Vec::new();
    for block in readme.split("```jsonc\n").skip(1) {
        let (code, _) = block.split_once("```").unwrap();
        let lines: Vec<&str> = code
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .collect();
        shown.push(serde_json::from_str(&lines.join("\n")).unwrap());
    }
    let mut names: Vec<PathBuf> = fs::read_dir(policies())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .collect();
    names.sort();
    assert_eq!(names.len(), shown.len());
    for name in names {
        let example: Value = serde_json::from_str(&fs::read_to_string(&name).unwrap()).unwrap();
        assert!(
            shown.contains(&example),
            "{} is not in the README as it is",
            name.display()
        );
    }
}

#[test]
fn the_readme_quotes_real_refusals() {
    let document = r#"{
        "version": 1, "require": {"http_tokens": "required"},
        "on_violation": "Enforce",
        "rules": [
            {"name": "sandboxes", "when": {"regions": "us-*"}, "action": "terminate"},
            {"name": "east", "when": {"regions": "us-east-1"}, "action": "report"},
            {"name": "lab", "when": {"accounts": ["1111*"]}, "action": "report"}
        ]
    }"#;
    let refusals = Policy::parse(document).unwrap_err().to_string();
    let readme = fs::read_to_string(policies().join("README.md")).unwrap();
    assert!(
        readme.contains(&format!("```text\n{refusals}\n```")),
        "{refusals}"
    );
}
