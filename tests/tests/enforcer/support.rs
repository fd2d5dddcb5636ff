//! Events, policies, and access to answers.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part")]

use std::time::Duration;

use imds_tests::{FakeAws, FakeInstance, Function, Invocation, binary};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

pub(crate) const REGION: &str = "eu-central-1";

pub(crate) const MINUTE: u64 = 60;
pub(crate) const HOUR: u64 = 60 * MINUTE;
pub(crate) const DAY: u64 = 24 * HOUR;

/// Requires tokens.
pub(crate) const ENFORCE: &str =
    r#"{"version": 1, "require": {"http_tokens": "required"}, "on_violation": "enforce"}"#;

/// Requires tokens, with the given action and without a grace period.
pub(crate) fn without_grace(on_violation: &str) -> String {
    json!({
        "version": 1, "require": { "http_tokens": "required" }, "on_violation": on_violation,
        "new_instances": { "grace_seconds": 0 }
    })
    .to_string()
}

pub(crate) fn function(ec2: &FakeAws, policy: &str) -> Function {
    Function::builder(binary("enforcer"))
        .fake(ec2)
        .policy(policy)
        .start()
}

/// The ARN of the function's role.
pub(crate) const ROLE: &str = "arn:aws:iam::111122223333:role/enforcer";

/// The event of a sweep of these regions; without any, of all.
pub(crate) fn sweep(regions: &[&str]) -> Value {
    let detail = if regions.is_empty() {
        json!({})
    } else {
        json!({ "regions": regions })
    };
    json!({ "source": "imds-enforcer", "detail-type": "Sweep", "account": "111122223333", "detail": detail })
}

/// Requires tokens and enforces them, with this `existing`.
pub(crate) fn enforcing(existing: Value) -> String {
    json!({ "version": 1, "require": { "http_tokens": "required" }, "on_violation": "enforce", "existing": existing })
        .to_string()
}

/// The event of a launch, with the instances as they are now.
pub(crate) fn launched(instances: &[FakeInstance]) -> Value {
    let items: Vec<Value> = instances.iter().map(item).collect();
    let region = instances
        .first()
        .map_or(REGION, |instance| instance.region.as_str());
    let mut event = launch_event(region, instances.len());
    event["detail"]["responseElements"] = json!({ "instancesSet": { "items": items } });
    if let Some(instance) = instances.first() {
        event["detail"]["requestParameters"]["clientToken"] = json!(instance.client_token);
    }
    event
}

/// The event of a launch of these ids.
pub(crate) fn launched_ids(ec2: &FakeAws, ids: &[String]) -> Value {
    let instances: Vec<FakeInstance> = ids.iter().map(|id| ec2.instance(id)).collect();
    launched(&instances)
}

/// The event of a launch of one instance.
pub(crate) fn launched_one(ec2: &FakeAws, id: &str) -> Value {
    launched(&[ec2.instance(id)])
}

/// The event of a launch whose `responseElements` CloudTrail left out.
pub(crate) fn cut(region: &str, client_token: Option<&str>, count: usize) -> Value {
    let mut event = launch_event(region, count);
    if let Some(token) = client_token {
        event["detail"]["requestParameters"]["clientToken"] = json!(token);
    }
    event
}

/// The same event, of then.
pub(crate) fn happened(mut event: Value, at: Timestamp) -> Value {
    event["time"] = json!(at.to_string());
    if event["detail"].get("eventTime").is_some() {
        event["detail"]["eventTime"] = json!(at.to_string());
    }
    event
}

/// The event of `StartInstances`.
pub(crate) fn started(ids: &[&str]) -> Value {
    let mut event = launch_event(REGION, 1);
    let items = |item: fn(&str) -> Value| -> Vec<Value> { ids.iter().map(|id| item(id)).collect() };
    event["detail"]["eventName"] = json!("StartInstances");
    let requested = items(|id| json!({ "instanceId": id }));
    event["detail"]["requestParameters"] = json!({ "instancesSet": { "items": requested } });
    let pending = items(
        |id| json!({ "instanceId": id, "currentState": { "code": 0, "name": "pending" }, "previousState": { "code": 80, "name": "stopped" } }),
    );
    event["detail"]["responseElements"] = json!({ "instancesSet": { "items": pending } });
    event
}

fn launch_event(region: &str, count: usize) -> Value {
    let now = Timestamp::now().to_string();
    json!({
        "version": "0", "id": "7f2b", "detail-type": "AWS API Call via CloudTrail", "source": "aws.ec2",
        "account": "111122223333", "time": now, "region": region, "resources": [],
        "detail": {
            "eventVersion": "1.11", "eventSource": "ec2.amazonaws.com", "eventName": "RunInstances",
            "eventTime": now, "awsRegion": region, "recipientAccountId": "111122223333",
            "userIdentity": { "type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/ada" },
            "requestParameters": { "instancesSet": { "items": [{ "minCount": count, "maxCount": count }] } },
            "responseElements": null
        }
    })
}

fn item(instance: &FakeInstance) -> Value {
    let tags: Vec<Value> = instance
        .tags
        .iter()
        .map(|(key, value)| json!({ "key": key, "value": value }))
        .collect();
    let options = &instance.options;
    json!({
        "instanceId": instance.id, "imageId": instance.image, "instanceType": instance.instance_type,
        "launchTime": instance.first_launched.as_millisecond(),
        "instanceState": { "code": 0, "name": "pending" },
        "tagSet": { "items": tags },
        "metadataOptions": {
            "state": "pending", "httpTokens": options.tokens, "httpEndpoint": options.endpoint,
            "httpPutResponseHopLimit": options.hop_limit, "httpProtocolIpv4": "enabled",
            "httpProtocolIpv6": options.ipv6, "instanceMetadataTags": options.metadata_tags
        }
    })
}

/// The event of a change of metadata options by a session of a role.
pub(crate) fn modified(instance: &str, session: &str, options: &Value) -> Value {
    let mut request = json!({ "InstanceId": instance });
    for (key, value) in options.as_object().unwrap() {
        request[key] = value.clone();
    }
    json!({
        "detail-type": "AWS API Call via CloudTrail", "source": "aws.ec2", "account": "111122223333",
        "region": REGION, "time": Timestamp::now().to_string(),
        "detail": {
            "eventSource": "ec2.amazonaws.com", "eventName": "ModifyInstanceMetadataOptions",
            "awsRegion": REGION, "eventTime": Timestamp::now().to_string(),
            "userIdentity": { "type": "AssumedRole",
                "arn": format!("arn:aws:sts::111122223333:assumed-role/Role/{session}") },
            "requestParameters": { "ModifyInstanceMetadataOptionsRequest": request },
            "responseElements": { "ModifyInstanceMetadataOptionsResponse": { "instanceId": instance } }
        }
    })
}

/// The event of a change of metadata options by the function itself.
pub(crate) fn modified_by_function(instance: &str, options: &Value) -> Value {
    let mut event = modified(instance, "enforcer", options);
    event["detail"]["userIdentity"]["sessionContext"] =
        json!({ "sessionIssuer": { "type": "Role", "arn": ROLE } });
    event
}

/// The notification of a change of state.
pub(crate) fn state_changed(instance: &str, state: &str) -> Value {
    json!({
        "detail-type": "EC2 Instance State-change Notification", "source": "aws.ec2",
        "account": "111122223333", "region": REGION, "time": Timestamp::now().to_string(),
        "detail": { "instance-id": instance, "state": state }
    })
}

#[track_caller]
pub(crate) fn report(invocation: &Invocation) -> &Value {
    match &invocation.result {
        Ok(report) => report,
        Err(error) => panic!("{error:?}\n{}", invocation.stdout.join("\n")),
    }
}

/// The error of a failed invocation.
#[track_caller]
pub(crate) fn failure(invocation: &Invocation) -> &str {
    match &invocation.result {
        Ok(report) => panic!("no failure: {report}"),
        Err(error) => &error.error_message,
    }
}

/// The report that a failed invocation logged.
#[track_caller]
pub(crate) fn logged_report(invocation: &Invocation) -> Value {
    let lines = invocation
        .stdout
        .iter()
        .filter_map(|l| serde_json::from_str::<Value>(l).ok());
    let mut reports = lines.filter_map(|l| l["report"].as_str().map(str::to_owned));
    let last = reports
        .next_back()
        .unwrap_or_else(|| panic!("{:#?}", invocation.stdout));
    serde_json::from_str(&last).unwrap()
}

/// The outcome of an instance in a report.
#[track_caller]
pub(crate) fn outcome<'r>(report: &'r Value, id: &str) -> &'r str {
    entry(report, id)["outcome"].as_str().unwrap()
}

/// The only entry of an instance in a report.
#[track_caller]
pub(crate) fn entry<'r>(report: &'r Value, id: &str) -> &'r Value {
    let all = report["instances"].as_array().unwrap();
    let mut found = all.iter().filter(|instance| instance["instance_id"] == id);
    let one = found
        .next()
        .unwrap_or_else(|| panic!("{id} is not in {report:#}"));
    assert!(found.next().is_none(), "{id} is twice in {report:#}");
    one
}

pub(crate) fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// The outcome of an instance, what was to be done instead of it, and why it was not; empty where it was.
#[track_caller]
pub(crate) fn done<'r>(report: &'r Value, id: &str) -> [&'r str; 3] {
    let entry = entry(report, id);
    ["outcome", "instead_of", "because"].map(|field| entry[field].as_str().unwrap_or_default())
}

/// The reason for an instance's outcome.
#[track_caller]
pub(crate) fn reason<'r>(report: &'r Value, id: &str) -> &'r str {
    entry(report, id)["reason"].as_str().unwrap()
}

/// The values of a metric that an invocation has emitted.
pub(crate) fn metric(invocation: &Invocation, name: &str) -> Vec<Value> {
    let lines = invocation.stdout.iter();
    let lines = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let metrics = lines.filter(|line| line.get("_aws").is_some());
    metrics.filter_map(|line| line.get(name).cloned()).collect()
}

pub(crate) fn ago(seconds: u64) -> Timestamp {
    Timestamp::now()
        .checked_sub(SignedDuration::from_secs(seconds.cast_signed()))
        .unwrap()
}

pub(crate) fn ahead(seconds: u64) -> Timestamp {
    Timestamp::now()
        .checked_add(SignedDuration::from_secs(seconds.cast_signed()))
        .unwrap()
}

/// Adds a datapoint of a metric for each of so many hours, the last so many hours ago.
pub(crate) fn hourly(ec2: &FakeAws, id: &str, metric: &str, hours: u64, last: u64, calls: f64) {
    let now = Timestamp::now();
    for hour in last..last + hours {
        let at = now - seconds(hour * HOUR);
        ec2.datapoint(id, metric, at, calls);
    }
}

/// Adds two days of data without any IMDSv1 call.
pub(crate) fn unused(ec2: &FakeAws, id: &str) {
    hourly(ec2, id, "MetadataNoToken", 48, 1, 0.0);
}

/// Adds two days of data, and 5,000 IMDSv1 calls within the last hour.
pub(crate) fn in_use(ec2: &FakeAws, id: &str) {
    unused(ec2, id);
    ec2.datapoint(id, "MetadataNoToken", ago(10 * MINUTE), 5000.0);
}

/// How many minutes old the oldest of the instances was that were stopped or terminated.
pub(crate) fn oldest_disrupted(ec2: &FakeAws) -> Option<i64> {
    let disruptions = ec2.disruptions().into_iter();
    let ages = disruptions.map(|it| it.at.duration_since(it.oldest_attachment).as_mins());
    ages.max()
}
