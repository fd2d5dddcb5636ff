//! Starts: `StartInstances` records, and notifications of a new state.

use imds_core::event::{Event, Ignored, Malformed, Reason, Start, parse};
use imds_core::instance::{InstanceId, State};
use serde_json::{Value, json};

use crate::{event, started};

const A: &str = "i-0123456789abcdef0";
const B: &str = "i-0fedcba9876543210";
const C: &str = "i-0000abcd";

/// A `StartInstances` record with these instances in its request and its response.
fn start_record(requested: Value, response: Value, change: impl FnOnce(&mut Value)) -> String {
    event(|e| {
        let detail = &mut e["detail"];
        detail["eventName"] = json!("StartInstances");
        detail["requestParameters"] = json!({ "instancesSet": requested });
        detail["responseElements"] = response;
        change(e);
    })
}

fn items(ids: &[&str]) -> Value {
    let items: Vec<Value> = ids
        .iter()
        .map(|id| {
            json!({ "instanceId": id, "currentState": { "code": 0, "name": "pending" },
                "previousState": { "code": 80, "name": "stopped" } })
        })
        .collect();
    json!({ "items": items })
}

fn answered(ids: &[&str]) -> Value {
    json!({ "requestId": "x", "instancesSet": items(ids) })
}

#[track_caller]
fn start(json: &str) -> Start {
    match parse(json).unwrap() {
        Event::Start(start) => start,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn ids(json: &str) -> Vec<String> {
    let ids = start(json).instance_ids.into_iter();
    ids.map(String::from).collect()
}

#[track_caller]
fn malformed(json: &str) -> Malformed {
    parse(json).unwrap_err()
}

#[track_caller]
fn ignored(json: &str) -> Ignored {
    match parse(json).unwrap() {
        Event::Ignored(ignored) => ignored,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_start_names_all_its_instances_where_and_when() {
    let json = start_record(items(&[A, B, C]), answered(&[A, B, C]), |_| ());
    assert_eq!(ids(&json), [A, B, C]);
    let origin = start(&json).origin;
    assert_eq!(origin.account.as_deref(), Some("111122223333"));
    assert_eq!(origin.region, "eu-central-1");
    assert_eq!(origin.time, Some("2026-03-01T10:00:01Z".parse().unwrap()));
    assert_eq!(
        origin.principals,
        [
            "arn:aws:sts::111122223333:assumed-role/Deploy/ci",
            "arn:aws:iam::111122223333:role/Deploy"
        ]
    );
}

#[test]
fn the_response_says_what_was_started() {
    let json = start_record(items(&[A, B]), answered(&[B]), |_| ());
    assert_eq!(ids(&json), [B]);
}

#[test]
fn without_a_response_the_request_says_it() {
    for response in [
        json!(null),
        json!(""),
        json!({}),
        json!({ "instancesSet": {} }),
        json!({ "omitted": true }),
    ] {
        let json = start_record(items(&[A, B]), response.clone(), |_| ());
        assert_eq!(ids(&json), [A, B], "{response}");
    }
}

#[test]
fn an_instance_that_is_named_twice_is_started_once() {
    let json = start_record(items(&[A, B, A]), json!(null), |_| ());
    assert_eq!(ids(&json), [A, B]);
    let blank = format!(" {A} ");
    let json = start_record(items(&[A, &blank]), json!(null), |_| ());
    assert_eq!(ids(&json), [A]);
}

#[test]
fn one_instance_may_stand_in_the_place_of_the_list() {
    for one in [
        json!({ "items": { "instanceId": A } }),
        json!({ "item": { "instanceId": A } }),
        json!([{ "instanceId": A }]),
        json!({ "instanceId": A }),
    ] {
        let json = start_record(one.clone(), json!(null), |_| ());
        assert_eq!(ids(&json), [A], "{one}");
    }
}

#[test]
fn a_start_in_an_envelope_of_sns_or_none_is_the_same() {
    let whole = start_record(items(&[A, B]), answered(&[A, B]), |_| ());
    let bare = serde_json::from_str::<Value>(&whole).unwrap()["detail"].to_string();
    let sns = json!({ "Records": [{ "Sns": { "Message": whole } }] }).to_string();
    assert_eq!(start(&bare), start(&whole));
    assert_eq!(start(&sns), start(&whole));
}

#[test]
fn a_start_that_names_nothing_is_malformed_and_never_ignored() {
    for requested in [json!(null), json!(""), json!({}), json!([])] {
        let json = start_record(requested, json!(null), |_| ());
        let fault = malformed(&json);
        assert_eq!(fault.path, "detail.requestParameters.instancesSet.items");
        assert_eq!(fault.problem, "missing: expected the started instances");
    }
    let json = start_record(json!({}), json!(null), |e| {
        e["detail"]["requestParameters"] = json!(null);
    });
    assert_eq!(
        malformed(&json).path,
        "detail.requestParameters.instancesSet.items"
    );
}

#[test]
fn an_id_that_is_none_names_its_path_and_nothing_is_started() {
    let json = start_record(items(&[A, "i-1", B]), json!(null), |_| ());
    assert_eq!(
        malformed(&json).to_string(),
        "malformed event: `detail.requestParameters.instancesSet.items[1].instanceId`: `i-1` is \
         not an instance id (`i-` and 8 or 17 hexadecimal digits)"
    );
    let json = start_record(items(&[A]), answered(&[A, "*"]), |_| ());
    assert_eq!(
        malformed(&json).path,
        "detail.responseElements.instancesSet.items[1].instanceId"
    );
    let json = start_record(json!({ "items": [{}] }), json!(null), |_| ());
    assert_eq!(malformed(&json).problem, "missing: expected an instance id");
}

#[test]
fn a_start_that_failed_is_ignored_although_its_ids_are_none() {
    for requested in [items(&[A]), items(&["i-1"]), json!({})] {
        let json = start_record(requested, json!(null), |e| {
            e["detail"]["errorCode"] = json!("Client.InvalidInstanceID.Malformed");
        });
        let reason = Reason::FailedCall {
            call: "StartInstances".to_owned(),
            error_code: "Client.InvalidInstanceID.Malformed".to_owned(),
        };
        assert_eq!(ignored(&json).reason, reason);
    }
}

#[test]
fn pending_and_running_are_starts_in_any_spelling() {
    for detail in [
        json!({ "instance-id": C, "state": "pending" }),
        json!({ "instance-id": format!(" {C}"), "state": "running" }),
        json!({ "instance_id": C, "state": "RUNNING" }),
    ] {
        let start = start(&started(detail));
        assert_eq!(start.instance_ids, [InstanceId::try_from(C).unwrap()]);
        assert!(start.origin.principals.is_empty());
    }
}

#[test]
fn other_states_are_ignored() {
    for state in ["shutting-down", "terminated", "stopping", "Stopped"] {
        let json = started(json!({ "instance-id": C, "state": state }));
        let id = InstanceId::try_from(C).unwrap();
        let state = State::from_word(state).unwrap();
        assert_eq!(ignored(&json).reason, Reason::OtherState(id, state));
    }
}
