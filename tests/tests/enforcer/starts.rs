//! Starts: a stopped instance keeps its options, and whoever starts it opens it again.

use imds_tests::{FakeAws, launch};
use serde_json::json;

use crate::support::*;

const YEAR: u64 = 365 * DAY;

#[test]
fn a_stopped_instance_that_is_started_is_enforced_unless_imdsv1_is_in_use() {
    for on_violation in ["enforce", "stop", "terminate"] {
        let ec2 = FakeAws::start();
        let old = || {
            let old = launch(REGION).launched(seconds(YEAR)).started(seconds(1));
            ec2.launch(old.state("pending"))
        };
        let [quiet, busy, no_data] = [(); 3].map(|()| old());
        unused(&ec2, &quiet);
        in_use(&ec2, &busy);
        let run = function(&ec2, &without_grace(on_violation))
            .invoke(&started(&[&quiet, &busy, &no_data]));
        assert_eq!(report(&run)["trigger"], "start");
        let enforced = match on_violation {
            "enforce" => ["enforced", "", ""],
            _ => ["enforced", on_violation, "not_new"],
        };
        for (id, expected) in [
            (&quiet, enforced),
            (&busy, ["reported", on_violation, "in_use"]),
            (&no_data, ["reported", on_violation, "usage_unknown"]),
        ] {
            assert_eq!(done(report(&run), id), expected);
        }
        assert_eq!(ec2.instance(&quiet).options.tokens, "required");
        assert_eq!(ec2.disruptions(), []);
        assert_eq!(
            (ec2.count("DescribeInstances"), ec2.count("GetMetricData")),
            (1, 1)
        );
        assert_eq!(metric(&run, "SecondsExposed"), [] as [serde_json::Value; 0]);
    }
}

#[test]
fn a_start_of_a_compliant_instance_costs_one_describe() {
    let ec2 = FakeAws::start();
    let ids = ec2.launch_many(launch(REGION).tokens("required"), 3);
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let run = function(&ec2, ENFORCE).invoke(&started(&ids));
    assert_eq!(report(&run)["summary"]["compliant"], 3);
    assert_eq!((ec2.count("DescribeInstances"), ec2.calls().len()), (1, 1));
}

#[test]
fn a_start_of_a_new_instance_is_a_launch_whose_exposure_is_measured() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION).launched(seconds(20)));
    let run = function(&ec2, ENFORCE).invoke(&state_changed(&id, "running"));
    assert_eq!(done(report(&run), &id), ["enforced", "", ""]);
    assert_eq!(ec2.count("GetMetricData"), 0);
    let exposed = metric(&run, "SecondsExposed");
    let exposed = exposed[0][0].as_f64().unwrap();
    assert!((20.0..30.0).contains(&exposed), "{exposed}");
}

#[test]
fn a_start_that_failed_is_ignored() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION));
    let mut event = started(&[&id]);
    event["detail"]["errorCode"] = json!("Client.InsufficientInstanceCapacity");
    event["detail"]["responseElements"] = json!(null);
    let run = function(&ec2, ENFORCE).invoke(&event);
    assert_eq!(report(&run)["trigger"], "ignored");
    assert_eq!(ec2.calls().len(), 0);
}

#[test]
fn the_events_of_one_launch_lead_to_one_change_one_record_and_one_count() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION));
    let events = [
        state_changed(&id, "pending"),
        launched_one(&ec2, &id),
        state_changed(&id, "running"),
        launched_one(&ec2, &id),
        started(&[&id]),
    ];
    let function = function(&ec2, ENFORCE);
    let (mut enforced, mut counted, mut records) = (0, 0, 0);
    for event in &events {
        let run = function.invoke(event);
        enforced += report(&run)["summary"]["enforced"].as_u64().unwrap();
        let counts = metric(&run, "Enforced");
        counted += counts.iter().filter_map(|it| it.as_u64()).sum::<u64>();
        records += run
            .stdout
            .iter()
            .filter(|line| line.contains("\"entry\":"))
            .count();
    }
    assert_eq!((enforced, counted, records), (1, 1, 1));
    assert_eq!(ec2.count("ModifyInstanceMetadataOptions"), 1);
}
