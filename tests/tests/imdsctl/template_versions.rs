//! `imdsctl scan --templates`: the versions that groups, fleets and instances use.

use imds_tests::{FakeAws, InjectedFault, TemplateData, fleet, group, launch, template_data};
use serde_json::{Value, json};

use crate::reading::*;

/// A template whose second version is the default, and whose third is the latest; both require tokens.
fn template(ec2: &FakeAws, name: &str) -> String {
    let id = ec2.template(REGION, name);
    for tokens in ["optional", "required", "required"] {
        ec2.template_version(&id, template_data().tokens(tokens));
    }
    ec2.set_default_version(&id, 2);
    id
}

fn row<'a>(report: &'a Value, version: &str) -> &'a Value {
    let mut rows = list(report, "templates").iter();
    rows.find(|row| row["version"] == version)
        .unwrap_or_else(|| panic!("no version {version:?} in {}", report["templates"]))
}

fn versions(report: &Value) -> Vec<&str> {
    let rows = list(report, "templates").iter();
    rows.map(|row| row["version"].as_str().unwrap()).collect()
}

#[test]
fn a_version_that_a_group_is_pinned_to_is_evaluated_and_its_group_is_named() {
    let ec2 = FakeAws::start();
    let id = template(&ec2, "web");
    ec2.add_group(REGION, group("web-asg").template(&id, "1"));
    ec2.add_group(REGION, group("by-default").template("web", ""));
    ec2.add_group(REGION, group("by-latest").template(&id, "$Latest"));
    let report = scanned(&ec2, "--templates", 1);
    assert_eq!(versions(&report), ["1", "2 (default)", "3 (latest)"]);
    let by = |name: &str| json!([{"kind": "auto_scaling_group", "name": name}]);
    assert_eq!(row(&report, "1")["verdict"], "non_compliant");
    assert_eq!(row(&report, "1")["used_by"], by("web-asg"));
    assert_eq!(row(&report, "2 (default)")["used_by"], by("by-default"));
    assert_eq!(row(&report, "3 (latest)")["used_by"], by("by-latest"));
    let table = imdsctl(&ec2, "scan --templates").run();
    says(&table.ended_with(1).stdout, &["Auto Scaling group web-asg"]);
}

#[test]
fn every_template_of_a_mixed_instances_policy_is_evaluated() {
    let ec2 = FakeAws::start();
    let (web, arm) = (template(&ec2, "web"), template(&ec2, "arm"));
    let overridden = group("a").template(&web, "1").template_override(&arm, "1");
    ec2.add_group(REGION, overridden);
    let report = scanned(&ec2, "--templates", 1);
    let rows = list(&report, "templates").iter();
    let open = rows.filter(|row| row["version"] == "1");
    let open: Vec<&str> = open.map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(
        open,
        ["arm"],
        "nothing is launched from the policy's own template"
    );
    let whole = group("b").template(&web, "1").mixed();
    ec2.add_group(REGION, whole);
    let report = scanned(&ec2, "--templates", 1);
    let rows = list(&report, "templates").iter();
    assert_eq!(rows.filter(|row| row["version"] == "1").count(), 2);
}

#[test]
fn versions_that_fleets_launch_from_are_evaluated() {
    let ec2 = FakeAws::start();
    let (one, two) = (template(&ec2, "one"), template(&ec2, "two"));
    let ec2_fleet = ec2.add_fleet(REGION, fleet(&one, "1").template(&two, "$Default"));
    let spot_fleet = ec2.add_spot_fleet(REGION, fleet("two", "1"));
    ec2.add_fleet(REGION, fleet(&two, "$Latest").state("deleted_running"));
    ec2.add_spot_fleet(REGION, fleet(&two, "$Latest").state("cancelled_running"));
    ec2.add_fleet(REGION, fleet(&two, "$Latest").kind("instant"));
    let report = scanned(&ec2, "--templates", 1);
    let rows = list(&report, "templates").iter();
    let found: Vec<Value> = rows
        .filter(|row| row["used_by"] != json!([]))
        .map(|row| json!([row["name"], row["version"], row["used_by"][0]]))
        .collect();
    let by_fleet = json!({"kind": "ec2_fleet", "id": ec2_fleet});
    assert_eq!(
        found,
        [
            json!(["one", "1", by_fleet]),
            json!(["two", "1", {"kind": "spot_fleet", "id": spot_fleet}]),
            json!(["two", "2 (default)", by_fleet]),
        ]
    );
}

#[test]
fn versions_that_instances_were_launched_from_are_evaluated_unless_these_have_terminated() {
    let ec2 = FakeAws::start();
    let id = ec2.template(REGION, "web");
    for _ in 0..4 {
        ec2.template_version(&id, template_data().tokens("required"));
    }
    let from = |id: &str, version: &str| {
        launch(REGION)
            .tokens("required")
            .tag("aws:ec2launchtemplate:id", id)
            .tag("aws:ec2launchtemplate:version", version)
    };
    ec2.launch_many(from(&id, "2"), 2);
    ec2.launch(from(&id, "2").state("stopped"));
    ec2.launch(from(&id, "3").state("terminated"));
    ec2.launch(from(&id, "77"));
    ec2.launch(from("lt-0fffffffffffffff0", "1"));
    let report = scanned(&ec2, "--templates", 0);
    assert_eq!(versions(&report), ["1 (default)", "2", "4 (latest)"]);
    let used = json!([{"kind": "instances", "count": 3}]);
    assert_eq!(row(&report, "2")["used_by"], used);
}

#[test]
fn what_a_group_launches_from_and_does_not_exist_is_unknown() {
    let ec2 = FakeAws::start();
    let id = template(&ec2, "web");
    ec2.add_group(REGION, group("no-version").template(&id, "9"));
    ec2.add_group(REGION, group("pinned").template(&id, "1"));
    ec2.add_group(REGION, group("no-template").template("gone", "1"));
    let report = scanned(&ec2, "--templates", 1);
    let lost = list(&report, "templates").iter();
    let lost: Vec<Value> = lost
        .filter(|row| row["verdict"] == "unknown")
        .map(|row| {
            json!([
                row["id"],
                row["version"],
                row["used_by"][0]["name"],
                row["reason"]
            ])
        })
        .collect();
    let why = "does not exist: launches fail";
    assert_eq!(
        lost,
        [
            json!([id, "9", "no-version", why]),
            json!(["gone", "1", "no-template", why])
        ]
    );
    assert_eq!(
        row(&report, "1")["verdict"],
        "non_compliant",
        "it was found all the same"
    );
}

#[test]
fn the_image_of_an_override_decides_where_it_is_worse_than_that_of_the_template() {
    let ec2 = FakeAws::start();
    ec2.add_image(REGION, imds_tests::image("ami-0aaaaaaaaaaaaaaaa").imds_v2());
    ec2.add_image(REGION, imds_tests::image("ami-0bbbbbbbbbbbbbbbb"));
    for (name, image) in [
        ("by-group", "ami-0aaaaaaaaaaaaaaaa"),
        ("by-fleet", "ami-0aaaaaaaaaaaaaaaa"),
    ] {
        let id = ec2.template(REGION, name);
        ec2.template_version(&id, template_data().image(image));
    }
    let other = "ami-0bbbbbbbbbbbbbbbb";
    ec2.add_group(
        REGION,
        group("g").template("by-group", "1").image_override(other),
    );
    ec2.add_fleet(REGION, fleet("by-fleet", "1").image_override(other));
    let report = scanned(&ec2, "--templates", 1);
    for row in list(&report, "templates") {
        assert_eq!(row["verdict"], "non_compliant", "{row}");
        let reason = row["reason"].as_str().unwrap();
        assert!(reason.contains(&format!("with image {other}")), "{reason}");
    }
}

/// A template that leaves tokens to an image that is named by a parameter.
fn by_parameter(ec2: &FakeAws, name: &str) {
    ec2.add_image(REGION, imds_tests::image("ami-0aaaaaaaaaaaaaaaa").imds_v2());
    let id = ec2.template(REGION, name);
    let data = |_| -> TemplateData { template_data().image("resolve:ssm:/golden") };
    ec2.template_version(&id, data(1));
    ec2.template_version(&id, data(2));
    let closed = ec2.template(REGION, "closed");
    ec2.template_version(&closed, data(1).tokens("required"));
}

#[test]
fn an_image_that_is_named_by_a_parameter_is_resolved_with_one_call() {
    let ec2 = FakeAws::start();
    by_parameter(&ec2, "al2023");
    ec2.set_parameter(REGION, "/golden", "ami-0aaaaaaaaaaaaaaaa");
    let report = scanned(&ec2, "--region eu-central-1 --templates", 0);
    let reason = &row(&report, "2 (latest)")["reason"];
    assert_eq!(reason, "as required by its image");
    assert_eq!(ec2.count("DescribeLaunchTemplateVersions"), 2);
}

#[test]
fn an_image_whose_parameter_must_not_be_read_is_unknown_and_the_denial_is_reported() {
    let ec2 = FakeAws::start();
    by_parameter(&ec2, "al2023");
    ec2.deny_parameters(REGION);
    let report = scanned(&ec2, "--templates", 3);
    let found = row(&report, "2 (latest)");
    assert_eq!(found["verdict"], "unknown");
    says(
        &report["unreachable"].to_string(),
        &[
            "resolve:ssm:/golden",
            "ssm:GetParameters",
            "UnauthorizedOperation",
        ],
    );
    let rows = list(&report, "templates").iter();
    let closed = rows.filter(|row| row["name"] == "closed");
    assert!(closed.into_iter().all(|row| row["verdict"] == "compliant"));
}

#[test]
fn templates_that_a_service_manages_are_evaluated_too() {
    let ec2 = FakeAws::start();
    let id = ec2.managed_template(REGION, "eks-nodes", "eks.amazonaws.com");
    ec2.template_version(&id, template_data().tokens("optional"));
    let report = scanned(&ec2, "--templates", 1);
    assert_eq!(list(&report, "templates")[0]["id"], id);
    let ec2 = FakeAws::start();
    ec2.refuse_include_managed_resources(REGION);
    template(&ec2, "web");
    let report = scanned(&ec2, "--templates", 0);
    assert_eq!(
        list(&report, "templates").len(),
        2,
        "older endpoints hide none"
    );
}

#[test]
fn the_calls_for_templates_are_as_few_as_possible() {
    let ec2 = FakeAws::start();
    let (web, arm) = (template(&ec2, "web"), template(&ec2, "arm"));
    ec2.add_group(REGION, group("a").template(&web, "1"));
    ec2.add_group(REGION, group("b").template(&arm, "2"));
    ec2.add_spot_fleet(REGION, fleet(&web, "1"));
    scanned(&ec2, "--templates --region eu-central-1,us-east-1", 1);
    let counts = [
        ("DescribeLaunchTemplates", 2),
        ("DescribeLaunchConfigurations", 2),
        ("GetInstanceMetadataDefaults", 2),
        // Only where there are templates.
        ("DescribeAutoScalingGroups", 1),
        ("DescribeFleets", 1),
        ("DescribeSpotFleetRequests", 1),
        // The default and the latest of all, and the other version of `web`.
        ("DescribeLaunchTemplateVersions", 2),
        ("DescribeImages", 0),
    ];
    for (action, count) in counts {
        assert_eq!(ec2.count(action), count, "{action}");
    }
}

#[test]
fn groups_and_fleets_on_later_pages_are_found() {
    let ec2 = FakeAws::start();
    for n in 0..2 {
        let [by_group, by_fleet, by_spot] =
            ["g", "f", "s"].map(|kind| template(&ec2, &format!("{kind}{n}")));
        ec2.add_group(REGION, group(&format!("g{n}")).template(&by_group, "1"));
        ec2.add_fleet(REGION, fleet(&by_fleet, "1"));
        ec2.add_spot_fleet(REGION, fleet(&by_spot, "1"));
    }
    ec2.set_page_size(1);
    let report = scanned(&ec2, "--templates", 1);
    let rows = list(&report, "templates").iter();
    assert_eq!(rows.filter(|row| row["version"] == "1").count(), 6);
}

#[test]
fn users_that_cannot_be_listed_are_reported() {
    for action in [
        "DescribeAutoScalingGroups",
        "DescribeFleets",
        "DescribeSpotFleetRequests",
    ] {
        let ec2 = FakeAws::start();
        template(&ec2, "web");
        ec2.fault(InjectedFault::error("UnauthorizedOperation", 403).action(action));
        let report = scanned(&ec2, "--templates", 3);
        says(&report["unreachable"].to_string(), &[action]);
        assert_eq!(list(&report, "templates").len(), 2);
    }
}
