//! Regions, the caller, tags and attributes.

use imds_tests::{FakeAws, launch};

use crate::REGION;
use crate::client::{ec2, sts};

#[test]
fn a_closed_region_answers_like_invalid_credentials() {
    let fake = FakeAws::start();
    fake.opt_out("eu-west-3", "OptInRequired");
    let call = |region: &str| ec2(&fake, region).call("DescribeInstances", &[]);
    call("me-south-1").is_rejected(401, "AuthFailure");
    call("eu-nowhere-1").is_rejected(401, "AuthFailure");
    call("eu-west-3").is_rejected(403, "OptInRequired");
    fake.launch(launch("cn-north-1"));
    call("cn-north-1").is_done();
}

#[test]
fn the_enabled_regions_can_be_chosen() {
    let fake = FakeAws::start();
    fake.set_regions(&["eu-central-1", "me-south-1"]);
    let names = ec2(&fake, REGION)
        .call("DescribeRegions", &[])
        .texts("regionName");
    assert_eq!(names, ["eu-central-1", "me-south-1"]);
    ec2(&fake, "us-east-1")
        .call("DescribeInstances", &[])
        .is_rejected(401, "AuthFailure");
}

#[test]
fn the_caller_has_an_identity() {
    let fake = FakeAws::start();
    fake.set_account("999988887777");
    let answer = sts(&fake, REGION).call("GetCallerIdentity", &[]);
    assert_eq!(answer.text("Account"), "999988887777");
    assert_eq!(
        answer.text("Arn"),
        "arn:aws:sts::999988887777:assumed-role/enforcer/session"
    );
    assert!(answer.body.contains("<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>"));
    assert!(!answer.text("RequestId").is_empty());
}
