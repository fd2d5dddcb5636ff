//! `imdsctl explain` and `imdsctl policy check`, which need no AWS.

use std::path::{Path, PathBuf};

use imds_tests::{Imdsctl, Ran};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::reading::*;

pub(crate) fn events() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../events")
}

pub(crate) fn event(name: &str) -> Value {
    let text = std::fs::read_to_string(events().join(format!("{name}.json"))).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Explains an event by the policy of the sample events.
fn explain(event: &Value, arguments: &[&str]) -> Ran {
    let place = TestFolder::new();
    let path = place.file("event.json", &event.to_string());
    let explain = Imdsctl::offline().arg("explain").arg(path);
    let policy = events().join("policy.json");
    explain.arg("--policy").arg(policy).args(arguments).run()
}

#[track_caller]
fn explained(event: &Value, code: i32) -> Value {
    json(explain(event, &["--json"]).ended_with(code))
}

#[test]
fn an_old_launch_is_explained_for_new_instances_and_says_so() {
    let launch = event("launch-replayed");
    let explanation = explained(&launch, 1);
    assert_eq!(explanation["time"], launch["time"]);
    assert_eq!(explanation["instances"][0]["outcome"], "terminated");
    let note = explanation["notes"][0].as_str().unwrap();
    let first = note
        .split_once("first launched at ")
        .and_then(|(_, rest)| rest.split_once(": "))
        .map(|(first, _)| first.parse::<Timestamp>().unwrap());
    let age = Timestamp::now().duration_since(first.unwrap());
    assert!(age < SignedDuration::from_mins(15), "{note}");
    let at_most = "EC2 shows whether they are; 15 minutes after its first launch an instance is enforced at most";
    says(note, &["explained for new instances", at_most]);
    let shown = explain(&launch, &[]);
    says(&shown.ended_with(1).stdout, &[at_most]);
}

#[test]
fn a_start_depends_on_the_age_and_on_the_use_of_each_instance() {
    let explanation = explained(&event("start-instances"), 0);
    assert_eq!(explanation["trigger"], "start");
    assert_eq!(explanation["instances"], json!([]));
    let open = &explanation["not_recorded"];
    let ids = "i-06f8b1d3e72a9c540,i-0d5a2c7e91f4b8036";
    let describe = format!("DescribeInstances instance-id={ids}");
    assert_eq!(list(open, "calls")[0], describe.as_str());
    assert_eq!(
        open["at_most"],
        json!([
            "what the policy says, within 15 minutes of the first launch",
            "enforce, within 24 hours of it, or report where IMDSv1 was used",
            "enforce, later or where the age is not known, if IMDSv1 was not used for 14 days",
            "report, if it was used",
            "report, if that is not known"
        ])
    );
    let rules = list(open, "rules");
    let rule = |name: &str| rules.iter().find(|rule| rule["rule"] == name).unwrap();
    assert_eq!(rule("sandbox account")["evaluation"], "decides");
    assert_eq!(
        rule("vendor scanners")["conditions"][0]["holds"],
        Value::Null
    );
}

#[test]
fn a_drift_is_enforced_at_most_whoever_made_it() {
    let explanation = explained(&event("metadata-change-by-a-person"), 0);
    says(
        &explanation["notes"].to_string(),
        &[
            "set HttpTokens=optional HttpEndpoint=enabled on i-0aa6cd69da4a8b063",
            "not the function's own change, whoever made it",
        ],
    );
    let open = &explanation["not_recorded"];
    assert_eq!(
        open["calls"],
        json!([
            "DescribeInstances instance-id=i-0aa6cd69da4a8b063",
            "GetMetricData MetadataNoTokenRejected, if it is not compliant"
        ])
    );
    assert_eq!(
        open["at_most"],
        json!([
            "enforce, because only its options changed",
            "report, where calls without a token were rejected in the 24 hours before",
            "report, after 6 enforcements within the hour"
        ])
    );
}

#[test]
fn a_change_as_the_function_makes_it_is_its_own_only_by_its_role() {
    for (name, role) in [
        ("metadata-change-our-own", "111122223333:role/imds-enforcer"),
        (
            "metadata-change-in-our-name",
            "444455556666:role/maintenance",
        ),
    ] {
        let explanation = explained(&event(name), 0);
        let own =
            format!("if the function's role is `arn:aws:iam::{role}`, this is its own change");
        says(&explanation["notes"].to_string(), &[&own]);
    }
}

#[test]
fn instances_of_a_cut_launch_are_found_by_just_its_token() {
    let mut launch = event("launch-without-ids");
    for (token, filter) in [
        ("nightly-encode-2026-02-12", "nightly-encode-2026-02-12"),
        ("*", r"\*"),
        (r"a?b\c", r"a\?b\\c"),
    ] {
        launch["detail"]["requestParameters"]["clientToken"] = json!(token);
        let open = &explained(&launch, 0)["not_recorded"];
        let describe = format!("DescribeInstances client-token={filter}");
        assert_eq!(open["calls"], json!([describe]));
        assert_eq!(open["what"], "at least 3 launched instances");
    }
}

#[test]
fn instances_of_a_cut_launch_without_a_token_are_found_by_the_time_and_launched_by_nobody_known() {
    let mut launch = event("launch-without-ids");
    let request = launch["detail"]["requestParameters"]
        .as_object_mut()
        .unwrap();
    request.remove("clientToken");
    let open = &explained(&launch, 0)["not_recorded"];
    says(
        &open["calls"].to_string(),
        &[
            "launch-time=2026-02-12T04:00",
            "from 5 s before to 120 s after 2026-02-12T04:00:08Z",
        ],
    );
    let rules = list(open, "rules");
    let by_hand = rules.iter().find(|rule| rule["rule"] == "launched by hand");
    assert_eq!(by_hand.unwrap()["evaluation"], "unknown");
}

#[test]
fn an_id_that_can_be_none_is_named_with_its_path() {
    let ran = explain(&event("launch-malformed-id"), &[]);
    says(
        &ran.ended_with(2).stderr,
        &[
            "instancesSet.items[0].instanceId",
            "`i-YOUR_ID` is not an instance id",
        ],
    );
}

/// The output of `policy check` for a policy with these rules and new instances.
fn checked(rules: Value, new_instances: Value) -> String {
    let place = TestFolder::new();
    let policy = json!({
        "version": 1, "require": { "http_tokens": "required" }, "on_violation": "enforce",
        "rules": rules, "new_instances": new_instances
    });
    let path = place.file("policy.json", &policy.to_string());
    let ran = Imdsctl::offline().args(["policy", "check"]).arg(path).run();
    ran.ended_with(0).stdout.clone()
}

#[test]
fn policy_check_advises_a_grace_period_where_tags_exempt() {
    let rules = json!([
        { "name": "scanners", "when": { "tags": { "app": "scanner-*" } }, "action": "exempt" },
        { "name": "nodes", "when": { "tags": { "node": "*" } }, "action": "stop" }
    ]);
    let output = checked(rules.clone(), json!({}));
    says(
        &output,
        &[
            "\nnote: rules that exempt by tags: `scanners`.",
            "`new_instances.enforce_grace_seconds`",
        ],
    );
    let output = checked(rules, json!({ "enforce_grace_seconds": 60 }));
    assert!(!output.contains("note:"), "{output}");
    says(&output, &["enforced no earlier than 60 s after it"]);
}

#[test]
fn policy_check_names_what_a_rule_by_principals_cannot_know() {
    let rules = json!([
        { "name": "by hand", "when": { "principals": "arn:aws:iam::*:user/*" }, "action": "stop" },
        { "name": "api", "when": { "accounts": "111122223333" }, "action": "exempt" }
    ]);
    let output = checked(rules, json!({}));
    says(
        &output,
        &[
            "\nnote: rules by `principals`: `by hand`. Only the launch event shows who launched an instance",
        ],
    );
    assert_eq!(output.matches("note:").count(), 1, "{output}");
}
