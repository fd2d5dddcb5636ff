//! Every form of event that is known, and every fault with its path.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at what it did not expect"
)]

mod delivered;
mod forms;
mod ids;
mod launch;
mod malformed;
mod others;
mod starts;
mod without_ids;

use imds_core::event::{Event, Launch, parse};
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

fn without(event: &mut Value, parent: &str, key: &str) {
    at(event, parent).as_object_mut().unwrap().remove(key);
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

fn started(detail: Value) -> String {
    json!({ "detail-type": "EC2 Instance State-change Notification", "source": "aws.ec2",
        "account": "111122223333", "region": "eu-central-1", "time": "2026-03-01T10:00:05Z",
        "detail": detail })
    .to_string()
}
