//! Truncated and malformed answers: no instance counts as compliant or is lost because of them.

use imds_tests::{FakeAws, InjectedFault, launch};
use serde_json::json;

use crate::support::*;

/// Replaces the hop limit by a word.
fn garble(ec2: &FakeAws, id: &str) {
    ec2.garble(
        id,
        "<httpPutResponseHopLimit>1<",
        "<httpPutResponseHopLimit>many<",
    );
}

#[test]
fn a_malformed_value_does_not_affect_the_other_instances_of_a_launch() {
    let ec2 = FakeAws::start();
    let ids = ec2.launch_many(launch(REGION), 5);
    let malformed = &ids[2];
    garble(&ec2, malformed);
    let run = function(&ec2, ENFORCE).invoke(&launched_ids(&ec2, &ids));
    assert!(failure(&run).contains(malformed), "{run:?}");
    let report = logged_report(&run);
    assert_eq!(outcome(&report, malformed), "failed");
    let reason = entry(&report, malformed)["reason"].as_str().unwrap();
    assert!(reason.contains("could not be read"), "{reason}");
    assert_eq!(
        (&report["summary"]["enforced"], &report["summary"]["failed"]),
        (&json!(4), &json!(1))
    );
    let open = |id: &&String| ec2.instance(id).options.tokens == "optional";
    assert_eq!(ids.iter().filter(open).collect::<Vec<_>>(), [malformed]);
}

#[test]
fn a_malformed_value_does_not_affect_the_search_for_a_launch_without_ids() {
    let ec2 = FakeAws::start();
    let ids = ec2.launch_many(launch(REGION).client_token("token"), 60);
    let malformed = &ids[59];
    garble(&ec2, malformed);
    let run = function(&ec2, ENFORCE).invoke(&cut(REGION, Some("token"), 60));
    let report = logged_report(&run);
    assert_eq!(outcome(&report, malformed), "failed");
    assert_eq!(
        (&report["summary"]["enforced"], &report["summary"]["failed"]),
        (&json!(59), &json!(1))
    );
}

#[test]
fn a_malformed_value_does_not_hide_other_instances_from_a_sweep() {
    let ec2 = FakeAws::start();
    ec2.set_regions(&[REGION]);
    let ids = ec2.launch_many(launch(REGION), 30);
    let compliant = ec2.launch(launch(REGION).tokens("required"));
    garble(&ec2, &ids[7]);
    garble(&ec2, &compliant);
    let policy = enforcing(json!({ "unknown": "enforce" }));
    let run = function(&ec2, &policy).invoke(&sweep(&[]));
    let report = logged_report(&run);
    for malformed in [&ids[7], &compliant] {
        assert_eq!(outcome(&report, malformed), "failed");
    }
    assert_eq!(
        (
            &report["summary"]["enforced"],
            &report["summary"]["failed"],
            &report["summary"]["compliant"]
        ),
        (&json!(29), &json!(2), &json!(0))
    );
}

#[test]
fn a_stop_or_termination_whose_answer_is_truncated_is_verified() {
    for (on_violation, action, outcome_word, state) in [
        ("stop", "StopInstances", "stopped", "stopping"),
        (
            "terminate",
            "TerminateInstances",
            "terminated",
            "shutting-down",
        ),
    ] {
        let ec2 = FakeAws::start();
        let ids = ec2.launch_many(launch(REGION), 3);
        ec2.fault(InjectedFault::malformed().action(action));
        let run = function(&ec2, &without_grace(on_violation)).invoke(&launched_ids(&ec2, &ids));
        assert_eq!(report(&run)["summary"][outcome_word], json!(3), "{action}");
        assert_eq!(ec2.count(action), 1);
        for id in &ids {
            let now = ec2.instance(id).state;
            assert!(now == state || now == outcome_word, "{now}");
        }
    }
}

#[test]
fn an_instance_is_enforced_if_its_termination_had_no_effect_and_no_answer() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION));
    ec2.fault(InjectedFault::reset().action("TerminateInstances"));
    let run = function(&ec2, &without_grace("terminate")).invoke(&launched_one(&ec2, &id));
    assert_eq!(outcome(report(&run), &id), "enforced");
    assert_eq!(ec2.instance(&id).state, "running");
}

#[test]
fn a_stopped_instance_does_not_count_as_terminated() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION));
    ec2.set_state(&id, "stopped");
    ec2.fault(InjectedFault::reset().action("TerminateInstances"));
    let run = function(&ec2, &without_grace("terminate")).invoke(&launched_one(&ec2, &id));
    assert_eq!(outcome(report(&run), &id), "enforced");
    assert_eq!(ec2.instance(&id).options.tokens, "required");
}

/// Otherwise the function could not say which instance is left.
#[test]
fn a_malformed_id_leaves_a_sweep_and_a_search_incomplete() {
    for event in [sweep(&[REGION]), cut(REGION, Some("token"), 1)] {
        let ec2 = FakeAws::start();
        ec2.set_regions(&[REGION]);
        let ids = ec2.launch_many(launch(REGION).client_token("token"), 2);
        let id = format!("<instanceId>{}<", ids[0]);
        ec2.garble(&ids[0], &id, "<instanceId>x-12345678<");
        let policy = enforcing(json!({ "unknown": "enforce" }));
        let run = function(&ec2, &policy).invoke(&event);
        let report = logged_report(&run);
        assert_eq!(outcome(&report, &ids[1]), "enforced");
        let unreachable = &report["unreachable"][0];
        assert_eq!(unreachable["fatal"], true);
        let error = unreachable["error"].as_str().unwrap();
        assert!(error.contains("`x-12345678` could not be read"), "{error}");
    }
}
