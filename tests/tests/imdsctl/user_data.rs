//! `imdsctl scan --user-data`: calls without a token in instances and in what launches them.

use imds_tests::{FakeAws, group, launch, launch_configuration, template_data};
use serde_json::json;

use crate::reading::*;

const SCRIPT: &str =
    "#!/bin/bash\nID=$(curl -s http://169.254.169.254/latest/meta-data/instance-id)\n";

#[test]
fn without_templates_it_reads_templates_too_and_shows_those_with_calls() {
    let ec2 = FakeAws::start();
    let id = ec2.template(REGION, "web");
    ec2.template_version(&id, template_data().tokens("optional").user_data(SCRIPT));
    ec2.template_version(&id, template_data().tokens("required"));
    ec2.template_version(&id, template_data().tokens("required"));
    ec2.add_group(REGION, group("web-asg").template(&id, "1"));
    ec2.set_default_version(&id, 2);
    for (name, script) in [("old", SCRIPT), ("clean", "#!/bin/sh\n")] {
        let configuration = launch_configuration(name).user_data(script);
        ec2.add_launch_configuration(REGION, configuration);
    }
    let report = scanned(&ec2, "--user-data", 1);
    let rows = list(&report, "templates").iter();
    let found: Vec<_> = rows
        .map(|row| json!([row["id"], row["version"], row["user_data"][0]["line"]]))
        .collect();
    assert_eq!(found, [json!([id, "1", 2]), json!(["old", null, 2])]);
    let table = imdsctl(&ec2, "scan --user-data").run();
    let version = format!("{id} version 1");
    says(&table.ended_with(1).stdout, &[&version, "optional"]);
}

#[test]
fn a_call_where_tokens_are_required_is_a_violation_and_is_never_hidden() {
    let ec2 = FakeAws::start();
    ec2.launch(launch(REGION).tokens("required"));
    let alone = scanned(&ec2, "--user-data --only violations", 0);
    assert_eq!(list(&alone, "instances").len(), 0);

    let by_template = FakeAws::start();
    let id = by_template.template(REGION, "web");
    let data = || template_data().tokens("required");
    by_template.template_version(&id, data().user_data(SCRIPT));
    by_template.template_version(&id, data());
    let by_instance = FakeAws::start();
    let instance = by_instance.launch(launch(REGION).tokens("required").user_data(SCRIPT));
    for (ec2, id) in [(by_template, id), (by_instance, instance)] {
        for flags in ["--user-data --templates", "--user-data"] {
            let flags = format!("scan --only violations {flags}");
            let table = imdsctl(&ec2, &flags).run();
            let expected = [id.as_str(), "required: the call fails"];
            says(&table.ended_with(1).stdout, &expected);
        }
        let report = scanned(&ec2, "--templates --user-data --only violations", 1);
        let shown = list(&report, "templates").len() + list(&report, "instances").len();
        assert_eq!(shown, 1);
        scanned(&ec2, "--templates --only violations", 0);
    }
}
