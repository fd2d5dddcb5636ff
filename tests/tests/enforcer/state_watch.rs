//! After an enforcement by a sweep: what was there before, and calls that are rejected since.

use imds_tests::{FakeAws, InjectedFault, launch};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::*;
use crate::support_state::*;

const REJECTED: &str = "MetadataNoTokenRejected";

fn watching(days: u8) -> String {
    enforcing(json!({ "unknown": "enforce", "watch_days": days }))
}

/// A compliant instance that a sweep has enforced so long ago.
fn enforced(ec2: &FakeAws, region: &str, ago_seconds: u64) -> String {
    let old = launch(region).launched(seconds(90 * DAY));
    let id = ec2.launch(old.tokens("required"));
    let item = json!({ "enforced_at": ago(ago_seconds).to_string(), "before": "{}" });
    ec2.put_item(&format!("watch#{id}"), item);
    id
}

fn old(ec2: &FakeAws, region: &str) -> String {
    ec2.launch(launch(region).launched(seconds(90 * DAY)))
}

#[test]
fn what_a_sweep_changes_is_remembered_before_it_is_changed() {
    let ec2 = FakeAws::start();
    let options = launch(REGION).hop_limit(5).metadata_tags("enabled");
    let id = ec2.launch(options.ipv6("enabled").launched(seconds(90 * DAY)));
    let run = function(&ec2, &watching(7)).invoke(&sweep_here());
    assert_eq!(done(report(&run), &id), ["enforced", "", ""]);
    let key = format!("watch#{id}");
    let item = ec2.item(&key).unwrap();
    let time = |name: &str| -> Timestamp { item[name].as_str().unwrap().parse().unwrap() };
    assert!(apart(time("enforced_at"), Timestamp::now()) < seconds(30));
    let before: Value = serde_json::from_str(item["before"].as_str().unwrap()).unwrap();
    assert_eq!(
        before,
        json!({ "http_tokens": "optional", "http_endpoint": "enabled", "hop_limit": 5,
            "http_protocol_ipv6": "enabled", "instance_metadata_tags": "enabled" })
    );
    assert_eq!(before, entry(report(&run), &id)["before"]);
    let expires = Timestamp::from_second(item["expires_at"].as_i64().unwrap()).unwrap();
    assert!(apart(expires, ahead(8 * DAY)) < seconds(30), "{expires}");
    let calls = ec2.calls();
    let place = |action: &str, text: &str| {
        let names = |call: &imds_tests::RecordedCall| {
            call.action == action && call.params.values().any(|value| value == text)
        };
        calls.iter().position(names).unwrap()
    };
    assert!(place("UpdateItem", &key) < place("ModifyInstanceMetadataOptions", &id));
}

#[test]
fn what_cannot_be_remembered_is_not_changed() {
    let ec2 = FakeAws::start();
    let (id, other) = (old(&ec2, REGION), old(&ec2, REGION));
    let fault = InjectedFault::unauthorized().action("UpdateItem");
    ec2.fault(fault.instance(&id));
    let run = function(&ec2, &watching(7)).invoke(&sweep_here());
    assert_eq!(
        done(report(&run), &id),
        ["failed", "enforce", "state_unavailable"]
    );
    assert_eq!(done(report(&run), &other), ["enforced", "", ""]);
    assert_eq!(ec2.instance(&id).options.tokens, "optional");
    assert_eq!(metric(&run, "SweepIncomplete"), [1]);
}

#[test]
fn without_watch_days_nothing_is_remembered_or_read() {
    let ec2 = FakeAws::start();
    let id = old(&ec2, REGION);
    let failing = enforced(&ec2, REGION, DAY);
    ec2.datapoint(&failing, REJECTED, ago(HOUR), 17.0);
    let run = function(&ec2, &watching(0)).invoke(&sweep_here());
    assert_eq!(done(report(&run), &id), ["enforced", "", ""]);
    assert_eq!(ec2.item(&format!("watch#{id}")), None);
    assert_eq!(calls_for(&ec2, "watch#").len(), 0);
    assert_eq!(metric(&run, "RejectedCalls"), [] as [Value; 0]);
}

#[test]
fn calls_that_are_rejected_since_an_enforcement_are_counted_while_it_is_watched() {
    let cases = [
        (DAY, HOUR, true),
        // Before the enforcement.
        (DAY, 2 * DAY, false),
        // No longer watched.
        (8 * DAY, HOUR, false),
    ];
    for (enforced_ago, rejected_ago, counts) in cases {
        let ec2 = FakeAws::start();
        let id = enforced(&ec2, REGION, enforced_ago);
        ec2.datapoint(&id, REJECTED, ago(rejected_ago), 17.0);
        let run = function(&ec2, &watching(7)).invoke(&sweep_here());
        assert_eq!(report(&run)["summary"]["compliant"], 1);
        let listed = report(&run)["instances"].as_array().unwrap().len();
        assert_eq!(listed, usize::from(counts), "{enforced_ago} {rejected_ago}");
        if counts {
            let entry = entry(report(&run), &id);
            assert_eq!(entry["outcome"], "compliant");
            assert_eq!(entry["rejected_calls"]["calls"], 17);
            assert_eq!(metric(&run, "RejectedCalls"), [1]);
        } else {
            assert_eq!(metric(&run, "RejectedCalls"), [] as [Value; 0]);
        }
    }
}

/// Somebody must look before more software fails.
#[test]
fn rejected_calls_in_one_region_keep_sweeps_from_enforcing_existing_instances_in_another() {
    let ec2 = FakeAws::start();
    let failing = enforced(&ec2, "us-east-1", DAY);
    ec2.datapoint(&failing, REJECTED, ago(HOUR), 17.0);
    let (here, there) = (old(&ec2, REGION), old(&ec2, "us-east-1"));
    let new = ec2.launch(launch(REGION).launched(seconds(2 * HOUR)));
    unused(&ec2, &new);
    let regions = [REGION, "us-east-1"];
    let run = function(&ec2, &watching(7)).invoke(&sweep(&regions));
    for id in [&here, &there] {
        assert_eq!(
            done(report(&run), id),
            ["reported", "enforce", "rejected_calls"]
        );
        let why = reason(report(&run), id);
        assert!(why.contains(&failing), "{why}");
        assert_eq!(ec2.instance(id).options.tokens, "optional");
    }
    assert_eq!(done(report(&run), &new), ["enforced", "", ""]);
    assert_eq!(metric(&run, "RejectedCalls"), [1]);
    assert_eq!(metric(&run, "NonCompliant"), [2]);
    assert_eq!(calls_for(&ec2, "existing#").len(), 0);

    let policy =
        enforcing(json!({ "unknown": "enforce", "watch_days": 7, "stop_when_rejected": false }));
    let run = function(&ec2, &policy).invoke(&sweep(&regions));
    for id in [&here, &there] {
        assert_eq!(done(report(&run), id), ["enforced", "", ""]);
    }
}

/// Unknown is not "none": neither an item nor an answer that cannot be read lets a sweep go on.
#[test]
fn where_rejected_calls_are_not_known_existing_instances_are_left_alone_and_the_sweep_says_so() {
    for unreadable in ["item", "answer"] {
        let ec2 = FakeAws::start();
        let id = enforced(&ec2, "us-east-1", DAY);
        if unreadable == "item" {
            ec2.put_item(&format!("watch#{id}"), json!({ "enforced_at": 1 }));
        } else {
            let fault = InjectedFault::unauthorized().action("GetMetricData");
            ec2.fault(fault.region("us-east-1"));
        }
        let open = old(&ec2, REGION);
        let run = function(&ec2, &watching(7)).invoke(&sweep(&[REGION, "us-east-1"]));
        assert_eq!(outcome(report(&run), &open), "reported", "{unreadable}");
        assert_eq!(ec2.instance(&open).options.tokens, "optional");
        let unreachable = &report(&run)["unreachable"];
        let error = unreachable[0]["error"].as_str().unwrap();
        let cause = match unreadable {
            "item" => format!("`watch#{id}`"),
            _ => "UnauthorizedOperation".to_owned(),
        };
        assert!(
            error.contains("watched") && error.contains(&cause),
            "{error}"
        );
        assert_eq!(metric(&run, "SweepIncomplete"), [1]);
    }
}

#[test]
fn events_watch_nothing() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION));
    function(&ec2, &watching(7)).invoke(&launched_one(&ec2, &id));
    assert_eq!(ec2.instance(&id).options.tokens, "required");
    assert_eq!(ec2.items().len(), 0);
}
