//! `imdsctl enforce` where EC2 refuses an option: tokens are required all the same.

use std::collections::BTreeSet;

use imds_tests::{FakeAws, launch};
use serde_json::{Value, json};

use crate::enforce::{enforced, policy};
use crate::reading::*;
use crate::rollback::rollback;

const NODE_TAG: &str = "kubernetes.io/cluster/shop";

/// Requires tokens and tags in the metadata.
fn tokens_and_tags() -> (TestFolder, String) {
    policy(json!({
        "version": 1, "on_violation": "enforce",
        "require": { "http_tokens": "required", "instance_metadata_tags": "enabled" }
    }))
}

/// A node whose tags the metadata service cannot show, and an instance without such tags.
fn node_and_other() -> (FakeAws, [String; 2]) {
    let ec2 = FakeAws::start();
    let node = launch(REGION).hop_limit(2).tag(NODE_TAG, "shared");
    let ids = [node, launch(REGION)].map(|launch| ec2.launch(launch));
    (ec2, ids)
}

/// The options that each call for an instance names.
fn named_options(ec2: &FakeAws, id: &str) -> Vec<BTreeSet<String>> {
    let calls = modified(ec2).into_iter();
    let calls = calls.filter(|call| call["InstanceId"] == id);
    calls
        .map(|call| call.into_keys().filter(|it| it != "InstanceId").collect())
        .collect()
}

#[test]
fn tokens_are_required_although_ec2_refuses_another_option() {
    let (ec2, [node, other]) = node_and_other();
    let (_place, argument) = tokens_and_tags();
    let report = enforced(&ec2, &argument, 3);
    let instance = entry(&report, &node);
    assert_eq!(instance["outcome"], "enforced");
    let refused = list(instance, "refused");
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0]["option"], "instance_metadata_tags");
    let error = refused[0]["error"].as_str().unwrap();
    says(
        error,
        &["InvalidParameterValue", NODE_TAG, "not a valid tag key"],
    );
    let after = &instance["after"];
    assert_eq!(
        (&after["http_tokens"], &after["instance_metadata_tags"]),
        (&json!("required"), &json!("disabled"))
    );
    assert_eq!(entry(&report, &other)["refused"], json!([]));
    assert_eq!(
        (&report["summary"]["enforced"], &report["summary"]["failed"]),
        (&json!(2), &json!(0))
    );
    let (tokens, tags) = ("HttpTokens".to_owned(), "InstanceMetadataTags".to_owned());
    let expected = [
        BTreeSet::from([tokens.clone(), tags.clone()]),
        BTreeSet::from([tokens]),
        BTreeSet::from([tags]),
    ];
    assert_eq!(named_options(&ec2, &node), expected);
    let shown = ec2.instance(&other).options;
    assert_eq!(
        (shown.tokens.as_str(), shown.metadata_tags.as_str()),
        ("required", "enabled")
    );
}

#[test]
fn the_table_names_the_refused_option_with_ec2_s_words() {
    let (ec2, [node, other]) = node_and_other();
    let (_place, argument) = tokens_and_tags();
    let ran = imdsctl(&ec2, &format!("enforce --yes {argument}")).run();
    let output = &ran.ended_with(3).stdout;
    let line = format!("{REGION} {node}: instance_metadata_tags: InvalidParameterValue: ");
    says(
        output,
        &["\nRefused by EC2\n", &line, "not a valid tag key"],
    );
    let after = output.split("Refused by EC2").nth(1).unwrap();
    assert!(!after.contains(&other), "{output}");
    says(output, &["2 enforced", "0 failed"]);
}

#[test]
fn what_was_set_in_several_calls_is_rolled_back_to_the_original_options() {
    let (ec2, ids) = node_and_other();
    let before = options(&ec2, &[REGION]);
    let (place, argument) = tokens_and_tags();
    let journal = place.path("journal");
    let arguments = format!("{argument} --journal {}", journal.display());
    enforced(&ec2, &arguments, 3);
    let lines = lines(&journal);
    assert_eq!(answers(&lines, &ids[0]), ["error", "after", "error"]);
    let dry_run = rollback(&ec2, &journal, "--dry-run").run();
    let line = format!("{REGION} {} set http_tokens=optional", ids[0]);
    says(&dry_run.ended_with(1).stdout, &[&line]);
    let ran = rollback(&ec2, &journal, "--yes --json").run();
    assert_eq!(json(ran.ended_with(0))["summary"]["restored"], 2);
    assert_eq!(options(&ec2, &[REGION]), before);
}

#[test]
fn two_changes_of_one_instance_are_rolled_back_to_the_original_options() {
    let (ec2, [node, _]) = node_and_other();
    let before = options(&ec2, &[REGION]);
    let (place, argument) = policy(json!({
        "version": 1, "on_violation": "enforce",
        "require": {
            "http_tokens": "required", "hop_limit": { "at_most": 1 }, "instance_metadata_tags": "enabled"
        }
    }));
    let journal = place.path("journal");
    let arguments = format!(
        "{argument} --instance {node} --journal {}",
        journal.display()
    );
    let report = enforced(&ec2, &arguments, 3);
    let after = &entry(&report, &node)["after"];
    assert_eq!(
        (&after["http_tokens"], &after["hop_limit"]),
        (&json!("required"), &json!(1))
    );
    let lines = lines(&journal);
    assert_eq!(answers(&lines, &node), ["error", "after", "after", "error"]);
    rollback(&ec2, &journal, "--yes").run().ended_with(0);
    assert_eq!(options(&ec2, &[REGION]), before);
}

#[test]
fn an_option_that_is_refused_alone_is_reported_and_calls_are_not_repeated() {
    let ec2 = FakeAws::start();
    let node = ec2.launch(launch(REGION).tokens("required").tag(NODE_TAG, "shared"));
    let (_place, argument) = tokens_and_tags();
    let report = enforced(&ec2, &argument, 3);
    let instance = entry(&report, &node);
    assert_eq!(
        (&instance["outcome"], &instance["because"]),
        (&json!("reported"), &json!("refused"))
    );
    assert_eq!(instance["refused"][0]["option"], "instance_metadata_tags");
    assert_eq!(modified(&ec2).len(), 1);
}

#[test]
fn where_ec2_demands_the_endpoint_too_that_is_reported_and_the_endpoint_is_not_sent() {
    let ec2 = FakeAws::start();
    ec2.demand_endpoint();
    let id = ec2.launch(launch(REGION));
    let report = enforced(&ec2, "", 3);
    let instance = entry(&report, &id);
    assert_eq!(
        (&instance["outcome"], &instance["instead_of"]),
        (&json!("reported"), &json!("enforce"))
    );
    assert_eq!(instance["refused"][0]["option"], "http_tokens");
    says(
        &instance["reason"].to_string(),
        &["HttpEndpoint must be enabled"],
    );
    assert_eq!(instance["after"], Value::Null);
    assert_eq!(modified(&ec2).len(), 1);
    assert!(ec2.widening_calls().is_empty());
}
