//! Dry runs: they are rejected as the call would be, or with `DryRunOperation`, and change nothing.

use imds_tests::{Defaults, FakeAws, InjectedFault, Settle, launch};

use crate::REGION;
use crate::client::{HttpAnswer, ec2};

fn dry(fake: &FakeAws, action: &str, params: &[(&str, &str)]) -> HttpAnswer {
    let params: Vec<_> = params.iter().copied().chain([("DryRun", "true")]).collect();
    ec2(fake, REGION).call(action, &params)
}

#[test]
fn a_dry_run_changes_no_options() {
    let fake = FakeAws::start();
    fake.set_applied(Settle::Never);
    let id = fake.launch(launch(REGION));
    let before = fake.instance(&id);
    let modify = |params: &[(&str, &str)]| {
        let id = [("InstanceId", id.as_str())];
        let params: Vec<_> = id.into_iter().chain(params.iter().copied()).collect();
        dry(&fake, "ModifyInstanceMetadataOptions", &params)
    };
    modify(&[("HttpTokens", "required")]).is_rejected(412, "DryRunOperation");
    assert_eq!(fake.instance(&id), before);
    modify(&[]).is_rejected(400, "MissingParameter");
    modify(&[("HttpTokens", "v2")]).is_rejected(400, "InvalidParameterValue");
    fake.enforce_tokens(REGION);
    modify(&[("HttpTokens", "optional")]).is_rejected(400, "UnsupportedOperation");
    fake.set_state(&id, "terminated");
    modify(&[("HttpTokens", "required")]).is_rejected(400, "IncorrectInstanceState");
    assert!(fake.changing_calls().is_empty());
    assert_eq!(fake.count("ModifyInstanceMetadataOptions"), 5);
}

#[test]
fn a_dry_run_is_rejected_without_permission() {
    let fake = FakeAws::start();
    let id = fake.launch(launch(REGION));
    fake.fault(InjectedFault::unauthorized().action("ModifyInstanceMetadataOptions"));
    let params = [("InstanceId", id.as_str()), ("HttpTokens", "required")];
    dry(&fake, "ModifyInstanceMetadataOptions", &params).is_rejected(403, "UnauthorizedOperation");
}

#[test]
fn a_dry_run_does_not_count_as_a_rejected_change() {
    let fake = FakeAws::start();
    let id = fake.launch(launch(REGION).refuse_modify(1));
    let params = [("InstanceId", id.as_str()), ("HttpTokens", "required")];
    for _ in 0..2 {
        dry(&fake, "ModifyInstanceMetadataOptions", &params)
            .is_rejected(400, "IncorrectInstanceState");
    }
    let client = ec2(&fake, REGION);
    let modify = || client.modify(&id, &[("HttpTokens", "required")]);
    modify().is_rejected(400, "IncorrectInstanceState");
    modify().is_done();
}

#[test]
fn a_dry_run_changes_no_defaults() {
    let fake = FakeAws::start();
    let action = "ModifyInstanceMetadataDefaults";
    let set = [
        ("HttpTokens", "required"),
        ("HttpTokensEnforced", "enabled"),
    ];
    dry(&fake, action, &set).is_rejected(412, "DryRunOperation");
    let shown = ec2(&fake, REGION).call("GetInstanceMetadataDefaults", &[]);
    assert!(shown.texts("httpTokens").is_empty(), "{}", shown.body);
    assert!(shown.texts("httpTokensEnforced").is_empty());
    let bad = [("HttpPutResponseHopLimit", "65")];
    dry(&fake, action, &bad).is_rejected(400, "InvalidParameterValue");
    let governed = Defaults {
        managed_by: Some("declarative-policy".to_owned()),
        ..Defaults::default()
    };
    fake.set_defaults(REGION, governed);
    dry(&fake, action, &set).is_rejected(400, "DeclarativePolicyViolation");
}

#[test]
fn a_dry_run_shows_no_instances() {
    let fake = FakeAws::start();
    let id = fake.launch(launch(REGION));
    let describe = |params: &[(&str, &str)]| dry(&fake, "DescribeInstances", params);
    let answer = describe(&[]);
    answer.is_rejected(412, "DryRunOperation");
    assert!(!answer.body.contains(&id));
    describe(&[("MaxResults", "4")]).is_rejected(400, "InvalidParameterValue");
    describe(&[("InstanceId.1", "i-0123456789abcdef0")])
        .is_rejected(400, "InvalidInstanceID.NotFound");
    describe(&[("InstanceId.1", &id)]).is_rejected(412, "DryRunOperation");
}
