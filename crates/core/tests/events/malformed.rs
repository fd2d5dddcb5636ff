//! Malformed events, with the path of what is malformed.

use imds_core::event::parse;
use serde_json::json;

use crate::{ITEM, at, event, launch, modified, started, without};

#[track_caller]
fn malformed(json: &str, expected: &str) {
    assert_eq!(
        parse(json).unwrap_err().to_string(),
        format!("malformed event: {expected}")
    );
}

#[test]
fn a_metadata_change_without_an_instance_is_malformed() {
    let path = "detail.requestParameters.ModifyInstanceMetadataOptionsRequest";
    let json = modified(|e| {
        e["detail"]["requestParameters"] = json!({ "ModifyInstanceMetadataOptionsRequest": "" })
    });
    malformed(
        &json,
        &format!("`{path}`: missing: expected `InstanceId` and the options"),
    );
    let json = modified(|e| {
        without(
            e,
            "/detail/requestParameters/ModifyInstanceMetadataOptionsRequest",
            "InstanceId",
        )
    });
    malformed(
        &json,
        &format!("`{path}.InstanceId`: missing: expected an instance id"),
    );
}

#[test]
fn a_placeholder_for_a_time_is_refused_in_the_envelope_and_accepted_in_the_record() {
    let json = event(|e| e["time"] = json!("yyyy-mm-ddThh:mm:ssZ"));
    assert_eq!(
        parse(&json).unwrap_err().to_string(),
        "malformed event: `time`: `yyyy-mm-ddThh:mm:ssZ`: expected a time such as \
         `2026-03-01T10:00:00Z`"
    );
    let json = event(|e| e["detail"]["eventTime"] = json!("2026-03-01 10:00:01.000000000"));
    assert_eq!(
        launch(&json).origin.time,
        Some("2026-03-01T10:00:01Z".parse().unwrap())
    );
    let json = event(|e| e["detail"]["eventTime"] = json!("yyyy-mm-ddThh:mm:ssZ"));
    assert_eq!(launch(&json).origin.time, None);
}

#[test]
fn an_envelope_without_a_source_is_malformed() {
    let json = event(|e| without(e, "", "source"));
    let fault = parse(&json).unwrap_err().to_string();
    assert!(
        fault.starts_with("malformed event: missing field `source`"),
        "{fault}"
    );
}

#[test]
fn what_is_malformed_names_its_path() {
    let item = "detail.responseElements.instancesSet.items[0]";
    malformed(
        &event(|e| without(e, ITEM, "instanceId")),
        &format!("`{item}.instanceId`: missing: expected an instance id"),
    );
    malformed(
        &event(|e| at(e, ITEM)["instanceId"] = json!("vol-1")),
        &format!(
            "`{item}.instanceId`: `vol-1` is not an instance id (`i-` and 8 or 17 hexadecimal digits)"
        ),
    );
    malformed(
        &event(|e| at(e, ITEM)["metadataOptions"]["httpPutResponseHopLimit"] = json!(65)),
        &format!(
            "`{item}.metadataOptions.httpPutResponseHopLimit`: hop limit `65` is not between 1 and 64"
        ),
    );
    malformed(
        &event(|e| without(e, "", "detail-type")),
        "`detail-type`: missing: expected an EventBridge event or a CloudTrail record",
    );
    malformed(
        &event(|e| without(e, "/detail", "eventName")),
        "`detail.eventName`: missing: expected the API call's name",
    );
    malformed(
        &event(|e| {
            without(e, "/detail", "awsRegion");
            without(e, "", "region");
        }),
        "`detail.awsRegion`: missing: expected a region",
    );
    malformed(
        &event(|e| e["detail"]["awsRegion"] = json!("evil.example/")),
        "`detail.awsRegion`: `evil.example/` is not a region",
    );
    malformed(
        &started(json!({ "instance-id": "i-0000abcd" })),
        "`detail.state`: missing: expected the instance's state",
    );
    malformed(
        &started(json!({ "instance-id": "i-0000abcd", "state": "odd" })),
        "`detail.state`: `odd` is not an instance state",
    );
    malformed(
        &started(json!({ "state": "running" })),
        "`detail.instance-id`: missing: expected an instance id",
    );
    malformed(
        &started(json!(null)),
        "`detail`: missing: expected `instance-id` and `state`",
    );
}

#[test]
fn a_wrong_type_names_its_path() {
    let message = |json: &str| parse(json).unwrap_err().to_string();
    let json = event(|e| at(e, ITEM)["metadataOptions"] = json!(5));
    let path = "`detail.responseElements.instancesSet.items[0].metadataOptions`";
    assert!(message(&json).contains(path), "{}", message(&json));
    let json = event(|e| e["detail"]["responseElements"]["instancesSet"] = json!("i-00000001"));
    assert!(
        message(&json).contains("`detail.responseElements.instancesSet`"),
        "{}",
        message(&json)
    );
    let json = event(|e| e["detail"] = json!("text"));
    assert!(message(&json).contains("`detail`"), "{}", message(&json));
    for json in ["", "null", "[]", "5", "{", "{}{}", "\"text\""] {
        assert!(parse(json).is_err(), "{json}");
    }
}
