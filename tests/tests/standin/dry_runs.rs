//! Dry runs: refused as the call would be, else `DryRunOperation`; nothing changes.

use imds_tests::{Defaults, Fault, Settle, Standin, launch};

use crate::REGION;
use crate::client::{Answer, ec2};

fn dry(standin: &Standin, action: &str, params: &[(&str, &str)]) -> Answer {
    let params: Vec<_> = params.iter().copied().chain([("DryRun", "true")]).collect();
    ec2(standin, REGION).call(action, &params)
}

#[test]
fn a_dry_run_changes_no_options() {
    let standin = Standin::start();
    standin.set_applied(Settle::Never);
    let id = standin.launch(launch(REGION));
    let before = standin.instance(&id);
    let modify = |params: &[(&str, &str)]| {
        let id = [("InstanceId", id.as_str())];
        let params: Vec<_> = id.into_iter().chain(params.iter().copied()).collect();
        dry(&standin, "ModifyInstanceMetadataOptions", &params)
    };
    modify(&[("HttpTokens", "required")]).is_refused(412, "DryRunOperation");
    assert_eq!(standin.instance(&id), before);
    modify(&[]).is_refused(400, "MissingParameter");
    modify(&[("HttpTokens", "v2")]).is_refused(400, "InvalidParameterValue");
    standin.enforce_tokens(REGION);
    modify(&[("HttpTokens", "optional")]).is_refused(400, "UnsupportedOperation");
    standin.set_state(&id, "terminated");
    modify(&[("HttpTokens", "required")]).is_refused(400, "IncorrectInstanceState");
    assert!(standin.changing_calls().is_empty());
    assert_eq!(standin.count("ModifyInstanceMetadataOptions"), 5);
}

#[test]
fn a_dry_run_is_refused_where_the_right_is_missing() {
    let standin = Standin::start();
    let id = standin.launch(launch(REGION));
    standin.fault(Fault::unauthorised().action("ModifyInstanceMetadataOptions"));
    let params = [("InstanceId", id.as_str()), ("HttpTokens", "required")];
    dry(&standin, "ModifyInstanceMetadataOptions", &params)
        .is_refused(403, "UnauthorizedOperation");
}

#[test]
fn a_dry_run_wears_no_refusal_out() {
    let standin = Standin::start();
    let id = standin.launch(launch(REGION).refuse_modify(1));
    let params = [("InstanceId", id.as_str()), ("HttpTokens", "required")];
    for _ in 0..2 {
        dry(&standin, "ModifyInstanceMetadataOptions", &params)
            .is_refused(400, "IncorrectInstanceState");
    }
    let client = ec2(&standin, REGION);
    let modify = || client.modify(&id, &[("HttpTokens", "required")]);
    modify().is_refused(400, "IncorrectInstanceState");
    modify().is_done();
}

#[test]
fn a_dry_run_changes_no_defaults() {
    let standin = Standin::start();
    let action = "ModifyInstanceMetadataDefaults";
    let set = [
        ("HttpTokens", "required"),
        ("HttpTokensEnforced", "enabled"),
    ];
    dry(&standin, action, &set).is_refused(412, "DryRunOperation");
    let shown = ec2(&standin, REGION).call("GetInstanceMetadataDefaults", &[]);
    assert!(shown.texts("httpTokens").is_empty(), "{}", shown.body);
    assert!(shown.texts("httpTokensEnforced").is_empty());
    let bad = [("HttpPutResponseHopLimit", "65")];
    dry(&standin, action, &bad).is_refused(400, "InvalidParameterValue");
    let governed = Defaults {
        managed_by: Some("declarative-policy".to_owned()),
        ..Defaults::default()
    };
    standin.set_defaults(REGION, governed);
    dry(&standin, action, &set).is_refused(400, "DeclarativePolicyViolation");
}

#[test]
fn a_dry_run_shows_no_instances() {
    let standin = Standin::start();
    let id = standin.launch(launch(REGION));
    let describe = |params: &[(&str, &str)]| dry(&standin, "DescribeInstances", params);
    let answer = describe(&[]);
    answer.is_refused(412, "DryRunOperation");
    assert!(!answer.body.contains(&id));
    describe(&[("MaxResults", "4")]).is_refused(400, "InvalidParameterValue");
    describe(&[("InstanceId.1", "i-0123456789abcdef0")])
        .is_refused(400, "InvalidInstanceID.NotFound");
    describe(&[("InstanceId.1", &id)]).is_refused(412, "DryRunOperation");
}
