//! Exemptions that people have written, wherever something would be done to an instance.

use imds_tests::{FakeAws, launch};
use serde_json::{Value, json};

use crate::support::*;
use crate::support_state::*;

/// An instance to which something would be done, and the event that tells of it.
type Told = fn(&FakeAws) -> (String, Value);

const ALL: [(&str, Told); 6] = [
    ("launch", |ec2| {
        let id = ec2.launch(launch(REGION));
        let event = launched_one(ec2, &id);
        (id, event)
    }),
    ("late launch", |ec2| {
        let id = ec2.launch(launch(REGION).launched(seconds(3 * HOUR)));
        unused(ec2, &id);
        let event = launched_one(ec2, &id);
        (id, event)
    }),
    ("start", |ec2| {
        let id = ec2.launch(launch(REGION).launched(seconds(90 * DAY)));
        unused(ec2, &id);
        let event = started(&[&id]);
        (id, event)
    }),
    ("drift", |ec2| {
        let id = ec2.launch(launch(REGION).launched(seconds(90 * DAY)));
        let event = modified(&id, "mallory", &json!({ "HttpTokens": "optional" }));
        (id, event)
    }),
    ("sweep", |ec2| {
        let id = ec2.launch(launch(REGION).launched(seconds(90 * DAY)));
        unused(ec2, &id);
        (id, sweep_here())
    }),
    ("sweep of a new instance", |ec2| {
        let id = ec2.launch(launch(REGION));
        (id, sweep_here())
    }),
];

/// What is done, where everything may be disrupted, with this exemption.
#[track_caller]
fn with_exemption(told: Told, item: Option<Value>) -> (FakeAws, String, Value) {
    let ec2 = FakeAws::start();
    let (id, event) = told(&ec2);
    if let Some(item) = item {
        ec2.put_item(&format!("exempt#{id}"), item);
    }
    let run = function(&ec2, &limited("terminate", 10)).invoke(&event);
    let entry = entry(report(&run), &id).clone();
    (ec2, id, entry)
}

#[test]
fn an_exempt_instance_is_left_alone_whatever_tells_of_it() {
    for (what, told) in ALL {
        let (ec2, _, entry) = with_exemption(told, Some(until(ahead(DAY))));
        assert_eq!(entry["outcome"], "exempt", "{what}");
        assert_eq!(entry["rule"], Value::Null);
        let why = entry["reason"].as_str().unwrap();
        for part in ["exempt until 2", "ada", "vendor ticket 4711"] {
            assert!(why.contains(part), "{why}");
        }
        assert_eq!(ec2.changing_calls_of_ec2(), 0, "{what}");
    }
}

#[test]
fn without_an_exemption_or_after_its_end_the_policy_is_done() {
    for (what, told) in ALL {
        for item in [None, Some(until(ago(1)))] {
            let (ec2, _, entry) = with_exemption(told, item);
            let outcome = entry["outcome"].as_str().unwrap();
            assert!(["terminated", "enforced"].contains(&outcome), "{what}");
            assert!(ec2.changing_calls_of_ec2() > 0);
        }
    }
}

#[test]
fn an_exemption_that_cannot_be_read_counts_as_one() {
    let soon = ahead(HOUR).to_string();
    let items = [
        json!({}),
        json!({ "reason": "vendor ticket 4711", "by": "ada" }),
        json!({ "until": "" }),
        json!({ "until": "for ever" }),
        json!({ "until": "2026-03-01" }),
        json!({ "until": "2026-03-01T10:00:00" }),
        json!({ "until": 1_772_359_200 }),
        json!({ "until": null }),
        json!({ "until": soon, "reason": 4711 }),
        json!({ "until": ago(DAY).to_string(), "by": ["ada"] }),
    ];
    for (n, item) in items.into_iter().enumerate() {
        let (what, told) = ALL[n % ALL.len()];
        let (ec2, id, entry) = with_exemption(told, Some(item.clone()));
        assert_eq!(entry["outcome"], "exempt", "{what}, {item}");
        let why = entry["reason"].as_str().unwrap();
        let key = format!("`exempt#{id}`");
        assert!(
            why.contains("cannot be read") && why.contains(&key),
            "{why}"
        );
        assert_eq!(ec2.changing_calls_of_ec2(), 0, "{item}");
    }
}

#[test]
fn an_exemption_is_of_one_instance() {
    let ec2 = FakeAws::start();
    let ids = ec2.launch_many(launch(REGION), 150);
    for id in &ids[40..43] {
        ec2.put_item(&format!("exempt#{id}"), until(ahead(DAY)));
    }
    let run = function(&ec2, &limited("terminate", 1000)).invoke(&launched_ids(&ec2, &ids));
    let summary = &report(&run)["summary"];
    assert_eq!(
        (&summary["exempt"], &summary["terminated"]),
        (&json!(3), &json!(147))
    );
    let ended = disrupted(&ec2);
    assert!(ids[40..43].iter().all(|id| !ended.contains(id)));
    assert_eq!(metric(&run, "Exempt"), [3]);
}

#[test]
fn a_sweep_counts_what_is_exempt_and_does_not_count_it_as_missed() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION).launched(seconds(2 * HOUR)));
    unused(&ec2, &id);
    ec2.put_item(&format!("exempt#{id}"), until(ahead(DAY)));
    let run = function(&ec2, ENFORCE).invoke(&sweep_here());
    assert_eq!(
        metric_names(&run.stdout),
        ["ExemptInstances", "SweepIncomplete"]
    );
    assert_eq!(metric(&run, "ExemptInstances"), [1]);
}

#[test]
fn a_compliant_instance_is_compliant_and_its_exemption_is_not_read() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION).tokens("required"));
    ec2.put_item(&format!("exempt#{id}"), until(ahead(DAY)));
    let run = function(&ec2, ENFORCE).invoke(&started(&[&id]));
    assert_eq!(outcome(report(&run), &id), "compliant");
    assert_eq!(ec2.table_calls().len(), 0);
}
