//! `imdsctl scan --usage`: the use of IMDSv1 by what launched the instances.

use imds_tests::{FakeAws, launch};
use serde_json::{Value, json};

use crate::reading::*;
use crate::usage::by_day;

#[test]
fn the_use_of_a_group_tells_what_happens_at_its_next_launch() {
    let ec2 = FakeAws::start();
    let old = || launch(REGION).launched(DAY * 100);
    let group = || old().tag("aws:autoscaling:groupName", "web-asg");
    for id in ec2.launch_many(group(), 2) {
        by_day(&ec2, &id, "MetadataNoToken", &[Some(5); 9]);
    }
    let from = old().tag("aws:ec2launchtemplate:id", "lt-0123456789abcdef0");
    let unused = ec2.launch(from);
    by_day(&ec2, &unused, "MetadataNoToken", &[Some(0); 15]);
    ec2.launch(group().tokens("required"));
    let report = scanned(&ec2, "--usage", 1);
    let counts = |row: &Value| {
        json!([
            row["launched_from"],
            row["in_use"],
            row["unused"],
            row["unknown"]
        ])
    };
    let found: Vec<Value> = list(&report, "usage_by_source")
        .iter()
        .map(counts)
        .collect();
    assert_eq!(
        found,
        [
            json!([{"kind": "auto_scaling_group", "name": "web-asg"}, 2, 0, 0]),
            json!([{"kind": "launch_template", "id": "lt-0123456789abcdef0"}, 0, 1, 0]),
        ]
    );
    let outlook = "2 of 2 use IMDSv1: each new one is enforced at its launch";
    for format in ["table", "html", "markdown"] {
        let ran = imdsctl(&ec2, &format!("scan --usage --format {format}")).run();
        says(
            &ran.ended_with(1).stdout,
            &["Auto Scaling group web-asg", outlook],
        );
    }
    let without = scanned(&ec2, "", 1);
    assert!(
        without.get("usage_by_source").is_none(),
        "it was not asked for"
    );
}
