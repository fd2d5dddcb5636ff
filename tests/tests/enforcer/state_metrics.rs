//! Metrics: what did not occur is not sent, gauges are written once by a sweep, and none has a dimension.

use imds_tests::{FakeAws, InjectedFault, Invocation, launch};
use serde_json::{Value, json};

use crate::support::*;
use crate::support_state::*;

/// The documents of the embedded metric format that an invocation has written.
fn documents(run: &Invocation) -> Vec<Value> {
    let lines = run.stdout.iter();
    let lines = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line.get("_aws").is_some()).collect()
}

fn recent(ec2: &FakeAws, region: &str, age: u64) -> String {
    let id = ec2.launch(launch(region).launched(seconds(age)));
    unused(ec2, &id);
    id
}

#[test]
fn what_did_not_occur_is_not_sent() {
    let ec2 = FakeAws::start();
    let function = function(&ec2, &limited("terminate", 1));
    let compliant = ec2.launch(launch(REGION).tokens("required"));
    let terminated = ec2.launch(launch(REGION));
    let enforced = ec2.launch(launch(REGION));
    let old = ec2.launch(launch(REGION).launched(seconds(90 * DAY)));
    let expected: [(Value, &[&str]); 5] = [
        (launched_one(&ec2, &compliant), &["Compliant"]),
        (launched_one(&ec2, &terminated), &["Terminated"]),
        (
            launched_one(&ec2, &enforced),
            &["DisruptionLimitReached", "Enforced", "SecondsExposed"],
        ),
        (started(&[&old]), &["Reported"]),
        (state_changed(&old, "stopped"), &[]),
    ];
    for (event, names) in expected {
        let run = function.invoke(&event);
        assert!(run.result.is_ok());
        assert_eq!(metric_names(&run.stdout), names);
    }
}

#[test]
fn a_sweep_that_finds_nothing_writes_one_gauge() {
    let ec2 = FakeAws::start();
    ec2.launch(launch(REGION).tokens("required"));
    ec2.launch(launch("us-east-1").tokens("required"));
    let run = function(&ec2, ENFORCE).invoke(&sweep(&[REGION, "us-east-1"]));
    assert_eq!(documents(&run).len(), 1);
    assert_eq!(metric_names(&run.stdout), ["SweepIncomplete"]);
    assert_eq!(metric(&run, "SweepIncomplete"), [0]);
}

#[test]
fn the_namespace_has_the_function_s_name_and_no_metric_a_dimension() {
    let ec2 = FakeAws::start();
    for (name, namespace) in [
        ("enforcer", "ImdsEnforcer/enforcer"),
        ("guard-2", "ImdsEnforcer/guard-2"),
        ("", "ImdsEnforcer"),
    ] {
        let builder = builder(&ec2, ENFORCE);
        let function = builder.env("AWS_LAMBDA_FUNCTION_NAME", name).start();
        let id = ec2.launch(launch(REGION));
        for event in [launched_one(&ec2, &id), sweep_here()] {
            let run = function.invoke(&event);
            let documents = documents(&run);
            assert!(!documents.is_empty());
            for document in documents {
                let directive = &document["_aws"]["CloudWatchMetrics"];
                assert_eq!(directive.as_array().unwrap().len(), 1);
                assert_eq!(directive[0]["Namespace"], namespace);
                assert_eq!(directive[0]["Dimensions"], json!([[]]));
                let names = document.as_object().unwrap().keys();
                let names: Vec<&String> = names.filter(|name| *name != "_aws").collect();
                let defined = directive[0]["Metrics"].as_array().unwrap().iter();
                let mut defined: Vec<&str> =
                    defined.map(|it| it["Name"].as_str().unwrap()).collect();
                defined.sort_unstable();
                assert_eq!(defined, names);
            }
        }
    }
}

#[test]
fn a_sweep_writes_the_sums_of_its_regions_once() {
    let ec2 = FakeAws::start();
    let regions = [REGION, "us-east-1", "eu-west-1"];
    for region in regions {
        recent(&ec2, region, 2 * HOUR);
        ec2.launch(launch(region).launched(seconds(90 * DAY)));
    }
    let run = function(&ec2, ENFORCE).invoke(&sweep(&regions));
    assert_eq!(documents(&run).len(), 1);
    for (name, value) in [
        ("Enforced", 3),
        ("MissedLaunches", 3),
        ("NonCompliant", 3),
        ("SweepIncomplete", 0),
    ] {
        assert_eq!(metric(&run, name), [value], "{name}");
    }
    assert_eq!(metric_names(&run.stdout).len(), 4);
}

#[test]
fn regions_that_were_not_observed_and_actions_that_failed_make_a_sweep_incomplete() {
    let ec2 = FakeAws::start();
    ec2.set_regions(&["eu-central-1", "us-east-1", "eu-west-1"]);
    ec2.fault(
        InjectedFault::status(500)
            .action("DescribeInstances")
            .region("us-east-1"),
    );
    // A region that the event does not name may be closed to the function.
    ec2.fault(InjectedFault::unauthorized().region("eu-west-1"));
    let id = recent(&ec2, REGION, 2 * HOUR);
    let modify = InjectedFault::unauthorized().action("ModifyInstanceMetadataOptions");
    ec2.fault(modify.instance(&id));
    let run = function(&ec2, ENFORCE).invoke(&sweep(&[]));
    assert_eq!(outcome(report(&run), &id), "failed");
    assert_eq!(metric(&run, "SweepIncomplete"), [2]);
    assert_eq!(metric(&run, "NonCompliant"), [1]);
    assert_eq!(metric(&run, "MissedLaunches"), [1]);
    assert_eq!(metric(&run, "Failed"), [] as [Value; 0]);
}

#[test]
fn launches_of_the_last_day_that_no_event_told_are_missed() {
    for (age, missed) in [
        // Its event may still come.
        (MINUTE, 0),
        (4 * MINUTE, 1),
        (20 * HOUR, 1),
        (25 * HOUR, 0),
    ] {
        for on_violation in ["enforce", "terminate"] {
            let ec2 = FakeAws::start();
            let id = recent(&ec2, REGION, age);
            let run = function(&ec2, &without_grace(on_violation)).invoke(&sweep_here());
            assert_ne!(outcome(report(&run), &id), "reported");
            let expected = vec![json!(1); missed];
            assert_eq!(metric(&run, "MissedLaunches"), expected, "{age}");
            assert_eq!(metric(&run, "MissedLaunchesInUse").len(), 0);
        }
    }
}

#[test]
fn missed_launches_that_use_imdsv1_are_counted_apart() {
    let ec2 = FakeAws::start();
    let used = ec2.launch(launch(REGION).launched(seconds(2 * HOUR)));
    in_use(&ec2, &used);
    let old = ec2.launch(launch(REGION).launched(seconds(90 * DAY)));
    in_use(&ec2, &old);
    let run = function(&ec2, ENFORCE).invoke(&sweep_here());
    for id in [&used, &old] {
        assert_eq!(done(report(&run), id), ["reported", "enforce", "in_use"]);
    }
    assert_eq!(
        metric_names(&run.stdout),
        ["MissedLaunchesInUse", "NonCompliant", "SweepIncomplete"]
    );
    assert_eq!(metric(&run, "MissedLaunchesInUse"), [1]);
}

/// Its next run is its retry.
#[test]
fn a_sweep_succeeds_whatever_is_left() {
    let ec2 = FakeAws::start();
    ec2.fault(InjectedFault::unauthorized().action("DescribeInstances"));
    let run = function(&ec2, ENFORCE).invoke(&sweep_here());
    assert_eq!(report(&run)["unreachable"][0]["fatal"], true);
    assert_eq!(metric(&run, "SweepIncomplete"), [1]);
}
