//! DescribeLaunchTemplates and DescribeLaunchTemplateVersions.

use imds_tests::{Standin, TemplateOptions, template_data};

use crate::REGION;
use crate::client::{Answer, ec2};

fn with_versions(standin: &Standin) -> String {
    let id = standin.template(REGION, "web");
    let open = TemplateOptions {
        tokens: Some("optional".to_owned()),
        hop_limit: Some(2),
        ..TemplateOptions::default()
    };
    assert_eq!(standin.template_version(&id, open), 1);
    assert_eq!(standin.template_version(&id, TemplateOptions::default()), 2);
    id
}

#[test]
fn templates_are_found_by_id_and_name() {
    let standin = Standin::start();
    let id = with_versions(&standin);
    standin.template(REGION, "other");
    let client = ec2(&standin, REGION);
    let all = client.call("DescribeLaunchTemplates", &[]);
    assert_eq!(all.texts("launchTemplateName"), ["web", "other"]);
    assert_eq!(
        (
            all.text("defaultVersionNumber"),
            all.text("latestVersionNumber")
        ),
        ("1".into(), "2".into())
    );
    let found = |name: &str, value: &str| client.call("DescribeLaunchTemplates", &[(name, value)]);
    assert_eq!(
        found("LaunchTemplateId.1", &id).texts("launchTemplateName"),
        ["web"]
    );
    assert_eq!(
        found("LaunchTemplateName.1", "other").texts("launchTemplateName"),
        ["other"]
    );
    found("LaunchTemplateId.1", "lt-0").is_refused(400, "InvalidLaunchTemplateId.NotFound");
    found("LaunchTemplateName.1", "x")
        .is_refused(400, "InvalidLaunchTemplateName.NotFoundException");
    let first = client.call("DescribeLaunchTemplates", &[("MaxResults", "1")]);
    assert_eq!(first.texts("launchTemplateName"), ["web"]);
    let params = [
        ("MaxResults", "1"),
        ("NextToken", &*first.text("nextToken")),
    ];
    assert_eq!(
        client
            .call("DescribeLaunchTemplates", &params)
            .texts("launchTemplateName"),
        ["other"]
    );
}

#[test]
fn versions_show_the_options_that_they_set() {
    let standin = Standin::start();
    let id = with_versions(&standin);
    let client = ec2(&standin, REGION);
    let versions = |params: &[(&str, &str)]| {
        let params: Vec<_> = [("LaunchTemplateId", id.as_str())]
            .into_iter()
            .chain(params.iter().copied())
            .collect();
        client.call("DescribeLaunchTemplateVersions", &params)
    };
    let all = versions(&[]);
    assert_eq!(all.texts("versionNumber"), ["1", "2"]);
    assert_eq!(all.texts("defaultVersion"), ["true", "false"]);
    assert_eq!(all.texts("metadataOptions").len(), 1);
    assert_eq!(
        (all.text("httpTokens"), all.text("httpPutResponseHopLimit")),
        ("optional".into(), "2".into())
    );
    assert_eq!(
        versions(&[("LaunchTemplateVersion.1", "$Default")]).texts("versionNumber"),
        ["1"]
    );
    assert_eq!(
        versions(&[("LaunchTemplateVersion.1", "$Latest")]).texts("versionNumber"),
        ["2"]
    );
    assert_eq!(
        versions(&[("LaunchTemplateVersion.1", "2")]).texts("versionNumber"),
        ["2"]
    );
    for unknown in ["3", "0", "x"] {
        versions(&[("LaunchTemplateVersion.1", unknown)])
            .is_refused(400, "InvalidLaunchTemplateId.VersionNotFound");
    }
    versions(&[("LaunchTemplateName", "web")]).is_refused(400, "InvalidParameterCombination");
    client
        .call("DescribeLaunchTemplateVersions", &[])
        .is_refused(400, "MissingParameter");
    let by_name = client.call(
        "DescribeLaunchTemplateVersions",
        &[("LaunchTemplateName", "web")],
    );
    assert_eq!(by_name.texts("versionNumber").len(), 2);
}

fn of_all(standin: &Standin, params: &[(&str, &str)]) -> Answer {
    ec2(standin, REGION).call("DescribeLaunchTemplateVersions", params)
}

/// Name and number of each version.
fn versions(answer: &Answer) -> Vec<(String, String)> {
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
fn the_default_version_can_be_another_than_the_first() {
    let standin = Standin::start();
    let id = with_versions(&standin);
    standin.set_default_version(&id, 2);
    let client = ec2(&standin, REGION);
    let template = client.call("DescribeLaunchTemplates", &[]);
    assert_eq!(template.text("defaultVersionNumber"), "2");
    let all = of_all(&standin, &[("LaunchTemplateId", &id)]);
    assert_eq!(all.texts("defaultVersion"), ["false", "true"]);
    let default = [
        ("LaunchTemplateId", id.as_str()),
        ("LaunchTemplateVersion.1", "$Default"),
    ];
    assert_eq!(of_all(&standin, &default).texts("versionNumber"), ["2"]);
}

#[test]
#[should_panic(expected = "has no version 3")]
fn a_default_version_must_exist() {
    let standin = Standin::start();
    let id = with_versions(&standin);
    standin.set_default_version(&id, 3);
}

#[test]
fn all_templates_tell_their_latest_and_default_versions() {
    let standin = Standin::start();
    with_versions(&standin);
    let single = standin.template(REGION, "single");
    standin.template_version(&single, template_data());
    standin.template(REGION, "bare");
    let elsewhere = standin.template("eu-west-1", "elsewhere");
    standin.template_version(&elsewhere, template_data());
    let latest = of_all(&standin, &[("LaunchTemplateVersion.1", "$Latest")]);
    assert_eq!(versions(&latest), pairs(&[("web", "2"), ("single", "1")]));
    let default = of_all(&standin, &[("LaunchTemplateVersion.1", "$Default")]);
    assert_eq!(versions(&default), pairs(&[("web", "1"), ("single", "1")]));
    assert_eq!(default.texts("defaultVersion"), ["true", "true"]);
    let both = [
        ("LaunchTemplateVersion.1", "$Default"),
        ("LaunchTemplateVersion.2", "$Latest"),
    ];
    assert_eq!(
        versions(&of_all(&standin, &both)),
        pairs(&[("web", "1"), ("web", "2"), ("single", "1"), ("single", "1")])
    );
}

#[test]
fn a_number_needs_a_template() {
    let standin = Standin::start();
    with_versions(&standin);
    of_all(&standin, &[("LaunchTemplateVersion.1", "1")]).is_refused(400, "MissingParameter");
    let mixed = [
        ("LaunchTemplateVersion.1", "$Latest"),
        ("LaunchTemplateVersion.2", "1"),
    ];
    of_all(&standin, &mixed).is_refused(400, "MissingParameter");
}

#[test]
fn versions_of_all_templates_come_in_pages() {
    let standin = Standin::start();
    for number in 0..250 {
        let id = standin.template(REGION, &format!("t-{number:03}"));
        standin.template_version(&id, template_data());
    }
    let latest = ("LaunchTemplateVersion.1", "$Latest");
    let first = of_all(&standin, &[latest]);
    assert_eq!(first.texts("versionNumber").len(), 200);
    let token = first.text("nextToken");
    let second = of_all(&standin, &[latest, ("NextToken", &token)]);
    assert_eq!(second.texts("versionNumber").len(), 50);
    assert_eq!(second.text("launchTemplateName"), "t-200");
    of_all(&standin, &[latest, ("MaxResults", "201")]).is_refused(400, "InvalidParameterValue");
}

#[test]
fn a_version_tells_its_image_and_user_data() {
    let standin = Standin::start();
    let id = standin.template(REGION, "web");
    let gzip = [0x1f, 0x8b, 0x08, 0xff];
    standin.template_version(&id, template_data().image("ami-1").user_data(gzip));
    standin.template_version(&id, template_data().image("resolve:ssm:/golden"));
    standin.template_version(
        &id,
        template_data()
            .no_image()
            .tokens("required")
            .hop_limit(2)
            .endpoint("enabled"),
    );
    let all = of_all(&standin, &[("LaunchTemplateId", &id)]);
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
