//! Changes, starts, sweeps, and events that are ignored.

use imds_core::event::{Event, Ignored, MetadataChange, Reason, parse};
use imds_core::options::{HopLimit, HttpTokens, MetadataOptions, Toggle};
use serde_json::{Value, json};

use crate::{event, modified};

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
    let json = event(|e| e["detail"]["eventName"] = json!("StopInstances"));
    assert_eq!(
        ignored(&json).reason,
        Reason::OtherCall("StopInstances".to_owned())
    );
    for call in ["RunInstances", "StartInstances"] {
        let json = event(|e| {
            e["detail"]["eventName"] = json!(call);
            e["detail"]["eventSource"] = json!("lightsail.amazonaws.com");
        });
        assert_eq!(ignored(&json).reason, Reason::OtherCall(call.to_owned()));
    }
    let json = r#"{"detail-type": "Scheduled Event", "source": "aws.events", "detail": {}}"#;
    assert_eq!(
        ignored(json).reason,
        Reason::OtherEvent("Scheduled Event".to_owned())
    );
}

#[test]
fn a_call_that_sets_the_options_of_later_launches_is_ignored_and_not_called_unrelated() {
    for (source, call) in [
        ("ec2", "ModifyInstanceMetadataDefaults"),
        ("ec2", "CreateLaunchTemplateVersion"),
        ("ec2", "ModifyImageAttribute"),
        ("ec2", "CreateFleet"),
        ("autoscaling", "CreateLaunchConfiguration"),
        ("organizations", "AttachPolicy"),
    ] {
        let of = |source: &str| {
            let json = event(|e| {
                e["detail"]["eventName"] = json!(call);
                e["detail"]["eventSource"] = json!(format!("{source}.amazonaws.com"));
            });
            ignored(&json).reason
        };
        assert_eq!(of(source), Reason::LaterLaunches(call.to_owned()));
        assert_eq!(of("gamelift"), Reason::OtherCall(call.to_owned()));
        let shown = of(source).to_string();
        assert!(shown.starts_with(&format!("{call} changes no instance: ")));
    }
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
    let role = "arn:aws:iam::111122223333:role/Deploy";
    assert_eq!(change.role.as_deref(), Some(role));
    let expected = MetadataOptions {
        http_tokens: Some(HttpTokens::Optional),
        http_endpoint: Some(Toggle::Enabled),
        hop_limit: HopLimit::try_from(3).ok(),
        ..MetadataOptions::default()
    };
    assert_eq!(change.set, expected);
}

#[test]
fn the_role_of_a_change_is_its_session_s_issuer_and_never_the_session_s_name() {
    for identity in [
        json!(null),
        json!({}),
        json!({ "type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/enforcer" }),
        json!({ "arn": "arn:aws:sts::111122223333:assumed-role/Deploy/enforcer" }),
        json!({ "sessionContext": { "sessionIssuer": "" } }),
    ] {
        let json = modified(|e| e["detail"]["userIdentity"] = identity.clone());
        assert_eq!(metadata_change(&json).role, None, "{identity}");
    }
}

#[test]
fn a_change_through_a_service_or_by_a_bare_record_shows_the_same() {
    let whole = modified(|_| ());
    let bare = serde_json::from_str::<Value>(&whole).unwrap()["detail"].to_string();
    assert_eq!(metadata_change(&bare), metadata_change(&whole));
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
