//! RunInstances.

use imds_tests::{Defaults, FakeAws, TemplateOptions, template_data};

use crate::REGION;
use crate::client::{HttpAnswer, RawClient, ec2};

fn run(client: &RawClient, params: &[(&str, &str)]) -> HttpAnswer {
    let all = [("ImageId", "ami-1"), ("MinCount", "1"), ("MaxCount", "1")];
    let params: Vec<_> = all
        .into_iter()
        .filter(|(name, _)| !params.iter().any(|(n, _)| n == name))
        .chain(params.iter().copied())
        .collect();
    client.call("RunInstances", &params)
}

fn words(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn instances_are_launched_with_options_and_tags() {
    let fake = FakeAws::start();
    let client = ec2(&fake, REGION);
    let answer = run(
        &client,
        &[
            ("MaxCount", "2"),
            ("InstanceType", "m5.large"),
            ("KeyName", "anything"),
            ("MetadataOptions.HttpTokens", "required"),
            ("MetadataOptions.HttpPutResponseHopLimit", "2"),
            ("TagSpecification.1.ResourceType", "volume"),
            ("TagSpecification.1.Tag.1.Key", "not"),
            ("TagSpecification.2.ResourceType", "instance"),
            ("TagSpecification.2.Tag.1.Key", "app"),
            ("TagSpecification.2.Tag.1.Value", "web"),
        ],
    );
    let ids = answer.ids();
    assert_eq!(ids.len(), 2);
    let instance = fake.instance(&ids[1]);
    assert_eq!(
        (instance.image.as_str(), instance.instance_type.as_str()),
        ("ami-1", "m5.large")
    );
    assert_eq!(
        (instance.options.tokens.as_str(), instance.options.hop_limit),
        ("required", 2)
    );
    assert_eq!(
        instance.tags.into_iter().collect::<Vec<_>>(),
        [("app".to_owned(), "web".to_owned())]
    );
    let shown = || client.filtered("instance-id", &[&ids[0]]).text("name");
    assert_eq!([shown(), shown()], ["pending", "running"]);
}

#[test]
fn the_launch_takes_precedence_over_its_template_and_the_template_over_the_defaults() {
    let fake = FakeAws::start();
    let client = ec2(&fake, REGION);
    let defaults = Defaults {
        tokens: words("required"),
        hop_limit: Some(2),
        endpoint: words("disabled"),
        ..Defaults::default()
    };
    fake.set_defaults(REGION, defaults);
    let template = fake.template(REGION, "web");
    fake.template_version(
        &template,
        TemplateOptions {
            hop_limit: Some(3),
            endpoint: words("enabled"),
            ..TemplateOptions::default()
        },
    );
    let answer = run(
        &client,
        &[
            ("LaunchTemplate.LaunchTemplateName", "web"),
            ("MetadataOptions.HttpPutResponseHopLimit", "4"),
        ],
    );
    let instance = fake.instance(&answer.ids()[0]);
    let options = instance.options;
    assert_eq!(
        (
            options.tokens.as_str(),
            options.endpoint.as_str(),
            options.hop_limit
        ),
        ("required", "enabled", 4)
    );
    assert_eq!(
        (
            instance.tags["aws:ec2launchtemplate:id"].as_str(),
            instance.tags["aws:ec2launchtemplate:version"].as_str()
        ),
        (template.as_str(), "1")
    );
}

#[test]
fn where_tokens_are_enforced_launches_must_require_them() {
    let fake = FakeAws::start();
    fake.enforce_tokens(REGION);
    let client = ec2(&fake, REGION);
    run(&client, &[]).is_rejected(400, "UnsupportedOperation");
    assert_eq!(fake.instances(REGION).len(), 0);
    run(&client, &[("MetadataOptions.HttpTokens", "required")]).is_done();
}

#[test]
fn an_invalid_launch_is_rejected() {
    let fake = FakeAws::start();
    let client = ec2(&fake, REGION);
    client
        .call("RunInstances", &[("ImageId", "ami-1")])
        .is_rejected(400, "MissingParameter");
    run(&client, &[("MinCount", "2")]).is_rejected(400, "InvalidParameterValue");
    run(&client, &[("MetadataOptions.HttpTokens", "v2")]).is_rejected(400, "InvalidParameterValue");
    run(&client, &[("DryRun", "true")]).is_rejected(412, "DryRunOperation");
    let reserved = [
        ("TagSpecification.1.ResourceType", "instance"),
        ("TagSpecification.1.Tag.1.Key", "aws:x"),
    ];
    run(&client, &reserved).is_rejected(400, "InvalidParameterValue");
    assert_eq!(fake.instances(REGION).len(), 0);
}

#[test]
fn user_data_comes_from_the_launch_or_its_template() {
    let fake = FakeAws::start();
    let client = ec2(&fake, REGION);
    let template = fake.template(REGION, "web");
    fake.template_version(&template, template_data().user_data("template"));
    let user_data = |params: &[(&str, &str)]| {
        let id = run(&client, params).text("instanceId");
        let params = [("InstanceId", id.as_str()), ("Attribute", "userData")];
        client
            .call("DescribeInstanceAttribute", &params)
            .texts("value")
    };
    let by_template = ("LaunchTemplate.LaunchTemplateName", "web");
    assert_eq!(user_data(&[by_template]), ["dGVtcGxhdGU="]);
    assert_eq!(user_data(&[by_template, ("UserData", "/w==")]), ["/w=="]);
    assert!(user_data(&[]).is_empty());
    run(&client, &[("UserData", "#!/bin/sh")]).is_rejected(400, "InvalidParameterValue");
}
