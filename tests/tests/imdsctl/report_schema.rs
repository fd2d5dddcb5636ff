//! Every report that a test reads is checked against the JSON Schema in the repository.

use std::path::Path;
use std::sync::LazyLock;

use imds_tests::{FakeAws, Imdsctl, launch};
use jsonschema::Validator;
use serde_json::{Value, json};

use crate::reading::*;

const REPORT: &str = "report.schema.json";
const DIFF: &str = "diff.schema.json";

/// Refuses fields that the schema does not describe, which the schema itself accepts.
static STRICT: LazyLock<Validator> = LazyLock::new(|| strict(REPORT));
/// The same for comparisons.
static STRICT_DIFF: LazyLock<Validator> = LazyLock::new(|| strict(DIFF));

fn strict(name: &str) -> Validator {
    let mut schema: Value = serde_json::from_str(&published(name)).unwrap();
    refuse_others(&mut schema);
    let options = jsonschema::options().should_validate_formats(true);
    options.build(&schema).unwrap()
}

fn published(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    std::fs::read_to_string(root.join(name)).unwrap()
}

fn refuse_others(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if fields.contains_key("properties") && fields.get("type") == Some(&json!("object")) {
                fields.insert("additionalProperties".to_owned(), json!(false));
            }
            fields.values_mut().for_each(refuse_others);
        }
        Value::Array(items) => items.iter_mut().for_each(refuse_others),
        _ => {}
    }
}

/// Fails if the report of a command is not as its schema says.
#[track_caller]
pub(crate) fn check(report: &Value) {
    let is_report = ["scan", "enforce", "report"]
        .iter()
        .any(|trigger| report["trigger"] == *trigger);
    let validator = if is_report {
        &STRICT
    } else if report.get("differences").is_some() {
        &STRICT_DIFF
    } else {
        return;
    };
    let faults = validator.iter_errors(report);
    let faults: Vec<String> = faults
        .map(|it| format!("{}: {it}", it.instance_path()))
        .collect();
    assert!(faults.is_empty(), "{faults:#?}\n{report:#}");
}

#[test]
fn the_command_prints_the_schema_in_the_repository() {
    let ran = Imdsctl::offline().args(["report-schema"]).run();
    assert!(ran.ended_with(0).stdout == published(REPORT));
    let ran = Imdsctl::offline().args(["report-schema", "--diff"]).run();
    assert!(ran.ended_with(0).stdout == published(DIFF));
}

#[test]
fn a_field_that_the_schema_does_not_describe_is_found() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION));
    let mut report = scanned(&ec2, "--usage --templates --defaults --user-data", 1);
    assert_eq!(entry(&report, &id)["decision"], "enforce");
    assert!(STRICT.is_valid(&report));
    report["instances"][0]["unheard_of"] = json!(1);
    assert!(!STRICT.is_valid(&report));
}

#[test]
fn a_report_says_what_it_covers_and_what_it_does_not() {
    let ec2 = two_regions();
    let id = ec2.launch(launch(HERE).tag("app", "web"));
    let folder = TestFolder::new();
    let text =
        r#"{ "version": 1, "require": { "http_tokens": "required" }, "on_violation": "report" }"#;
    let policy = folder.file("our policy.json", text);
    let options = format!(
        "scan --usage --region {HERE} --exclude-region {THERE} --tag app=web --state running --instance {id}"
    );
    let run = |format: &str| {
        let command = imdsctl(&ec2, &options).args(["--only", "violations", "--format", format]);
        command.arg("--policy").arg(&policy).run()
    };
    let report = json(run("json").ended_with(1));
    // `sha256sum` of the file.
    let sha256 = "e8082b9e9e3fea0ea5561b8d2e9299f40932dcec0a1086e6d45271c0c7fdff3c";
    assert_eq!(
        report["scope"],
        json!({
            "profile": null, "endpoint_url": null,
            "policy": { "file": policy, "sha256": sha256, "requires": "http_tokens required" },
            "regions": [HERE], "exclude_regions": [THERE], "instances": [id],
            "tags": ["app=web"], "states": ["running"], "only": "violations", "usage_days": 14
        })
    );
    let left_out: Vec<(&str, &str)> = list(&report, "not_examined")
        .iter()
        .map(|it| (it["what"].as_str().unwrap(), it["reason"].as_str().unwrap()))
        .collect();
    let instances = format!("left out by --instance {id} --state running --tag app=web");
    let regions = format!("left out by --region {HERE} --exclude-region {THERE}");
    assert_eq!(
        left_out,
        [
            ("regions", regions.as_str()),
            ("instances", instances.as_str()),
            ("user_data", "--user-data was not given"),
            ("launch_templates", "--templates was not given"),
            ("account_defaults", "--defaults was not given"),
            (
                "state_table",
                "no state table was named by --state-table or IMDS_STATE_TABLE"
            ),
        ]
    );
    let filters = format!("--region {HERE} --exclude-region {THERE} --instance {id}");
    for format in ["table", "html"] {
        let ran = run(format);
        let words = [
            "111122223333",
            "our policy.json",
            "http_tokens required",
            &filters,
        ];
        says(&ran.ended_with(1).stdout, &words);
        let unexamined = [
            "other Regions",
            "other instances",
            "user data",
            "launch templates",
        ];
        says(&ran.stdout, &unexamined);
    }
}

#[test]
fn a_scan_of_everything_leaves_out_only_the_state_table() {
    let ec2 = two_regions();
    ec2.launch(launch(HERE).tokens("required"));
    let report = scanned(&ec2, "--usage --user-data --templates --defaults", 0);
    let left_out = list(&report, "not_examined").iter().map(|it| &it["what"]);
    assert_eq!(left_out.collect::<Vec<_>>(), ["state_table"]);
    let policy = &report["scope"]["policy"];
    let own = json!({ "file": null, "sha256": null, "requires": "http_tokens required" });
    assert_eq!(*policy, own);
}
