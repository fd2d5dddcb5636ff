//! What events look like: every shape that was seen, and every fault with its path.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at what it did not expect"
)]

use imds_core::event::{Event, Ignored, Launch, MetadataChange, Reason, parse};
use imds_core::instance::{HopLimit, HttpTokens, InstanceId, MetadataOptions, State, Toggle};
use serde_json::{Value, json};

/// A launch of one open instance, with `change` made to the whole event.
fn event(change: impl FnOnce(&mut Value)) -> String {
    let mut event = json!({
        "version": "0", "id": "12345678-1234-1234-1234-123456789012",
        "detail-type": "AWS API Call via CloudTrail", "source": "aws.ec2",
        "account": "111122223333", "time": "2026-03-01T10:00:05Z", "region": "eu-central-1",
        "resources": [],
        "detail": {
            "eventVersion": "1.10", "eventSource": "ec2.amazonaws.com", "eventName": "RunInstances",
            "eventTime": "2026-03-01T10:00:01Z", "awsRegion": "eu-central-1",
            "recipientAccountId": "111122223333",
            "userIdentity": {
                "type": "AssumedRole", "arn": "arn:aws:sts::111122223333:assumed-role/Deploy/ci",
                "accountId": "111122223333",
                "sessionContext": { "sessionIssuer": { "arn": "arn:aws:iam::111122223333:role/Deploy" } }
            },
            "requestParameters": {
                "clientToken": "token-1",
                "instancesSet": { "items": [{ "imageId": "ami-1", "minCount": 1, "maxCount": 1 }] }
            },
            "responseElements": {
                "instancesSet": { "items": [{
                    "instanceId": "i-0123456789abcdef0", "imageId": "ami-1", "instanceType": "m7g.large",
                    "launchTime": 1772359200000_i64,
                    "tagSet": { "items": [{ "key": "app", "value": "web" }] },
                    "metadataOptions": {
                        "state": "pending", "httpTokens": "optional", "httpPutResponseHopLimit": 1,
                        "httpEndpoint": "enabled", "httpProtocolIpv6": "disabled",
                        "instanceMetadataTags": "disabled"
                    }
                }] }
            }
        }
    });
    change(&mut event);
    event.to_string()
}

const ITEM: &str = "/detail/responseElements/instancesSet/items/0";

fn at<'v>(event: &'v mut Value, pointer: &str) -> &'v mut Value {
    event.pointer_mut(pointer).unwrap()
}

#[track_caller]
fn launch(json: &str) -> Launch {
    match parse(json).unwrap() {
        Event::Launch(launch) => launch,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn ignored(json: &str) -> Ignored {
    match parse(json).unwrap() {
        Event::Ignored(ignored) => ignored,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn malformed(json: &str, expected: &str) {
    assert_eq!(
        parse(json).unwrap_err().to_string(),
        format!("malformed event: {expected}")
    );
}

fn without(event: &mut Value, parent: &str, key: &str) {
    at(event, parent).as_object_mut().unwrap().remove(key);
}

#[test]
fn a_launch_shows_its_instances() {
    let launch = launch(&event(|_| ()));
    let [instance] = launch.instances.as_slice() else {
        panic!("{launch:?}")
    };
    assert_eq!(instance.id.as_str(), "i-0123456789abcdef0");
    assert_eq!(instance.region, "eu-central-1");
    assert_eq!(instance.account.as_deref(), Some("111122223333"));
    assert_eq!(instance.image.as_deref(), Some("ami-1"));
    assert_eq!(instance.instance_type.as_deref(), Some("m7g.large"));
    assert_eq!(instance.tags["app"], "web");
    assert_eq!(
        instance.launched_at,
        Some("2026-03-01T10:00:00Z".parse().unwrap())
    );
    assert_eq!(
        instance.principals,
        [
            "arn:aws:sts::111122223333:assumed-role/Deploy/ci",
            "arn:aws:iam::111122223333:role/Deploy"
        ]
    );
    assert_eq!(
        instance.options,
        MetadataOptions {
            http_tokens: Some(HttpTokens::Optional),
            http_endpoint: Some(Toggle::Enabled),
            hop_limit: HopLimit::try_from(1).ok(),
            http_protocol_ipv6: Some(Toggle::Disabled),
            instance_metadata_tags: Some(Toggle::Disabled),
        }
    );
    assert_eq!(launch.client_token.as_deref(), Some("token-1"));
    assert!(!launch.is_cut());
}

#[test]
fn the_state_of_a_launch_is_not_taken_for_the_present_one() {
    let json = event(|e| at(e, ITEM)["instanceState"] = json!({ "code": 0, "name": "pending" }));
    assert_eq!(launch(&json).instances[0].state, None);
}

#[test]
fn missing_metadata_options_are_not_known() {
    for absent in [json!(null), json!(""), json!({})] {
        let json = event(|e| at(e, ITEM)["metadataOptions"] = absent.clone());
        assert_eq!(
            launch(&json).instances[0].options,
            MetadataOptions::default()
        );
    }
    let json = event(|e| without(e, ITEM, "metadataOptions"));
    assert_eq!(
        launch(&json).instances[0].options,
        MetadataOptions::default()
    );
}

#[test]
fn options_that_a_record_leaves_out_are_not_known() {
    let json = event(|e| {
        at(e, ITEM)["metadataOptions"] =
            json!({ "httpTokens": "required", "httpEndpoint": "enabled" });
    });
    let options = launch(&json).instances[0].options;
    assert_eq!(options.http_tokens, Some(HttpTokens::Required));
    assert_eq!(
        (options.hop_limit, options.http_protocol_ipv6),
        (None, None)
    );
}

#[test]
fn a_word_that_is_not_known_leaves_the_option_unknown() {
    let json = event(|e| at(e, ITEM)["metadataOptions"]["httpTokens"] = json!("no-preference"));
    assert_eq!(launch(&json).instances[0].options.http_tokens, None);
}

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
            launch.instances[0].launched_at,
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
fn a_tag_s_value_may_be_guessed_or_missing() {
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
fn the_region_is_the_record_s_where_the_envelope_disagrees() {
    let json = event(|e| e["region"] = json!("us-east-1"));
    assert_eq!(launch(&json).instances[0].region, "eu-central-1");
    let json = event(|e| {
        e["region"] = json!("us-east-1");
        without(e, "/detail", "awsRegion");
    });
    assert_eq!(launch(&json).origin.region, "us-east-1");
}

#[test]
fn the_account_is_the_recipient_s_or_the_envelope_s_or_the_caller_s() {
    let of = |json: &str| launch(json).origin.account.unwrap();
    let recipient = event(|e| e["detail"]["recipientAccountId"] = json!("1"));
    assert_eq!(of(&recipient), "1");
    let envelope = event(|e| {
        without(e, "/detail", "recipientAccountId");
        e["account"] = json!("2");
    });
    assert_eq!(of(&envelope), "2");
    let caller = event(|e| {
        without(e, "/detail", "recipientAccountId");
        without(e, "", "account");
        e["detail"]["userIdentity"]["accountId"] = json!("3");
    });
    assert_eq!(of(&caller), "3");
}

#[test]
fn a_time_that_is_a_placeholder_is_refused_in_the_envelope_and_does_no_harm_in_the_record() {
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
fn an_envelope_without_a_source_is_a_plain_fault() {
    let json = event(|e| without(e, "", "source"));
    let fault = parse(&json).unwrap_err().to_string();
    assert!(
        fault.starts_with("malformed event: missing field `source`"),
        "{fault}"
    );
}

#[test]
fn an_identity_may_be_empty_or_hardly_there() {
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

#[test]
fn a_launch_without_recorded_ids_is_cut() {
    let cut = [
        json!(null),
        json!(""),
        json!({}),
        json!({ "omitted": true }),
        json!({ "instancesSet": {} }),
    ];
    for response in cut {
        let json = event(|e| e["detail"]["responseElements"] = response.clone());
        let launch = launch(&json);
        assert!(launch.is_cut() && launch.instances.is_empty(), "{response}");
    }
    let json = event(|e| without(e, "/detail", "responseElements"));
    assert!(launch(&json).is_cut());
}

#[test]
fn a_launch_with_fewer_recorded_ids_than_were_asked_for_is_cut() {
    let json = event(|e| {
        let asked = at(e, "/detail/requestParameters/instancesSet/items/0");
        asked["minCount"] = json!(50);
        asked["maxCount"] = json!(60);
    });
    let launch = launch(&json);
    assert_eq!(launch.asked, Some((50, 60)));
    assert!(launch.is_cut());
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

fn modified(change: impl FnOnce(&mut Value)) -> String {
    event(|e| {
        let detail = &mut e["detail"];
        detail["eventName"] = json!("ModifyInstanceMetadataOptions");
        detail["userIdentity"]["arn"] =
            json!("arn:aws:sts::111122223333:assumed-role/Role/enforcer");
        detail["requestParameters"] = json!({ "ModifyInstanceMetadataOptionsRequest": {
            "InstanceId": "i-0123456789abcdef0", "HttpTokens": "optional",
            "HttpEndpoint": "enabled", "HttpPutResponseHopLimit": 3 } });
        detail["responseElements"] =
            json!({ "ModifyInstanceMetadataOptionsResponse": { "xmlns": "x" } });
        change(e);
    })
}

#[track_caller]
fn metadata_change(json: &str) -> MetadataChange {
    match parse(json).unwrap() {
        Event::MetadataChange(change) => change,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_metadata_change_tells_who_set_what() {
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

fn state_change(detail: Value) -> String {
    json!({ "detail-type": "EC2 Instance State-change Notification", "source": "aws.ec2",
        "account": "111122223333", "region": "eu-central-1", "time": "2026-03-01T10:00:05Z",
        "detail": detail })
    .to_string()
}

#[test]
fn pending_and_running_are_looked_at_in_any_spelling() {
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
        let Ok(Event::StateChange(change)) = parse(&state_change(detail)) else {
            panic!()
        };
        assert_eq!(
            (change.instance_id.as_str(), change.state),
            ("i-0abc", state)
        );
    }
}

#[test]
fn other_states_are_ignored() {
    for state in ["shutting-down", "terminated", "stopping", "Stopped"] {
        let json = state_change(json!({ "instance-id": "i-0abc", "state": state }));
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

#[test]
fn what_is_malformed_names_its_path() {
    let item = "detail.responseElements.instancesSet.items[0]";
    malformed(
        &event(|e| without(e, ITEM, "instanceId")),
        &format!("`{item}.instanceId`: missing: expected an instance id"),
    );
    malformed(
        &event(|e| at(e, ITEM)["instanceId"] = json!("vol-1")),
        &format!("`{item}.instanceId`: `vol-1` is no instance id (`i-` and hexadecimal digits)"),
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
        "`detail.awsRegion`: `evil.example/` is no region",
    );
    malformed(
        &state_change(json!({ "instance-id": "i-0abc" })),
        "`detail.state`: missing: expected the instance's state",
    );
    malformed(
        &state_change(json!({ "instance-id": "i-0abc", "state": "odd" })),
        "`detail.state`: `odd` is no state of an instance",
    );
    malformed(
        &state_change(json!({ "state": "running" })),
        "`detail.instance-id`: missing: expected an instance id",
    );
    malformed(
        &state_change(json!(null)),
        "`detail`: missing: expected `instance-id` and `state`",
    );
}

#[test]
fn a_wrong_type_names_its_path() {
    let told = |json: &str| parse(json).unwrap_err().to_string();
    let json = event(|e| at(e, ITEM)["metadataOptions"] = json!(5));
    let path = "`detail.responseElements.instancesSet.items[0].metadataOptions`";
    assert!(told(&json).contains(path), "{}", told(&json));
    let json = event(|e| e["detail"]["responseElements"]["instancesSet"] = json!("i-1"));
    assert!(
        told(&json).contains("`detail.responseElements.instancesSet`"),
        "{}",
        told(&json)
    );
    let json = event(|e| e["detail"] = json!("text"));
    assert!(told(&json).contains("`detail`"), "{}", told(&json));
    for json in ["", "null", "[]", "5", "{", "{}{}", "\"text\""] {
        assert!(parse(json).is_err(), "{json}");
    }
}
