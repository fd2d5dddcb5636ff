//! Launches whose ids CloudTrail left out of the record.

use imds_tests::{FakeAws, Settle, launch};
use serde_json::json;

use crate::support::*;

#[test]
fn a_launch_without_ids_is_found_by_its_client_token() {
    let ec2 = FakeAws::start();
    let ids = ec2.launch_many(launch(REGION).client_token("token-9"), 60);
    let bystander = ec2.launch(launch(REGION).client_token("other"));
    let run = function(&ec2, ENFORCE).invoke(&cut(REGION, Some("token-9"), 60));
    assert_eq!(report(&run)["summary"]["enforced"], 60);
    assert!(
        ids.iter()
            .all(|id| ec2.instance(id).options.tokens == "required")
    );
    assert_eq!(ec2.instance(&bystander).options.tokens, "optional");
    assert_eq!(ec2.count("DescribeInstances"), 1);
}

#[test]
fn the_search_for_a_launch_without_ids_waits_for_all_its_instances() {
    let ec2 = FakeAws::start();
    let visible = ec2.launch_many(launch(REGION).client_token("token-9"), 2);
    let late = ec2.launch(
        launch(REGION)
            .client_token("token-9")
            .visible(Settle::Describes(2)),
    );
    let run = function(&ec2, ENFORCE).invoke(&cut(REGION, Some("token-9"), 3));
    assert_eq!(report(&run)["summary"]["enforced"], 3);
    assert!(
        visible
            .iter()
            .chain([&late])
            .all(|id| outcome(report(&run), id) == "enforced")
    );
    assert_eq!(ec2.count("ModifyInstanceMetadataOptions"), 3);
}

#[test]
fn a_launch_without_ids_or_token_is_found_by_its_time() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION).launched(seconds(1)));
    let old = ec2.launch(launch(REGION).launched(seconds(3600)));
    let run = function(&ec2, ENFORCE).invoke(&cut(REGION, None, 1));
    assert_eq!(outcome(report(&run), &id), "enforced");
    assert_eq!(ec2.instance(&old).options.tokens, "optional");
}

#[test]
fn instances_that_are_not_found_fail_the_function_and_those_found_are_enforced() {
    let ec2 = FakeAws::start();
    let found = ec2.launch(launch(REGION).client_token("token-9"));
    let function = function(&ec2, ENFORCE);
    let run = function.invoke_with_timeout(&cut(REGION, Some("token-9"), 2), seconds(3));
    assert!(
        failure(&run)
            .contains("could not find the launched instances before the deadline: 1 of at least 2"),
        "{}",
        failure(&run)
    );
    assert_eq!(ec2.instance(&found).options.tokens, "required");
    let run = function.invoke_with_timeout(&cut(REGION, Some("nobody"), 1), seconds(3));
    assert!(
        failure(&run)
            .contains("could not find the launched instances before the deadline: 0 of at least 1"),
        "{}",
        failure(&run)
    );
}

/// Nobody has launched with this token.
#[track_caller]
fn touches_nothing(on_violation: &str, token: &str, timeout: u64) {
    let ec2 = FakeAws::start();
    let old = || {
        let old = launch(REGION).launched(seconds(90 * DAY));
        old.started(seconds(20))
    };
    let mut others = ec2.launch_many(old().client_token("build-1"), 3);
    others.push(ec2.launch(old().client_token("b")));
    others.push(ec2.launch(old()));
    others.push(ec2.launch(launch(REGION).client_token("build-2")));
    let event = cut(REGION, Some(token), 5);
    let function = function(&ec2, &without_grace(on_violation));
    let run = function.invoke_with_timeout(&event, seconds(timeout));
    assert_eq!(ec2.disruptions(), [], "{on_violation} {token}");
    assert_eq!(ec2.changing_calls().len(), 0, "{on_violation} {token}");
    for id in &others {
        assert_eq!(ec2.instance(id).options.tokens, "optional");
    }
    assert!(run.result.is_err(), "{run:?}");
}

#[test]
fn a_client_token_that_matches_every_instance_touches_none_of_others() {
    for on_violation in ["terminate", "stop", "enforce"] {
        touches_nothing(on_violation, "*", 8);
    }
}

#[test]
fn a_client_token_with_wildcards_touches_no_instance_of_others() {
    for token in ["?", "b*", "\\*", "[a-z]", "build-?"] {
        touches_nothing("enforce", token, 2);
    }
}

#[test]
fn a_launch_whose_client_token_has_wildcards_is_found() {
    for token in ["*", "a?c", "a\\b", "\\*", "\\\\?"] {
        let ec2 = FakeAws::start();
        let own = ec2.launch_many(launch(REGION).client_token(token), 2);
        let others = ["abc", "a", "*a", "\\"].map(|it| launch(REGION).client_token(it));
        let others = others.map(|other| ec2.launch(other));
        let run = function(&ec2, ENFORCE).invoke(&cut(REGION, Some(token), 2));
        assert_eq!(report(&run)["summary"]["enforced"], 2, "{token}");
        assert!(own.iter().all(|id| outcome(report(&run), id) == "enforced"));
        for id in &others {
            assert_eq!(ec2.instance(id).options.tokens, "optional", "{token}");
        }
    }
}

#[test]
fn without_a_token_only_instances_from_5_seconds_before_to_120_after_the_event_are_of_its_launch() {
    let ec2 = FakeAws::start();
    let at = |seconds_ago| launch(REGION).launched(seconds(seconds_ago));
    let inside = [203, 200, 150, 83].map(|seconds_ago| ec2.launch(at(seconds_ago)));
    let outside = [207, 240, 77, 10].map(|seconds_ago| ec2.launch(at(seconds_ago)));
    let restarted = ec2.launch(at(90 * DAY).started(seconds(190)));
    let event = happened(cut(REGION, None, 4), ago(200));
    let run = function(&ec2, ENFORCE).invoke(&event);
    for id in &inside {
        assert_eq!(outcome(report(&run), id), "enforced");
    }
    assert_eq!(report(&run)["instances"].as_array().unwrap().len(), 4);
    for id in outside.iter().chain([&restarted]) {
        assert_eq!(ec2.instance(id).options.tokens, "optional");
    }
}

#[test]
fn only_an_instance_with_the_token_of_the_launch_is_known_to_be_of_its_principal() {
    let rule = |action: &str| {
        let when = json!({ "principals": ["arn:aws:iam::111122223333:user/ada"] });
        json!({
            "version": 1, "require": { "http_tokens": "required" }, "on_violation": "enforce",
            "new_instances": { "grace_seconds": 0 },
            "rules": [{ "name": "ada", "when": when, "action": action }]
        })
        .to_string()
    };
    for (action, token, expected) in [
        ("terminate", Some("token-9"), ["terminated", "", ""]),
        ("terminate", None, ["enforced", "", ""]),
        ("exempt", Some("token-9"), ["exempt", "", ""]),
        ("exempt", None, ["reported", "enforce", "launcher_unknown"]),
    ] {
        let ec2 = FakeAws::start();
        let id = ec2.launch(launch(REGION).launched(seconds(1)).client_token("token-9"));
        let run = function(&ec2, &rule(action)).invoke(&cut(REGION, token, 1));
        assert_eq!(done(report(&run), &id), expected, "{action} {token:?}");
    }
}

#[test]
fn an_old_launch_without_ids_whose_instances_are_gone_succeeds() {
    for token in [Some("token-9"), None] {
        let ec2 = FakeAws::start();
        let other = ec2.launch(launch(REGION));
        let event = happened(cut(REGION, token, 3), ago(DAY));
        let run = function(&ec2, ENFORCE).invoke_with_timeout(&event, seconds(5));
        let report = report(&run);
        assert_eq!(report["summary"]["gone"], 3);
        assert_eq!(report["instances"], json!([]));
        let reason = report["reason"].as_str().unwrap();
        assert!(reason.contains("3 launched instances"), "{reason}");
        assert_eq!(ec2.instance(&other).options.tokens, "optional");
    }
}

#[test]
fn an_old_launch_without_ids_is_handled_as_far_as_it_is_still_there() {
    let ec2 = FakeAws::start();
    let old = launch(REGION).launched(seconds(DAY + HOUR));
    let id = ec2.launch(old.client_token("token-9"));
    unused(&ec2, &id);
    let event = happened(cut(REGION, Some("token-9"), 3), ago(DAY + HOUR));
    let run = function(&ec2, &without_grace("terminate")).invoke(&event);
    assert_eq!(
        done(report(&run), &id),
        ["enforced", "terminate", "not_new"]
    );
    assert_eq!(report(&run)["summary"]["gone"], 2);
    assert_eq!(ec2.disruptions(), []);
}
