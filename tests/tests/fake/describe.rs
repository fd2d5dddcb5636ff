//! DescribeInstances: ids, filters and the shape of instances.

use imds_tests::{FakeAws, launch};

use crate::REGION;
use crate::client::ec2;

#[test]
fn unknown_filters_and_parameters_are_rejected() {
    let fake = FakeAws::start();
    let client = ec2(&fake, REGION);
    client
        .filtered("http-tokens", &["optional"])
        .is_rejected(400, "InvalidParameterValue");
    client
        .filtered("client-token", &[])
        .is_rejected(400, "MissingParameter");
    client
        .call("DescribeInstances", &[("InstanceIds.1", "i-1")])
        .is_rejected(400, "UnknownParameter");
    client
        .call("DescribeInstances", &[("InstanceId.0", "i-1")])
        .is_rejected(400, "UnknownParameter");
    for most in ["4", "1001", "-1", "many"] {
        client
            .call("DescribeInstances", &[("MaxResults", most)])
            .is_rejected(400, "InvalidParameterValue");
    }
}

#[test]
fn metadata_options_may_be_missing() {
    let fake = FakeAws::start();
    fake.launch(launch(REGION).no_metadata_options());
    assert!(
        !ec2(&fake, REGION)
            .call("DescribeInstances", &[])
            .body
            .contains("metadataOptions")
    );
}
