//! Instances that AWS services manage: hidden unless asked for, and perhaps not to be changed.

use imds_tests::{FakeAws, LaunchBuilder, launch};

use crate::support::*;

const EKS: &str = "eks.amazonaws.com";

fn node() -> LaunchBuilder {
    launch(REGION).managed_by(EKS)
}

#[test]
fn a_hidden_instance_is_found_by_every_event() {
    for event in 0..5 {
        let ec2 = FakeAws::start();
        let id = ec2.launch(node().client_token("token-9"));
        let event = [
            launched_one(&ec2, &id),
            cut(REGION, Some("token-9"), 1),
            state_changed(&id, "running"),
            started(&[&id]),
            sweep(&[REGION]),
        ][event]
            .clone();
        let run = function(&ec2, ENFORCE).invoke(&event);
        assert_eq!(done(report(&run), &id), ["enforced", "", ""], "{event}");
        for describe in ec2.calls_to("DescribeInstances") {
            assert_eq!(describe.param("IncludeManagedResources"), Some("true"));
        }
    }
}

#[test]
fn an_endpoint_that_does_not_know_managed_instances_is_asked_without_them() {
    let ec2 = FakeAws::start();
    ec2.refuse_include_managed_resources(REGION);
    let function = function(&ec2, ENFORCE);
    let first = ec2.launch(launch(REGION));
    let run = function.invoke(&launched_one(&ec2, &first));
    assert_eq!(done(report(&run), &first), ["enforced", "", ""]);
    assert_eq!(ec2.count("DescribeInstances"), 2);
    ec2.forget_calls();
    let missed = ec2.launch(node());
    let run = function.invoke(&sweep(&[REGION]));
    assert_eq!(done(report(&run), &missed), ["enforced", "", ""]);
    assert_eq!(ec2.count("DescribeInstances"), 1);
}

#[test]
fn what_a_managing_service_refuses_is_reported_with_its_name_and_fails_nothing() {
    type Refuses = fn(LaunchBuilder) -> LaunchBuilder;
    let refusals: [Refuses; 2] = [
        LaunchBuilder::denies_changes,
        LaunchBuilder::refuses_changes,
    ];
    for refuses in refusals {
        for on_violation in ["enforce", "stop", "terminate"] {
            let ec2 = FakeAws::start();
            let id = ec2.launch(refuses(node()));
            let other = ec2.launch(launch(REGION).tokens("required"));
            let function = function(&ec2, &without_grace(on_violation));
            let events = [
                launched_ids(&ec2, &[id.clone(), other]),
                state_changed(&id, "running"),
                sweep(&[REGION]),
            ];
            for event in events.iter().cycle().take(6) {
                let run = function.invoke(event);
                assert_eq!(
                    done(report(&run), &id),
                    ["reported", on_violation, "managed"]
                );
                let why = reason(report(&run), &id);
                assert!(why.contains("`eks.amazonaws.com`"), "{why}");
                assert_eq!(report(&run)["summary"]["failed"], 0);
            }
            assert_eq!(ec2.disruptions(), []);
        }
    }
}

#[test]
fn what_nobody_manages_and_may_not_be_changed_fails_the_function() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION).denies_changes());
    let run = function(&ec2, ENFORCE).invoke(&launched_one(&ec2, &id));
    let error = failure(&run);
    assert!(error.contains("explicit deny"), "{error}");
    assert!(!error.contains("Encoded authorization"), "{error}");
}
