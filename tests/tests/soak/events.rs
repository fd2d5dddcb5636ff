//! Events as CloudTrail and EC2 write them.

use std::rc::Rc;

use imds_core::instance::{Instance, InstanceId};
use imds_core::options::MetadataOptions;
use serde_json::{Value, json};

use crate::ec2::{Time, timestamp};

/// The function's role.
pub(crate) const ROLE: &str = "arn:aws:iam::111122223333:role/enforcer";

/// The role of people, whose sessions have the name of the function's.
pub(crate) const PEOPLE: &str = "arn:aws:iam::111122223333:role/people";

pub(crate) const ACCOUNT: &str = "111122223333";

/// A tag whose value is the user who launches the instance. A rule exempts those of the user `ci`.
pub(crate) const PIPELINE: &str = "pipeline";

/// Whether a record of a launch names its instances.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum RecordedIds {
    All,
    LeftOut,
}

/// A launch of these instances; `token`: its client token, if it has one.
pub(crate) fn launched(
    instances: &[Instance],
    token: Option<&str>,
    ids: RecordedIds,
    at: Time,
) -> Rc<str> {
    let region = &instances[0].region;
    let items: Vec<Value> = instances.iter().map(|it| item(it, at)).collect();
    let count = instances.len();
    let user = instances[0].tags.get(PIPELINE).map_or("ada", |user| user);
    let arn = format!("arn:aws:iam::{ACCOUNT}:user/{user}");
    let mut detail = json!({
        "eventSource": "ec2.amazonaws.com", "eventName": "RunInstances",
        "userIdentity": { "type": "IAMUser", "arn": arn },
        "requestParameters": {
            "instancesSet": { "items": [{ "minCount": count, "maxCount": count }] } },
        "responseElements": (ids == RecordedIds::All).then(|| json!({ "instancesSet": { "items": items } }))
    });
    if let Some(token) = token {
        detail["requestParameters"]["clientToken"] = json!(token);
    }
    call(region, detail, at)
}

/// A start of this instance.
pub(crate) fn started(region: &str, id: &InstanceId, at: Time) -> Rc<str> {
    let items = json!({ "items": [{ "instanceId": id }] });
    let detail = json!({
        "eventSource": "ec2.amazonaws.com", "eventName": "StartInstances",
        "userIdentity": { "type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/ada" },
        "requestParameters": { "instancesSet": items }, "responseElements": { "instancesSet": items }
    });
    call(region, detail, at)
}

/// A change of metadata options by a session of a role.
pub(crate) fn modified(
    instance: &Instance,
    role: &str,
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
            "arn": format!("arn:aws:sts::{ACCOUNT}:assumed-role/Role/enforcer"),
            "sessionContext": { "sessionIssuer": { "type": "Role", "arn": role } } },
        "requestParameters": { "ModifyInstanceMetadataOptionsRequest": request }
    });
    call(&instance.region, detail, at)
}

pub(crate) fn running(region: &str, id: &InstanceId, at: Time) -> Rc<str> {
    json!({
        "detail-type": "EC2 Instance State-change Notification", "source": "aws.ec2",
        "account": ACCOUNT, "region": region, "time": timestamp(at).to_string(),
        "detail": { "instance-id": id, "state": "running" }
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

fn item(instance: &Instance, at: Time) -> Value {
    let tags = instance.tags.iter();
    let tags: Vec<Value> = tags
        .map(|(key, value)| json!({ "key": key, "value": value }))
        .collect();
    let options = &instance.options;
    json!({
        "instanceId": instance.id, "imageId": "ami-0abcdef1234567890", "instanceType": "m7g.large",
        "launchTime": at,
        "instanceState": { "code": 0, "name": "pending" }, "tagSet": { "items": tags },
        "metadataOptions": {
            "state": "pending", "httpTokens": options.http_tokens,
            "httpEndpoint": options.http_endpoint, "httpPutResponseHopLimit": options.hop_limit
        }
    })
}
