//! Spot instances and their requests, Capacity Blocks, tenancy.

use imds_tests::{FakeAws, launch};

use crate::REGION;
use crate::client::ec2;

#[test]
fn only_a_persistent_request_is_persistent() {
    let fake = FakeAws::start();
    let kinds = [
        launch(REGION),
        launch(REGION).spot(),
        launch(REGION).persistent_spot(),
    ]
    .map(|launch| {
        let instance = fake.instance(&fake.launch(launch));
        (instance.spot, instance.persistent_spot)
    });
    assert_eq!(kinds, [(false, false), (true, false), (true, true)]);
}

#[test]
fn a_persistent_spot_instance_can_be_stopped() {
    let fake = FakeAws::start();
    let once = fake.launch(launch(REGION).spot());
    let persistent = fake.launch(launch(REGION).persistent_spot());
    let client = ec2(&fake, REGION);
    client
        .with_ids("StopInstances", &[&once])
        .is_rejected(400, "UnsupportedOperation");
    client.with_ids("StopInstances", &[&persistent]).is_done();
    assert_eq!(fake.instance(&persistent).state, "stopping");
}
