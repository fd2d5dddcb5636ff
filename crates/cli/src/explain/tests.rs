//! Explanations of the fixture events agree with what the function did with them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use imds_core::policy::Policy;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::*;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events")
}

fn read(name: &str) -> String {
    fs::read_to_string(folder().join(name)).unwrap()
}

fn policy() -> Policy {
    Policy::parse(&read("policy.json")).unwrap()
}

/// A year in which the policy's expired exemption is over.
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

/// What EC2 knew otherwise than the event, by the fixture's own description.
const OTHERWISE_IN_EC2: &[&str] = &[
    "launch-gone",
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
                let told = report["error_message"].as_str().unwrap_or_default();
                assert!(told.contains(&malformed.path), "{name}: {malformed}");
                continue;
            }
        };
        let json = serde_json::to_value(&explained).unwrap();
        for field in ["trigger", "account", "region"] {
            assert_eq!(json[field], report[field], "{name}: {field}");
        }
        assert!(!explained.to_string().is_empty());
        if OTHERWISE_IN_EC2.contains(&name.as_str()) {
            continue;
        }
        for explained in &explained.instances {
            let id = explained.instance_id.as_str();
            let reports = report["instances"].as_array().unwrap();
            let reported = reports
                .iter()
                .find(|reported| reported["instance_id"] == id);
            let reported = reported.unwrap();
            let outcome = explained.outcome.as_str();
            assert_eq!(outcome, reported["outcome"], "{name}: {id}");
            let violations = serde_json::to_value(&explained.violations).unwrap();
            if name != "launch-without-metadata-options" {
                assert_eq!(violations, reported["violations"], "{name}: {id}");
                assert_eq!(
                    explained.reason,
                    reported["reason"].as_str().unwrap(),
                    "{name}: {id}"
                );
            }
            if !reported["rule"].is_null() {
                assert_eq!(
                    explained.rule.as_deref(),
                    reported["rule"].as_str(),
                    "{name}: {id}"
                );
            }
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

#[test]
fn events_as_others_have_recorded_them_are_explained_or_refused_with_their_path() {
    let Some(shared) = [folder().join("../../shared/events")]
        .into_iter()
        .find(|f| f.is_dir())
    else {
        return;
    };
    let mut open = vec![shared];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(
                fs::read_dir(path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
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
fn each_rule_says_which_condition_tells() {
    check(
        &fixture("launch-exemption-expired"),
        "\
launch, account 111122223333, region eu-central-1, 2026-02-23T16:12:29Z, 1 instance
by arn:aws:sts::111122223333:assumed-role/deploy/pipeline-21633
by arn:aws:iam::111122223333:role/deploy

i-0b0554c88a5c43e70: enforced
  options: http_tokens optional, hop_limit 1, http_endpoint enabled, http_protocol_ipv6 disabled, instance_metadata_tags disabled
  rules:
    `vendor scanners` (exempt) does not match: tags.app is missing, not `scanner-*`
    `first migration wave` (exempt) has expired: it held through 2026-01-31, and would match otherwise
    `sandbox account` (terminate) does not match: accounts is `111122223333`, not `444455556666`
    `launched by hand` (stop) does not match: principals is `arn:aws:sts::111122223333:assumed-role/deploy/pipeline-21633` or `arn:aws:iam::111122223333:role/deploy`, not `arn:aws:sts::*:assumed-role/AWSReservedSSO_*`
    `kubernetes nodes` (require hop_limit 2 to 3) does not match: tags.eks:cluster-name is missing, not `*`
  decided by: no rule, so `require` and `on_violation`
  why: http_tokens is optional, not required; by `on_violation`; the exemption of rule `first migration wave` has expired
  calls: DescribeInstances, then ModifyInstanceMetadataOptions HttpTokens=required HttpEndpoint=enabled
",
    );
}

#[test]
fn a_replaced_instance_is_mended_and_the_template_is_named() {
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
            "ModifyInstanceMetadataOptions HttpTokens=required HttpEndpoint=enabled"
        ]
    );
    assert_eq!(explanation.exit(), Exit::Violations);
}

#[test]
fn what_is_right_costs_no_call_and_exits_with_0() {
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
        assert_eq!(explanation.exit(), Exit::Fine, "{name}");
        assert!(explanation.to_string().contains("calls: none"), "{name}");
    }
}

#[test]
fn a_young_instance_waits_before_it_is_terminated() {
    let mut policy = policy();
    policy.limits.grace_seconds = 60;
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
fn over_the_limit_an_instance_is_spared() {
    let mut policy = policy();
    policy.limits.terminations_per_hour = 0;
    let explained = explain(&read("launch-terminate.json"), &policy, now()).unwrap();
    assert_eq!(explained.instances[0].outcome, Outcome::Spared);
    assert!(
        explained.instances[0]
            .calls
            .iter()
            .all(|call| call != "TerminateInstances")
    );
}

#[test]
fn what_the_event_leaves_out_is_looked_for_and_no_rule_by_tag_is_ruled_out() {
    let cut = fixture("launch-without-ids");
    let unseen = cut.unseen.as_ref().unwrap();
    assert_eq!(
        unseen.calls,
        ["DescribeInstances client-token=nightly-encode-2026-02-12"]
    );
    assert_eq!(unseen.what, "at least 3 launched instances");
    let verdicts: Vec<_> = unseen.rules.iter().map(|rule| rule.verdict).collect();
    use rules::Verdict::{No, NotKnown, PerhapsExpired};
    assert_eq!(verdicts, [NotKnown, PerhapsExpired, No, No, NotKnown]);

    let without_token = read("launch-without-ids.json").replace("\"clientToken\"", "\"other\"");
    let without_token = explain(&without_token, &policy(), now())
        .unwrap()
        .unseen
        .unwrap();
    assert_eq!(
        without_token.calls,
        ["DescribeInstances launch-time=2026-02-12T04:00 and the minutes before and after it"]
    );
    // Then it may be another's instance.
    assert_eq!(without_token.rules[3].verdict, NotKnown);

    let started = fixture("state-change-running").unseen.unwrap();
    assert_eq!(
        started.calls,
        ["DescribeInstances instance-id=i-0f49401c0b0c64f9d"]
    );
    assert_eq!(started.rules[3].verdict, NotKnown);
}

#[test]
fn a_change_says_whether_it_is_taken_for_the_functions_own() {
    let own = fixture("metadata-change-our-own");
    assert!(
        own.notes[1].starts_with("if the function's name is `"),
        "{:?}",
        own.notes
    );
    let forged = fixture("metadata-change-in-our-name");
    assert!(
        forged.notes[1].starts_with("not taken for the function's own change, whoever"),
        "{:?}",
        forged.notes
    );
    let unseen = forged.unseen.unwrap();
    assert!(unseen.at_most[0].starts_with("enforce"));
    // Who changed it is not who launched it.
    assert!(!forged.principals.is_empty());
    assert_eq!(unseen.rules[3].rule, "launched by hand");
    assert_eq!(unseen.rules[3].conditions[0].holds, None);
}

#[test]
fn a_sweep_knows_a_region_only_where_all_its_regions_agree() {
    let policy = Policy::parse(
        r#"{ "require": { "http_tokens": "required" }, "on_violation": "stop", "rules": [
          { "name": "us", "when": { "regions": "us-*" }, "then": "report" },
          { "name": "account", "when": { "accounts": "111122223333" }, "then": "terminate" } ] }"#,
    )
    .unwrap();
    let sweep = |detail: &str| {
        let event = format!(
            r#"{{"source":"imds-enforcer","detail-type":"Sweep","account":"111122223333","detail":{detail}}}"#
        );
        explain(&event, &policy, now()).unwrap().unseen.unwrap()
    };
    use rules::Verdict::{Decides, No, NotKnown, NotReached};
    let verdicts = |unseen: &Unseen| {
        unseen
            .rules
            .iter()
            .map(|rule| rule.verdict)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        verdicts(&sweep(r#"{"regions":["us-east-1","us-west-2"]}"#)),
        [Decides, NotReached]
    );
    assert_eq!(
        verdicts(&sweep(r#"{"regions":["eu-west-1"]}"#)),
        [No, Decides]
    );
    assert_eq!(
        verdicts(&sweep(r#"{"regions":["eu-west-1","us-east-1"]}"#)),
        [NotKnown, Decides]
    );
    let all = sweep("{}");
    assert_eq!(verdicts(&all), [NotKnown, NotKnown]);
    assert_eq!(all.calls[0], "DescribeRegions");
    assert_eq!(
        all.at_most[0],
        "enforce, where IMDSv1 was not used for 14 days"
    );
}

#[test]
fn text_from_outside_forges_no_line() {
    let event = read("launch-open.json").replace("web-canary", "x\\n\\u001b[31mi-0: compliant");
    let mut policy = policy();
    policy.rules[0].when.tags.clear();
    policy.rules[0].when.tags.insert(
        imds_core::policy::Pattern::new("Name"),
        vec![imds_core::policy::Pattern::new("other")],
    );
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
