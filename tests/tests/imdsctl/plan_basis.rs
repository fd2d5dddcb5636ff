//! What a plan file is based on, and its age.

use imds_tests::{FakeAws, launch};
use jiff::Timestamp;
use serde_json::json;

use crate::enforce::policy;
use crate::enforce_policy::enforcing;
use crate::plan::{edited, planned, read, run};
use crate::reading::*;

/// Old instances that did not use IMDSv1.
fn unused(ec2: &FakeAws) -> [String; 3] {
    [(); 3].map(|()| {
        let old = launch(REGION).launched(DAY * 100).in_group("web-asg");
        let id = ec2.launch(old.from_template("lt-0a", "3").tag("Owner", "team-a"));
        ran_without_calls(ec2, &id, DAY * 2, 30);
        id
    })
}

#[test]
fn a_plan_keeps_what_it_is_based_on() {
    let ec2 = FakeAws::start();
    let [id, ..] = unused(&ec2);
    ec2.tag(&id, "Name", "web-1");
    let (_place, plan) = planned(&ec2, "--unused-only 30 --user-data");
    let document = read(&plan);
    assert_eq!(
        document["usage"],
        json!({ "basis": "unused_only", "days": 30 })
    );
    assert_eq!(document["user_data"], true);
    let change = entry(&document, &id);
    assert_eq!(change["name"], "web-1");
    assert_eq!(change["tags"]["Owner"], "team-a");
    assert_eq!(
        change["launch_template"],
        json!({ "id": "lt-0a", "version": "3" })
    );
    assert_eq!(change["auto_scaling_group"], "web-asg");
    let launched: Timestamp = change["first_launched_at"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!(launched < ago(DAY * 99));
    let since = change["usage"]["since"].as_str().unwrap().parse().unwrap();
    assert!((ago(DAY * 31)..ago(DAY * 29)).contains(&since));
    assert_eq!(change["usage"]["not_started_within_window"], true);
    for (arguments, usage) in [
        ("", json!({ "basis": "not_asked" })),
        ("--ignore-usage", json!({ "basis": "ignored" })),
    ] {
        assert_eq!(read(&planned(&ec2, arguments).1)["usage"], usage);
    }
}

#[test]
fn use_is_asked_again_and_what_is_in_use_since_is_skipped() {
    let ec2 = FakeAws::start();
    let [used, silent, same] = unused(&ec2);
    let (_place, plan) = planned(&ec2, "--unused-only");
    ec2.datapoint(&used, "MetadataNoToken", ago(DAY / 24), 7.0);
    ec2.set_status_code(&silent, "MetadataNoToken", "InternalError");
    let report = json(run(&ec2, &plan, "--yes").ended_with(1));
    for (id, because) in [
        (&used, "IMDSv1 is in use: 7 calls"),
        (&silent, "InternalError"),
    ] {
        assert_eq!(entry(&report, id)["outcome"], "reported");
        let reason = entry(&report, id)["reason"].as_str().unwrap();
        says(reason, &["skipped", because]);
    }
    assert_eq!(entry(&report, &same)["outcome"], "enforced");
    assert_eq!(modified(&ec2).len(), 1);
    // Unless the flag says that it does not matter.
    run(&ec2, &plan, "--yes --ignore-usage").ended_with(0);
    assert_eq!(tokens(&ec2, &used), "required");
}

#[test]
fn the_policy_of_a_plan_decides_by_use_again() {
    let ec2 = FakeAws::start();
    let [used, ..] = unused(&ec2);
    let (_folder, argument) = policy(enforcing(json!({ "usage_window_days": 5 })));
    let (_place, plan) = planned(&ec2, &argument);
    assert_eq!(
        read(&plan)["usage"],
        json!({ "basis": "policy", "days": 5 })
    );
    ec2.datapoint(&used, "MetadataNoToken", ago(DAY / 24), 7.0);
    let report = json(run(&ec2, &plan, "--yes").ended_with(1));
    assert_eq!(entry(&report, &used)["because"], "in_use");
    assert_eq!(modified(&ec2).len(), 2);
}

#[test]
fn a_plan_that_did_not_ask_for_use_is_refused_with_yes_alone() {
    let ec2 = FakeAws::start();
    unused(&ec2);
    let (_place, plan) = planned(&ec2, "");
    says(
        &run(&ec2, &plan, "--yes").ended_with(2).stderr,
        &["--ignore-usage"],
    );
    assert_eq!(ec2.changing_calls().len(), 0);
    let (_place, plan) = planned(&ec2, "--ignore-usage");
    run(&ec2, &plan, "--yes").ended_with(0);
    assert_eq!(ec2.count("GetMetricData"), 0);
}

#[test]
fn the_age_of_a_plan_is_told_and_limited() {
    let ec2 = FakeAws::start();
    ec2.launch(launch(REGION));
    let (_place, plan) = planned(&ec2, "");
    says(
        &run(&ec2, &plan, "--dry-run").ended_with(1).stderr,
        &["the plan is 0 minutes old: it was created at "],
    );
    edited(&plan, "/created_at", json!(ago(DAY * 8)));
    let ran = run(&ec2, &plan, "--yes");
    says(
        &ran.ended_with(2).stderr,
        &["8 days old", "at most 7 days", "--max-plan-age"],
    );
    edited(&plan, "/created_at", json!(ago(DAY * 3) + DAY * 4));
    let ran = run(&ec2, &plan, "--yes");
    says(
        &ran.ended_with(2).stderr,
        &["was created at", "correct the clock"],
    );
    assert_eq!(ec2.changing_calls().len(), 0);
    edited(&plan, "/created_at", json!(ago(DAY * 8)));
    let ran = run(&ec2, &plan, "--yes --max-plan-age 8");
    says(&ran.ended_with(0).stderr, &["the plan is 8 days old"]);
}

#[test]
fn each_planned_instance_is_described_in_its_region_alone() {
    let ec2 = FakeAws::start();
    ec2.launch(launch(REGION));
    ec2.launch(launch("us-east-1"));
    let (_place, plan) = planned(&ec2, "");
    ec2.forget_calls();
    run(&ec2, &plan, "--dry-run").ended_with(1);
    let calls = ec2.calls_to("DescribeInstances");
    let regions = sorted(calls.iter().map(|call| call.region.clone()));
    assert_eq!(regions, ["eu-central-1", "us-east-1"]);
    edited(&plan, "/instances", json!([]));
    ec2.forget_calls();
    let ran = run(&ec2, &plan, "--yes");
    says(&ran.ended_with(0).stderr, &["nothing to do"]);
    assert_eq!(ec2.count("DescribeInstances"), 0);
}
