//! Changes, starts, sweeps, and events that are ignored.

use imds_core::event::{Event, Ignored, MetadataChange, Reason, parse};
use imds_core::instance::{InstanceId, State};
use imds_core::options::{HopLimit, HttpTokens, MetadataOptions, Toggle};
use serde_json::{Value, json};

use crate::{event, modified, started};

#[track_caller]
fn ignored(json: &str) -> Ignored {
    match parse(json).unwrap() {
        Event::Ignored(ignored) => ignored,
        other => panic!("{other:?}"),
    }
}

#[test]
fn failed_calls_and_dry_runs_are_ignored_with_their_error_code() {
    for code in [
        "Client.DryRunOperation",
        "Client.UnauthorizedOperation",
        "Server.InternalError",
    ] {
        let json = event(|e| {
            e["detail"]["errorCode"] = json!(code);
            e["detail"]["responseElements"] = json!(null);
        });
        let expected = Ignored {
            account: Some("111122223333".to_owned()),
            region: Some("eu-central-1".to_owned()),
            reason: Reason::FailedCall {
                call: "RunInstances".to_owned(),
                error_code: code.to_owned(),
            },
        };
        assert_eq!(ignored(&json), expected);
    }
}

#[test]
fn other_calls_and_other_events_are_ignored() {
    let json = event(|e| e["detail"]["eventName"] = json!("StartInstances"));
    assert_eq!(
        ignored(&json).reason,
        Reason::OtherCall("StartInstances".to_owned())
    );
    let json = event(|e| e["detail"]["eventSource"] = json!("lightsail.amazonaws.com"));
    assert_eq!(
        ignored(&json).reason,
        Reason::OtherCall("RunInstances".to_owned())
    );
    let json = r#"{"detail-type": "Scheduled Event", "source": "aws.events", "detail": {}}"#;
    assert_eq!(
        ignored(json).reason,
        Reason::OtherEvent("Scheduled Event".to_owned())
    );
}

#[track_caller]
fn metadata_change(json: &str) -> MetadataChange {
    match parse(json).unwrap() {
        Event::MetadataChange(change) => change,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_metadata_change_shows_who_set_what() {
    let change = metadata_change(&modified(|_| ()));
    assert_eq!(change.instance_id.as_str(), "i-0123456789abcdef0");
    assert_eq!(change.session.as_deref(), Some("enforcer"));
    let expected = MetadataOptions {
        http_tokens: Some(HttpTokens::Optional),
        http_endpoint: Some(Toggle::Enabled),
        hop_limit: HopLimit::try_from(3).ok(),
        ..MetadataOptions::default()
    };
    assert_eq!(change.set, expected);
}

#[test]
fn pending_and_running_are_recognised_in_any_spelling() {
    for (detail, state) in [
        (
            json!({ "instance-id": "i-0abc", "state": "pending" }),
            State::Pending,
        ),
        (
            json!({ "instance-id": " i-0abc", "state": "running" }),
            State::Running,
        ),
        (
            json!({ "instance_id": "i-0abc", "state": "RUNNING" }),
            State::Running,
        ),
    ] {
        let Ok(Event::Start(start)) = parse(&started(detail)) else {
            panic!()
        };
        assert_eq!((start.instance_id.as_str(), start.state), ("i-0abc", state));
    }
}

#[test]
fn other_states_are_ignored() {
    for state in ["shutting-down", "terminated", "stopping", "Stopped"] {
        let json = started(json!({ "instance-id": "i-0abc", "state": state }));
        let id = InstanceId::try_from("i-0abc").unwrap();
        let state = State::from_word(state).unwrap();
        assert_eq!(ignored(&json).reason, Reason::OtherState(id, state));
    }
}

#[test]
fn a_sweep_names_its_regions_or_none() {
    let sweep = |detail: Value| {
        let json = json!({ "source": "imds-enforcer", "detail-type": "Sweep", "detail": detail });
        parse(&json.to_string())
    };
    let regions = |event| match event {
        Ok(Event::Sweep(sweep)) => sweep.regions,
        other => panic!("{other:?}"),
    };
    assert_eq!(regions(sweep(json!({}))), None);
    assert_eq!(
        regions(sweep(json!({ "regions": ["us-east-1"] }))),
        Some(vec!["us-east-1".to_owned()])
    );
    for bad in [
        json!({ "regions": [] }),
        json!({ "region": "us-east-1" }),
        json!({ "regions": ["a/b"] }),
    ] {
        assert!(sweep(bad).is_err());
    }
}
