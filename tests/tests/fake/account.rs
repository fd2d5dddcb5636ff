//! Regions, the caller, tags and attributes.

use imds_tests::{FakeAws, launch};

use crate::REGION;
use crate::client::{ec2, sts};

#[test]
fn regions_are_listed_with_their_status() {
    let fake = FakeAws::start();
    let client = ec2(&fake, REGION);
    let enabled = client.call("DescribeRegions", &[]);
    assert_eq!(enabled.texts("regionName").len(), 17);
    assert!(
        enabled
            .texts("optInStatus")
            .iter()
            .all(|status| status == "opt-in-not-required")
    );
    assert_eq!(
        enabled.text("regionEndpoint"),
        "ec2.ap-northeast-1.amazonaws.com"
    );
    let all = client.call("DescribeRegions", &[("AllRegions", "true")]);
    assert!(all.body.contains("<regionName>me-south-1</regionName>"));
    assert!(
        all.texts("optInStatus")
            .contains(&"not-opted-in".to_owned())
    );
    let filter = [
        ("Filter.1.Name", "opt-in-status"),
        ("Filter.1.Value.1", "not-opted-in"),
        ("AllRegions", "true"),
    ];
    assert_eq!(
        client
            .call("DescribeRegions", &filter)
            .texts("regionName")
            .len(),
        all.texts("regionName").len() - 17
    );
    assert_eq!(
        client
            .call("DescribeRegions", &[("RegionName.1", REGION)])
            .texts("regionName"),
        [REGION]
    );
    client
        .call("DescribeRegions", &[("RegionName.1", "eu-nowhere-1")])
        .is_rejected(400, "InvalidParameterValue");
}

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

#[test]
fn tags_are_set_and_removed() {
    let fake = FakeAws::start();
    let id = fake.launch(launch(REGION).tag("app", "web").in_group("group"));
    let client = ec2(&fake, REGION);
    let tags = |action: &str, tags: &[(&str, &str)]| {
        let params: Vec<_> = [("ResourceId.1", id.as_str())]
            .into_iter()
            .chain(tags.iter().copied())
            .collect();
        client.call(action, &params)
    };
    tags(
        "CreateTags",
        &[("Tag.1.Key", "a"), ("Tag.1.Value", "1"), ("Tag.2.Key", "b")],
    )
    .is_done();
    assert_eq!(fake.instance(&id).tags["a"], "1");
    assert_eq!(fake.instance(&id).tags["b"], "");
    tags(
        "DeleteTags",
        &[("Tag.1.Key", "a"), ("Tag.1.Value", "2"), ("Tag.2.Key", "b")],
    )
    .is_done();
    assert_eq!(
        fake.instance(&id).tags.keys().collect::<Vec<_>>(),
        ["a", "app", "aws:autoscaling:groupName"]
    );
    tags(
        "CreateTags",
        &[("Tag.1.Key", "aws:x"), ("Tag.1.Value", "1")],
    )
    .is_rejected(400, "InvalidParameterValue");
    tags("DeleteTags", &[]).is_done();
    assert_eq!(
        fake.instance(&id).tags.keys().collect::<Vec<_>>(),
        ["aws:autoscaling:groupName"]
    );
    let params = [("ResourceId.1", "i-0123456789abcdef0"), ("Tag.1.Key", "a")];
    client
        .call("CreateTags", &params)
        .is_rejected(400, "InvalidInstanceID.NotFound");
}

#[test]
fn fifty_tags_are_the_most() {
    let fake = FakeAws::start();
    let full = (0..50).fold(launch(REGION).in_group("x"), |launch, number| {
        launch.tag(&number.to_string(), "")
    });
    let id = fake.launch(full);
    let client = ec2(&fake, REGION);
    let tag = |key: &str| {
        client.call(
            "CreateTags",
            &[
                ("ResourceId.1", &id),
                ("Tag.1.Key", key),
                ("Tag.1.Value", "x"),
            ],
        )
    };
    tag("7").is_done();
    tag("another").is_rejected(400, "TagLimitExceeded");
}

#[test]
fn attributes_are_described() {
    let fake = FakeAws::start();
    let id = fake.launch(
        launch(REGION)
            .user_data("curl 169.254.169.254/latest/")
            .protected(),
    );
    let plain = fake.launch(launch(REGION));
    let client = ec2(&fake, REGION);
    let attribute = |id: &str, name: &str| {
        client.call(
            "DescribeInstanceAttribute",
            &[("InstanceId", id), ("Attribute", name)],
        )
    };
    assert_eq!(
        attribute(&id, "userData").text("value"),
        "Y3VybCAxNjkuMjU0LjE2OS4yNTQvbGF0ZXN0Lw=="
    );
    assert_eq!(
        attribute(&id, "disableApiTermination").text("value"),
        "true"
    );
    assert_eq!(
        attribute(&plain, "disableApiTermination").text("value"),
        "false"
    );
    assert!(attribute(&plain, "userData").body.contains("<userData/>"));
    attribute(&id, "colour").is_rejected(400, "InvalidParameterValue");
}

#[test]
fn user_data_may_be_any_bytes() {
    let fake = FakeAws::start();
    let id = fake.launch(launch(REGION).user_data([0x1f, 0x8b, 0x08, 0xff]));
    let params = [("InstanceId", id.as_str()), ("Attribute", "userData")];
    let answer = ec2(&fake, REGION).call("DescribeInstanceAttribute", &params);
    assert_eq!(answer.text("value"), "H4sI/w==");
}
