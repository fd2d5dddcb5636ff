//! `--timeout`: what AWS does not answer in time is given up and named; what is changed is finished.

use std::thread::sleep;
use std::time::Duration;

use imds_tests::{FakeAws, InjectedFault, launch};

use crate::reading::*;

const LONG: Duration = Duration::from_secs(50);

/// Calls of an action that are not answered within the time of a test.
fn hang(fake: &FakeAws, action: &str) -> InjectedFault {
    fake.launch(launch(HERE));
    InjectedFault::delay(LONG).action(action)
}

#[test]
fn a_region_that_does_not_answer_in_time_is_named_and_the_others_are_shown() {
    let fake = two_regions();
    fake.fault(hang(&fake, "DescribeInstances").region(THERE));
    let report = scanned(&fake, "--timeout 2s", 3);
    assert_eq!(list(&report, "instances").len(), 1);
    let unreachable = list(&report, "unreachable");
    assert_eq!(unreachable.len(), 1, "{report:#}");
    assert_eq!(unreachable[0]["region"], THERE);
    says(
        unreachable[0]["error"].as_str().unwrap(),
        &["DescribeInstances", "the time limit of 2s passed"],
    );
}

#[test]
fn every_command_gives_up_and_says_so_without_advice_on_permissions() {
    for (action, command) in [
        ("DescribeRegions", "scan"),
        ("DescribeRegions", "usage"),
        ("DescribeRegions", "defaults show"),
        (
            "GetCallerIdentity",
            "defaults set --http-tokens required --yes",
        ),
    ] {
        let fake = two_regions();
        fake.fault(hang(&fake, action));
        let ran = imdsctl(&fake, &format!("{command} --timeout 1s")).run();
        let stderr = &ran.ended_with(3).stderr;
        says(stderr, &[action, "the time limit of 1s passed", "network"]);
        assert!(!stderr.contains("allow"), "{stderr}");
    }
}

#[test]
fn a_change_in_flight_is_finished_and_what_was_not_reached_failed() {
    let fake = two_regions();
    let (first, second) = (fake.launch(launch(HERE)), fake.launch(launch(THERE)));
    let late = InjectedFault::delay(Duration::from_secs(4));
    fake.fault(late.action(MODIFY).instance(&first));
    let folder = TestFolder::new();
    let journal = folder.path("journal");
    let ran = imdsctl(
        &fake,
        "enforce --yes --region-by-region --timeout 3s --format json",
    )
    .arg("--journal")
    .arg(&journal)
    .run();
    let report = json(ran.ended_with(3));
    assert_eq!(entry(&report, &first)["outcome"], "enforced");
    let left = entry(&report, &second);
    assert_eq!(left["outcome"], "failed");
    says(
        left["reason"].as_str().unwrap(),
        &["the time limit of 3s passed before it was changed"],
    );
    assert_eq!(
        [&first, &second].map(|id| tokens(&fake, id)),
        ["required", "optional"]
    );
    assert_eq!(answers(&lines(&journal), &first), ["after"]);
    assert_eq!(named(&lines(&journal), "intent"), [first]);
}

#[test]
fn waiting_for_the_confirmation_does_not_count() {
    let fake = FakeAws::start();
    let id = fake.launch(launch(REGION));
    let arguments = format!("enforce --region {REGION} --timeout 3s");
    let mut terminal = imdsctl(&fake, &arguments).on_terminal(120, 40);
    terminal.wait_for("Type yes");
    sleep(Duration::from_secs(4));
    terminal.type_text("yes\r");
    let _ = terminal.wait().ended_with(0);
    assert_eq!(tokens(&fake, &id), "required");
}

#[test]
fn a_time_has_a_unit() {
    let fake = FakeAws::start();
    for time in ["30", "0s", "-1s", "soon"] {
        let ran = imdsctl(&fake, &format!("scan --timeout={time}")).run();
        says(
            &ran.ended_with(2).stderr,
            &["--timeout", time, "90s, 5m or 1h"],
        );
    }
    imdsctl(&fake, "scan --timeout 1h30m").run().ended_with(0);
}
