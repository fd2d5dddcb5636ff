//! `imdsctl enforce --policy`: use decides as in a sweep.

use imds_tests::{FakeAws, launch};
use serde_json::{Value, json};

use crate::enforce::{enforced, policy};
use crate::enforce_usage::three_usages;
use crate::reading::*;

/// A policy that enforces tokens, with this `existing`.
pub(crate) fn enforcing(existing: Value) -> Value {
    json!({
        "version": 1, "require": { "http_tokens": "required" }, "on_violation": "enforce",
        "existing": existing
    })
}

/// Enforces by a policy with this `existing`, and returns the tokens of three uses: in use, unused, without
/// data.
#[track_caller]
fn tokens_by(existing: Value, code: i32) -> [String; 3] {
    let (ec2, ids) = three_usages();
    let (_place, argument) = policy(enforcing(existing));
    enforced(&ec2, &argument, code);
    ids.each_ref().map(|id| tokens(&ec2, id))
}

#[test]
fn a_policy_enforces_by_its_existing() {
    for (existing, code, expected) in [
        (json!({}), 1, ["optional", "required", "optional"]),
        (
            json!({ "in_use": "enforce" }),
            1,
            ["required", "required", "optional"],
        ),
        (
            json!({ "unknown": "enforce" }),
            1,
            ["optional", "required", "required"],
        ),
        (
            json!({ "in_use": "enforce", "unknown": "enforce" }),
            0,
            ["required"; 3],
        ),
        // The call of five days ago is outside of the window, and there is no data within it.
        (
            json!({ "usage_window_days": 3, "unknown": "enforce" }),
            0,
            ["required"; 3],
        ),
        // Of 30 hours of data.
        (json!({ "usage_data_hours": 31 }), 1, ["optional"; 3]),
    ] {
        assert_eq!(tokens_by(existing.clone(), code), expected, "{existing}");
    }
}

#[test]
fn what_is_left_by_its_use_is_reported_with_the_evidence() {
    let (ec2, ids) = three_usages();
    let (_place, argument) = policy(enforcing(json!({})));
    let report = enforced(&ec2, &argument, 1);
    for (id, outcome, because, verdict) in [
        (0, "reported", json!("in_use"), "in_use"),
        (1, "enforced", Value::Null, "unused"),
        (2, "reported", json!("usage_unknown"), "unknown"),
    ] {
        let instance = entry(&report, &ids[id]);
        let found = (
            &instance["outcome"],
            &instance["because"],
            &instance["usage"]["verdict"],
        );
        assert_eq!(found, (&json!(outcome), &because, &json!(verdict)));
    }
}

#[test]
fn recent_instances_need_no_data_and_new_ones_are_not_asked_for() {
    let ec2 = FakeAws::start();
    let recent = ec2.launch(launch(REGION).launched(DAY / 2));
    let used = ec2.launch(launch(REGION).launched(DAY / 2));
    ec2.datapoint(&used, "MetadataNoToken", ago(DAY / 4), 7.0);
    let new = ec2.launch(launch(REGION));
    let (_place, argument) = policy(enforcing(json!({})));
    enforced(&ec2, &argument, 1);
    let after = [&recent, &used, &new].map(|id| tokens(&ec2, id));
    assert_eq!(after, ["required", "optional", "required"]);
    let [asked] = &ec2.calls_to("GetMetricData")[..] else {
        panic!("one call asks for all")
    };
    let asks = |id: &String| asked.params.values().any(|value| value == id);
    assert_eq!([&recent, &used, &new].map(asks), [true, true, false]);
}

#[test]
fn what_the_policy_exempts_or_only_reports_is_not_asked_for() {
    let ec2 = FakeAws::start();
    let exempt = ec2.launch(launch(REGION).launched(DAY * 9).tag("app", "scanner"));
    let reported = ec2.launch(launch(REGION).launched(DAY * 9).tag("app", "legacy"));
    let (_place, argument) = policy(json!({
        "version": 1, "require": { "http_tokens": "required" }, "on_violation": "enforce",
        "rules": [
            { "name": "scanners", "when": { "tags": { "app": "scanner" } }, "action": "exempt" },
            { "name": "legacy", "when": { "tags": { "app": "legacy" } }, "action": "report" }
        ]
    }));
    let report = enforced(&ec2, &argument, 1);
    assert_eq!(entry(&report, &exempt)["outcome"], "exempt");
    assert_eq!(entry(&report, &reported)["outcome"], "reported");
    assert_eq!(ec2.count("GetMetricData"), 0);
    assert_eq!(ec2.changing_calls().len(), 0);
}

#[test]
fn ignore_usage_enforces_what_the_policy_leaves_by_its_use_and_asks_nothing() {
    let (ec2, ids) = three_usages();
    let (_place, argument) = policy(enforcing(json!({})));
    enforced(&ec2, &format!("--ignore-usage {argument}"), 0);
    assert!(ids.iter().all(|id| tokens(&ec2, id) == "required"));
    assert_eq!(ec2.count("GetMetricData"), 0);
}

#[test]
fn a_policy_lowers_a_hop_limit_and_the_plan_shows_every_option_with_both_values() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION).hop_limit(3));
    let (_place, argument) = policy(json!({
        "version": 1, "require": { "http_tokens": "required", "hop_limit": { "at_most": 2 } },
        "on_violation": "enforce"
    }));
    let both = "enforce: http_tokens optional → required, hop_limit 3 → 2";
    let ran = imdsctl(&ec2, &format!("enforce --dry-run {argument}")).run();
    says(&ran.ended_with(1).stdout, &[both]);
    let ran = imdsctl(&ec2, &format!("enforce --dry-run --format html {argument}")).run();
    says(&ran.ended_with(1).stdout, &[both]);
    let ran = imdsctl(&ec2, &format!("enforce --dry-run --format csv {argument}")).run();
    let mut lines = ran.ended_with(1).stdout.lines();
    let options = "http_tokens_set,http_endpoint_set,hop_limit_set,";
    says(lines.next().unwrap(), &[options]);
    says(
        lines.next().unwrap(),
        &[",optional,enabled,3,disabled,disabled,required,,2,,,"],
    );
    let command = format!("enforce {argument}");
    let mut terminal = imdsctl(&ec2, &command).on_terminal(200, 30);
    let screen = terminal.wait_for("Type yes");
    says(
        &screen,
        &[
            both,
            "Set hop_limit 3 → 2 (1), http_tokens optional → required (1) on 1 instance",
        ],
    );
    terminal.type_text("yes\r");
    says(&terminal.wait().ended_with(0).screen, &[both]);
    assert_eq!(ec2.instance(&id).options.hop_limit, 2);
}
