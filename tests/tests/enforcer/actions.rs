//! Stop and terminate, their fallbacks and their patience; drift and state changes.

use crate::support::*;
use imds_tests::{Fault, Settle, Standin, launch};
use serde_json::json;

#[test]
fn a_terminate_policy_terminates() {
    let ec2 = Standin::start();
    let ids = ec2.launch_many(launch(REGION), 3);
    let run = function(&ec2, &without_grace("terminate")).invoke(&launched_ids(&ec2, &ids));
    assert_eq!(report(&run)["summary"]["terminated"], 3);
    assert!(ids.iter().all(|id| ec2.instance(id).state != "running"));
    assert_eq!(ec2.count("TerminateInstances"), 1);
}

#[test]
fn a_stop_policy_stops_and_does_not_stop_again() {
    let ec2 = Standin::start();
    let id = ec2.launch(launch(REGION));
    let event = launched_one(&ec2, &id);
    let function = function(&ec2, &without_grace("stop"));
    assert_eq!(outcome(report(&function.invoke(&event)), &id), "stopped");
    assert_eq!(outcome(report(&function.invoke(&event)), &id), "stopped");
    assert_eq!(ec2.count("StopInstances"), 1);
    assert_eq!(ec2.count("TerminateInstances"), 0);
}

#[test]
fn a_protected_instance_is_mended_instead_and_shields_no_other() {
    let ec2 = Standin::start();
    let shield = ec2.launch(launch(REGION).protected().az("a"));
    let beside = ec2.launch(launch(REGION).az("a"));
    let elsewhere = ec2.launch(launch(REGION).az("b"));
    let ids = [shield.clone(), beside.clone(), elsewhere.clone()];
    let run = function(&ec2, &without_grace("terminate")).invoke(&launched_ids(&ec2, &ids));
    let report = report(&run);
    assert_eq!(outcome(report, &shield), "enforced");
    assert_eq!(outcome(report, &beside), "terminated");
    assert_eq!(outcome(report, &elsewhere), "terminated");
    let reason = of(report, &shield)["reason"].as_str().unwrap();
    assert!(
        reason.contains("not terminated, because EC2 refused: OperationNotPermitted"),
        "{reason}"
    );
    assert_eq!(ec2.instance(&shield).options.tokens, "required");
    assert_eq!(ec2.instance(&shield).state, "running");
}

#[test]
fn an_instance_that_cannot_be_stopped_is_mended_instead() {
    let ec2 = Standin::start();
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
fn a_refused_termination_is_mended_instead() {
    let ec2 = Standin::start();
    let id = ec2.launch(launch(REGION));
    ec2.fault(Fault::unauthorised().action("TerminateInstances"));
    let run = function(&ec2, &without_grace("terminate")).invoke(&launched_one(&ec2, &id));
    assert_eq!(outcome(report(&run), &id), "enforced");
    let reason = of(report(&run), &id)["reason"].as_str().unwrap();
    assert!(reason.contains("UnauthorizedOperation"), "{reason}");
}

#[test]
fn one_id_that_is_gone_keeps_no_other_from_being_terminated() {
    let ec2 = Standin::start();
    let ids = ec2.launch_many(launch(REGION), 3);
    ec2.fault(
        Fault::not_found()
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
fn an_auto_scaling_instance_is_mended_and_its_launch_template_named() {
    let ec2 = Standin::start();
    ec2.replace_in_groups();
    let id = ec2.launch(launch(REGION).in_group("web").from_template("lt-0abc", "4"));
    let run = function(&ec2, &without_grace("terminate")).invoke(&launched_one(&ec2, &id));
    let instance = of(report(&run), &id);
    assert_eq!(instance["outcome"], "enforced");
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
fn a_tag_that_comes_late_saves_an_instance_from_termination() {
    let policy = r#"{"require": {"http_tokens": "required"}, "on_violation": "terminate",
        "limits": {"grace_seconds": 3},
        "rules": [{"name": "keep", "when": {"tags": {"keep": "yes"}}, "then": "exempt"}]}"#;
    let ec2 = Standin::start();
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
fn what_is_to_be_mended_does_not_wait_for_what_is_to_be_terminated() {
    let policy = r#"{"require": {"http_tokens": "required"}, "on_violation": "enforce",
        "limits": {"grace_seconds": 3},
        "rules": [{"name": "sandbox", "when": {"tags": {"env": "sandbox"}}, "then": "terminate"}]}"#;
    let ec2 = Standin::start();
    let doomed = ec2.launch(launch(REGION).launched(seconds(0)).tag("env", "sandbox"));
    let open = ec2.launch(launch(REGION).launched(seconds(0)));
    let run = function(&ec2, policy).invoke(&launched_ids(&ec2, &[doomed.clone(), open.clone()]));
    assert_eq!(
        (outcome(report(&run), &doomed), outcome(report(&run), &open)),
        ("terminated", "enforced")
    );
    let calls = ec2.changing_calls();
    assert_eq!(calls[0].action, "ModifyInstanceMetadataOptions");
    assert!(calls[1].at.duration_since(calls[0].at) >= seconds(2));
}

#[test]
fn a_grace_that_outlasts_the_function_fails_it_so_that_the_event_comes_again() {
    let policy = r#"{"require": {"http_tokens": "required"}, "on_violation": "terminate"}"#;
    let ec2 = Standin::start();
    let id = ec2.launch(launch(REGION).launched(seconds(0)));
    let run = function(&ec2, policy).invoke_with_timeout(&launched_one(&ec2, &id), seconds(5));
    assert!(
        failure(&run).contains(&id) && failure(&run).contains("grace_seconds"),
        "{}",
        failure(&run)
    );
    assert_eq!(ec2.changing_calls().len(), 0);
}

#[test]
fn drift_is_mended_and_never_terminated() {
    let ec2 = Standin::start();
    let id = ec2.launch(launch(REGION));
    let event = modified(&id, "mallory", &json!({ "HttpTokens": "optional" }));
    let run = function(&ec2, &without_grace("terminate")).invoke(&event);
    assert_eq!(report(&run)["trigger"], "metadata-change");
    assert_eq!(outcome(report(&run), &id), "enforced");
    assert_eq!(ec2.count("TerminateInstances"), 0);
}

#[test]
fn the_function_s_own_change_causes_no_action_and_no_call() {
    let ec2 = Standin::start();
    let id = ec2.launch(launch(REGION));
    let own = modified(
        &id,
        "enforcer",
        &json!({ "HttpTokens": "required", "HttpEndpoint": "enabled" }),
    );
    let run = function(&ec2, ENFORCE).invoke(&own);
    assert_eq!(report(&run)["trigger"], "metadata-change");
    assert_eq!(report(&run)["reason"], "the function's own change");
    assert_eq!(ec2.calls().len(), 0);
}

#[test]
fn a_session_with_the_function_s_name_cannot_hide_a_reopening() {
    let ec2 = Standin::start();
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
fn a_change_by_another_that_leaves_the_instance_compliant_costs_one_look() {
    let ec2 = Standin::start();
    let id = ec2.launch(launch(REGION).tokens("required"));
    let run = function(&ec2, ENFORCE).invoke(&modified(
        &id,
        "ada",
        &json!({ "HttpPutResponseHopLimit": 2 }),
    ));
    assert_eq!(outcome(report(&run), &id), "compliant");
    assert_eq!((ec2.count("DescribeInstances"), ec2.calls().len()), (1, 1));
}

#[test]
fn a_state_change_is_looked_at() {
    let ec2 = Standin::start();
    let function = function(&ec2, ENFORCE);
    for state in ["pending", "running"] {
        let id = ec2.launch(launch(REGION).state(state));
        let run = function.invoke(&state_changed(&id, state));
        assert_eq!(report(&run)["trigger"], "state-change");
        assert_eq!(outcome(report(&run), &id), "enforced");
    }
    ec2.forget_calls();
    let run = function.invoke(&state_changed("i-0123456789abcdef0", "stopped"));
    assert_eq!(report(&run)["trigger"], "ignored");
    assert_eq!(ec2.calls().len(), 0);
}
