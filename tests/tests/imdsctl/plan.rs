//! Plan files: written, reviewed, and applied where they are still valid.

use std::path::{Path, PathBuf};

use imds_tests::{FakeAws, Ran, launch};
use serde_json::{Value, json};

use crate::reading::*;

/// Writes a plan.
#[track_caller]
pub(crate) fn planned(ec2: &FakeAws, arguments: &str) -> (TestFolder, PathBuf) {
    let place = TestFolder::new();
    let path = place.path("plan.json");
    let ran = imdsctl(ec2, &format!("enforce {arguments} --plan-out"))
        .arg(&path)
        .run();
    says(&ran.ended_with(1).stderr, &["imdsctl enforce --plan"]);
    (place, path)
}

pub(crate) fn run(ec2: &FakeAws, plan: &Path, arguments: &str) -> Ran {
    imdsctl(ec2, &format!("enforce --format json {arguments} --plan"))
        .arg(plan)
        .run()
}

pub(crate) fn read(plan: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(plan).unwrap()).unwrap()
}

/// Replaces a value of the plan.
pub(crate) fn edited(plan: &Path, pointer: &str, value: Value) {
    let mut document = read(plan);
    *document.pointer_mut(pointer).unwrap() = value;
    std::fs::write(plan, document.to_string()).unwrap();
}

#[test]
fn a_plan_is_written_without_a_change_and_applied_later() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION));
    let far = ec2.launch(launch("us-east-1").hop_limit(3));
    ec2.launch(launch(REGION).tokens("required"));
    let (_place, plan) = planned(&ec2, "");
    assert_eq!(ec2.changing_calls().len(), 0);
    let document = read(&plan);
    assert_eq!(document["account"], "111122223333");
    assert_eq!(sorted(ids(&document)), sorted([&id, &far]));
    assert_eq!(entry(&document, &far)["before"]["hop_limit"], 3);
    says(
        entry(&document, &id)["reason"].as_str().unwrap(),
        &["http_tokens optional → required: http_tokens is optional"],
    );

    let late = ec2.launch(launch(REGION));
    ec2.forget_calls();
    let report = json(run(&ec2, &plan, "--yes").ended_with(0));
    assert_eq!(report["summary"]["enforced"], 2);
    assert_eq!(
        [&id, &far, &late].map(|id| tokens(&ec2, id)),
        ["required", "required", "optional"]
    );
    assert_eq!(modified(&ec2).len(), 2);
    assert_eq!(
        ec2.count("DescribeRegions"),
        0,
        "only planned instances are described"
    );
}

#[test]
fn a_plan_is_shown_by_a_dry_run_and_confirmed_on_a_terminal() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION));
    let (_place, plan) = planned(&ec2, "");
    run(&ec2, &plan, "--dry-run").ended_with(1);
    run(&ec2, &plan, "").ended_with(2);
    let mut terminal = imdsctl(&ec2, "enforce --plan")
        .arg(&plan)
        .on_terminal(120, 30);
    let screen = terminal.wait_for("Type yes");
    says(&screen, &[&id]);
    assert_eq!(ec2.changing_calls().len(), 0);
    terminal.type_text("yes\r");
    terminal.wait().ended_with(0);
    assert_eq!(tokens(&ec2, &id), "required");
}

#[test]
fn an_instance_that_was_changed_since_is_skipped() {
    let ec2 = FakeAws::start();
    let [same, changed, enforced, terminated] = [(); 4].map(|()| ec2.launch(launch(REGION)));
    let (_place, plan) = planned(&ec2, "");
    ec2.set_options(&changed, |options| options.hop_limit = 5);
    ec2.set_options(&enforced, |options| options.tokens = "required".to_owned());
    ec2.set_state(&terminated, "terminated");
    let report = json(run(&ec2, &plan, "--yes").ended_with(1));
    assert_eq!(entry(&report, &same)["outcome"], "enforced");
    assert_eq!(entry(&report, &changed)["outcome"], "reported");
    says(
        entry(&report, &changed)["reason"].as_str().unwrap(),
        &["skipped", "changed since the plan was made"],
    );
    assert_eq!(entry(&report, &enforced)["outcome"], "compliant");
    assert_eq!(entry(&report, &terminated)["outcome"], "gone");
    assert_eq!(modified(&ec2).len(), 1);
    assert_eq!(tokens(&ec2, &changed), "optional");
}

#[test]
fn an_unknown_instance_fails_the_plan() {
    let ec2 = FakeAws::start();
    let [known, forgotten] = [(); 2].map(|()| ec2.launch(launch(REGION)));
    let (_place, plan) = planned(&ec2, "");
    ec2.forget(&forgotten);
    let report = json(run(&ec2, &plan, "--yes").ended_with(3));
    assert_eq!(entry(&report, &known)["outcome"], "enforced");
    says(&report["unreachable"].to_string(), &[&forgotten]);
}

#[test]
fn a_plan_contains_its_policy() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION));
    let place = TestFolder::new();
    let policy = place.file(
        "policy.json",
        &json!({ "version": 1, "require": { "http_tokens": "required", "hop_limit": { "at_least": 2 } }, "on_violation": "enforce",
                 "rules": [{ "name": "keep", "when": { "tags": { "keep": "*" } }, "action": "exempt" }] })
        .to_string(),
    );
    let other = ec2.launch(launch(REGION));
    let (_folder, plan) = planned(&ec2, &format!("--policy {}", policy.display()));
    std::fs::remove_file(policy).unwrap();
    ec2.tag(&other, "keep", "this");
    json(run(&ec2, &plan, "--yes").ended_with(0));
    assert_eq!(ec2.instance(&id).options.hop_limit, 2);
    assert_eq!(
        tokens(&ec2, &other),
        "optional",
        "its policy exempts it now"
    );
}

#[test]
fn the_plan_of_another_account_is_rejected() {
    let ec2 = FakeAws::start();
    ec2.launch(launch(REGION));
    let (_place, plan) = planned(&ec2, "");
    ec2.set_account("444455556666");
    let ran = run(&ec2, &plan, "--yes");
    says(
        &ran.ended_with(2).stderr,
        &["plan.json", "111122223333", "444455556666"],
    );
    assert_eq!(ec2.changing_calls().len(), 0);
}

#[test]
fn an_invalid_plan_is_rejected_with_the_field() {
    for (pointer, value, words) in [
        (
            "/instances/0/set/http_tokens",
            json!("optionally"),
            ["instances[0].set.http_tokens", "optionally"],
        ),
        (
            "/instances/0/set",
            json!({}),
            ["instances[0].set", "nothing"],
        ),
        (
            "/instances/0/set",
            json!({ "http_token": "required" }),
            ["instances[0].set", "http_token"],
        ),
        (
            "/instances/0/before/hop_limit",
            json!(65),
            ["instances[0].before.hop_limit", "65"],
        ),
        (
            "/instances/0/instance_id",
            json!("web-1"),
            ["instances[0].instance_id", "web-1"],
        ),
        ("/created_at", json!("yesterday"), ["created_at", "year"]),
        (
            "/policy/on_violation",
            json!("forgive"),
            ["on_violation", "forgive"],
        ),
        ("/version", json!(1), ["version 1", "expected 2"]),
        ("/kind", json!("shopping list"), ["kind", "imdsctl-plan"]),
    ] {
        let ec2 = FakeAws::start();
        ec2.launch(launch(REGION));
        let (_place, plan) = planned(&ec2, "");
        edited(&plan, pointer, value);
        let ran = run(&ec2, &plan, "--yes");
        says(&ran.ended_with(2).stderr, &words);
        assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
        assert_eq!(ec2.changing_calls().len(), 0, "{pointer}");
    }
}

#[test]
fn a_plan_that_makes_tokens_optional_is_not_applied() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION).tokens("required").hop_limit(1));
    let (_place, plan) = planned(&ec2, "--hop-limit 2");
    edited(
        &plan,
        "/instances/0/set",
        json!({ "http_tokens": "optional" }),
    );
    let report = json(run(&ec2, &plan, "--yes").ended_with(1));
    says(
        entry(&report, &id)["reason"].as_str().unwrap(),
        &["skipped", "http_tokens=optional", "hop_limit=2"],
    );
    assert_eq!(ec2.changing_calls().len(), 0);
}

#[test]
fn a_missing_plan_or_another_file_is_rejected() {
    let ec2 = FakeAws::start();
    let place = TestFolder::new();
    let ran = run(&ec2, &place.path("missing.json"), "--yes");
    says(&ran.ended_with(2).stderr, &["missing.json"]);
    let ran = run(&ec2, &place.file("notes.txt", "remember the milk"), "--yes");
    says(&ran.ended_with(2).stderr, &["notes.txt", "plan"]);
}

#[test]
fn a_plan_does_not_overwrite_another_file() {
    let ec2 = FakeAws::start();
    ec2.launch(launch(REGION));
    let place = TestFolder::new();
    let notes = place.file("notes.txt", "remember the milk");
    let ran = imdsctl(&ec2, "enforce --plan-out").arg(&notes).run();
    says(&ran.ended_with(2).stderr, &["notes.txt", "not overwritten"]);
    assert_eq!(
        std::fs::read_to_string(&notes).unwrap(),
        "remember the milk"
    );
    let plan = place.path("plan.json");
    for _ in 0..2 {
        imdsctl(&ec2, "enforce --plan-out")
            .arg(&plan)
            .run()
            .ended_with(1);
    }
}

#[test]
fn a_plan_cannot_be_combined_with_options_of_another() {
    let ec2 = FakeAws::start();
    for other in [
        "--hop-limit 2",
        "--unused-only",
        "--user-data",
        "--tag a=b",
        "--region eu-west-1",
        "--policy p",
        "--plan-out q",
    ] {
        let ran = imdsctl(&ec2, &format!("enforce --plan p.json {other}")).run();
        says(&ran.ended_with(2).stderr, &["cannot be used with"]);
    }
    assert_eq!(ec2.calls().len(), 0);
}
