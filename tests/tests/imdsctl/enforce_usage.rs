//! `imdsctl enforce --unused-only`.

use imds_tests::{FakeAws, InjectedFault, launch};
use serde_json::json;

use crate::enforce::{enforced, policy};
use crate::enforce_policy::enforcing;
use crate::reading::*;

/// An instance that used IMDSv1, one that did not, and one without data.
pub(crate) fn three_usages() -> (FakeAws, [String; 3]) {
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
fn cloudwatch_that_cannot_be_asked_is_an_error_of_its_region_and_nothing_is_enforced_there() {
    for arguments in ["--unused-only", "--policy"] {
        let (ec2, ids) = three_usages();
        let far = ec2.launch(launch("us-east-1").launched(DAY * 100));
        ran_without_calls(&ec2, &far, DAY * 2, 30);
        let denied = InjectedFault::error("AccessDenied", 403);
        ec2.fault(denied.action("GetMetricData").region(REGION));
        let (_place, policy) = policy(enforcing(json!({})));
        let arguments = arguments.replace("--policy", &policy);
        let ran = imdsctl(&ec2, &format!("enforce --yes {arguments} --format json")).run();
        let report = json(ran.ended_with(3));
        assert_eq!(tokens(&ec2, &far), "required");
        for id in &ids {
            assert_eq!(tokens(&ec2, id), "optional");
            assert_eq!(entry(&report, id)["because"], "usage_unknown");
        }
        let [error] = list(&report, "unreachable") else {
            panic!("one error of the region: {report:#}")
        };
        assert_eq!(error["region"], REGION);
        let next = "allow cloudwatch:GetMetricData there, or exclude the region";
        says(&error["error"].to_string(), &["AccessDenied", next]);
    }
}

#[test]
fn where_nothing_can_be_enforced_because_of_an_error_it_is_not_said_that_there_is_nothing_to_do() {
    let (ec2, _) = three_usages();
    ec2.fault(InjectedFault::error("AccessDenied", 403).action("GetMetricData"));
    let ran = imdsctl(&ec2, "enforce --yes --unused-only").run();
    says(&ran.ended_with(3).stdout, &["AccessDenied", "1 error"]);
    says(
        &ran.stderr,
        &["nothing was changed: 3 instances left as they are, 1 error"],
    );
    assert!(!ran.stderr.contains("nothing to do"), "{}", ran.stderr);
    assert_eq!(ec2.changing_calls().len(), 0);
}

#[test]
fn the_plan_says_where_the_last_start_was_not_observed() {
    let ec2 = FakeAws::start();
    let before = ec2.launch(launch(REGION).launched(DAY * 100));
    let within = ec2.launch(launch(REGION).launched(DAY * 100).started(DAY * 3));
    for id in [&before, &within] {
        ran_without_calls(&ec2, id, DAY * 2, 30);
    }
    let ran = imdsctl(&ec2, "enforce --unused-only --dry-run").run();
    let output = &ran.ended_with(1).stdout;
    let line = |id: &str| output.lines().find(|line| line.contains(id)).unwrap();
    says(line(&before), &["unused; start not observed"]);
    assert!(!line(&within).contains("not observed"), "{output}");
    says(
        &ran.stderr,
        &[
            "1 of 2 instances: the last start was before the window",
            "`--user-data`",
        ],
    );
    let ran = imdsctl(&ec2, "enforce --unused-only --yes").run();
    says(&ran.ended_with(0).stderr, &["1 of 2 instances"]);
}

#[test]
fn user_data_that_calls_without_a_token_or_cannot_be_read_is_left_out_when_it_is_asked_for() {
    let ec2 = FakeAws::start();
    let unused = |data: &[u8]| {
        let id = ec2.launch(launch(REGION).launched(DAY * 100).user_data(data));
        ran_without_calls(&ec2, &id, DAY * 2, 30);
        id
    };
    let calls = unused(b"#!/bin/sh\n\ncurl http://169.254.169.254/latest/meta-data/instance-id\n");
    let clean = unused(b"#!/bin/sh\necho hello\n");
    let denied = unused(b"#!/bin/sh\necho hello\n");
    let fault = InjectedFault::unauthorized().action("DescribeInstanceAttribute");
    ec2.fault(fault.instance(&denied));
    let compliant = ec2.launch(launch(REGION).tokens("required"));
    let report = enforced(&ec2, "--unused-only --user-data", 3);
    let left = |id: &str| {
        let instance = entry(&report, id);
        assert_eq!(instance["outcome"], "reported");
        assert_eq!(instance["because"], "user_data");
        instance["reason"].as_str().unwrap().to_owned()
    };
    says(&left(&calls), &["without a token in line 3"]);
    says(&left(&denied), &["its user data could not be read"]);
    assert_eq!(entry(&report, &clean)["outcome"], "enforced");
    says(&report["unreachable"].to_string(), &[&denied]);
    assert_eq!(modified(&ec2).len(), 1);
    let asked = ec2.calls_to("DescribeInstanceAttribute");
    let of_compliant = |call: &imds_tests::RecordedCall| call.params["InstanceId"] == compliant;
    assert!(
        !asked.iter().any(of_compliant),
        "only non-compliant instances are asked for"
    );
    // Without the option it is not asked for.
    enforced(&ec2, "--unused-only", 0);
    assert_eq!(tokens(&ec2, &calls), "required");
}
