//! Stop and terminate, their fallbacks and the grace period; drift and starts.

use crate::support::*;
use imds_tests::{FakeAws, Function, InjectedFault, Settle, binary, launch};
use serde_json::json;

#[test]
fn a_terminate_policy_terminates() {
    let ec2 = FakeAws::start();
    let ids = ec2.launch_many(launch(REGION), 3);
    let run = function(&ec2, &without_grace("terminate")).invoke(&launched_ids(&ec2, &ids));
    assert_eq!(report(&run)["summary"]["terminated"], 3);
    assert!(ids.iter().all(|id| ec2.instance(id).state != "running"));
    assert_eq!(ec2.count("TerminateInstances"), 1);
}

#[test]
fn a_stop_policy_stops_and_does_not_stop_again() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION));
    let event = launched_one(&ec2, &id);
    let function = function(&ec2, &without_grace("stop"));
    assert_eq!(outcome(report(&function.invoke(&event)), &id), "stopped");
    assert_eq!(outcome(report(&function.invoke(&event)), &id), "compliant");
    assert_eq!(ec2.count("StopInstances"), 1);
    assert_eq!(ec2.count("TerminateInstances"), 0);
}

#[test]
fn a_protected_instance_is_enforced_instead_and_others_in_its_zone_are_terminated() {
    let ec2 = FakeAws::start();
    let protected = ec2.launch(launch(REGION).protected().az("a"));
    let same_zone = ec2.launch(launch(REGION).az("a"));
    let other_zone = ec2.launch(launch(REGION).az("b"));
    let ids = [protected.clone(), same_zone.clone(), other_zone.clone()];
    let run = function(&ec2, &without_grace("terminate")).invoke(&launched_ids(&ec2, &ids));
    let report = report(&run);
    assert_eq!(outcome(report, &protected), "enforced");
    assert_eq!(outcome(report, &same_zone), "terminated");
    assert_eq!(outcome(report, &other_zone), "terminated");
    let instance = entry(report, &protected);
    assert_eq!(
        (&instance["instead_of"], &instance["because"]),
        (&json!("terminate"), &json!("refused"))
    );
    let reason = instance["reason"].as_str().unwrap();
    assert!(reason.contains("OperationNotPermitted"), "{reason}");
    assert_eq!(ec2.instance(&protected).options.tokens, "required");
    assert_eq!(ec2.instance(&protected).state, "running");
}

#[test]
fn an_instance_that_cannot_be_stopped_is_enforced_instead() {
    let ec2 = FakeAws::start();
    let store = ec2.launch(launch(REGION).instance_store());
    let protected = ec2.launch(launch(REGION).stop_protected());
    let plain = ec2.launch(launch(REGION));
    let ids = [store.clone(), protected.clone(), plain.clone()];
    let run = function(&ec2, &without_grace("stop")).invoke(&launched_ids(&ec2, &ids));
    let report = report(&run);
    assert_eq!(outcome(report, &store), "enforced");
    assert_eq!(outcome(report, &protected), "enforced");
    assert_eq!(outcome(report, &plain), "stopped");
}

#[test]
fn an_instance_is_enforced_if_ec2_rejects_its_termination() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION));
    ec2.fault(InjectedFault::unauthorized().action("TerminateInstances"));
    let run = function(&ec2, &without_grace("terminate")).invoke(&launched_one(&ec2, &id));
    assert_eq!(outcome(report(&run), &id), "enforced");
    let reason = entry(report(&run), &id)["reason"].as_str().unwrap();
    assert!(reason.contains("UnauthorizedOperation"), "{reason}");
}

#[test]
fn an_unknown_id_does_not_prevent_the_termination_of_the_others() {
    let ec2 = FakeAws::start();
    let ids = ec2.launch_many(launch(REGION), 3);
    ec2.fault(
        InjectedFault::not_found()
            .action("TerminateInstances")
            .instance(&ids[1]),
    );
    let run = function(&ec2, &without_grace("terminate")).invoke(&launched_ids(&ec2, &ids));
    let report = report(&run);
    assert_eq!(outcome(report, &ids[0]), "terminated");
    assert_eq!(outcome(report, &ids[2]), "terminated");
    assert_eq!(outcome(report, &ids[1]), "enforced");
}

#[test]
fn an_auto_scaling_instance_is_enforced_and_its_launch_template_named() {
    let ec2 = FakeAws::start();
    ec2.replace_in_groups();
    let id = ec2.launch(launch(REGION).in_group("web").from_template("lt-0abc", "4"));
    let run = function(&ec2, &without_grace("terminate")).invoke(&launched_one(&ec2, &id));
    let instance = entry(report(&run), &id);
    assert_eq!(instance["outcome"], "enforced");
    assert_eq!(
        (&instance["instead_of"], &instance["because"]),
        (&json!("terminate"), &json!("replaced"))
    );
    assert_eq!(
        instance["launch_template"],
        json!({ "id": "lt-0abc", "version": "4" })
    );
    let reason = instance["reason"].as_str().unwrap();
    assert!(
        reason.contains("Auto Scaling group `web`") && reason.contains("lt-0abc version 4"),
        "{reason}"
    );
    assert_eq!(ec2.count("TerminateInstances"), 0);
    assert_eq!(ec2.instances(REGION).len(), 1);
}

#[test]
fn a_late_tag_exempts_an_instance_from_termination() {
    let policy = r#"{"version": 1, "require": {"http_tokens": "required"}, "on_violation": "terminate",
        "new_instances": {"grace_seconds": 3},
        "rules": [{"name": "keep", "when": {"tags": {"keep": "yes"}}, "action": "exempt"}]}"#;
    let ec2 = FakeAws::start();
    let tagged = ec2.launch(launch(REGION).launched(seconds(0)).late_tag(
        "keep",
        "yes",
        Settle::Describes(1),
    ));
    let other = ec2.launch(launch(REGION).launched(seconds(0)));
    let event = launched_ids(&ec2, &[tagged.clone(), other.clone()]);
    let run = function(&ec2, policy).invoke(&event);
    assert_eq!(outcome(report(&run), &tagged), "exempt");
    assert_eq!(outcome(report(&run), &other), "terminated");
    assert_eq!(ec2.instance(&tagged).options.tokens, "optional");
    assert!(run.duration >= seconds(2), "{:?}", run.duration);
}

#[test]
fn enforcement_does_not_wait_for_the_grace_period_of_terminations() {
    let policy = r#"{"version": 1, "require": {"http_tokens": "required"}, "on_violation": "enforce",
        "new_instances": {"grace_seconds": 3},
        "rules": [{"name": "sandbox", "when": {"tags": {"env": "sandbox"}}, "action": "terminate"}]}"#;
    let ec2 = FakeAws::start();
    let sandbox = ec2.launch(launch(REGION).launched(seconds(0)).tag("env", "sandbox"));
    let open = ec2.launch(launch(REGION).launched(seconds(0)));
    let run = function(&ec2, policy).invoke(&launched_ids(&ec2, &[sandbox.clone(), open.clone()]));
    assert_eq!(
        (
            outcome(report(&run), &sandbox),
            outcome(report(&run), &open)
        ),
        ("terminated", "enforced")
    );
    let calls = ec2.changing_calls();
    assert_eq!(calls[0].action, "ModifyInstanceMetadataOptions");
    assert!(calls[1].at.duration_since(calls[0].at) >= seconds(2));
}

#[test]
fn a_grace_period_longer_than_the_timeout_fails_the_function_so_that_the_event_is_retried() {
    let policy =
        r#"{"version": 1, "require": {"http_tokens": "required"}, "on_violation": "terminate"}"#;
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION).launched(seconds(0)));
    let run = function(&ec2, policy).invoke_with_timeout(&launched_one(&ec2, &id), seconds(5));
    assert!(
        failure(&run).contains(&id) && failure(&run).contains("grace period"),
        "{}",
        failure(&run)
    );
    assert_eq!(ec2.changing_calls().len(), 0);
}

#[test]
fn drift_is_enforced_and_never_terminated() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION));
    let event = modified(&id, "mallory", &json!({ "HttpTokens": "optional" }));
    let run = function(&ec2, &without_grace("terminate")).invoke(&event);
    assert_eq!(report(&run)["trigger"], "metadata-change");
    let drifted = entry(report(&run), &id);
    assert_eq!(drifted["outcome"], "enforced");
    assert_eq!(
        (&drifted["instead_of"], &drifted["because"]),
        (&json!("terminate"), &json!("drift"))
    );
    assert_eq!(ec2.count("TerminateInstances"), 0);
}

#[test]
fn the_function_s_own_change_causes_no_action_and_no_call() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION));
    let own = modified_by_function(&id, &json!({ "HttpTokens": "required" }));
    let function = Function::builder(binary("enforcer"))
        .fake(&ec2)
        .policy(ENFORCE)
        .env("IMDS_ROLE_ARN", ROLE)
        .start();
    let run = function.invoke(&own);
    assert_eq!(report(&run)["trigger"], "metadata-change");
    let reason = report(&run)["reason"].as_str().unwrap();
    assert!(reason.contains("own change"), "{reason}");
    assert_eq!(ec2.calls().len(), 0);
}

#[test]
fn a_session_with_the_function_s_name_cannot_hide_a_change_back() {
    let ec2 = FakeAws::start();
    let function = function(&ec2, ENFORCE);
    for set in [
        json!({ "HttpTokens": "optional" }),
        json!({ "HttpPutResponseHopLimit": 64 }),
        json!({ "HttpEndpoint": "enabled" }),
    ] {
        let id = ec2.launch(launch(REGION));
        let run = function.invoke(&modified(&id, "enforcer", &set));
        assert_eq!(outcome(report(&run), &id), "enforced", "{set}");
    }
}

#[test]
fn a_change_that_leaves_the_instance_compliant_costs_one_describe() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION).tokens("required").hop_limit(2));
    let run = function(&ec2, ENFORCE).invoke(&modified(
        &id,
        "ada",
        &json!({ "HttpPutResponseHopLimit": 2 }),
    ));
    assert_eq!(outcome(report(&run), &id), "compliant");
    assert_eq!((ec2.count("DescribeInstances"), ec2.calls().len()), (1, 1));
}

#[test]
fn a_start_is_handled() {
    let ec2 = FakeAws::start();
    let function = function(&ec2, ENFORCE);
    for state in ["pending", "running"] {
        let id = ec2.launch(launch(REGION).state(state));
        let run = function.invoke(&state_changed(&id, state));
        assert_eq!(report(&run)["trigger"], "start");
        assert_eq!(outcome(report(&run), &id), "enforced");
    }
    ec2.forget_calls();
    let run = function.invoke(&state_changed("i-0123456789abcdef0", "stopped"));
    assert_eq!(report(&run)["trigger"], "ignored");
    assert_eq!(ec2.calls().len(), 0);
}
