//! DescribeLaunchTemplates and DescribeLaunchTemplateVersions.

use imds_tests::{Standin, TemplateOptions};

use crate::REGION;
use crate::client::ec2;

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
