//! ModifyInstanceMetadataOptions and the account's defaults.

use std::time::{Duration, Instant};

use imds_tests::{Defaults, FakeAws, Settle, launch, wait_until};

use crate::REGION;
use crate::client::ec2;

#[test]
fn options_left_out_are_kept() {
    let fake = FakeAws::start();
    let id = fake.launch(
        launch(REGION)
            .hop_limit(5)
            .ipv6("enabled")
            .metadata_tags("enabled"),
    );
    let before = fake.instance(&id).options;
    let answer = ec2(&fake, REGION).modify(&id, &[("HttpTokens", "required")]);
    answer.is_done();
    assert_eq!(answer.text("httpPutResponseHopLimit"), "5");
    let after = fake.instance(&id).options;
    assert_eq!((after.tokens.as_str(), after.hop_limit), ("required", 5));
    assert_eq!(
        (after.ipv6, after.metadata_tags, after.endpoint),
        (before.ipv6, before.metadata_tags, before.endpoint)
    );
}

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
fn a_disabled_endpoint_stays_disabled() {
    let fake = FakeAws::start();
    let id = fake.launch(launch(REGION).endpoint("disabled"));
    ec2(&fake, REGION)
        .modify(&id, &[("HttpTokens", "required")])
        .is_done();
    assert_eq!(fake.instance(&id).options.endpoint, "disabled");
}

#[test]
fn every_option_can_be_set() {
    let fake = FakeAws::start();
    let id = fake.launch(launch(REGION));
    let params = [
        ("HttpTokens", "required"),
        ("HttpEndpoint", "disabled"),
        ("HttpPutResponseHopLimit", "64"),
        ("HttpProtocolIpv6", "enabled"),
        ("InstanceMetadataTags", "enabled"),
    ];
    ec2(&fake, REGION).modify(&id, &params).is_done();
    let options = fake.instance(&id).options;
    assert_eq!(
        (
            options.tokens.as_str(),
            options.endpoint.as_str(),
            options.hop_limit
        ),
        ("required", "disabled", 64)
    );
    assert_eq!(
        (options.ipv6.as_str(), options.metadata_tags.as_str()),
        ("enabled", "enabled")
    );
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
fn invalid_values_are_rejected() {
    let fake = FakeAws::start();
    let id = fake.launch(launch(REGION));
    let client = ec2(&fake, REGION);
    let values = [
        ("HttpTokens", "no-preference"),
        ("HttpTokens", "Required"),
        ("HttpEndpoint", "on"),
        ("HttpPutResponseHopLimit", "0"),
        ("HttpPutResponseHopLimit", "65"),
        ("HttpPutResponseHopLimit", "two"),
        ("HttpProtocolIpv6", ""),
        ("InstanceMetadataTags", "true"),
    ];
    for value in values {
        client
            .modify(&id, &[value])
            .is_rejected(400, "InvalidParameterValue");
    }
    client.modify(&id, &[]).is_rejected(400, "MissingParameter");
    client
        .call(
            "ModifyInstanceMetadataOptions",
            &[("HttpTokens", "required")],
        )
        .is_rejected(400, "MissingParameter");
    client
        .modify(&id, &[("HttpToken", "required")])
        .is_rejected(400, "UnknownParameter");
    assert_eq!(fake.instance(&id).options, imds_tests::Options::default());
}

#[test]
fn a_dry_run_changes_nothing() {
    let fake = FakeAws::start();
    let id = fake.launch(launch(REGION));
    let answer = ec2(&fake, REGION).modify(&id, &[("HttpTokens", "required"), ("DryRun", "true")]);
    answer.is_rejected(412, "DryRunOperation");
    assert_eq!(fake.instance(&id).options.tokens, "optional");
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
fn terminated_instances_reject_changes() {
    let fake = FakeAws::start();
    let client = ec2(&fake, REGION);
    for (state, accepts) in [
        ("running", true),
        ("stopped", true),
        ("pending", true),
        ("shutting-down", false),
        ("terminated", false),
    ] {
        let id = fake.launch(launch(REGION).state(state));
        let answer = client.modify(&id, &[("HttpTokens", "required")]);
        if accepts {
            answer.is_done();
        } else {
            answer.is_rejected(400, "IncorrectInstanceState");
        }
    }
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

#[test]
fn defaults_are_read_and_written() {
    let fake = FakeAws::start();
    let client = ec2(&fake, REGION);
    let get = || client.call("GetInstanceMetadataDefaults", &[]);
    assert!(
        get()
            .body
            .contains("<accountLevel><managedBy>account</managedBy></accountLevel>")
    );
    let params = [
        ("HttpTokens", "required"),
        ("HttpPutResponseHopLimit", "2"),
        ("HttpTokensEnforced", "enabled"),
    ];
    assert_eq!(
        client
            .call("ModifyInstanceMetadataDefaults", &params)
            .text("return"),
        "true"
    );
    assert_eq!(
        (
            get().text("httpTokens"),
            get().text("httpPutResponseHopLimit")
        ),
        ("required".into(), "2".into())
    );
    assert_eq!(get().text("httpTokensEnforced"), "enabled");
    let params = [
        ("HttpTokens", "no-preference"),
        ("HttpPutResponseHopLimit", "-1"),
    ];
    client
        .call("ModifyInstanceMetadataDefaults", &params)
        .is_done();
    assert_eq!(
        (
            get().texts("httpTokens").len(),
            get().texts("httpPutResponseHopLimit").len()
        ),
        (0, 0)
    );
    assert_eq!(get().text("httpTokensEnforced"), "enabled");
    for bad in [
        ("HttpTokens", "yes"),
        ("HttpPutResponseHopLimit", "0"),
        ("HttpEndpoint", ""),
    ] {
        client
            .call("ModifyInstanceMetadataDefaults", &[bad])
            .is_rejected(400, "InvalidParameterValue");
    }
}

#[test]
fn defaults_of_a_declarative_policy_cannot_be_changed() {
    let fake = FakeAws::start();
    let managed_by = Some("declarative-policy".to_owned());
    fake.set_defaults(
        REGION,
        Defaults {
            managed_by,
            tokens: Some("required".to_owned()),
            ..Defaults::default()
        },
    );
    let client = ec2(&fake, REGION);
    client
        .call(
            "ModifyInstanceMetadataDefaults",
            &[("HttpTokens", "optional")],
        )
        .is_rejected(400, "DeclarativePolicyViolation");
    let defaults = client.call("GetInstanceMetadataDefaults", &[]);
    assert_eq!(
        (defaults.text("managedBy"), defaults.text("httpTokens")),
        ("declarative-policy".into(), "required".into())
    );
}
