//! `imdsctl enforce`: errors of regions and instances.

use std::time::Duration;

use imds_tests::{FakeAws, InjectedFault, launch};
use serde_json::json;

use crate::enforce::enforced;
use crate::reading::*;

#[test]
fn a_region_that_rejects_changes_does_not_affect_the_others() {
    let ec2 = FakeAws::start();
    let rejecting = ec2.launch(launch("eu-west-1"));
    let others = ["ap-south-1", "us-east-1"].map(|region| ec2.launch(launch(region)));
    ec2.fault(
        InjectedFault::unauthorized()
            .action(MODIFY)
            .region("eu-west-1"),
    );
    let report = enforced(&ec2, "", 3);
    assert_eq!(entry(&report, &rejecting)["outcome"], "failed");
    says(
        entry(&report, &rejecting)["reason"].as_str().unwrap(),
        &["UnauthorizedOperation"],
    );
    assert!(others.iter().all(|id| tokens(&ec2, id) == "required"));
    assert_eq!(
        (&report["summary"]["enforced"], &report["summary"]["failed"]),
        (&json!(2), &json!(1))
    );
}

#[test]
fn an_unreachable_region_does_not_affect_the_others() {
    let ec2 = FakeAws::start();
    let unreachable = ec2.launch(launch("eu-west-1"));
    let reachable = ec2.launch(launch("us-east-1"));
    ec2.fault(
        InjectedFault::unauthorized()
            .action("DescribeInstances")
            .region("eu-west-1"),
    );
    let report = enforced(&ec2, "", 3);
    assert_eq!(
        [&unreachable, &reachable].map(|id| tokens(&ec2, id)),
        ["optional", "required"]
    );
    assert_eq!(list(&report, "unreachable")[0]["region"], "eu-west-1");
}

#[test]
fn an_instance_that_rejects_changes_does_not_affect_the_others() {
    let ec2 = FakeAws::start();
    let others = ec2.launch_many(launch(REGION), 3);
    let managed = ec2.launch(launch(REGION).refuses_changes());
    let ran = imdsctl(&ec2, "enforce --yes").run();
    says(
        &ran.ended_with(3).stdout,
        &[&managed, "OperationNotPermitted", "3 enforced", "1 failed"],
    );
    assert!(others.iter().all(|id| tokens(&ec2, id) == "required"));
}

#[test]
fn a_pending_instance_is_retried_and_a_terminated_one_is_gone() {
    let ec2 = FakeAws::start();
    let pending = ec2.launch(launch(REGION).refuse_modify(2));
    let terminated = ec2.launch(launch(REGION));
    ec2.fault(
        InjectedFault::delay(Duration::from_millis(500))
            .action(MODIFY)
            .instance(&terminated),
    );
    let mut running = imdsctl(&ec2, "enforce --yes --format json").start();
    running.wait_until(|_| {
        modified(&ec2)
            .iter()
            .any(|call| call["InstanceId"] == terminated)
    });
    ec2.set_state(&terminated, "terminated");
    let ran = running.wait();
    let report = json(ran.ended_with(0));
    assert_eq!(entry(&report, &pending)["outcome"], "enforced");
    assert_eq!(entry(&report, &terminated)["outcome"], "gone");
}

#[test]
fn throttled_changes_are_retried() {
    let ec2 = FakeAws::start();
    ec2.launch_many(launch(REGION), 8);
    ec2.fault(InjectedFault::throttle().action(MODIFY).times(4));
    let report = enforced(&ec2, "", 0);
    assert_eq!(report["summary"]["enforced"], 8);
    assert_eq!(ec2.count(MODIFY), 12);
}

#[test]
fn an_unknown_account_is_not_changed() {
    let ec2 = FakeAws::start();
    ec2.launch(launch(REGION));
    ec2.fault(InjectedFault::error("AccessDenied", 403).action("GetCallerIdentity"));
    let ran = imdsctl(&ec2, "enforce --yes").run();
    says(&ran.ended_with(2).stderr, &["credentials", "AccessDenied"]);
    assert_eq!(ec2.changing_calls().len(), 0);
}
