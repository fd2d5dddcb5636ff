//! No call asks for less protection, however long it has waited.

use std::thread::scope;

use imds_tests::{FakeAws, Function, binary, launch, wait_until};

use crate::support::*;

#[test]
fn endpoints_that_owners_disable_while_calls_wait_stay_disabled() {
    let ec2 = FakeAws::start();
    ec2.set_rate("ModifyInstanceMetadataOptions", 5.0, 5.0);
    let ids = ec2.launch_many(launch(REGION), 40);
    let event = launched_ids(&ec2, &ids);
    let function = function(&ec2, ENFORCE);
    let is_open = |id: &&String| ec2.instance(id).options.tokens == "optional";
    let (disabled, run) = scope(|scope| {
        let run = scope.spawn(|| function.invoke(&event));
        wait_until("the first changes", || ids.iter().any(|id| !is_open(&id)));
        let disabled: Vec<&String> = ids.iter().filter(is_open).take(27).collect();
        for id in &disabled {
            ec2.set_options(id, |options| options.endpoint = "disabled".to_owned());
        }
        (disabled, run.join().unwrap())
    });
    assert_eq!(disabled.len(), 27);
    for id in disabled {
        let options = ec2.instance(id).options;
        let now = (options.endpoint.as_str(), options.tokens.as_str());
        assert_eq!(now, ("disabled", "required"));
    }
    assert_eq!(report(&run)["summary"]["enforced"], 40);
    assert_eq!(ec2.widening_calls().len(), 0);
}

#[test]
fn a_policy_that_requires_an_enabled_endpoint_is_refused() {
    let ec2 = FakeAws::start();
    let policy = r#"{"version": 1, "require": {"http_tokens": "required", "http_endpoint": "enabled"},
        "on_violation": "enforce"}"#;
    let function = Function::builder(binary("enforcer"))
        .fake(&ec2)
        .policy(policy)
        .start();
    let message = function.init_error().unwrap().error_message;
    assert!(message.contains("$.require.http_endpoint"), "{message}");
}

#[test]
fn an_endpoint_that_must_be_disabled_is_disabled() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION));
    let policy =
        r#"{"version": 1, "require": {"http_endpoint": "disabled"}, "on_violation": "enforce"}"#;
    let run = function(&ec2, policy).invoke(&launched_one(&ec2, &id));
    assert_eq!(done(report(&run), &id), ["enforced", "", ""]);
    assert_eq!(ec2.instance(&id).options.endpoint, "disabled");
    assert_eq!(ec2.instance(&id).options.tokens, "optional");
    assert_eq!(ec2.widening_calls().len(), 0);
}
