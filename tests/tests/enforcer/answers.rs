//! Answers that are cut, odd or not understood: nothing is taken for compliant, and nothing is lost.

use imds_tests::{Fault, Standin, launch};
use serde_json::json;

use crate::support::*;

/// Puts a word where EC2 writes the number of hops.
fn garble(ec2: &Standin, id: &str) {
    ec2.garble(
        id,
        "<httpPutResponseHopLimit>1<",
        "<httpPutResponseHopLimit>many<",
    );
}

#[test]
fn one_odd_value_keeps_no_other_instance_of_a_launch_from_being_handled() {
    let ec2 = Standin::start();
    let ids = ec2.launch_many(launch(REGION), 5);
    let odd = &ids[2];
    garble(&ec2, odd);
    let run = function(&ec2, ENFORCE).invoke(&launched_ids(&ec2, &ids));
    assert!(failure(&run).contains(odd), "{run:?}");
    let report = logged_report(&run);
    assert_eq!(outcome(&report, odd), "failed");
    let reason = of(&report, odd)["reason"].as_str().unwrap();
    assert!(reason.contains("could not be read"), "{reason}");
    assert_eq!(
        (&report["summary"]["enforced"], &report["summary"]["failed"]),
        (&json!(4), &json!(1))
    );
    let open = |id: &&String| ec2.instance(id).options.tokens == "optional";
    assert_eq!(ids.iter().filter(open).collect::<Vec<_>>(), [odd]);
}

#[test]
fn one_odd_value_keeps_no_instance_of_a_launch_without_ids_from_being_found() {
    let ec2 = Standin::start();
    let ids = ec2.launch_many(launch(REGION).client_token("token"), 60);
    let odd = &ids[59];
    garble(&ec2, odd);
    let run = function(&ec2, ENFORCE).invoke(&cut(REGION, Some("token"), 60));
    let report = logged_report(&run);
    assert_eq!(outcome(&report, odd), "failed");
    assert_eq!(
        (&report["summary"]["enforced"], &report["summary"]["failed"]),
        (&json!(59), &json!(1))
    );
}

#[test]
fn one_odd_value_hides_no_other_instance_from_a_sweep() {
    let ec2 = Standin::start();
    ec2.set_regions(&[REGION]);
    let ids = ec2.launch_many(launch(REGION), 30);
    let right = ec2.launch(launch(REGION).tokens("required"));
    garble(&ec2, &ids[7]);
    garble(&ec2, &right);
    let policy = json!({
        "require": { "http_tokens": "required" }, "on_violation": "enforce",
        "existing": { "unknown": "enforce" }
    });
    let sweep = json!({ "source": "imds-enforcer", "detail-type": "Sweep", "detail": {} });
    let run = function(&ec2, &policy.to_string()).invoke(&sweep);
    let report = logged_report(&run);
    for odd in [&ids[7], &right] {
        assert_eq!(outcome(&report, odd), "failed");
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
fn a_stop_or_termination_whose_answer_was_cut_is_looked_at_and_not_taken_for_undone() {
    for (on_violation, action, ended, state) in [
        ("stop", "StopInstances", "stopped", "stopping"),
        (
            "terminate",
            "TerminateInstances",
            "terminated",
            "shutting-down",
        ),
    ] {
        let ec2 = Standin::start();
        let ids = ec2.launch_many(launch(REGION), 3);
        ec2.fault(Fault::malformed().action(action));
        let run = function(&ec2, &without_grace(on_violation)).invoke(&launched_ids(&ec2, &ids));
        assert_eq!(report(&run)["summary"][ended], json!(3), "{action}");
        assert_eq!(ec2.count(action), 1);
        for id in &ids {
            let now = ec2.instance(id).state;
            assert!(now == state || now == ended, "{now}");
        }
    }
}

#[test]
fn a_termination_that_was_not_done_and_not_answered_is_enforced_instead() {
    let ec2 = Standin::start();
    let id = ec2.launch(launch(REGION));
    ec2.fault(Fault::reset().action("TerminateInstances"));
    let run = function(&ec2, &without_grace("terminate")).invoke(&launched_one(&ec2, &id));
    assert_eq!(outcome(report(&run), &id), "enforced");
    assert_eq!(ec2.instance(&id).state, "running");
}

#[test]
fn an_instance_that_is_stopped_is_not_taken_for_terminated() {
    let ec2 = Standin::start();
    let id = ec2.launch(launch(REGION));
    ec2.set_state(&id, "stopped");
    ec2.fault(Fault::reset().action("TerminateInstances"));
    let run = function(&ec2, &without_grace("terminate")).invoke(&launched_one(&ec2, &id));
    assert_eq!(outcome(report(&run), &id), "enforced");
    assert_eq!(ec2.instance(&id).options.tokens, "required");
}
