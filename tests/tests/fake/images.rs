//! DescribeImages, and launches from images with `ImdsSupport`.

use imds_tests::{Defaults, FakeAws, image, template_data};

use crate::REGION;
use crate::client::{HttpAnswer, RawClient, ec2};

const OLD: &str = "ami-0aaaaaaaaaaaaaaaa";
const NEW: &str = "ami-0bbbbbbbbbbbbbbbb";

fn with_images() -> FakeAws {
    let fake = FakeAws::start();
    fake.add_image(REGION, image(OLD).name("golden-2019"));
    fake.add_image(REGION, image(NEW).owner("099720109477").imds_v2());
    fake
}

fn describe(fake: &FakeAws, params: &[(&str, &str)]) -> HttpAnswer {
    ec2(fake, REGION).call("DescribeImages", params)
}

#[test]
fn images_have_imds_support() {
    let fake = with_images();
    let both = describe(&fake, &[]);
    both.is_done();
    assert_eq!(both.texts("imageId"), [OLD, NEW]);
    assert_eq!(both.texts("name"), ["golden-2019", NEW]);
    assert_eq!(both.texts("imageOwnerId"), ["111122223333", "099720109477"]);
    assert_eq!(both.texts("imageState"), ["available", "available"]);
    assert_eq!(both.texts("imdsSupport"), ["v2.0"]);
    assert!(both.body.contains("<imagesSet><item>"), "{}", both.body);
    let old = describe(&fake, &[("ImageId.1", OLD)]);
    assert!(old.texts("imdsSupport").is_empty());
    let elsewhere = ec2(&fake, "eu-west-1").call("DescribeImages", &[]);
    assert!(elsewhere.texts("imageId").is_empty());
}

#[test]
fn two_hundred_values_are_the_most() {
    let fake = with_images();
    let names: Vec<_> = (1..=201).map(|n| format!("Filter.1.Value.{n}")).collect();
    let params = |count: usize| {
        let values = names.iter().take(count).map(|name| (name.as_str(), NEW));
        let params: Vec<_> = [("Filter.1.Name", "image-id")]
            .into_iter()
            .chain(values)
            .collect();
        describe(&fake, &params)
    };
    assert_eq!(params(200).texts("imageId"), [NEW]);
    params(201).is_rejected(400, "FilterLimitExceeded");
}

#[test]
fn unknown_filters_and_parameters_of_images_are_rejected() {
    let fake = with_images();
    describe(&fake, &[("Colour", "red")]).is_rejected(400, "UnknownParameter");
    let filter = [("Filter.1.Name", "colour"), ("Filter.1.Value.1", "red")];
    describe(&fake, &filter).is_rejected(400, "InvalidParameterValue");
    describe(&fake, &[("MaxResults", "0")]).is_rejected(400, "InvalidParameterValue");
    describe(&fake, &[("DryRun", "true")]).is_rejected(412, "DryRunOperation");
}

#[test]
fn a_deprecated_image_of_another_account_must_be_requested() {
    let fake = FakeAws::start();
    fake.add_image(REGION, image(OLD).owner("099720109477").deprecated());
    fake.add_image(REGION, image(NEW).deprecated());
    let filter = [("Filter.1.Name", "image-id"), ("Filter.1.Value.1", "ami-*")];
    assert_eq!(describe(&fake, &filter).texts("imageId"), [NEW]);
    let too: Vec<_> = filter
        .into_iter()
        .chain([("IncludeDeprecated", "true")])
        .collect();
    assert_eq!(describe(&fake, &too).texts("imageId"), [OLD, NEW]);
    let named = describe(&fake, &[("ImageId.1", OLD)]);
    assert_eq!(named.texts("imageId"), [OLD]);
}

#[test]
fn a_disabled_image_must_be_requested() {
    let fake = FakeAws::start();
    fake.add_image(REGION, image(OLD).state("disabled"));
    assert!(describe(&fake, &[]).texts("imageId").is_empty());
    let asked = describe(&fake, &[("IncludeDisabled", "true")]);
    assert_eq!(asked.texts("imageState"), ["disabled"]);
}

/// Tokens and hop limit of an instance launched with these parameters.
#[track_caller]
fn launched(fake: &FakeAws, client: &RawClient, params: &[(&str, &str)]) -> (String, u8) {
    let params: Vec<_> = [("MinCount", "1"), ("MaxCount", "1")]
        .into_iter()
        .chain(params.iter().copied())
        .collect();
    let id = client.call("RunInstances", &params).text("instanceId");
    let options = fake.instance(&id).options;
    (options.tokens, options.hop_limit)
}

#[test]
fn an_image_decides_if_nothing_else_does() {
    let fake = with_images();
    let client = ec2(&fake, REGION);
    let from = |params: &[(&str, &str)]| launched(&fake, &client, params);
    assert_eq!(from(&[("ImageId", OLD)]), ("optional".into(), 1));
    assert_eq!(from(&[("ImageId", NEW)]), ("required".into(), 2));
    let asked = [("ImageId", NEW), ("MetadataOptions.HttpTokens", "optional")];
    assert_eq!(from(&asked), ("optional".into(), 2));

    let template = fake.template(REGION, "web");
    fake.template_version(&template, template_data().image(NEW));
    let by_template = [("LaunchTemplate.LaunchTemplateId", template.as_str())];
    assert_eq!(from(&by_template), ("required".into(), 2));
    let other_image: Vec<_> = by_template.into_iter().chain([("ImageId", OLD)]).collect();
    assert_eq!(from(&other_image), ("optional".into(), 1));

    let defaults = Defaults {
        tokens: Some("optional".to_owned()),
        hop_limit: Some(5),
        ..Defaults::default()
    };
    fake.set_defaults(REGION, defaults);
    assert_eq!(from(&[("ImageId", NEW)]), ("optional".into(), 5));
}
