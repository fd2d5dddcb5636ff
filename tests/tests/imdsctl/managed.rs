//! Instances that an AWS service manages: EC2 hides them unless a call asks for them, and the service may
//! refuse changes.

use imds_tests::{FakeAws, launch};
use serde_json::json;

use crate::enforce::enforced;
use crate::reading::*;
use crate::rollback::rollback;

const EKS: &str = "eks.amazonaws.com";

fn one_managed() -> (FakeAws, String) {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION).managed_by(EKS).launched(DAY * 100));
    (ec2, id)
}

#[test]
fn hidden_managed_instances_are_scanned_surveyed_enforced_and_rolled_back() {
    for knows_the_parameter in [true, false] {
        let (ec2, id) = one_managed();
        if !knows_the_parameter {
            ec2.refuse_include_managed_resources(REGION);
        }
        let place = TestFolder::new();
        let journal = place.path("journal");
        let report = scanned(&ec2, "", 1);
        assert_eq!(entry(&report, &id)["decision"], "enforce");
        let found = imdsctl(&ec2, &format!("usage --instance {id}")).run();
        says(&found.ended_with(0).stdout, &[&id]);
        let arguments = format!("--ignore-usage --journal {}", journal.display());
        let report = enforced(&ec2, &arguments, 0);
        assert_eq!(entry(&report, &id)["outcome"], "enforced");
        assert_eq!(tokens(&ec2, &id), "required");
        rollback(&ec2, &journal, "--yes").run().ended_with(0);
        assert_eq!(tokens(&ec2, &id), "optional");
    }
}

#[test]
fn what_its_service_refuses_is_reported_with_the_service_s_name_and_fails_nothing() {
    let refusals = [
        |launch: imds_tests::LaunchBuilder| launch.denies_changes(),
        |launch: imds_tests::LaunchBuilder| launch.refuses_changes(),
    ];
    for refusal in refusals {
        let ec2 = FakeAws::start();
        let managed = ec2.launch(refusal(launch(REGION).managed_by(EKS)));
        let other = ec2.launch(launch(REGION));
        let report = enforced(&ec2, "", 1);
        let instance = entry(&report, &managed);
        assert_eq!(
            (
                &instance["outcome"],
                &instance["instead_of"],
                &instance["because"]
            ),
            (&json!("reported"), &json!("enforce"), &json!("managed"))
        );
        says(&instance["reason"].to_string(), &[EKS]);
        assert_eq!(entry(&report, &other)["outcome"], "enforced");
        assert_eq!(report["summary"]["failed"], 0);
        let of_managed = modified(&ec2).into_iter();
        let of_managed = of_managed.filter(|call| call["InstanceId"] == managed);
        assert_eq!(of_managed.count(), 1, "it refuses for good");
    }
}

#[test]
fn a_denial_where_no_service_manages_the_instance_is_a_failure() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION).denies_changes());
    let report = enforced(&ec2, "", 3);
    assert_eq!(entry(&report, &id)["outcome"], "failed");
}
