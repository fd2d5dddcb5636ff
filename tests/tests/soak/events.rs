//! Events as CloudTrail and EC2 write them.

use std::rc::Rc;

use imds_core::instance::Instance;
use imds_core::options::MetadataOptions;
use serde_json::{Value, json};

use crate::ec2::{Time, timestamp};

/// The function's own name, and that of its sessions.
pub(crate) const FUNCTION: &str = "enforcer";

const ACCOUNT: &str = "111122223333";

/// Whether a record of a launch names its instances.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum RecordedIds {
    All,
    LeftOut,
}

pub(crate) fn launched(instances: &[Instance], token: &str, ids: RecordedIds, at: Time) -> Rc<str> {
    let region = &instances[0].region;
    let items: Vec<Value> = instances.iter().map(item).collect();
    let count = instances.len();
    let detail = json!({
        "eventSource": "ec2.amazonaws.com", "eventName": "RunInstances",
        "userIdentity": { "type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/ada" },
        "requestParameters": { "clientToken": token,
            "instancesSet": { "items": [{ "minCount": count, "maxCount": count }] } },
        "responseElements": (ids == RecordedIds::All).then(|| json!({ "instancesSet": { "items": items } }))
    });
    call(region, detail, at)
}

/// A change of metadata options by a session of a role.
pub(crate) fn modified(
    instance: &Instance,
    session: &str,
    set: &MetadataOptions,
    at: Time,
) -> Rc<str> {
    let mut request = json!({ "InstanceId": instance.id });
    let words = [
        ("HttpTokens", set.http_tokens.map(|v| v.to_string())),
        ("HttpEndpoint", set.http_endpoint.map(|v| v.to_string())),
        (
            "HttpPutResponseHopLimit",
            set.hop_limit.map(|v| v.to_string()),
        ),
    ];
    for (name, word) in words {
        if let Some(word) = word {
            request[name] = json!(word);
        }
    }
    let detail = json!({
        "eventSource": "ec2.amazonaws.com", "eventName": "ModifyInstanceMetadataOptions",
        "userIdentity": { "type": "AssumedRole",
            "arn": format!("arn:aws:sts::{ACCOUNT}:assumed-role/Role/{session}") },
        "requestParameters": { "ModifyInstanceMetadataOptionsRequest": request }
    });
    call(&instance.region, detail, at)
}

pub(crate) fn running(instance: &Instance, at: Time) -> Rc<str> {
    json!({
        "detail-type": "EC2 Instance State-change Notification", "source": "aws.ec2",
        "account": ACCOUNT, "region": instance.region, "time": timestamp(at).to_string(),
        "detail": { "instance-id": instance.id, "state": "running" }
    })
    .to_string()
    .into()
}

pub(crate) fn sweep(regions: &[&str]) -> Rc<str> {
    json!({ "source": "imds-enforcer", "detail-type": "Sweep", "detail": { "regions": regions } })
        .to_string()
        .into()
}

fn call(region: &str, mut detail: Value, at: Time) -> Rc<str> {
    let time = timestamp(at).to_string();
    detail["eventTime"] = json!(time);
    detail["awsRegion"] = json!(region);
    detail["recipientAccountId"] = json!(ACCOUNT);
    json!({
        "detail-type": "AWS API Call via CloudTrail", "source": "aws.ec2", "account": ACCOUNT,
        "region": region, "time": time, "detail": detail
    })
    .to_string()
    .into()
}

fn item(instance: &Instance) -> Value {
    let tags = instance.tags.iter();
    let tags: Vec<Value> = tags
        .map(|(key, value)| json!({ "key": key, "value": value }))
        .collect();
    let options = &instance.options;
    json!({
        "instanceId": instance.id, "imageId": "ami-0abcdef1234567890", "instanceType": "m7g.large",
        "launchTime": instance.launched_at.map(|at| at.as_millisecond()),
        "instanceState": { "code": 0, "name": "pending" }, "tagSet": { "items": tags },
        "metadataOptions": {
            "state": "pending", "httpTokens": options.http_tokens,
            "httpEndpoint": options.http_endpoint, "httpPutResponseHopLimit": options.hop_limit
        }
    })
}
