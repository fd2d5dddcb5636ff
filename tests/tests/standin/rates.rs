//! Token buckets.

use std::thread::sleep;
use std::time::Duration;

use imds_tests::{Standin, launch};

use crate::REGION;
use crate::client::{Client, ec2, sts};

/// How many of so many calls are let through.
fn let_through(client: &Client, calls: usize, action: &str, params: &[(&str, &str)]) -> usize {
    let answers = (0..calls).map(|_| client.call(action, params));
    let (passed, stopped): (Vec<_>, Vec<_>) = answers.partition(|answer| answer.status == 200);
    for answer in stopped {
        answer.is_refused(503, "RequestLimitExceeded");
    }
    passed.len()
}

#[test]
fn nothing_is_throttled_at_first() {
    let standin = Standin::start();
    assert_eq!(
        let_through(&ec2(&standin, REGION), 300, "DescribeInstances", &[]),
        300
    );
}

#[test]
fn real_rates_are_those_of_ec2() {
    let standin = Standin::start();
    let id = standin.launch(launch(REGION));
    standin.with_real_rates(0.0);
    let client = ec2(&standin, REGION);
    let modify = [("InstanceId", id.as_str()), ("HttpTokens", "required")];
    assert_eq!(
        let_through(&client, 120, "DescribeInstances", &[("MaxResults", "5")]),
        100
    );
    assert_eq!(
        let_through(&client, 120, "DescribeInstances", &[("InstanceId.1", &id)]),
        50
    );
    assert_eq!(
        let_through(&client, 120, "ModifyInstanceMetadataOptions", &modify),
        100
    );
    assert_eq!(
        let_through(&client, 120, "TerminateInstances", &[("InstanceId.1", &id)]),
        100
    );
    assert_eq!(let_through(&client, 120, "DescribeRegions", &[]), 50);
    assert_eq!(
        let_through(&sts(&standin, REGION), 120, "GetCallerIdentity", &[]),
        120
    );
}

#[test]
fn terminated_instances_have_a_bucket_of_their_own() {
    let standin = Standin::start();
    standin.with_real_rates(0.0);
    let ids = standin.launch_many(launch(REGION), 1_100);
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    let client = ec2(&standin, REGION);
    client.with_ids("TerminateInstances", &ids[..900]).is_done();
    client
        .with_ids("TerminateInstances", &ids[900..1_001])
        .is_refused(503, "RequestLimitExceeded");
    client
        .with_ids("TerminateInstances", &ids[900..1_000])
        .is_done();
}

#[test]
fn regions_have_buckets_of_their_own() {
    let standin = Standin::start();
    standin.set_rate("DescribeInstances", 3.0, 0.0);
    assert_eq!(
        let_through(&ec2(&standin, REGION), 5, "DescribeInstances", &[]),
        3
    );
    assert_eq!(
        let_through(&ec2(&standin, "us-east-1"), 5, "DescribeInstances", &[]),
        3
    );
    assert_eq!(
        let_through(&ec2(&standin, REGION), 5, "DescribeRegions", &[]),
        5
    );
}

#[test]
fn a_bucket_fills_again_but_not_beyond_its_size() {
    let standin = Standin::start();
    standin.set_rate("DescribeInstances", 4.0, 5.0);
    let client = ec2(&standin, REGION);
    assert_eq!(let_through(&client, 4, "DescribeInstances", &[]), 4);
    sleep(Duration::from_millis(450));
    assert!((2..=3).contains(&let_through(&client, 4, "DescribeInstances", &[])));
    sleep(Duration::from_millis(1_200));
    assert!((4..=5).contains(&let_through(&client, 10, "DescribeInstances", &[])));
}

#[test]
fn time_can_be_made_to_run_faster() {
    let standin = Standin::start();
    let id = standin.launch(launch(REGION));
    standin.with_real_rates(100.0);
    let client = ec2(&standin, REGION);
    let modify = [("InstanceId", id.as_str()), ("HttpTokens", "required")];
    let_through(&client, 100, "ModifyInstanceMetadataOptions", &modify);
    sleep(Duration::from_millis(100));
    assert!(let_through(&client, 40, "ModifyInstanceMetadataOptions", &modify) >= 40);
}
