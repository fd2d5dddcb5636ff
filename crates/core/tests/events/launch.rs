//! Launches.

use imds_core::options::{HopLimit, HttpTokens, MetadataOptions, Toggle};
use serde_json::json;

use crate::{ITEM, at, event, launch, without};

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
        instance.started_at,
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
fn the_state_in_a_launch_record_is_not_the_current_one() {
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
fn an_unknown_word_leaves_the_option_unknown() {
    let json = event(|e| at(e, ITEM)["metadataOptions"]["httpTokens"] = json!("no-preference"));
    assert_eq!(launch(&json).instances[0].options.http_tokens, None);
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
    let account = |json: &str| launch(json).origin.account.unwrap();
    let recipient = event(|e| e["detail"]["recipientAccountId"] = json!("1"));
    assert_eq!(account(&recipient), "1");
    let envelope = event(|e| {
        without(e, "/detail", "recipientAccountId");
        e["account"] = json!("2");
    });
    assert_eq!(account(&envelope), "2");
    let caller = event(|e| {
        without(e, "/detail", "recipientAccountId");
        without(e, "", "account");
        e["detail"]["userIdentity"]["accountId"] = json!("3");
    });
    assert_eq!(account(&caller), "3");
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
