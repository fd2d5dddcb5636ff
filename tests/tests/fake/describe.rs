//! DescribeInstances: ids, filters and the shape of instances.

use imds_tests::{FakeAws, launch};

use crate::REGION;
use crate::client::ec2;

#[test]
fn an_instance_has_ec2_s_format() {
    let fake = FakeAws::start();
    let id = fake.launch(
        launch(REGION)
            .tokens("required")
            .hop_limit(3)
            .client_token("token")
            .image("ami-1")
            .instance_type("m5.large")
            .az("b")
            .managed_by("eks.amazonaws.com")
            .launched_at("2021-09-29T11:04:43.512Z".parse().unwrap()),
    );
    let params = [
        ("InstanceId.1", id.as_str()),
        ("IncludeManagedResources", "true"),
    ];
    let answer = ec2(&fake, REGION).call("DescribeInstances", &params);
    let expected = [
        ("ownerId", "111122223333"),
        ("instanceId", id.as_str()),
        ("imageId", "ami-1"),
        ("instanceType", "m5.large"),
        ("launchTime", "2021-09-29T11:04:43.000Z"),
        ("availabilityZone", "eu-central-1b"),
        ("clientToken", "token"),
        ("attachTime", "2021-09-29T11:04:43.000Z"),
        ("httpTokens", "required"),
        ("httpPutResponseHopLimit", "3"),
        ("httpEndpoint", "enabled"),
        ("httpProtocolIpv6", "disabled"),
        ("instanceMetadataTags", "disabled"),
        ("managed", "true"),
        ("principal", "eks.amazonaws.com"),
        ("rootDeviceType", "ebs"),
    ];
    for (name, text) in expected {
        assert_eq!(answer.text(name), text, "{name}");
    }
    assert!(answer.body.contains(
        r#"<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">"#
    ));
    assert!(
        answer
            .body
            .contains("<instanceState><code>16</code><name>running</name></instanceState>")
    );
    assert!(
        (2_500..5_000).contains(&answer.body.len()),
        "{} bytes",
        answer.body.len()
    );
    assert_eq!(id.len(), 19);
}

#[test]
fn an_unknown_id_fails_the_whole_call() {
    let fake = FakeAws::start();
    let id = fake.launch(launch(REGION));
    let client = ec2(&fake, REGION);
    let answer = client.with_ids("DescribeInstances", &[&id, "i-0123456789abcdef0"]);
    answer.is_rejected(400, "InvalidInstanceID.NotFound");
    assert_eq!(
        answer.text("Message"),
        "The instance ID 'i-0123456789abcdef0' does not exist"
    );
    assert!(answer.body.contains("<Response><Errors><Error><Code>"));
    assert_eq!(
        client.with_ids("DescribeInstances", &[&id, &id]).ids(),
        [id]
    );
}

#[test]
fn a_malformed_id_is_not_an_unknown_one() {
    let fake = FakeAws::start();
    let client = ec2(&fake, REGION);
    for id in [
        "",
        "i-123",
        "i-0123456789",
        "ami-0123456789abcdef0",
        "i-0123456789ABCDEF0",
        " i-0123456789abcdef0",
    ] {
        let answer = client.with_ids("DescribeInstances", &["i-0123456789abcdef0", id]);
        answer.is_rejected(400, "InvalidInstanceID.Malformed");
    }
    client
        .with_ids("DescribeInstances", &["i-12345678"])
        .is_rejected(400, "InvalidInstanceID.NotFound");
}

#[test]
fn the_instance_id_filter_leaves_out_unknown_ids() {
    let fake = FakeAws::start();
    let ids = fake.launch_many(launch(REGION), 3);
    let elsewhere = fake.launch(launch("us-east-1"));
    let client = ec2(&fake, REGION);
    let asked = [
        &ids[2],
        "i-0123456789abcdef0",
        &elsewhere,
        &ids[0],
        "nonsense",
    ];
    assert_eq!(
        client.filtered("instance-id", &asked).ids(),
        [&*ids[0], &*ids[2]]
    );
}

#[test]
fn two_hundred_filter_values_are_the_most() {
    let fake = FakeAws::start();
    let id = fake.launch(launch(REGION));
    let client = ec2(&fake, REGION);
    let mut values = vec!["i-0123456789abcdef0"; 199];
    values.push(&id);
    assert_eq!(client.filtered("instance-id", &values).ids(), [&*id]);
    values.push("i-0123456789abcdef1");
    client
        .filtered("instance-id", &values)
        .is_rejected(400, "FilterLimitExceeded");
}

#[track_caller]
fn check_filter(name: &str, values: &[&str], expected: &[usize]) {
    let fake = FakeAws::start();
    let ids = [
        launch(REGION)
            .client_token("one")
            .image("ami-1")
            .instance_type("t3.micro")
            .tag("app", "scanner-1"),
        launch(REGION)
            .tokens("required")
            .state("stopped")
            .hop_limit(2)
            .tag("app", "web")
            .tag("x*y", "1"),
        launch(REGION)
            .endpoint("disabled")
            .metadata_tags("enabled")
            .client_token("three"),
        launch(REGION)
            .no_metadata_options()
            .launched_at("2021-09-29T11:04:43Z".parse().unwrap()),
    ]
    .map(|launch| fake.launch(launch));
    let found = ec2(&fake, REGION).filtered(name, values).ids();
    let expected: Vec<_> = expected.iter().map(|index| ids[*index].clone()).collect();
    assert_eq!(found, expected);
}

#[test]
fn every_filter_matches_its_field() {
    check_filter("client-token", &["one"], &[0]);
    check_filter("client-token", &["one", "three", "four"], &[0, 2]);
    check_filter("launch-time", &["2021-09-29T11:04:*"], &[3]);
    check_filter("launch-time", &["2021-09-29T11:04:4?.000Z"], &[3]);
    check_filter("launch-time", &["2021-09-29"], &[]);
    check_filter("instance-state-name", &["pending", "running"], &[0, 2, 3]);
    check_filter("tag:app", &["scanner-*"], &[0]);
    check_filter("tag:app", &["*"], &[0, 1]);
    check_filter("tag-key", &["app"], &[0, 1]);
    check_filter("tag-key", &[r"x\*y"], &[1]);
    check_filter("image-id", &["ami-1"], &[0]);
    check_filter("instance-type", &["t3.micro"], &[0, 1, 2, 3]);
    check_filter("metadata-options.http-tokens", &["optional"], &[0, 2]);
    check_filter("metadata-options.http-endpoint", &["disabled"], &[2]);
    check_filter("metadata-options.http-put-response-hop-limit", &["2"], &[1]);
    check_filter("metadata-options.state", &["applied"], &[0, 1, 2]);
    check_filter(
        "metadata-options.instance-metadata-tags",
        &["enabled"],
        &[2],
    );
}

#[test]
fn all_filters_of_a_call_must_match() {
    let fake = FakeAws::start();
    fake.launch(launch(REGION).tag("app", "a"));
    let id = fake.launch(launch(REGION).tag("app", "a").tokens("required"));
    let params = [
        ("Filter.1.Name", "tag:app"),
        ("Filter.1.Value.1", "a"),
        ("Filter.2.Name", "metadata-options.http-tokens"),
        ("Filter.2.Value.1", "required"),
    ];
    assert_eq!(
        ec2(&fake, REGION).call("DescribeInstances", &params).ids(),
        [id]
    );
}

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
fn hostile_tags_arrive_unchanged() {
    let fake = FakeAws::start();
    let (key, value) = ("<key>&\"'", "</value> ]]> \u{1F980} ü");
    let id = fake.launch(launch(REGION).tag(key, value));
    let answer = ec2(&fake, REGION).with_ids("DescribeInstances", &[&id]);
    assert_eq!(
        (answer.text("key"), answer.text("value")),
        (key.to_owned(), value.to_owned())
    );
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

#[test]
fn a_launch_is_one_reservation() {
    let fake = FakeAws::start();
    fake.launch_many(launch(REGION), 3);
    fake.launch(launch(REGION));
    let answer = ec2(&fake, REGION).call("DescribeInstances", &[]);
    assert_eq!(
        (answer.ids().len(), answer.texts("reservationId").len()),
        (4, 2)
    );
}
