//! Several events in one text.

use imds_core::explain::{ExplainedEvents, explain_each};
use serde_json::{Value, json};

use crate::{fixture, now, policy, read};

fn event(name: &str) -> Value {
    serde_json::from_str(&read(&format!("{name}.json"))).unwrap()
}

fn explained(text: &Value) -> ExplainedEvents {
    explain_each(&text.to_string(), &policy(), now())
}

fn log() -> Value {
    let other = json!({ "eventName": "ListBuckets", "eventSource": "s3.amazonaws.com" });
    let mut malformed = event("launch-malformed-id")["detail"].take();
    malformed["awsRegion"] = json!("eu-central-1");
    json!({ "Records": [
        other, event("launch-open")["detail"], other, malformed, event("launch-compliant")["detail"]
    ] })
}

#[test]
fn each_event_is_explained_as_if_it_were_alone() {
    let events = explained(&log());
    let paths: Vec<&str> = events.0.iter().map(|event| event.path.as_str()).collect();
    let expected = [
        "Records[0]",
        "Records[1]",
        "Records[2]",
        "Records[3]",
        "Records[4]",
    ];
    assert_eq!(paths, expected);
    let alone = |name: &str| {
        let record = event(name)["detail"].take();
        explained(&record).0.remove(0).explained
    };
    assert_eq!(events.0[1].explained, alone("launch-open"));
    assert_eq!(events.0[4].explained, alone("launch-compliant"));
    let instances = |name: &str| alone(name).unwrap().instances;
    assert_eq!(instances("launch-open"), fixture("launch-open").instances);
}

#[test]
fn only_a_violation_in_any_event_is_one_of_the_text() {
    assert!(explained(&log()).has_violations());
    let compliant = event("launch-compliant");
    assert!(!explained(&json!([compliant, event("start-running")])).has_violations());
    assert!(explained(&json!([compliant, event("launch-open")])).has_violations());
}

#[test]
fn what_is_ignored_or_malformed_is_one_line_and_counted() {
    let text = explained(&log()).to_string();
    let lines: Vec<&str> = text.lines().collect();
    let ignored = "ignored: ListBuckets does not concern metadata options";
    assert_eq!(lines[0], format!("Records[0]: {ignored}"));
    assert_eq!(lines[1], "");
    assert!(
        lines[2].starts_with("Records[1]: launch, account "),
        "{text}"
    );
    let at = lines.iter().position(|line| line.starts_with("Records[2]"));
    let at = at.unwrap();
    assert_eq!(lines[at - 1], "");
    assert_eq!(lines[at], format!("Records[2]: {ignored}"));
    let path = "Records[3].responseElements.instancesSet.items[0].instanceId";
    let malformed =
        format!("Records[3]: malformed event: `{path}`: `i-YOUR_ID` is not an instance id");
    assert!(lines[at + 1].starts_with(&malformed), "{text}");
    assert_eq!(lines[at + 2], "");
    assert!(
        lines[at + 3].starts_with("Records[4]: launch, account "),
        "{text}"
    );
    assert!(
        text.ends_with("\n\n5 events: 2 explained, 2 ignored, 1 malformed\n"),
        "{text}"
    );
}

#[test]
fn programs_get_a_list_with_the_place_of_each_event() {
    let events = explained(&log());
    let list = serde_json::to_value(&events).unwrap();
    assert_eq!(list.as_array().map(Vec::len), Some(5));
    for (n, event) in events.0.iter().enumerate() {
        let mut expected = match &event.explained {
            Ok(explanation) => serde_json::to_value(explanation).unwrap(),
            Err(malformed) => json!({ "error": malformed.to_string() }),
        };
        expected["path"] = json!(format!("Records[{n}]"));
        assert_eq!(list[n], expected);
    }
    assert_eq!(events.malformed().count(), 1);
}
