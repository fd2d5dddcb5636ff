//! `imdsctl enforce --unused-only`.

use imds_tests::{FakeAws, InjectedFault, launch};
use serde_json::json;

use crate::enforce::{enforced, policy};
use crate::reading::*;

/// An instance that used IMDSv1, one that did not, and one without data.
fn three_usages() -> (FakeAws, [String; 3]) {
    let ec2 = FakeAws::start();
    let ids = [(); 3].map(|()| ec2.launch(launch(REGION).launched(DAY * 100)));
    ec2.datapoint(&ids[0], "MetadataNoToken", ago(DAY * 5), 7.0);
    ran_without_calls(&ec2, &ids[1], DAY * 2, 30);
    (ec2, ids)
}

#[test]
fn unused_only_does_not_change_instances_in_use_or_of_unknown_usage() {
    let (ec2, ids) = three_usages();
    let report = enforced(&ec2, "--unused-only", 1);
    let after = ids.each_ref().map(|id| tokens(&ec2, id));
    assert_eq!(after, ["optional", "required", "optional"]);
    for (id, outcome, usage) in [
        (0, "reported", "in_use"),
        (1, "enforced", "unused"),
        (2, "reported", "unknown"),
    ] {
        let instance = entry(&report, &ids[id]);
        assert_eq!(
            (&instance["outcome"], &instance["usage"]["verdict"]),
            (&json!(outcome), &json!(usage))
        );
    }
    assert_eq!(modified(&ec2).len(), 1);
}

#[test]
fn unused_only_applies_whatever_the_policy_allows() {
    for action in ["enforce", "terminate"] {
        let (ec2, ids) = three_usages();
        let (_place, argument) = policy(json!({
            "version": 1, "require": { "http_tokens": "required" }, "on_violation": action,
            "existing": { "in_use": "enforce", "unknown": "enforce" }
        }));
        enforced(&ec2, &format!("--unused-only {argument}"), 1);
        let after = ids.each_ref().map(|id| tokens(&ec2, id));
        assert_eq!(after, ["optional", "required", "optional"], "{action}");
        assert_eq!(ec2.changing_calls().len(), 1);
    }
}

#[test]
fn unused_only_does_not_change_new_and_recent_instances_whose_usage_is_not_unused() {
    let ec2 = FakeAws::start();
    let ids = [DAY / 2, DAY / 2, DAY / 1000].map(|age| ec2.launch(launch(REGION).launched(age)));
    ec2.datapoint(&ids[0], "MetadataNoToken", ago(DAY / 4), 7.0);
    let (_place, argument) = policy(json!({
        "version": 1, "require": { "http_tokens": "required" }, "on_violation": "enforce",
        "new_instances": { "in_use": "enforce" }
    }));
    let report = enforced(&ec2, &format!("--unused-only {argument}"), 1);
    let because = ids.each_ref().map(|id| &entry(&report, id)["because"]);
    assert_eq!(because, ["in_use", "usage_unknown", "usage_unknown"]);
    assert_eq!(ec2.changing_calls().len(), 0);
}

#[test]
fn the_window_of_unused_only_is_set_in_days() {
    let (ec2, ids) = three_usages();
    enforced(&ec2, "--unused-only 3 --dry-run", 1);
    let report = enforced(&ec2, "--unused-only 3", 1);
    assert_eq!(
        entry(&report, &ids[0])["usage"]["verdict"],
        "unknown",
        "no datapoint within three days"
    );
    ran_without_calls(&ec2, &ids[0], DAY * 2, 30);
    enforced(&ec2, "--unused-only 3", 1);
    assert_eq!(tokens(&ec2, &ids[0]), "required");
}

#[test]
fn usage_that_cannot_be_read_is_not_unused() {
    let (ec2, _) = three_usages();
    ec2.fault(InjectedFault::error("AccessDenied", 403).action("GetMetricData"));
    let report = enforced(&ec2, "--unused-only", 1);
    says(&report.to_string(), &["AccessDenied"]);
    assert_eq!(ec2.changing_calls().len(), 0);
}
