//! Spot instances and their requests, Capacity Blocks, tenancy.

use imds_tests::{FakeAws, LaunchBuilder, launch};

use crate::REGION;
use crate::client::{HttpAnswer, RawClient, ec2};

fn described(launch: LaunchBuilder) -> HttpAnswer {
    let fake = FakeAws::start();
    fake.launch(launch);
    ec2(&fake, REGION).call("DescribeInstances", &[])
}

/// Requests with one filter.
#[track_caller]
fn requests(client: &RawClient, filter: &str, value: &str) -> HttpAnswer {
    let params = [("Filter.1.Name", filter), ("Filter.1.Value.1", value)];
    let answer = client.call("DescribeSpotInstanceRequests", &params);
    answer.is_done();
    answer
}

#[test]
fn a_spot_instance_names_its_request() {
    for launch in [launch(REGION).spot(), launch(REGION).persistent_spot()] {
        let answer = described(launch);
        assert_eq!(answer.text("instanceLifecycle"), "spot");
        let request = answer.text("spotInstanceRequestId");
        let rest = request.strip_prefix("sir-").unwrap();
        assert_eq!(rest.len(), 8, "{rest}");
    }
    let answer = described(launch(REGION));
    assert!(answer.texts("instanceLifecycle").is_empty());
    assert!(answer.texts("spotInstanceRequestId").is_empty());
}

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
fn a_capacity_block_is_a_lifecycle_of_its_own() {
    let answer = described(launch(REGION).capacity_block());
    assert_eq!(answer.text("instanceLifecycle"), "capacity-block");
    assert!(answer.texts("spotInstanceRequestId").is_empty());
}

#[test]
fn an_instance_on_a_dedicated_host_names_the_host() {
    let answer = described(launch(REGION).tenancy("host"));
    assert_eq!(answer.text("tenancy"), "host");
    let host = answer.text("hostId");
    assert!(host.starts_with("h-") && host.len() == 19, "{host}");
    for tenancy in ["default", "dedicated"] {
        let answer = described(launch(REGION).tenancy(tenancy));
        assert_eq!(answer.text("tenancy"), tenancy);
        assert!(answer.texts("hostId").is_empty());
    }
    assert_eq!(described(launch(REGION)).text("tenancy"), "default");
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

#[test]
fn the_request_tells_its_type_and_its_instance() {
    let fake = FakeAws::start();
    let once = fake.launch(launch(REGION).spot());
    let persistent = fake.launch(launch(REGION).persistent_spot());
    fake.launch(launch(REGION));
    let client = ec2(&fake, REGION);
    let ids = client
        .call("DescribeInstances", &[])
        .texts("spotInstanceRequestId");
    let all = client.call("DescribeSpotInstanceRequests", &[]);
    assert_eq!(all.texts("spotInstanceRequestId"), ids);
    assert_eq!(all.texts("type"), ["one-time", "persistent"]);
    assert_eq!(all.texts("state"), ["active", "active"]);
    assert_eq!(all.texts("instanceId"), [&*once, &*persistent]);
    let by_id = client.with_list(
        "DescribeSpotInstanceRequests",
        "SpotInstanceRequestId",
        &[&ids[1]],
    );
    assert_eq!(by_id.texts("instanceId"), [&*persistent]);
    for (filter, value) in [
        ("spot-instance-request-id", ids[0].as_str()),
        ("instance-id", &once),
        ("type", "one-*"),
    ] {
        let answer = requests(&client, filter, value);
        assert_eq!(answer.texts("instanceId"), [&*once], "{filter}");
    }
    let other = ec2(&fake, "us-east-1").call("DescribeSpotInstanceRequests", &[]);
    assert!(other.texts("spotInstanceRequestId").is_empty());
}

#[test]
fn an_unknown_request_fails_the_call_by_id_and_is_left_out_by_filter() {
    let fake = FakeAws::start();
    fake.launch(launch(REGION).spot());
    let client = ec2(&fake, REGION);
    let by_id = |id: &str| {
        let name = "SpotInstanceRequestId";
        client.with_list("DescribeSpotInstanceRequests", name, &[id])
    };
    by_id("sir-00000000").is_rejected(400, "InvalidSpotInstanceRequestID.NotFound");
    by_id("sir-123").is_rejected(400, "InvalidSpotInstanceRequestID.Malformed");
    let answer = requests(&client, "spot-instance-request-id", "sir-00000000");
    assert!(answer.texts("spotInstanceRequestId").is_empty());
    let params = [("Filter.1.Name", "colour"), ("Filter.1.Value.1", "red")];
    client
        .call("DescribeSpotInstanceRequests", &params)
        .is_rejected(400, "InvalidParameterValue");
}

#[test]
fn a_request_follows_its_instance() {
    let fake = FakeAws::start();
    let ids = [
        launch(REGION).spot().state("terminated"),
        launch(REGION).persistent_spot().state("terminated"),
        launch(REGION).persistent_spot().state("stopped"),
        launch(REGION).persistent_spot().state("pending"),
    ]
    .map(|launch| fake.launch(launch));
    let client = ec2(&fake, REGION);
    let states = ids
        .each_ref()
        .map(|id| requests(&client, "instance-id", id).text("state"));
    assert_eq!(states, ["closed", "open", "disabled", "active"]);
    let open = requests(&client, "state", "open");
    assert!(open.texts("instanceId").is_empty(), "{}", open.body);
}

#[test]
fn spot_requests_come_in_pages() {
    let fake = FakeAws::start();
    fake.launch_many(launch(REGION).spot(), 7);
    let client = ec2(&fake, REGION);
    let page = |token: &str| {
        let params = [("MaxResults", "5"), ("NextToken", token)];
        client.call("DescribeSpotInstanceRequests", &params)
    };
    let first = page("");
    let second = page(&first.text("nextToken"));
    let mut ids = first.texts("spotInstanceRequestId");
    assert_eq!(ids.len(), 5);
    ids.extend(second.texts("spotInstanceRequestId"));
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 7);
}
