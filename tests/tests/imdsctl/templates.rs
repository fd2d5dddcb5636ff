//! `imdsctl scan --templates`: what would launch non-compliant instances.

use std::collections::BTreeMap;

use imds_tests::{
    Defaults, FakeAws, InjectedFault, TemplateData, image, launch_configuration, template_data,
};
use serde_json::Value;

use crate::reading::*;

const OLD: &str = "ami-0abcdef1234567890";
const NEW: &str = "ami-0fedcba9876543210";

/// A region with an image without `ImdsSupport` and one that requires tokens.
fn region() -> FakeAws {
    let ec2 = FakeAws::start();
    ec2.set_regions(&[REGION, "us-east-1"]);
    ec2.add_image(REGION, image(OLD));
    ec2.add_image(REGION, image(NEW).imds_v2());
    ec2
}

fn template(ec2: &FakeAws, name: &str, versions: impl IntoIterator<Item = TemplateData>) -> String {
    let id = ec2.template(REGION, name);
    for version in versions {
        ec2.template_version(&id, version);
    }
    id
}

/// Verdict and reason by name and version.
fn found(report: &Value) -> BTreeMap<String, (String, String)> {
    let text = |row: &Value, field: &str| row[field].as_str().unwrap_or_default().to_owned();
    list(report, "templates")
        .iter()
        .map(|row| {
            let name = match row["kind"].as_str().unwrap() {
                "launch template" => format!("{} {}", text(row, "name"), text(row, "version")),
                _ => text(row, "id"),
            };
            (name, (text(row, "verdict"), text(row, "reason")))
        })
        .collect()
}

#[track_caller]
fn verdict(report: &Value, name: &str, verdict: &str, because: &str) {
    let found = found(report);
    let (was, why) = found
        .get(name)
        .unwrap_or_else(|| panic!("no {name:?} in {found:#?}"));
    assert_eq!(was, verdict, "{name}: {why}");
    assert!(why.contains(because), "{name}: {why}");
}

#[test]
fn of_versions_that_nothing_uses_only_the_default_and_the_latest_are_evaluated() {
    let ec2 = region();
    let three = ["required", "optional", "required"].map(|tokens| template_data().tokens(tokens));
    let id = template(&ec2, "web", three);
    template(&ec2, "one", [template_data().tokens("optional")]);
    ec2.set_default_version(&id, 2);
    let report = scanned(&ec2, "--templates", 1);
    let names: Vec<String> = found(&report).into_keys().collect();
    assert_eq!(
        names,
        [
            "one 1 (default, latest)",
            "web 2 (default)",
            "web 3 (latest)"
        ]
    );
    verdict(
        &report,
        "web 2 (default)",
        "non_compliant",
        "http_tokens is optional",
    );
    verdict(&report, "web 3 (latest)", "compliant", "");
    assert_eq!(list(&report, "templates")[1]["id"], id);
}

/// Templates whose options come from EC2's default, the image, or the template itself.
fn templates(ec2: &FakeAws) {
    let data = template_data;
    for (name, data) in [
        ("silent", data().image(OLD)),
        ("by-image", data().image(NEW)),
        ("against-image", data().image(NEW).tokens("optional")),
        ("off", data().tokens("optional").endpoint("disabled")),
    ] {
        template(ec2, name, [data]);
    }
}

/// Asserts verdict and reason of templates with one version.
#[track_caller]
fn verdicts(ec2: &FakeAws, expected: &[(&str, &str, &str)]) {
    let report = scanned(ec2, "--templates", 1);
    for (name, word, because) in expected {
        let name = format!("{name} 1 (default, latest)");
        verdict(&report, &name, word, because);
    }
}

#[test]
fn without_defaults_the_template_decides_then_its_image_then_ec2() {
    let ec2 = region();
    templates(&ec2);
    verdicts(
        &ec2,
        &[
            ("silent", "non_compliant", "EC2's default"),
            ("by-image", "compliant", "its image"),
            ("against-image", "non_compliant", ""),
            ("off", "compliant", ""),
        ],
    );
}

#[test]
fn the_defaults_of_the_account_decide_after_the_template_and_before_the_image() {
    let ec2 = region();
    templates(&ec2);
    let set_tokens = |tokens: &str| {
        let tokens = Some(tokens.to_owned());
        let defaults = Defaults {
            tokens,
            ..Defaults::default()
        };
        ec2.set_defaults(REGION, defaults);
    };
    set_tokens("required");
    verdicts(
        &ec2,
        &[
            ("silent", "compliant", "the account's defaults"),
            ("by-image", "compliant", "the account's defaults"),
            ("against-image", "non_compliant", ""),
        ],
    );
    set_tokens("optional");
    verdicts(
        &ec2,
        &[("by-image", "non_compliant", "the account's defaults")],
    );
    ec2.enforce_tokens(REGION);
    verdicts(
        &ec2,
        &[("against-image", "non_compliant", "HttpTokensEnforced")],
    );
}

#[test]
fn an_image_that_cannot_be_described_is_unknown() {
    let ec2 = region();
    template(
        &ec2,
        "elsewhere",
        [template_data().image("ami-00000000000000001")],
    );
    template(&ec2, "no-image", [template_data().no_image()]);
    let report = scanned(&ec2, "--templates", 1);
    verdict(
        &report,
        "elsewhere 1 (default, latest)",
        "unknown",
        "ami-00000000000000001",
    );
    verdict(
        &report,
        "no-image 1 (default, latest)",
        "unknown",
        "names no image",
    );
    assert_eq!(list(&report, "unreachable"), &[] as &[Value]);
}

#[test]
fn launch_configurations_are_evaluated_too() {
    let ec2 = region();
    for configuration in [
        launch_configuration("open").image(OLD),
        launch_configuration("by-image").image(NEW),
        launch_configuration("closed").tokens("required"),
    ] {
        ec2.add_launch_configuration(REGION, configuration);
    }
    let report = scanned(&ec2, "--templates", 1);
    verdict(&report, "open", "non_compliant", "EC2's default");
    verdict(&report, "by-image", "compliant", "its image");
    verdict(&report, "closed", "compliant", "");
    assert_eq!(
        list(&report, "templates")[0]["kind"],
        "launch configuration"
    );
}

#[test]
fn a_hop_limit_applies_to_templates() {
    let ec2 = region();
    for hops in [1, 2] {
        let data = template_data().tokens("required").hop_limit(hops);
        template(&ec2, &format!("hops-{hops}"), [data]);
    }
    let report = scanned(&ec2, "--templates --hop-limit 2", 1);
    verdict(
        &report,
        "hops-1 1 (default, latest)",
        "non_compliant",
        "hop_limit",
    );
    verdict(&report, "hops-2 1 (default, latest)", "compliant", "");
}

#[test]
fn only_necessary_calls_are_made() {
    let ec2 = region();
    template(&ec2, "closed", [template_data().tokens("required")]);
    scanned(&ec2, "--templates", 0);
    let counts = [
        ("DescribeLaunchTemplates", 2),
        ("DescribeLaunchTemplateVersions", 1),
        ("DescribeLaunchConfigurations", 2),
        ("GetInstanceMetadataDefaults", 2),
        ("DescribeImages", 0),
        ("DescribeInstances", 2),
    ];
    for (action, count) in counts {
        assert_eq!(ec2.count(action), count, "{action}");
    }
    assert_eq!(ec2.changing_calls().len(), 0);
}

#[test]
fn what_cannot_be_listed_is_reported_and_the_rest_is_shown() {
    let ec2 = region();
    template(&ec2, "closed", [template_data().tokens("required")]);
    ec2.fault(InjectedFault::error("AccessDenied", 403).action("DescribeLaunchConfigurations"));
    let report = scanned(&ec2, "--templates", 3);
    verdict(&report, "closed 1 (default, latest)", "compliant", "");
    says(
        &report["unreachable"].to_string(),
        &["DescribeLaunchConfigurations", "AccessDenied"],
    );
}

#[test]
fn a_table_lists_templates_separately() {
    let ec2 = region();
    template(&ec2, "silent", [template_data().image(OLD)]);
    let ran = imdsctl(&ec2, "scan --templates").run();
    says(
        &ran.ended_with(1).stdout,
        &[
            "Launch templates and configurations",
            "silent",
            "1 (default, latest)",
            "EC2's default",
        ],
    );
}

#[test]
fn templates_and_configurations_on_later_pages_are_found() {
    let ec2 = region();
    for n in 0..3 {
        template(&ec2, &format!("t{n}"), [template_data().tokens("required")]);
        let name = format!("c{n}");
        ec2.add_launch_configuration(REGION, launch_configuration(&name).tokens("required"));
    }
    ec2.set_page_size(1);
    let found = found(&scanned(&ec2, "--templates", 0));
    assert_eq!(found.len(), 6, "{found:?}");
}
