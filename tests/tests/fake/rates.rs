//! Token buckets.

use std::thread::sleep;
use std::time::{Duration, Instant};

use imds_tests::{FakeAws, launch, wait_until};

use crate::REGION;
use crate::client::{RawClient, ec2, sts};

/// How many of this many calls succeed.
fn let_through(client: &RawClient, calls: usize, action: &str, params: &[(&str, &str)]) -> usize {
    let answers = (0..calls).map(|_| client.call(action, params));
    let (passed, stopped): (Vec<_>, Vec<_>) = answers.partition(|answer| answer.status == 200);
    for answer in stopped {
        answer.is_rejected(503, "RequestLimitExceeded");
    }
    passed.len()
}

#[test]
fn nothing_is_throttled_by_default() {
    let fake = FakeAws::start();
    assert_eq!(
        let_through(&ec2(&fake, REGION), 300, "DescribeInstances", &[]),
        300
    );
}

#[test]
fn real_rates_are_those_of_ec2() {
    let fake = FakeAws::start();
    let id = fake.launch(launch(REGION));
    fake.with_real_rates(0.0);
    let client = ec2(&fake, REGION);
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
        let_through(&sts(&fake, REGION), 120, "GetCallerIdentity", &[]),
        120
    );
}

#[test]
fn terminated_instances_have_a_bucket_of_their_own() {
    let fake = FakeAws::start();
    fake.with_real_rates(0.0);
    let ids = fake.launch_many(launch(REGION), 1_100);
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    let client = ec2(&fake, REGION);
    client.with_ids("TerminateInstances", &ids[..900]).is_done();
    client
        .with_ids("TerminateInstances", &ids[900..1_001])
        .is_rejected(503, "RequestLimitExceeded");
    client
        .with_ids("TerminateInstances", &ids[900..1_000])
        .is_done();
}

#[test]
fn regions_have_buckets_of_their_own() {
    let fake = FakeAws::start();
    fake.set_rate("DescribeInstances", 3.0, 0.0);
    assert_eq!(
        let_through(&ec2(&fake, REGION), 5, "DescribeInstances", &[]),
        3
    );
    assert_eq!(
        let_through(&ec2(&fake, "us-east-1"), 5, "DescribeInstances", &[]),
        3
    );
    assert_eq!(
        let_through(&ec2(&fake, REGION), 5, "DescribeRegions", &[]),
        5
    );
}

#[test]
fn a_bucket_fills_again_but_not_beyond_its_size() {
    let fake = FakeAws::start();
    fake.set_rate("DescribeInstances", 4.0, 5.0);
    let client = ec2(&fake, REGION);
    assert_eq!(let_through(&client, 4, "DescribeInstances", &[]), 4);
    wait_until("a refill", || {
        let_through(&client, 1, "DescribeInstances", &[]) == 1
    });
    // Long enough for six calls: the time that passes is what is tested.
    sleep(Duration::from_millis(1_200));
    assert!((4..=5).contains(&let_through(&client, 10, "DescribeInstances", &[])));
}

#[test]
fn refills_can_be_accelerated() {
    let fake = FakeAws::start();
    let id = fake.launch(launch(REGION));
    fake.with_real_rates(100.0);
    let client = ec2(&fake, REGION);
    let modify = [("InstanceId", id.as_str()), ("HttpTokens", "required")];
    let_through(&client, 100, "ModifyInstanceMetadataOptions", &modify);
    // At EC2's own rate 40 calls would take eight seconds.
    let (begun, mut passed) = (Instant::now(), 0);
    while passed < 40 {
        passed += let_through(&client, 1, "ModifyInstanceMetadataOptions", &modify);
        assert!(begun.elapsed() < Duration::from_secs(6), "{passed} calls");
    }
}
