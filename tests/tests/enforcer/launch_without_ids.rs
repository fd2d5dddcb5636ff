//! Launches whose ids CloudTrail left out of the record.

use imds_tests::{FakeAws, Settle, launch};

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
