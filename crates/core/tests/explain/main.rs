//! Explanations of the sample events agree with the function's reports on them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at what it did not expect"
)]

mod changes;
mod new_instances;
mod several;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use imds_core::evaluation::Evaluation;
use imds_core::explain::{ExplainedInstance, Explanation, NotRecorded, explain};
use imds_core::policy::{Pattern, Policy};
use imds_core::report::Outcome;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events")
}

fn read(name: &str) -> String {
    fs::read_to_string(folder().join(name)).unwrap()
}

fn policy() -> Policy {
    Policy::parse(&read("policy.json")).unwrap()
}

/// After the last day of the policy's exemption.
fn now() -> Timestamp {
    "2026-03-12T00:00:00Z".parse().unwrap()
}

fn fixture(name: &str) -> Explanation {
    explain(&read(&format!("{name}.json")), &policy(), now()).unwrap()
}

/// By name, in their order.
fn fixtures() -> BTreeMap<String, String> {
    let files = fs::read_dir(folder())
        .unwrap()
        .map(|file| file.unwrap().file_name());
    files
        .filter_map(|file| {
            let name = file.to_str()?.strip_suffix(".json")?.to_owned();
            let is_event = !name.ends_with(".report") && name != "policy" && name != "fleet";
            is_event.then(|| (name.clone(), read(&format!("{name}.json"))))
        })
        .collect()
}

/// Events after which the instance in EC2 is not as the event records it, or EC2 refuses.
const DIFFERENT_IN_EC2: &[&str] = &[
    "launch-gone",
    "launch-replayed",
    "launch-several-mixed",
    "launch-terminate-protected",
];

#[test]
fn every_fixture_is_explained_as_the_function_reported_it() {
    let fleet: Value = serde_json::from_str(&read("fleet.json")).unwrap();
    let mut compared = 0;
    for (name, event) in fixtures() {
        let report: Value = serde_json::from_str(&read(&format!("{name}.report.json"))).unwrap();
        let explained = match explain(&event, &policy(), now()) {
            Ok(explained) => explained,
            Err(malformed) => {
                let message = report["error_message"].as_str().unwrap_or_default();
                assert!(message.contains(&malformed.path), "{name}: {malformed}");
                continue;
            }
        };
        let json = serde_json::to_value(&explained).unwrap();
        for field in ["trigger", "account", "region"] {
            assert_eq!(json[field], report[field], "{name}: {field}");
        }
        assert!(!explained.to_string().is_empty());
        if DIFFERENT_IN_EC2.contains(&name.as_str()) {
            continue;
        }
        let reports = report["instances"].as_array().unwrap();
        for instance in &explained.instances {
            let id = instance.instance_id.as_str();
            let reported = reports.iter().find(|it| it["instance_id"] == id).unwrap();
            agree(&name, instance, reported);
            compared += 1;
        }
        if let [only] = explained.instances.as_slice() {
            let mut calls: BTreeMap<&str, usize> = BTreeMap::new();
            for call in &only.calls {
                *calls.entry(call.split(' ').next().unwrap()).or_default() += 1;
            }
            assert_eq!(
                serde_json::to_value(calls).unwrap(),
                fleet["calls"][&name],
                "{name}"
            );
        }
    }
    assert!(compared >= 15, "{compared}");
}

fn agree(name: &str, explained: &ExplainedInstance, reported: &Value) {
    assert_eq!(explained.outcome.as_str(), reported["outcome"], "{name}");
    // The event does not record the options, which EC2 knows.
    if name != "launch-without-metadata-options" {
        let violations = serde_json::to_value(&explained.violations).unwrap();
        assert_eq!(violations, reported["violations"], "{name}");
        assert_eq!(explained.reason, reported["reason"], "{name}");
    }
    if let Some(rule) = reported["rule"].as_str() {
        assert_eq!(explained.rule.as_deref(), Some(rule), "{name}");
    }
}

#[test]
fn real_events_are_explained_or_refused() {
    let mut paths = vec![folder().join("../../shared/events")];
    while let Some(path) = paths.pop() {
        if let Ok(entries) = fs::read_dir(&path) {
            paths.extend(entries.map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|ending| ending == "json") {
            match explain(&fs::read_to_string(&path).unwrap(), &policy(), now()) {
                Ok(explained) => {
                    serde_json::to_string(&explained).unwrap();
                    assert!(explained.to_string().lines().count() >= 2, "{path:?}");
                }
                Err(malformed) => assert!(!malformed.to_string().is_empty()),
            }
        }
    }
}

#[track_caller]
fn check(explanation: &Explanation, expected: &str) {
    assert_eq!(explanation.to_string(), expected);
}

#[test]
fn each_rule_says_which_condition_decides() {
    check(
        &fixture("launch-exemption-expired"),
        "\
launch, account 111122223333, region eu-central-1, 2026-02-23T16:12:29Z, 1 instance
by arn:aws:sts::111122223333:assumed-role/deploy/pipeline-21633
by arn:aws:iam::111122223333:role/deploy
explained for new instances, first launched at 2026-03-12T00:00:00Z: EC2 shows whether they are; 15 minutes after its first launch an instance is enforced at most, and where the launch event is older than 15 minutes, only after CloudWatch was asked for calls without a token

i-0b0554c88a5c43e70: enforced
  options: http_tokens optional, http_endpoint enabled, hop_limit 1, http_protocol_ipv6 disabled, instance_metadata_tags disabled
  rules:
    `vendor scanners` (exempt) does not match: tags.app is missing, not `scanner-*`
    `first migration wave` (exempt) would match, but its exemption expired after 2026-01-31
    `sandbox account` (terminate) does not match: accounts is `111122223333`, not `444455556666`
    `launched by hand` (stop) does not match: principals is `arn:aws:sts::111122223333:assumed-role/deploy/pipeline-21633` or `arn:aws:iam::111122223333:role/deploy`, not `arn:aws:sts::*:assumed-role/AWSReservedSSO_*`
    `kubernetes nodes` (require hop_limit 2 to 3) does not match: tags.eks:cluster-name is missing, not `*`
  decided by: no rule, so `require` and `on_violation`
  why: http_tokens is optional, not required; by `on_violation`; the exemption of rule `first migration wave` has expired
  calls: DescribeInstances, then ModifyInstanceMetadataOptions HttpTokens=required
",
    );
}

#[test]
fn the_options_of_a_replaced_instance_are_enforced_and_the_template_is_named() {
    let explanation = fixture("launch-auto-scaling");
    let [instance] = explanation.instances.as_slice() else {
        panic!()
    };
    assert_eq!(instance.outcome, Outcome::Enforced);
    assert!(
        instance
            .reason
            .contains("Auto Scaling group `load-test` would replace it")
    );
    assert!(instance.reason.contains("lt-0c58f2d91b7ea6340"));
    assert_eq!(
        instance.calls,
        [
            "DescribeInstances",
            "ModifyInstanceMetadataOptions HttpTokens=required"
        ]
    );
    assert!(explanation.has_violations());
}

#[test]
fn what_is_compliant_takes_no_call_and_has_no_violation() {
    for name in [
        "launch-compliant",
        "launch-exempt-by-tag",
        "launch-endpoint-disabled",
    ] {
        let explanation = fixture(name);
        assert!(
            explanation
                .instances
                .iter()
                .all(|instance| instance.calls.is_empty()),
            "{name}"
        );
        assert!(!explanation.has_violations(), "{name}");
        assert!(explanation.to_string().contains("calls: none"), "{name}");
    }
}

#[test]
fn a_young_instance_waits_before_it_is_terminated() {
    let mut policy = policy();
    policy.new_instances.grace_seconds = 60;
    let event = read("launch-terminate.json");
    let launched: Timestamp = "2026-02-18T14:33:10Z".parse().unwrap();
    let at = |seconds| {
        launched
            .checked_add(SignedDuration::from_secs(seconds))
            .unwrap()
    };
    let young = explain(&event, &policy, at(5)).unwrap();
    assert_eq!(young.instances[0].waits_until, Some(at(60)));
    assert_eq!(
        young.instances[0]
            .calls
            .iter()
            .filter(|call| *call == "DescribeInstances")
            .count(),
        2
    );
    assert!(
        young
            .to_string()
            .contains("waits: until 2026-02-18T14:34:10Z")
    );
    let old = explain(&event, &policy, at(61)).unwrap();
    assert_eq!(old.instances[0].waits_until, None);
}

#[test]
fn over_the_limit_the_options_of_an_instance_are_enforced() {
    let mut policy = policy();
    policy.limits.disruptions_per_hour = 0;
    let explained = explain(&read("launch-terminate.json"), &policy, now()).unwrap();
    assert_eq!(explained.instances[0].outcome, Outcome::Enforced);
    assert!(
        explained.instances[0]
            .calls
            .iter()
            .all(|call| call != "TerminateInstances")
    );
}

#[test]
fn what_the_event_leaves_out_is_described_and_no_rule_by_tag_is_ruled_out() {
    let cut = fixture("launch-without-ids");
    let not_recorded = cut.not_recorded.as_ref().unwrap();
    assert_eq!(
        not_recorded.calls,
        ["DescribeInstances client-token=nightly-encode-2026-02-12"]
    );
    assert_eq!(not_recorded.what, "at least 3 launched instances");
    let evaluations: Vec<_> = not_recorded
        .rules
        .iter()
        .map(|rule| rule.evaluation)
        .collect();
    use Evaluation::{NoMatch, PossiblyExpired, Unknown};
    assert_eq!(
        evaluations,
        [Unknown, PossiblyExpired, NoMatch, NoMatch, Unknown]
    );

    let without_token = read("launch-without-ids.json").replace("\"clientToken\"", "\"other\"");
    let without_token = explain(&without_token, &policy(), now())
        .unwrap()
        .not_recorded
        .unwrap();
    assert_eq!(
        without_token.calls,
        [
            "DescribeInstances launch-time=2026-02-12T04:00 and the minutes around it; those first \
             launched from 5 s before to 120 s after 2026-02-12T04:00:08Z count"
        ]
    );
    // Without the token it may be an instance of another launch.
    assert_eq!(without_token.rules[3].evaluation, Unknown);

    let started = fixture("start-running").not_recorded.unwrap();
    assert_eq!(
        started.calls,
        [
            "DescribeInstances instance-id=i-0f49401c0b0c64f9d",
            "GetMetricData MetadataNoToken and MetadataNoTokenRejected, for those that are neither new \
             nor compliant"
        ]
    );
    assert_eq!(started.rules[3].evaluation, Unknown);
}

#[test]
fn a_sweep_knows_a_region_only_where_all_its_regions_agree() {
    let policy = Policy::parse(
        r#"{ "version": 1, "require": { "http_tokens": "required" }, "on_violation": "stop", "rules": [
          { "name": "us", "when": { "regions": "us-*" }, "action": "report" },
          { "name": "account", "when": { "accounts": "111122223333" }, "action": "terminate" } ] }"#,
    )
    .unwrap();
    let sweep = |detail: &str| {
        let event = format!(
            r#"{{"source":"imds-enforcer","detail-type":"Sweep","account":"111122223333","detail":{detail}}}"#
        );
        explain(&event, &policy, now())
            .unwrap()
            .not_recorded
            .unwrap()
    };
    use Evaluation::{Decides, NoMatch, NotReached, Unknown};
    let evaluations = |not_recorded: &NotRecorded| {
        not_recorded
            .rules
            .iter()
            .map(|rule| rule.evaluation)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        evaluations(&sweep(r#"{"regions":["us-east-1","us-west-2"]}"#)),
        [Decides, NotReached]
    );
    assert_eq!(
        evaluations(&sweep(r#"{"regions":["eu-west-1"]}"#)),
        [NoMatch, Decides]
    );
    assert_eq!(
        evaluations(&sweep(r#"{"regions":["eu-west-1","us-east-1"]}"#)),
        [Unknown, Decides]
    );
    let all = sweep("{}");
    assert_eq!(evaluations(&all), [Unknown, Unknown]);
    assert_eq!(all.calls[0], "DescribeRegions");
    assert_eq!(
        all.at_most,
        [
            "what the policy says, within 15 minutes of the first launch",
            "enforce, within 24 hours of it, or report where IMDSv1 was used",
            "enforce, later or where the age is not known, if IMDSv1 was not used for 14 days",
            "report, if it was used",
            "report, if that is not known",
        ]
    );
}

#[test]
fn text_from_outside_forges_no_line() {
    let event = read("launch-open.json").replace("web-canary", "x\\n\\u001b[31mi-0: compliant");
    let mut policy = policy();
    policy.rules[0].when.tags.clear();
    policy.rules[0]
        .when
        .tags
        .insert(Pattern::new("Name"), vec![Pattern::new("other")]);
    let text = explain(&event, &policy, now()).unwrap().to_string();
    assert!(
        text.contains("tags.Name is `x\u{fffd}\u{fffd}[31mi-0: compliant`, not `other`"),
        "{text}"
    );
    assert!(!text.contains('\u{1b}'));
}

#[test]
fn an_instance_that_is_named_twice_is_explained_once() {
    let mut event: Value = serde_json::from_str(&read("launch-open.json")).unwrap();
    let items = event["detail"]["responseElements"]["instancesSet"]["items"]
        .as_array_mut()
        .unwrap();
    items.push(items[0].clone());
    let explained = explain(&event.to_string(), &policy(), now()).unwrap();
    assert_eq!(explained.instances.len(), 1);
}
