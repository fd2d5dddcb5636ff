//! DescribeLaunchTemplates and DescribeLaunchTemplateVersions.

use imds_tests::{FakeAws, TemplateOptions, template_data};

use crate::REGION;
use crate::client::{HttpAnswer, ec2};

fn with_versions(fake: &FakeAws) -> String {
    let id = fake.template(REGION, "web");
    let open = TemplateOptions {
        tokens: Some("optional".to_owned()),
        hop_limit: Some(2),
        ..TemplateOptions::default()
    };
    assert_eq!(fake.template_version(&id, open), 1);
    assert_eq!(fake.template_version(&id, TemplateOptions::default()), 2);
    id
}

fn of_all(fake: &FakeAws, params: &[(&str, &str)]) -> HttpAnswer {
    ec2(fake, REGION).call("DescribeLaunchTemplateVersions", params)
}

/// Name and number of each version.
fn versions(answer: &HttpAnswer) -> Vec<(String, String)> {
    let names = answer.texts("launchTemplateName");
    names
        .into_iter()
        .zip(answer.texts("versionNumber"))
        .collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(name, number): &(&str, &str)| ((*name).to_owned(), (*number).to_owned());
    pairs.iter().map(owned).collect()
}

#[test]
#[should_panic(expected = "has no version 3")]
fn a_default_version_must_exist() {
    let fake = FakeAws::start();
    let id = with_versions(&fake);
    fake.set_default_version(&id, 3);
}

#[test]
fn the_latest_and_default_versions_of_all_templates_are_described() {
    let fake = FakeAws::start();
    with_versions(&fake);
    let single = fake.template(REGION, "single");
    fake.template_version(&single, template_data());
    fake.template(REGION, "bare");
    let elsewhere = fake.template("eu-west-1", "elsewhere");
    fake.template_version(&elsewhere, template_data());
    let latest = of_all(&fake, &[("LaunchTemplateVersion.1", "$Latest")]);
    assert_eq!(versions(&latest), pairs(&[("web", "2"), ("single", "1")]));
    let default = of_all(&fake, &[("LaunchTemplateVersion.1", "$Default")]);
    assert_eq!(versions(&default), pairs(&[("web", "1"), ("single", "1")]));
    assert_eq!(default.texts("defaultVersion"), ["true", "true"]);
    let both = [
        ("LaunchTemplateVersion.1", "$Default"),
        ("LaunchTemplateVersion.2", "$Latest"),
    ];
    assert_eq!(
        versions(&of_all(&fake, &both)),
        pairs(&[("web", "1"), ("web", "2"), ("single", "1"), ("single", "1")])
    );
}

#[test]
fn versions_of_all_templates_are_paginated() {
    let fake = FakeAws::start();
    for number in 0..250 {
        let id = fake.template(REGION, &format!("t-{number:03}"));
        fake.template_version(&id, template_data());
    }
    let latest = ("LaunchTemplateVersion.1", "$Latest");
    let first = of_all(&fake, &[latest]);
    assert_eq!(first.texts("versionNumber").len(), 200);
    let token = first.text("nextToken");
    let second = of_all(&fake, &[latest, ("NextToken", &token)]);
    assert_eq!(second.texts("versionNumber").len(), 50);
    assert_eq!(second.text("launchTemplateName"), "t-200");
    of_all(&fake, &[latest, ("MaxResults", "201")]).is_rejected(400, "InvalidParameterValue");
}

#[test]
fn a_version_has_its_image_and_user_data() {
    let fake = FakeAws::start();
    let id = fake.template(REGION, "web");
    let gzip = [0x1f, 0x8b, 0x08, 0xff];
    fake.template_version(&id, template_data().image("ami-1").user_data(gzip));
    fake.template_version(&id, template_data().image("resolve:ssm:/golden"));
    fake.template_version(
        &id,
        template_data()
            .no_image()
            .tokens("required")
            .hop_limit(2)
            .endpoint("enabled"),
    );
    let all = of_all(&fake, &[("LaunchTemplateId", &id)]);
    assert_eq!(all.texts("imageId"), ["ami-1", "resolve:ssm:/golden"]);
    assert_eq!(all.texts("userData"), ["H4sI/w=="]);
    assert_eq!(all.texts("metadataOptions").len(), 1);
    assert_eq!(
        [
            all.text("httpTokens"),
            all.text("httpPutResponseHopLimit"),
            all.text("httpEndpoint")
        ],
        ["required", "2", "enabled"]
    );
}
