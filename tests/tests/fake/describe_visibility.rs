//! When DescribeInstances shows instances and tags.

use std::time::{Duration, Instant};

use imds_tests::{FakeAws, Settle, launch, wait_until};

use crate::REGION;
use crate::client::ec2;

#[test]
fn an_instance_becomes_visible_after_so_many_describes() {
    let fake = FakeAws::start();
    let id = fake.launch(launch(REGION).visible(Settle::Describes(2)));
    let client = ec2(&fake, REGION);
    assert!(client.filtered("instance-id", &[&id]).ids().is_empty());
    client
        .modify(&id, &[("HttpTokens", "required")])
        .is_rejected(400, "InvalidInstanceID.NotFound");
    client
        .with_ids("DescribeInstances", &[&id])
        .is_rejected(400, "InvalidInstanceID.NotFound");
    assert_eq!(client.with_ids("DescribeInstances", &[&id]).ids(), [&*id]);
    client.modify(&id, &[("HttpTokens", "required")]).is_done();
}

#[test]
fn an_instance_becomes_visible_after_a_time() {
    let fake = FakeAws::start();
    let launched = Instant::now();
    let id = fake.launch(launch(REGION).visible(Settle::After(Duration::from_millis(500))));
    let never = fake.launch(launch(REGION).visible(Settle::Never));
    let client = ec2(&fake, REGION);
    assert!(
        client
            .filtered("instance-id", &[&id, &never])
            .ids()
            .is_empty()
    );
    let shown = || client.filtered("instance-id", &[&id, &never]).ids();
    wait_until("the instance", || !shown().is_empty());
    assert!(launched.elapsed() >= Duration::from_millis(500));
    assert_eq!(shown(), [&*id]);
    assert_eq!(fake.instance(&never).state, "running");
}

#[test]
fn a_late_tag_becomes_visible_later() {
    let fake = FakeAws::start();
    let id = fake.launch(launch(REGION).late_tag("app", "scanner", Settle::Describes(1)));
    let client = ec2(&fake, REGION);
    assert!(
        client.filtered("tag:app", &["*"]).ids().is_empty(),
        "an instance that is not shown is not counted either"
    );
    assert_eq!(
        client.with_ids("DescribeInstances", &[&id]).texts("key"),
        [""; 0]
    );
    assert_eq!(
        client.with_ids("DescribeInstances", &[&id]).texts("key"),
        ["app"]
    );
}

#[test]
fn terminated_instances_stay_visible_until_they_are_hidden() {
    let fake = FakeAws::start();
    let id = fake.launch(launch(REGION).state("terminated"));
    let client = ec2(&fake, REGION);
    assert_eq!(
        client.filtered("instance-id", &[&id]).text("name"),
        "terminated"
    );
    fake.forget(&id);
    assert!(client.filtered("instance-id", &[&id]).ids().is_empty());
    client
        .with_ids("DescribeInstances", &[&id])
        .is_rejected(400, "InvalidInstanceID.NotFound");
}
