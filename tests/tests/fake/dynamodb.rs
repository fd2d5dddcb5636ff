//! The reads, the rights and the protocol of the fake's DynamoDB.

use imds_tests::{CallOutcome, FakeAws, Settle, launch};
use serde_json::{Value, json};

use crate::REGION;
use crate::client::{agent, authorization};
use crate::dynamodb_client::{dynamodb, named, read};

#[test]
fn an_item_is_read_as_it_was_put() {
    let fake = FakeAws::start();
    let pause = json!({"until": "2026-01-01T00:00:00Z", "n": 1.5, "ok": true, "no": null,
        "m": {"a": [1, "x"]}});
    fake.put_item("pause#1", pause.clone());
    assert_eq!(fake.item("pause#1"), Some(pause.clone()));
    assert_eq!(
        fake.items().into_iter().collect::<Vec<_>>(),
        [("pause#1".to_owned(), pause)]
    );
    let answer = dynamodb(&fake, REGION).get("pause#1");
    assert_eq!(answer.content_type, "application/x-amz-json-1.0");
    assert_eq!(
        *answer.is_done(),
        json!({"Item": {
            "key": {"S": "pause#1"},
            "until": {"S": "2026-01-01T00:00:00Z"},
            "n": {"N": "1.5"},
            "ok": {"BOOL": true},
            "no": {"NULL": true},
            "m": {"M": {"a": {"L": [{"N": "1"}, {"S": "x"}]}}},
        }})
    );
    fake.remove_item("pause#1");
    assert_eq!(fake.item("pause#1"), None);
    assert_eq!(*dynamodb(&fake, REGION).get("pause#1").is_done(), json!({}));
    assert!(fake.items().is_empty());
}

#[test]
fn every_region_has_a_table_of_its_own() {
    let fake = FakeAws::start();
    let elsewhere = dynamodb(&fake, "us-east-1");
    let set = json!({"UpdateExpression": "SET holder = :h",
        "ExpressionAttributeValues": {":h": {"S": "a"}}});
    elsewhere.update("lease#1", set).is_done();
    assert_eq!(fake.item("lease#1"), None);
    let table = fake.table("us-east-1");
    assert_eq!(table.item("lease#1"), Some(json!({"holder": "a"})));
    assert_eq!(*dynamodb(&fake, REGION).get("lease#1").is_done(), json!({}));
    elsewhere.get("lease#1").is_done()["Item"]
        .as_object()
        .unwrap();
}

#[test]
fn the_table_is_named_by_its_name_or_its_arn() {
    let fake = FakeAws::start();
    fake.put_item("exempt#i", json!({"by": "me"}));
    let client = dynamodb(&fake, REGION);
    let found = |name: &str| {
        let mut body = read("exempt#i", true);
        body["TableName"] = name.into();
        client.call("GetItem", &body)
    };
    let arn = |region: &str| format!("arn:aws:dynamodb:{region}:111122223333:table/imds-enforcer");
    assert_eq!(
        found(&arn(REGION)).is_done()["Item"]["by"],
        json!({"S": "me"})
    );
    for name in ["imds", "imds-enforcer2", &arn("us-east-1")] {
        found(name).is_rejected(
            400,
            "ResourceNotFoundException",
            "Requested resource not found",
        );
    }
    let keys = json!({"other": {"Keys": [{"key": {"S": "a"}}]}});
    client
        .call("BatchGetItem", &json!({ "RequestItems": keys }))
        .is_rejected(400, "ResourceNotFoundException", "");
    let mut body = named("limit#1", json!({}));
    body["TableName"] = "other".into();
    client
        .call("UpdateItem", &body)
        .is_rejected(400, "ResourceNotFoundException", "");
}

#[test]
fn a_read_that_is_not_consistent_finds_what_was_there_before_the_last_write() {
    let fake = FakeAws::start();
    let client = dynamodb(&fake, REGION);
    let seen = |consistent: bool| {
        let answer = client.call("GetItem", &read("pause#1", consistent));
        answer.is_done()["Item"]["by"]["S"]
            .as_str()
            .map(str::to_owned)
    };
    fake.put_item("pause#1", json!({"by": "a"}));
    assert_eq!(seen(true).as_deref(), Some("a"));
    assert_eq!(seen(false), None);
    assert_eq!(seen(false).as_deref(), Some("a"));
    fake.set_written(Settle::Never);
    fake.put_item("pause#1", json!({"by": "b"}));
    for _ in 0..3 {
        assert_eq!(seen(false).as_deref(), Some("a"));
        assert_eq!(seen(true).as_deref(), Some("b"));
    }
    fake.remove_item("pause#1");
    assert_eq!(seen(false).as_deref(), Some("b"));
    let keys = json!([{"key": {"S": "pause#1"}}]);
    let asked = json!({"RequestItems": {"imds-enforcer": {"Keys": keys}}});
    let answer = client.call("BatchGetItem", &asked);
    let found = &answer.is_done()["Responses"]["imds-enforcer"];
    assert_eq!(found[0]["by"], json!({"S": "b"}));
    fake.set_written(Settle::Now);
    fake.put_item("pause#1", json!({"by": "c"}));
    assert_eq!(seen(false).as_deref(), Some("c"));
}

#[test]
fn a_batch_finds_what_exists_in_any_order() {
    let fake = FakeAws::start();
    for key in ["exempt#a", "exempt#b", "exempt#c"] {
        fake.put_item(key, json!({"by": key}));
    }
    let client = dynamodb(&fake, REGION);
    let answer = client.batch(&["exempt#a", "exempt#x", "exempt#b"]);
    let item = |key: &str| json!({"key": {"S": key}, "by": {"S": key}});
    assert_eq!(
        *answer.is_done(),
        json!({
            "Responses": {"imds-enforcer": [item("exempt#b"), item("exempt#a")]},
            "UnprocessedKeys": {},
        })
    );
}

#[test]
fn a_batch_may_leave_keys_unprocessed() {
    let fake = FakeAws::start();
    fake.put_item("exempt#a", json!({}));
    fake.put_item("exempt#b", json!({}));
    fake.leave_unprocessed("exempt#a", 2);
    let client = dynamodb(&fake, REGION);
    for _ in 0..2 {
        let answer = client.batch(&["exempt#a", "exempt#b"]);
        let left = json!({"imds-enforcer":
            {"Keys": [{"key": {"S": "exempt#a"}}], "ConsistentRead": true}});
        assert_eq!(answer.is_done()["UnprocessedKeys"], left);
        let found = answer.body["Responses"]["imds-enforcer"].as_array();
        assert_eq!(found.unwrap().len(), 1);
    }
    let answer = client.batch(&["exempt#a", "exempt#b"]);
    assert_eq!(answer.is_done()["UnprocessedKeys"], json!({}));
}

#[test]
fn a_batch_has_16_megabytes_at_most() {
    let fake = FakeAws::start();
    let keys: Vec<_> = (0..45).map(|n| format!("policy#{n}")).collect();
    for key in &keys {
        fake.put_item(key, json!({"document": "x".repeat(400_000)}));
    }
    let names: Vec<_> = keys.iter().map(String::as_str).collect();
    let answer = dynamodb(&fake, REGION).batch(&names);
    let found = answer.is_done()["Responses"]["imds-enforcer"]
        .as_array()
        .unwrap()
        .len();
    let left = answer.body["UnprocessedKeys"]["imds-enforcer"]["Keys"]
        .as_array()
        .unwrap()
        .len();
    assert_eq!((found, left), (41, 4));
}

#[test]
fn a_batch_has_up_to_100_different_keys() {
    let fake = FakeAws::start();
    let client = dynamodb(&fake, REGION);
    let keys: Vec<_> = (0..101).map(|n| format!("watch#{n}")).collect();
    let keys: Vec<_> = keys.iter().map(String::as_str).collect();
    client.batch(&keys[..100]).is_done();
    client
        .batch(&keys)
        .is_invalid("length less than or equal to 100");
    client
        .batch(&[])
        .is_invalid("length greater than or equal to 1");
    client
        .batch(&["a", "b", "a"])
        .is_invalid("contains duplicates");
    client
        .call("BatchGetItem", &json!({"RequestItems": {}}))
        .is_invalid("at 'requestItems'");
    client
        .call("BatchGetItem", &json!({}))
        .is_invalid("Value null at 'requestItems'");
}

#[test]
fn a_key_is_one_text() {
    let fake = FakeAws::start();
    let client = dynamodb(&fake, REGION);
    let rejected = |key: Value, message: &str| {
        let body = json!({"TableName": "imds-enforcer", "Key": key});
        client.call("GetItem", &body).is_invalid(message);
        client.call("UpdateItem", &body).is_invalid(message);
    };
    let schema = "does not match the schema";
    rejected(json!({"key": {"N": "1"}}), schema);
    rejected(json!({"id": {"S": "a"}}), schema);
    rejected(json!({"key": {"S": "limit#"}, "more": {"S": "a"}}), schema);
    rejected(json!({}), schema);
    rejected(json!(null), "Value null at 'key'");
    client.get(&"x".repeat(2048)).is_done();
    client
        .get(&"x".repeat(2049))
        .is_invalid("limit of2048 bytes");
    client
        .get("")
        .is_invalid("cannot contain an empty string value");
    client
        .call("GetItem", &json!({"Key": {"key": {"S": "a"}}}))
        .is_invalid("Value null at 'tableName'");
}

#[test]
fn the_function_reads_everything_and_updates_only_its_own_items() {
    let fake = FakeAws::start();
    let client = dynamodb(&fake, REGION);
    for own in [
        "limit#",
        "drift#",
        "existing#",
        "watch#",
        "launcher#",
        "lease#",
    ] {
        client.update(&format!("{own}1"), json!({})).is_done();
    }
    let denied = "is not authorized to perform: dynamodb:UpdateItem on resource: \
        arn:aws:dynamodb:eu-central-1:111122223333:table/imds-enforcer";
    for other in ["exempt#1", "pause#1", "policy#1", "limit", "xlimit#1"] {
        client
            .update(other, json!({}))
            .is_rejected(400, "AccessDeniedException", denied);
        client.get(other).is_done();
        client.batch(&[other]).is_done();
    }
    for action in ["PutItem", "DeleteItem", "Scan"] {
        client
            .call(action, &json!({"TableName": "imds-enforcer"}))
            .is_rejected(400, "AccessDeniedException", action);
    }
    assert_eq!(fake.items().len(), 6);
    let calls = fake.table_calls();
    let refused = calls.iter().find(|call| call.keys == ["exempt#1"]).unwrap();
    assert_eq!(
        refused.outcome,
        CallOutcome::Err("AccessDeniedException".to_owned())
    );
    assert_eq!(refused.took_effect, None);
}

#[test]
fn people_write_every_item() {
    let fake = FakeAws::start();
    fake.allow_people("AKIDEXAMPLE");
    let client = dynamodb(&fake, REGION);
    client.update("exempt#1", json!({})).is_done();
    let put = |by: &str| {
        let item = json!({"key": {"S": "pause#1"}, "by": {"S": by}});
        json!({"TableName": "imds-enforcer", "Item": item, "ReturnValues": "ALL_OLD",
            "ConditionExpression": "attribute_not_exists(#by) OR #by = :by",
            "ExpressionAttributeNames": {"#by": "by"},
            "ExpressionAttributeValues": {":by": {"S": by}}})
    };
    assert_eq!(*client.call("PutItem", &put("a")).is_done(), json!({}));
    assert_eq!(
        client.call("PutItem", &put("a")).is_done()["Attributes"]["by"],
        json!({"S": "a"})
    );
    let failed = client.call("PutItem", &put("b"));
    failed.is_rejected(
        400,
        "ConditionalCheckFailedException",
        "The conditional request failed",
    );
    assert_eq!(fake.item("pause#1"), Some(json!({"by": "a"})));
    let delete = named("pause#1", json!({"ReturnValues": "ALL_OLD"}));
    let answer = client.call("DeleteItem", &delete);
    assert_eq!(answer.is_done()["Attributes"]["by"], json!({"S": "a"}));
    assert_eq!(*client.call("DeleteItem", &delete).is_done(), json!({}));
    let keyless = json!({"TableName": "imds-enforcer", "Item": {"by": {"S": "a"}}});
    client
        .call("PutItem", &keyless)
        .is_invalid("Missing the key key in the item");
}

#[test]
fn the_protocol_is_json_with_the_operation_in_a_header() {
    let fake = FakeAws::start();
    let client = dynamodb(&fake, REGION);
    client.call("ListTables", &json!({})).is_rejected(
        400,
        "UnknownOperationException",
        "ListTables",
    );
    client
        .call("GetItem", &json!({"TableName": 1, "Key": {}}))
        .is_rejected(400, "SerializationException", "");
    let (status, _, _, body) = client.post("GetItem", "[]").unwrap();
    assert_eq!(status, 400);
    assert!(body.contains("#SerializationException"), "{body}");
    client
        .call("GetItem", &named("a", json!({"Limit": 5})))
        .is_invalid("The parameter Limit is not recognized");
    let unsigned = agent()
        .post(fake.url())
        .header("Content-Type", "application/x-amz-json-1.0")
        .header("X-Amz-Target", "DynamoDB_20120810.GetItem")
        .send("{}");
    let body = unsigned.unwrap().body_mut().read_to_string().unwrap();
    assert!(
        body.contains("#MissingAuthenticationTokenException"),
        "{body}"
    );
    dynamodb(&fake, "eu-south-2")
        .get("a")
        .is_rejected(400, "UnrecognizedClientException", "");
    let form = agent()
        .post(fake.url())
        .header("Authorization", authorization(REGION, "dynamodb"))
        .send_form([("Action", "GetItem")]);
    let body = form.unwrap().body_mut().read_to_string().unwrap();
    assert!(
        body.contains("com.amazon.coral.service#UnknownOperationException"),
        "{body}"
    );
}

#[test]
fn calls_are_recorded_with_their_keys() {
    let fake = FakeAws::start();
    let client = dynamodb(&fake, REGION);
    fake.launch(launch(REGION));
    client.get("pause#1").is_done();
    client.batch(&["exempt#a", "exempt#b"]).is_done();
    client.update("limit#1", json!({})).is_done();
    let calls = fake.table_calls();
    let told: Vec<_> = calls
        .iter()
        .map(|call| (call.action.as_str(), call.keys.join(" ")))
        .collect();
    assert_eq!(
        told,
        [
            ("GetItem", "pause#1".to_owned()),
            ("BatchGetItem", "exempt#a exempt#b".to_owned()),
            ("UpdateItem", "limit#1".to_owned()),
        ]
    );
    for call in &calls {
        assert_eq!(
            (call.region.as_str(), &call.outcome),
            (REGION, &CallOutcome::Ok)
        );
        assert!(call.took_effect.unwrap() >= call.at);
        assert_eq!(call.condition, None);
    }
    assert_eq!(fake.count("GetItem"), 1);
    let call = &fake.calls_to("BatchGetItem")[0];
    assert_eq!(
        call.param("RequestItems.imds-enforcer.Keys.2.key.S"),
        Some("exempt#b")
    );
    assert_eq!(
        call.param("RequestItems.imds-enforcer.ConsistentRead"),
        Some("true")
    );
    assert_eq!(fake.changing_calls().len(), 0);
}
