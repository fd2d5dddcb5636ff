//! What a launch or a start says of how old its instances are.

use imds_core::explain::{Explanation, explain};
use imds_core::policy::Policy;
use imds_core::report::Outcome;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{fixture, policy, read};

/// When the instance of `launch-terminate.json` was launched.
const LAUNCHED: &str = "2026-02-18T14:33:10Z";

fn after_launch(seconds: i64) -> Timestamp {
    let launched: Timestamp = LAUNCHED.parse().unwrap();
    launched
        .checked_add(SignedDuration::from_secs(seconds))
        .unwrap()
}

fn with_grace(grace: u32, enforce_grace: u32) -> Policy {
    let mut policy = policy();
    policy.new_instances.grace_seconds = grace;
    policy.new_instances.enforce_grace_seconds = enforce_grace;
    policy
}

fn terminate(policy: &Policy, seconds_after: i64) -> Explanation {
    let event = read("launch-terminate.json");
    explain(&event, policy, after_launch(seconds_after)).unwrap()
}

#[test]
fn an_event_of_the_last_minutes_is_explained_for_its_own_time() {
    let explained = terminate(&with_grace(60, 0), 5);
    assert_eq!(
        explained.notes[0],
        "explained for new instances, first launched at 2026-02-18T14:33:10Z: EC2 shows whether they \
         are; 15 minutes after its first launch an instance is enforced at most, and where the launch event \
         is older than 15 minutes, only after CloudWatch was asked for calls without a token"
    );
    assert_eq!(explained.instances[0].waits_until, Some(after_launch(60)));
    assert_eq!(explained.instances[0].outcome, Outcome::Terminated);
}

#[test]
fn an_old_event_is_explained_as_if_the_instance_were_new_and_the_grace_over() {
    for seconds in [15 * 60 + 1, 3600, 90 * 24 * 3600, -60] {
        for (grace, enforce_grace) in [(60, 0), (30, 90)] {
            let explained = terminate(&with_grace(grace, enforce_grace), seconds);
            let over = i64::from(grace.max(enforce_grace));
            let launched = after_launch(seconds - over);
            let begin = format!("explained for new instances, first launched at {launched}: ");
            assert!(explained.notes[0].starts_with(&begin), "{explained}");
            assert_eq!(explained.instances[0].waits_until, None);
            assert_eq!(explained.instances[0].outcome, Outcome::Terminated);
        }
    }
}

#[test]
fn what_is_stopped_is_enforced_first() {
    let stopped = fixture("launch-stop");
    assert_eq!(
        stopped.instances[0].calls,
        [
            "DescribeInstances",
            "UpdateItem launcher#",
            "BatchGetItem exempt#",
            "GetItem limit#",
            "UpdateItem limit#",
            "ModifyInstanceMetadataOptions HttpTokens=required",
            "StopInstances",
        ]
    );
    let fallback = stopped.instances[0].fallback.as_deref();
    assert_eq!(
        fallback,
        Some(
            "if EC2 refuses to stop it, or 10 were stopped or terminated within the hour, only its options are set"
        )
    );
}

#[test]
fn a_start_of_several_instances_is_described_with_one_call() {
    let mut event: Value = serde_json::from_str(&read("launch-open.json")).unwrap();
    let ids = ["i-0123456789abcdef0", "i-0000abcd"];
    event["detail"]["eventName"] = json!("StartInstances");
    event["detail"]["responseElements"] = json!(null);
    event["detail"]["requestParameters"] =
        json!({ "instancesSet": { "items": ids.map(|id| json!({ "instanceId": id })) } });
    let explained = explain(&event.to_string(), &policy(), after_launch(0)).unwrap();
    assert_eq!(
        explained.notes,
        ["starts i-0123456789abcdef0, i-0000abcd; such an event records no options"]
    );
    let not_recorded = explained.not_recorded.unwrap();
    assert_eq!(
        not_recorded.calls,
        [
            "DescribeInstances instance-id=i-0123456789abcdef0,i-0000abcd",
            USAGE_CALL
        ]
    );
    assert_eq!(
        not_recorded.at_most[0],
        "what the policy says, within 15 minutes of the first launch"
    );
}

#[test]
fn the_table_is_explained_with_the_policy_s_own_numbers() {
    let mut policy = policy();
    policy.new_instances.disrupt_within_minutes = 5;
    policy.new_instances.enforce_within_hours = 48;
    policy.new_instances.in_use = imds_core::policy::Action::Enforce;
    policy.existing.usage_window_days = 30;
    let started = explain(&read("start-running.json"), &policy, after_launch(0)).unwrap();
    assert_eq!(
        started.not_recorded.unwrap().at_most,
        [
            "what the policy says, within 5 minutes of the first launch",
            "enforce, within 48 hours of it, or enforce where IMDSv1 was used",
            "enforce, later or where the age is not known, if IMDSv1 was not used for 30 days",
            "report, if it was used",
            "report, if that is not known",
        ]
    );
}

const USAGE_CALL: &str = "GetMetricData MetadataNoToken and MetadataNoTokenRejected, for those that are \
                          neither new nor compliant";
