//! Sweeps find and enforce what events missed, as far as the usage of IMDSv1 allows.

use imds_tests::{FakeAws, InjectedFault, Settle, launch};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::support::*;

#[test]
fn every_enabled_region_is_swept() {
    let ec2 = FakeAws::start();
    let regions = ["eu-central-1", "us-east-1", "ap-southeast-2"];
    ec2.set_regions(&regions);
    let ids = regions.map(|region| ec2.launch(launch(region)));
    let compliant = ec2.launch(launch("us-east-1").tokens("required"));
    let run = function(&ec2, &enforcing(json!({ "unknown": "enforce" }))).invoke(&sweep(&[]));
    let report = report(&run);
    assert_eq!(report["trigger"], "sweep");
    assert_eq!(
        (
            &report["summary"]["enforced"],
            &report["summary"]["compliant"]
        ),
        (&json!(3), &json!(1))
    );
    assert!(
        ids.iter()
            .all(|id| ec2.instance(id).options.tokens == "required")
    );
    assert!(
        !report.to_string().contains(&compliant),
        "compliant instances are counted, not listed"
    );
    assert_eq!(
        (ec2.count("DescribeRegions"), ec2.count("DescribeInstances")),
        (1, 3)
    );
}

#[test]
fn only_the_named_regions_are_swept() {
    let ec2 = FakeAws::start();
    let here = ec2.launch(launch("eu-central-1"));
    let there = ec2.launch(launch("us-east-1"));
    function(&ec2, &enforcing(json!({ "unknown": "enforce" }))).invoke(&sweep(&["eu-central-1"]));
    assert_eq!(ec2.instance(&here).options.tokens, "required");
    assert_eq!(ec2.instance(&there).options.tokens, "optional");
    assert_eq!(ec2.count("DescribeRegions"), 0);
}

#[test]
fn a_closed_region_is_reported_and_the_others_are_swept() {
    for code in ["AuthFailure", "OptInRequired"] {
        let ec2 = FakeAws::start();
        ec2.set_regions(&["eu-central-1", "me-south-1"]);
        ec2.opt_out("me-south-1", code);
        let id = ec2.launch(launch("eu-central-1"));
        let function = function(&ec2, &enforcing(json!({ "unknown": "enforce" })));
        let run = function.invoke(&sweep(&["eu-central-1", "me-south-1"]));
        let unreachable = &report(&run)["unreachable"][0];
        assert_eq!(
            (&unreachable["region"], &unreachable["fatal"]),
            (&json!("me-south-1"), &json!(true))
        );
        assert!(unreachable["error"].as_str().unwrap().contains(code));
        assert_eq!(metric(&run, "SweepIncomplete"), [1]);
        assert_eq!(ec2.instance(&id).options.tokens, "required");
    }
}

#[test]
fn a_closed_region_that_the_event_does_not_name_does_not_make_the_sweep_incomplete() {
    let ec2 = FakeAws::start();
    ec2.set_regions(&["eu-central-1", "eu-west-1"]);
    ec2.fault(InjectedFault::unauthorized().region("eu-west-1"));
    let run = function(&ec2, &enforcing(json!({}))).invoke(&sweep(&[]));
    let unreachable = &report(&run)["unreachable"];
    assert_eq!(
        (&unreachable[0]["region"], &unreachable[0]["fatal"]),
        (&json!("eu-west-1"), &json!(false))
    );
    assert_eq!(metric(&run, "SweepIncomplete"), [0]);
}

#[test]
fn an_unreachable_region_makes_the_sweep_incomplete() {
    let ec2 = FakeAws::start();
    ec2.set_regions(&["eu-central-1", "eu-west-1"]);
    ec2.fault(InjectedFault::status(500).region("eu-west-1"));
    let run = function(&ec2, &enforcing(json!({}))).invoke(&sweep(&[]));
    assert_eq!(report(&run)["unreachable"][0]["region"], "eu-west-1");
    assert_eq!(metric(&run, "SweepIncomplete"), [1]);
}

#[test]
fn the_usage_of_imdsv1_decides_which_instances_are_enforced() {
    let ec2 = FakeAws::start();
    let old = || launch(REGION).launched(seconds(30 * DAY));
    let quiet = ec2.launch(old());
    let in_use = ec2.launch(old());
    let no_data = ec2.launch(old());
    let little_data = ec2.launch(old());
    let stopped = ec2.launch(old().state("stopped"));
    for id in [&quiet, &stopped] {
        unused(&ec2, id);
    }
    hourly(&ec2, &little_data, "MetadataNoToken", 3, 2, 0.0);
    ec2.datapoint(&in_use, "MetadataNoToken", ago(3 * DAY), 40.0);
    ec2.datapoint(&in_use, "MetadataNoToken", ago(2 * DAY), 2.0);
    let run = function(&ec2, &enforcing(json!({}))).invoke(&sweep(&[REGION]));
    let report = report(&run);
    let usage = |id: &str| entry(report, id)["usage"].clone();
    for id in [&quiet, &stopped] {
        assert_eq!(outcome(report, id), "enforced");
        assert_eq!(usage(id)["verdict"], "unused");
    }
    for (id, because) in [
        (&no_data, json!("no_data")),
        (&little_data, json!({ "too_little_data": 3 })),
    ] {
        assert_eq!(done(report, id), ["reported", "enforce", "usage_unknown"]);
        assert_eq!(
            usage(id),
            json!({ "verdict": "unknown", "because": because })
        );
    }
    assert_eq!(outcome(report, &in_use), "reported");
    assert_eq!(entry(report, &in_use)["because"], "in_use");
    assert_eq!(
        (
            usage(&in_use)["verdict"].as_str(),
            usage(&in_use)["calls"].as_u64()
        ),
        (Some("in_use"), Some(42))
    );
    let last: Timestamp = usage(&in_use)["last_at"].as_str().unwrap().parse().unwrap();
    assert!(
        ago(2 * DAY).duration_since(last) < SignedDuration::from_hours(3),
        "{last}"
    );
    assert_eq!(ec2.changing_calls().len(), 2);
}

#[test]
fn usage_is_read_for_non_compliant_instances_only_and_for_many_in_a_call() {
    let ec2 = FakeAws::start();
    ec2.launch_many(launch(REGION).tokens("required"), 700);
    ec2.launch_many(launch(REGION).launched(seconds(30 * DAY)), 501);
    let run = function(&ec2, &enforcing(json!({}))).invoke(&sweep(&[REGION]));
    assert_eq!(report(&run)["summary"]["reported"], 501);
    assert_eq!(
        (ec2.count("DescribeInstances"), ec2.count("GetMetricData")),
        (2, 4)
    );
}

#[test]
fn a_policy_that_only_reports_does_not_read_usage() {
    let ec2 = FakeAws::start();
    ec2.launch(launch(REGION));
    let run = function(&ec2, &without_grace("report")).invoke(&sweep(&[REGION]));
    assert_eq!(report(&run)["summary"]["reported"], 1);
    assert_eq!(ec2.count("GetMetricData"), 0);
}

#[test]
fn usage_that_cannot_be_read_is_unknown() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION).launched(seconds(30 * DAY)));
    ec2.datapoint(&id, "MetadataNoToken", ago(3600), 0.0);
    ec2.fault(InjectedFault::unauthorized().action("GetMetricData"));
    let run = function(&ec2, &enforcing(json!({}))).invoke(&sweep(&[REGION]));
    assert_eq!(outcome(report(&run), &id), "reported");
    assert!(
        entry(report(&run), &id)["usage"]["because"]["unreadable"]
            .as_str()
            .unwrap()
            .contains("UnauthorizedOperation")
    );
    assert_eq!(ec2.changing_calls().len(), 0);
}

#[test]
fn usage_is_read_page_by_page() {
    let ec2 = FakeAws::start();
    ec2.set_metric_page(3);
    let ids = ec2.launch_many(launch(REGION).launched(seconds(30 * DAY)), 5);
    for id in &ids {
        hourly(&ec2, id, "MetadataNoToken", 24, 6, 0.0);
    }
    ec2.datapoint(&ids[4], "MetadataNoToken", ago(4 * DAY), 1.0);
    let run = function(&ec2, &enforcing(json!({}))).invoke(&sweep(&[REGION]));
    assert_eq!(
        (
            &report(&run)["summary"]["enforced"],
            &report(&run)["summary"]["reported"]
        ),
        (&json!(4), &json!(1))
    );
    assert!(ec2.count("GetMetricData") > 1);
}

#[test]
fn calls_that_are_rejected_after_an_enforcement_are_reported() {
    let ec2 = FakeAws::start();
    let policy = enforcing(json!({ "unknown": "enforce", "watch_days": 7 }));
    let function = function(&ec2, &policy);
    let failing = ec2.launch(launch(REGION));
    let quiet = ec2.launch(launch(REGION));
    function.invoke(&sweep(&[REGION]));
    let watched = ec2.item(&format!("watch#{failing}")).unwrap();
    assert!(watched["before"].as_str().unwrap().contains("optional"));
    ec2.datapoint(&failing, "MetadataNoTokenRejected", ago(0), 17.0);
    let run = function.invoke(&sweep(&[REGION]));
    let report = report(&run);
    assert_eq!(report["summary"]["compliant"], 2);
    assert_eq!(entry(report, &failing)["rejected_calls"]["calls"], 17);
    assert!(!report.to_string().contains(&quiet));
    let metrics = run
        .stdout
        .iter()
        .find(|line| line.contains("\"RejectedCalls\":1"));
    assert!(metrics.is_some(), "{:#?}", run.stdout);
}

#[test]
fn without_a_watch_nothing_is_remembered_of_an_instance() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION));
    function(&ec2, &enforcing(json!({ "unknown": "enforce" }))).invoke(&sweep(&[REGION]));
    assert!(ec2.instance(&id).tags.is_empty());
    assert_eq!(ec2.item(&format!("watch#{id}")), None);
}

#[test]
fn missed_launches_are_enforced_before_existing_instances_and_all_after_several_sweeps() {
    let ec2 = FakeAws::start();
    ec2.set_rate("ModifyInstanceMetadataOptions", 10.0, 5.0);
    let missed = ec2.launch_many(launch(REGION).launched(seconds(HOUR)), 10);
    let existing = ec2.launch_many(launch(REGION).launched(seconds(9 * DAY)), 50);
    let function = function(&ec2, &enforcing(json!({ "unknown": "enforce" })));
    let run = function.invoke_with_timeout(&sweep(&[REGION]), seconds(6));
    let failed = metric(&run, "SweepIncomplete")[0].as_u64().unwrap();
    assert!(failed > 0, "{:?}", report(&run)["summary"]);
    let enforced = |id: &String| ec2.instance(id).options.tokens == "required";
    assert!(missed.iter().all(enforced));
    let mut sweeps = 1;
    while !existing.iter().all(enforced) {
        function.invoke_with_timeout(&sweep(&[REGION]), seconds(6));
        sweeps += 1;
        assert!(sweeps < 6);
    }
}

#[test]
fn a_slow_region_does_not_prevent_the_sweep_of_the_others() {
    let ec2 = FakeAws::start();
    ec2.fault(InjectedFault::delay(seconds(30)).region("eu-west-1"));
    let id = ec2.launch(launch(REGION));
    let function = function(&ec2, &enforcing(json!({ "unknown": "enforce" })));
    let run = function.invoke_with_timeout(&sweep(&[REGION, "eu-west-1"]), seconds(4));
    let unreachable = &report(&run)["unreachable"][0];
    assert_eq!(
        (&unreachable["region"], &unreachable["error"]),
        (
            &json!("eu-west-1"),
            &json!("not wholly described before the deadline")
        )
    );
    assert_eq!(ec2.instance(&id).options.tokens, "required");
}

#[test]
fn a_sweep_with_nothing_left_sends_one_metric() {
    let ec2 = FakeAws::start();
    ec2.launch(launch(REGION).tokens("required"));
    let run = function(&ec2, &enforcing(json!({}))).invoke(&sweep(&[]));
    let lines = run.stdout.iter();
    let lines = lines.filter_map(|line| serde_json::from_str(line).ok());
    let metrics: Vec<Value> = lines
        .filter(|it: &Value| it.get("_aws").is_some())
        .collect();
    let [metrics] = metrics.as_slice() else {
        panic!("{metrics:#?}")
    };
    assert_eq!(
        metrics["_aws"]["CloudWatchMetrics"],
        json!([{ "Namespace": "ImdsEnforcer/enforcer", "Dimensions": [[]],
                 "Metrics": [{ "Name": "SweepIncomplete", "Unit": "Count" }] }])
    );
    assert_eq!(metrics["SweepIncomplete"], 0);
}

#[test]
fn the_next_sweep_finds_a_late_instance_of_a_launch_without_ids() {
    let ec2 = FakeAws::start();
    let late = ec2.launch(launch(REGION).client_token("t").visible(Settle::Never));
    let function = function(&ec2, &enforcing(json!({ "unknown": "enforce" })));
    assert!(
        function
            .invoke_with_timeout(&cut(REGION, Some("t"), 1), seconds(3))
            .result
            .is_err()
    );
    ec2.set_visible(&late);
    let run = function.invoke(&sweep(&[REGION]));
    assert_eq!(outcome(report(&run), &late), "enforced");
}
