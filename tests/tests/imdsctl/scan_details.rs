//! `imdsctl scan`: usage, defaults and user data.

use std::io::Write;

use imds_tests::{FakeAws, InjectedFault, launch, template_data};
use serde_json::{Value, json};

use crate::reading::*;
use crate::scan::three_regions;

const SCRIPT: &str = "#!/bin/bash\nexport DB_PASSWORD=hunter2\n\
    curl -s http://169.254.169.254/latest/meta-data/instance-id\n";

#[test]
fn usage_is_in_use_unused_or_unknown_and_no_data_is_never_unused() {
    let ec2 = FakeAws::start();
    let old = || launch(REGION).launched(DAY * 100);
    let [used, unused, silent, stopped, compliant] = [
        old(),
        old(),
        old(),
        old().state("stopped"),
        old().tokens("required"),
    ]
    .map(|launch| ec2.launch(launch));
    let young = ec2.launch(launch(REGION).launched(DAY));
    ran_without_calls(&ec2, &unused, DAY * 3, 48);
    ran_without_calls(&ec2, &stopped, DAY * 5, 24);
    ran_without_calls(&ec2, &young, DAY / 2, 8);
    ec2.datapoint(&used, "MetadataNoToken", ago(DAY * 3), 5.0);
    ec2.datapoint(&used, "MetadataNoToken", ago(DAY * 9), 7.0);
    let report = scanned(&ec2, "--usage", 1);
    let usage = |id: &str| entry(&report, id)["usage"].clone();
    assert_eq!(usage(&used)["verdict"], "in_use");
    assert_eq!(usage(&used)["calls"], 12);
    let last: jiff::Timestamp = usage(&used)["last_at"].as_str().unwrap().parse().unwrap();
    let late = last.duration_since(ago(DAY * 3)).abs();
    // The begin of a period of an hour.
    assert!(late <= jiff::SignedDuration::from_hours(1), "{last}");
    for id in [&unused, &stopped] {
        assert_eq!(usage(id)["verdict"], "unused");
        assert_eq!(usage(id)["not_started_within_window"], true);
    }
    for (id, because) in [
        (&silent, json!("no_data")),
        (&young, json!({ "too_little_data": 8 })),
    ] {
        assert_eq!(
            usage(id),
            json!({ "verdict": "unknown", "because": because })
        );
    }
    assert_eq!(usage(&compliant), Value::Null);
    let asked = ec2.calls_to("GetMetricData");
    assert_eq!(asked.len(), 1);
    assert!(
        asked[0].params.values().all(|value| *value != compliant),
        "instances that require tokens need no usage"
    );
}

#[test]
fn the_usage_window_is_set_in_days() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION).launched(DAY * 100));
    ec2.datapoint(&id, "MetadataNoToken", ago(DAY * 20), 3.0);
    ran_without_calls(&ec2, &id, DAY * 2, 24);
    let verdict = |usage: &str| {
        let report = scanned(&ec2, usage, 1);
        entry(&report, &id)["usage"]["verdict"].clone()
    };
    assert_eq!(verdict("--usage"), "unused");
    assert_eq!(verdict("--usage 30"), "in_use");
}

#[test]
fn usage_that_cannot_be_read_is_unknown_with_the_reason() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION).launched(DAY * 100));
    ec2.fault(InjectedFault::error("AccessDenied", 403).action("GetMetricData"));
    let report = scanned(&ec2, "--usage", 3);
    let usage = &entry(&report, &id)["usage"];
    assert_eq!(usage["verdict"], "unknown");
    let [error] = list(&report, "unreachable") else {
        panic!("one error of the region: {report:#}")
    };
    assert_eq!(error["region"], REGION);
    says(
        &error["error"].to_string(),
        &["AccessDenied", "allow cloudwatch:GetMetricData"],
    );
    says(
        &usage["because"]["unreadable"].to_string(),
        &["AccessDenied"],
    );
}

#[test]
fn the_defaults_of_the_account_are_shown_by_region() {
    let (ec2, _) = three_regions();
    ec2.enforce_tokens("eu-west-1");
    ec2.set_defaults(
        REGION,
        imds_tests::Defaults {
            tokens: Some("required".to_owned()),
            hop_limit: Some(2),
            ..Default::default()
        },
    );
    let report = scanned(&ec2, "--defaults", 1);
    let defaults = list(&report, "defaults");
    let row = |region: &str| defaults.iter().find(|it| it["region"] == region).unwrap();
    assert_eq!(defaults.len(), 3);
    assert_eq!(
        (&row(REGION)["http_tokens"], &row(REGION)["hop_limit"]),
        (&json!("required"), &json!(2))
    );
    assert_eq!(row("eu-west-1")["http_tokens_enforced"], "enabled");
    assert_eq!(row("us-east-1")["http_tokens"], Value::Null);
    assert_eq!(ec2.count("GetInstanceMetadataDefaults"), 3);
    assert_eq!(ec2.count("DescribeLaunchTemplates"), 0);
    assert!(scanned(&ec2, "", 1).get("defaults").is_none());
}

#[test]
fn defaults_that_cannot_be_read_are_named() {
    let (ec2, _) = three_regions();
    ec2.fault(
        InjectedFault::unauthorized()
            .action("GetInstanceMetadataDefaults")
            .region("eu-west-1"),
    );
    let report = scanned(&ec2, "--defaults", 3);
    assert_eq!(list(&report, "defaults").len(), 2);
    assert_eq!(list(&report, "instances").len(), 3);
    says(
        &report["unreachable"].to_string(),
        &["eu-west-1", "GetInstanceMetadataDefaults"],
    );
}

#[test]
fn calls_without_a_token_in_user_data_are_shown_with_line_and_words_and_nothing_else() {
    let ec2 = FakeAws::start();
    ec2.set_regions(&[REGION, "us-east-1"]);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(SCRIPT.as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    let plain = ec2.launch(launch(REGION).user_data(SCRIPT));
    let gzip = ec2.launch(launch(REGION).tokens("required").user_data(&packed));
    let clean = ec2.launch(launch(REGION).user_data("#!/bin/sh\necho hello\n"));
    let none = ec2.launch(launch(REGION));
    let gone = ec2.launch(launch(REGION).user_data(SCRIPT).state("terminated"));
    let template = ec2.template(REGION, "web");
    ec2.template_version(
        &template,
        template_data().tokens("required").user_data(&packed),
    );

    let ran = imdsctl(&ec2, "scan --user-data --templates --format json").run();
    let report = json(ran.ended_with(1));
    for id in [&plain, &gzip] {
        let found = list(entry(&report, id), "user_data");
        assert_eq!(
            (found.len(), &found[0]["line"]),
            (1, &json!(3)),
            "{found:?}"
        );
        says(
            found[0]["words"].as_str().unwrap(),
            &["curl", "169.254.169.254"],
        );
    }
    for id in [&clean, &none, &gone] {
        assert!(entry(&report, id).get("user_data").is_none());
    }
    assert_eq!(report["templates"][0]["user_data"][0]["line"], 3);
    let asked = ec2.calls_to("DescribeInstanceAttribute");
    assert_eq!(
        asked.len(),
        4,
        "the user data of a terminated instance is not read"
    );
    let table = imdsctl(&ec2, "scan --user-data --templates").run();
    says(&table.ended_with(1).stdout, &[&plain, &gzip, &template]);
    for text in [&ran.stdout, &table.stdout] {
        assert!(
            !text.contains("hunter2"),
            "the rest of the user data is private"
        );
    }
    scanned(&ec2, "", 1);
    assert_eq!(
        ec2.count("DescribeInstanceAttribute"),
        8,
        "user data is read only on request"
    );
}

#[test]
fn user_data_that_cannot_be_read_is_named() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION).tokens("required").user_data("#!/bin/sh\n"));
    let truncated = ec2.launch(
        launch(REGION)
            .tokens("required")
            .user_data(b"\x1f\x8b\x08cut"),
    );
    ec2.fault(
        InjectedFault::unauthorized()
            .action("DescribeInstanceAttribute")
            .instance(&id),
    );
    let report = scanned(&ec2, "--user-data", 3);
    let unreachable = report["unreachable"].to_string();
    says(
        &unreachable,
        &[&id, "UnauthorizedOperation", &truncated, "gzip"],
    );
    assert_eq!(list(&report, "unreachable").len(), 2);
}

#[test]
fn everything_that_a_scan_reports_names_its_account() {
    let ec2 = FakeAws::start();
    ec2.set_regions(&[HERE, THERE, "us-west-2"]);
    ec2.launch(launch(HERE));
    let template = ec2.template(HERE, "web");
    ec2.template_version(&template, template_data());
    ec2.fault(
        InjectedFault::unauthorized()
            .action("DescribeInstances")
            .region(THERE),
    );
    let report = scanned(&ec2, "--templates --defaults", 3);
    for list_name in [
        "instances",
        "regions",
        "empty_regions",
        "templates",
        "defaults",
        "unreachable",
    ] {
        let entries = list(&report, list_name);
        assert!(!entries.is_empty(), "{list_name}");
        for entry in entries {
            assert_eq!(entry["account"], report["account"], "{list_name}: {entry}");
        }
    }
    let ran = imdsctl(&ec2, "defaults show --json").run();
    let shown = json(ran.ended_with(0));
    assert_eq!(shown["defaults"][0]["account"], report["account"]);
}
