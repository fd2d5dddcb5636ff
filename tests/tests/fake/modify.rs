//! ModifyInstanceMetadataOptions and the account's defaults.

use std::time::{Duration, Instant};

use imds_tests::{FakeAws, Settle, launch, wait_until};

use crate::REGION;
use crate::client::ec2;

#[test]
fn options_left_out_are_reset_if_a_test_wants_so() {
    let fake = FakeAws::start();
    let id = fake.launch(launch(REGION).hop_limit(5).ipv6("enabled"));
    fake.forget_options_left_out();
    let answer = ec2(&fake, REGION).modify(&id, &[("HttpTokens", "required")]);
    assert_eq!(answer.text("httpPutResponseHopLimit"), "1");
    let options = fake.instance(&id).options;
    assert_eq!(
        (options.tokens.as_str(), options.hop_limit, &*options.ipv6),
        ("required", 1, "disabled")
    );
}

#[test]
fn a_change_can_be_answered_and_discarded() {
    let fake = FakeAws::start();
    let id = fake.launch(launch(REGION));
    fake.discard_changes(&id);
    let answer = ec2(&fake, REGION).modify(&id, &[("HttpTokens", "required")]);
    answer.is_done();
    assert_eq!(answer.text("httpTokens"), "required");
    assert_eq!(fake.instance(&id).options, imds_tests::Options::default());
}

#[test]
fn changed_options_are_pending_first_and_applied_later() {
    let fake = FakeAws::start();
    let id = fake.launch(launch(REGION));
    let client = ec2(&fake, REGION);
    let state = || {
        let answer = client.with_ids("DescribeInstances", &[&id]);
        (answer.texts("state")[1].clone(), answer.text("httpTokens"))
    };
    let shown = |state: &str, tokens: &str| (state.to_owned(), tokens.to_owned());
    assert_eq!(
        client
            .modify(&id, &[("HttpTokens", "required")])
            .text("state"),
        "pending"
    );
    assert_eq!(fake.instance(&id).options.state, "pending");
    assert_eq!(
        [state(), state()],
        [shown("pending", "required"), shown("applied", "required")]
    );

    fake.set_applied(Settle::After(Duration::from_millis(500)));
    let changed = Instant::now();
    client.modify(&id, &[("HttpTokens", "optional")]).is_done();
    assert_eq!(
        [state(), state()],
        [shown("pending", "optional"), shown("pending", "optional")]
    );
    wait_until("the change", || state() == shown("applied", "optional"));
    assert!(changed.elapsed() >= Duration::from_millis(500));

    fake.set_applied(Settle::Now);
    assert_eq!(
        client
            .modify(&id, &[("HttpTokens", "required")])
            .text("state"),
        "pending"
    );
    assert_eq!(state(), shown("applied", "required"));
}

#[test]
fn a_new_instance_may_reject_changes_for_a_while() {
    let fake = FakeAws::start();
    let id = fake.launch(launch(REGION).state("pending").refuse_modify(2));
    let client = ec2(&fake, REGION);
    for _ in 0..2 {
        client
            .modify(&id, &[("HttpTokens", "required")])
            .is_rejected(400, "IncorrectInstanceState");
    }
    assert_eq!(fake.instance(&id).options.tokens, "optional");
    client.modify(&id, &[("HttpTokens", "required")]).is_done();
}

#[test]
fn the_old_api_requires_the_endpoint_with_the_tokens() {
    let fake = FakeAws::start();
    let id = fake.launch(launch(REGION));
    let client = ec2(&fake, REGION);
    fake.demand_endpoint();
    client
        .modify(&id, &[("HttpTokens", "required")])
        .is_rejected(400, "InvalidParameterValue");
    client
        .modify(&id, &[("HttpPutResponseHopLimit", "2")])
        .is_rejected(400, "InvalidParameterValue");
    client
        .modify(
            &id,
            &[("HttpTokens", "required"), ("HttpEndpoint", "disabled")],
        )
        .is_rejected(400, "InvalidParameterValue");
    client
        .modify(
            &id,
            &[("HttpTokens", "required"), ("HttpEndpoint", "enabled")],
        )
        .is_done();
    client
        .modify(&id, &[("InstanceMetadataTags", "enabled")])
        .is_done();
}

#[test]
fn metadata_tags_are_unsupported_in_some_partitions() {
    let fake = FakeAws::start();
    let id = fake.launch(launch("us-iso-east-1"));
    fake.refuse_metadata_tags("us-iso-east-1");
    let client = ec2(&fake, "us-iso-east-1");
    client
        .modify(&id, &[("InstanceMetadataTags", "disabled")])
        .is_rejected(400, "UnsupportedOperation");
    client.modify(&id, &[("HttpTokens", "required")]).is_done();
}

#[test]
fn a_managing_service_may_reject_every_change() {
    let fake = FakeAws::start();
    let id = fake.launch(
        launch(REGION)
            .managed_by("eks.amazonaws.com")
            .refuses_changes(),
    );
    let client = ec2(&fake, REGION);
    client
        .modify(&id, &[("HttpTokens", "required")])
        .is_rejected(400, "OperationNotPermitted");
    client
        .with_ids("TerminateInstances", &[&id])
        .is_rejected(400, "OperationNotPermitted");
    client
        .with_ids("StopInstances", &[&id])
        .is_rejected(400, "OperationNotPermitted");
    let changeable = fake.launch(launch(REGION).managed_by("eks.amazonaws.com"));
    client
        .modify(&changeable, &[("HttpTokens", "required")])
        .is_done();
}

#[test]
fn where_tokens_are_enforced_they_cannot_become_optional() {
    let fake = FakeAws::start();
    let id = fake.launch(launch(REGION));
    let elsewhere = fake.launch(launch("us-east-1"));
    fake.enforce_tokens(REGION);
    let client = ec2(&fake, REGION);
    client
        .modify(&id, &[("HttpTokens", "optional")])
        .is_rejected(400, "UnsupportedOperation");
    client
        .modify(&id, &[("HttpPutResponseHopLimit", "2")])
        .is_done();
    assert_eq!(
        fake.instance(&id).options.tokens,
        "optional",
        "running instances are left as they are"
    );
    ec2(&fake, "us-east-1")
        .modify(&elsewhere, &[("HttpTokens", "optional")])
        .is_done();
}
