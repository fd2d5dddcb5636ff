//! The same event in other forms.

use imds_core::options::HopLimit;
use serde_json::{Value, json};

use crate::{ITEM, at, event, launch};

#[test]
fn numbers_may_be_text_or_floats() {
    for (hops, time) in [
        (json!("1"), json!("1772359200000")),
        (json!(1.0), json!(1772359200000.0)),
        (json!(" 1 "), json!(1.7723592e12)),
    ] {
        let json = event(|e| {
            at(e, ITEM)["metadataOptions"]["httpPutResponseHopLimit"] = hops.clone();
            at(e, ITEM)["launchTime"] = time.clone();
            at(e, "/detail/requestParameters/instancesSet/items/0")["minCount"] = json!("1");
        });
        let launch = launch(&json);
        assert_eq!(
            launch.instances[0].options.hop_limit,
            HopLimit::try_from(1).ok()
        );
        assert_eq!(
            launch.instances[0].started_at,
            Some("2026-03-01T10:00:00Z".parse().unwrap())
        );
        assert_eq!(launch.asked, Some((1, 1)));
    }
}

#[test]
fn lists_come_in_many_forms() {
    let item = serde_json::from_str::<Value>(&event(|_| ()))
        .unwrap()
        .pointer(ITEM)
        .unwrap()
        .clone();
    for set in [
        json!({ "items": [item] }),
        json!({ "items": item }),
        json!({ "item": [item] }),
        json!({ "item": item }),
        json!([item]),
        item.clone(),
    ] {
        let json = event(|e| at(e, "/detail/responseElements")["instancesSet"] = set.clone());
        assert_eq!(launch(&json).instances.len(), 1, "{set}");
    }
    for tags in [
        json!({}),
        json!(""),
        json!(null),
        json!([]),
        json!({ "items": [] }),
        json!({ "items": {} }),
    ] {
        let json = event(|e| at(e, ITEM)["tagSet"] = tags.clone());
        assert!(launch(&json).instances[0].tags.is_empty(), "{tags}");
    }
}

#[test]
fn a_tag_may_have_other_types_or_no_value() {
    let json = event(|e| {
        at(e, ITEM)["tagSet"] = json!({ "items": [{ "key": "a", "value": true }, { "key": "b" }, { "key": 3, "value": 4 }] });
    });
    let tags = &launch(&json).instances[0].tags;
    assert_eq!(
        (tags["a"].as_str(), tags["b"].as_str(), tags["3"].as_str()),
        ("true", "", "4")
    );
}

#[test]
fn blanks_around_ids_are_dropped() {
    let json = event(|e| at(e, ITEM)["instanceId"] = json!(" i-0123456789abcdef0 "));
    assert_eq!(
        launch(&json).instances[0].id.as_str(),
        "i-0123456789abcdef0"
    );
}

#[test]
fn an_identity_may_be_empty_or_incomplete() {
    for identity in [
        json!(null),
        json!(""),
        json!({}),
        json!({ "sessionContext": { "sessionIssuer": {} } }),
    ] {
        let json = event(|e| e["detail"]["userIdentity"] = identity.clone());
        assert!(launch(&json).origin.principals.is_empty());
    }
    let json = event(|e| {
        e["detail"]["userIdentity"] = json!({ "invokedBy": "autoscaling.amazonaws.com" })
    });
    assert_eq!(
        launch(&json).origin.principals,
        ["autoscaling.amazonaws.com"]
    );
}

#[test]
fn a_bare_record_and_one_through_sns_are_the_same_event() {
    let whole = event(|_| ());
    let bare = serde_json::from_str::<Value>(&whole).unwrap()["detail"].to_string();
    let sns = json!({ "Records": [{ "EventSource": "aws:sns", "Sns": { "Message": whole } }] });
    assert_eq!(launch(&bare), launch(&whole));
    assert_eq!(launch(&sns.to_string()), launch(&whole));
}
