//! Somebody changes the options of an instance that was compliant.

use std::thread::{scope, sleep};

use imds_tests::{FakeAws, Function, InjectedFault, binary, launch, wait_until};
use serde_json::{Value, json};

use crate::support::*;

const REJECTED: &str = "MetadataNoTokenRejected";

fn opened(id: &str) -> Value {
    modified(id, "mallory", &json!({ "HttpTokens": "optional" }))
}

fn old(ec2: &FakeAws) -> String {
    ec2.launch(launch(REGION).launched(seconds(90 * DAY)))
}

#[test]
fn drift_after_rejected_calls_is_reported_and_counted() {
    for on_violation in ["enforce", "stop", "terminate"] {
        let ec2 = FakeAws::start();
        let id = old(&ec2);
        ec2.datapoint(&id, REJECTED, ago(20 * HOUR), 30.0);
        ec2.datapoint(&id, REJECTED, ago(3 * HOUR), 12.0);
        let run = function(&ec2, &without_grace(on_violation)).invoke(&opened(&id));
        assert_eq!(
            done(report(&run), &id),
            ["reported", on_violation, "rejected_calls"]
        );
        assert_eq!(entry(report(&run), &id)["rejected_calls"]["calls"], 42);
        let why = reason(report(&run), &id);
        assert!(why.contains("42 calls without a token"), "{why}");
        assert_eq!(metric(&run, "RejectedCalls"), [1]);
        assert_eq!(ec2.changing_calls().len(), 0);
        assert_eq!(ec2.count("GetMetricData"), 1);
    }
}

#[test]
fn only_calls_of_the_24_hours_before_the_change_count() {
    let ec2 = FakeAws::start();
    let (before, after) = (old(&ec2), old(&ec2));
    ec2.datapoint(&before, REJECTED, ago(30 * HOUR), 30.0);
    ec2.datapoint(&after, REJECTED, ago(MINUTE), 30.0);
    let function = function(&ec2, ENFORCE);
    for id in [&before, &after] {
        let run = function.invoke(&happened(opened(id), ago(2 * HOUR)));
        assert_eq!(done(report(&run), id), ["enforced", "", ""]);
        assert_eq!(metric(&run, "RejectedCalls"), [] as [Value; 0]);
    }
}

#[test]
fn drift_of_an_old_instance_is_enforced_even_where_imdsv1_is_in_use() {
    for (on_violation, expected) in [
        ("enforce", ["enforced", "", ""]),
        ("stop", ["enforced", "stop", "drift"]),
        ("terminate", ["enforced", "terminate", "drift"]),
    ] {
        let ec2 = FakeAws::start();
        let id = old(&ec2);
        in_use(&ec2, &id);
        let run = function(&ec2, &without_grace(on_violation)).invoke(&opened(&id));
        assert_eq!(done(report(&run), &id), expected);
        assert_eq!(ec2.instance(&id).options.tokens, "required");
        assert_eq!(ec2.instance(&id).state, "running");
    }
}

/// Its owner keeps `optional`, and has changed something else.
#[test]
fn a_change_that_caused_no_violation_only_says_where_to_look() {
    let ec2 = FakeAws::start();
    let (busy, quiet) = (old(&ec2), old(&ec2));
    in_use(&ec2, &busy);
    unused(&ec2, &quiet);
    let function = function(&ec2, ENFORCE);
    for (id, expected) in [
        (&busy, ["reported", "enforce", "in_use"]),
        (&quiet, ["enforced", "", ""]),
    ] {
        ec2.set_options(id, |options| options.hop_limit = 2);
        let set = json!({ "HttpPutResponseHopLimit": 2 });
        let run = function.invoke(&modified(id, "ada", &set));
        assert_eq!(done(report(&run), id), expected);
    }
}

#[test]
fn drift_is_enforced_where_cloudwatch_does_not_answer() {
    let ec2 = FakeAws::start();
    let id = old(&ec2);
    ec2.fault(InjectedFault::unauthorized().action("GetMetricData"));
    let run = function(&ec2, ENFORCE).invoke(&opened(&id));
    assert_eq!(done(report(&run), &id), ["enforced", "", ""]);
}

#[test]
fn a_change_that_ec2_does_not_show_yet_is_looked_at_again() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION).tokens("required"));
    let event = opened(&id);
    let function = function(&ec2, ENFORCE);
    let run = scope(|scope| {
        let run = scope.spawn(|| function.invoke(&event));
        wait_until("the first description", || {
            ec2.count("DescribeInstances") > 0
        });
        sleep(seconds(2));
        ec2.set_options(&id, |options| options.tokens = "optional".to_owned());
        run.join().unwrap()
    });
    assert_eq!(done(report(&run), &id), ["enforced", "", ""]);
    assert_eq!(ec2.instance(&id).options.tokens, "required");
    assert_eq!(ec2.count("DescribeInstances"), 2);
}

#[test]
fn a_change_that_was_corrected_since_is_compliant() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION).tokens("required"));
    let function = function(&ec2, ENFORCE);
    let run = function.invoke(&opened(&id));
    assert_eq!(outcome(report(&run), &id), "compliant");
    assert_eq!((ec2.count("DescribeInstances"), ec2.calls().len()), (2, 2));
    ec2.forget_calls();
    let run = function.invoke(&happened(opened(&id), ago(HOUR)));
    assert_eq!(outcome(report(&run), &id), "compliant");
    assert_eq!(ec2.calls().len(), 1);
}

#[test]
fn only_the_function_s_own_role_makes_its_own_changes() {
    let ec2 = FakeAws::start();
    let function = Function::builder(binary("enforcer"))
        .fake(&ec2)
        .policy(ENFORCE)
        .env("IMDS_ROLE_ARN", ROLE)
        .start();
    let issued = |id: &str, role: &str, options: &Value| {
        let mut event = modified_by_function(id, options);
        event["detail"]["userIdentity"]["sessionContext"]["sessionIssuer"]["arn"] = json!(role);
        event
    };
    let required = json!({ "HttpTokens": "required" });
    let id = ec2.launch(launch(REGION));
    let run = function.invoke(&issued(&id, ROLE, &required));
    assert_eq!(report(&run)["instances"], json!([]));
    assert_eq!(ec2.calls().len(), 0);
    let others = [
        issued(
            &id,
            "arn:aws:iam::111122223333:role/other/enforcer",
            &required,
        ),
        issued(&id, "arn:aws:iam::999988887777:role/enforcer", &required),
        modified(&id, "enforcer", &required),
        // What the policy would not set is nobody's own.
        issued(&id, ROLE, &json!({ "HttpTokens": "optional" })),
        issued(&id, ROLE, &json!({ "HttpEndpoint": "enabled" })),
    ];
    for event in others {
        ec2.set_options(&id, |options| options.tokens = "optional".to_owned());
        let run = function.invoke(&event);
        assert_eq!(outcome(report(&run), &id), "enforced", "{event}");
    }
}

#[test]
fn without_the_variable_for_its_role_the_function_recognises_no_change_as_its_own() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION).tokens("required"));
    let event = modified_by_function(&id, &json!({ "HttpTokens": "required" }));
    let run = function(&ec2, ENFORCE).invoke(&event);
    assert_eq!(outcome(report(&run), &id), "compliant");
    assert_eq!(ec2.calls().len(), 1);
}
