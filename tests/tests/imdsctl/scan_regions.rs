//! `imdsctl scan`: regions, concurrency and errors.

use std::time::Duration;

use imds_tests::{FakeAws, InjectedFault, launch};
use serde_json::{Value, json};

use crate::reading::*;
use crate::scan::{REGIONS, three_regions};

#[test]
fn all_regions_are_scanned_concurrently() {
    let ec2 = FakeAws::start();
    ec2.set_latency(Duration::from_millis(700));
    let ids = ["ap-south-1", "eu-north-1", "us-west-2"].map(|region| ec2.launch(launch(region)));
    let report = scanned(&ec2, "", 1);
    assert_eq!(super::reading::ids(&report), sorted(ids));
    assert_eq!(list(&report, "regions").len(), 3);
    let empty = &list(&report, "empty_regions")[0];
    assert_eq!(list(empty, "regions").len(), 14);
    let concurrent = ec2.max_in_flight();
    assert!(concurrent > 10, "at most {concurrent} concurrent calls");
}

#[test]
fn a_sequential_scan_makes_one_call_at_a_time() {
    let (ec2, _) = three_regions();
    ec2.set_latency(Duration::from_millis(30));
    let regions = REGIONS.join(",");
    scanned(&ec2, &format!("--sequential --region {regions}"), 1);
    assert_eq!(ec2.max_in_flight(), 1);
    assert_eq!(ec2.count("DescribeInstances"), 3);
}

#[test]
fn no_more_regions_are_scanned_concurrently_than_requested() {
    let ec2 = FakeAws::start();
    ec2.set_latency(Duration::from_millis(150));
    scanned(&ec2, "--concurrency 3", 0);
    let concurrent = ec2.max_in_flight();
    assert!(
        (2..=3).contains(&concurrent),
        "{concurrent} concurrent calls"
    );
}

#[test]
fn only_the_named_regions_are_scanned() {
    let (ec2, [frankfurt, dublin, _]) = three_regions();
    let report = scanned(&ec2, "--region eu-west-1 --region eu-central-1", 1);
    assert_eq!(ids(&report), sorted([frankfurt, dublin]));
    assert_eq!(ec2.count("DescribeRegions"), 0);
    assert!(ec2.calls().iter().all(|call| call.region != "us-east-1"));
}

#[test]
fn an_excluded_region_is_not_scanned() {
    let (ec2, [_, _, virginia]) = three_regions();
    let report = scanned(&ec2, "--exclude-region eu-west-1,eu-central-1", 1);
    assert_eq!(ids(&report), [virginia]);
    let asked = ec2.calls_to("DescribeInstances");
    assert!(asked.iter().all(|call| call.region == "us-east-1"));
}

#[test]
fn no_remaining_region_is_a_usage_error() {
    let (ec2, _) = three_regions();
    let all = format!("--exclude-region {}", REGIONS.join(","));
    for regions in [&all, "--region eu-west-1 --exclude-region eu-west-1"] {
        let ran = imdsctl(&ec2, &format!("scan {regions}")).run();
        says(
            &ran.ended_with(2).stderr,
            &["no region", "--exclude-region"],
        );
        assert_eq!(ran.stdout, "");
    }
    assert_eq!(ec2.count("DescribeInstances"), 0);
}

#[test]
fn an_opted_out_region_is_scanned_only_if_it_is_named() {
    for code in ["AuthFailure", "OptInRequired"] {
        let (ec2, _) = three_regions();
        ec2.opt_out("me-south-1", code);
        let report = scanned(&ec2, "", 1);
        assert_eq!(list(&report, "unreachable"), &[] as &[Value]);
        assert!(ec2.calls().iter().all(|call| call.region != "me-south-1"));
        let report = scanned(&ec2, "--region me-south-1,eu-west-1", 3);
        let unreachable = list(&report, "unreachable");
        assert_eq!(unreachable.len(), 1);
        assert_eq!(unreachable[0]["region"], "me-south-1");
        says(unreachable[0]["error"].as_str().unwrap(), &[code]);
        assert_eq!(
            list(&report, "instances").len(),
            1,
            "the other region is scanned"
        );
    }
}

#[test]
fn an_unreachable_region_is_named_and_the_others_are_scanned() {
    let (ec2, [frankfurt, _, virginia]) = three_regions();
    ec2.fault(
        InjectedFault::unauthorized()
            .action("DescribeInstances")
            .region("eu-west-1"),
    );
    let report = scanned(&ec2, "", 3);
    assert_eq!(ids(&report), sorted([frankfurt, virginia]));
    let unreachable = list(&report, "unreachable");
    assert_eq!(
        (unreachable.len(), &unreachable[0]["region"]),
        (1, &json!("eu-west-1"))
    );
    says(
        unreachable[0]["error"].as_str().unwrap(),
        &["DescribeInstances", "UnauthorizedOperation"],
    );
    let table = imdsctl(&ec2, "scan").run();
    says(
        &table.ended_with(3).stdout,
        &["\neu-west-1: ", "UnauthorizedOperation", "1 error"],
    );
}

#[test]
fn a_region_that_fails_after_a_page_shows_the_page_and_the_error() {
    let ec2 = FakeAws::start();
    ec2.launch_many(launch(REGION).tokens("required"), 10);
    ec2.set_page_size(5);
    ec2.fault(
        InjectedFault::unauthorized()
            .action("DescribeInstances")
            .after(1),
    );
    let report = scanned(&ec2, "--region eu-central-1", 3);
    assert_eq!(list(&report, "instances").len(), 5);
    assert_eq!(list(&report, "unreachable").len(), 1);
}

#[test]
fn transient_errors_are_retried() {
    for fault in [
        InjectedFault::throttle(),
        InjectedFault::unavailable(),
        InjectedFault::reset(),
    ] {
        let (ec2, all) = three_regions();
        ec2.fault(fault.action("DescribeInstances").times(2));
        let report = scanned(&ec2, "", 1);
        assert_eq!(ids(&report), sorted(all));
        assert_eq!(ec2.count("DescribeInstances"), 5);
    }
}

#[test]
fn a_region_that_is_a_typing_error_is_named_with_what_was_meant() {
    let fake = two_regions();
    let report = scanned(&fake, "--region eu-centrall-1", 3);
    let error = list(&report, "unreachable")[0]["error"].as_str().unwrap();
    says(error, &["eu-centrall-1", "did you mean eu-central-1?"]);
    for region in ["eu-central1", "eu-central-1a", "EU-CENTRAL-1"] {
        let ran = imdsctl(&fake, &format!("scan --region {region}")).run();
        says(
            &ran.ended_with(2).stderr,
            &[region, "did you mean eu-central-1?"],
        );
    }
    let ran = imdsctl(&fake, "scan --region frankfurt").run();
    says(
        &ran.ended_with(2).stderr,
        &["expected a region such as eu-central-1"],
    );
    // Nor is a permission guessed at.
    fake.fault(InjectedFault::unauthorized().action("DescribeInstances"));
    let report = scanned(&fake, "--region us-east-9", 3);
    let error = list(&report, "unreachable")[0]["error"].as_str().unwrap();
    assert!(!error.contains("did you mean"), "{error}");
}

#[test]
fn a_region_that_is_excluded_by_a_typing_error_is_not_forgotten() {
    let fake = two_regions();
    fake.launch(launch(HERE));
    for command in ["scan", "usage", "enforce --yes"] {
        let arguments = format!("{command} --exclude-region eu-centrall-1");
        let ran = imdsctl(&fake, &arguments).run();
        let words = [
            "`--exclude-region eu-centrall-1`",
            "did you mean eu-central-1?",
        ];
        says(&ran.ended_with(2).stderr, &words);
    }
    assert!(fake.changing_calls().is_empty());
    // A region of AWS that is not enabled may be excluded.
    imdsctl(&fake, "scan --exclude-region me-south-1")
        .run()
        .ended_with(1);
}

#[test]
fn a_denied_call_says_which_permission_is_missing_and_which_policy_denies() {
    let who = "User: arn:aws:iam::111122223333:user/ada is not authorized to perform: ec2:DescribeInstances";
    for (message, words) in [
        (
            format!(
                "You are not authorized to perform this operation. {who} with an explicit deny in a service control policy. Encoded authorization failure message: abc"
            ),
            [
                "UnauthorizedOperation: with an explicit deny in a service control policy (User: ",
                "user/ada is not authorized to perform: ec2:DescribeInstances)",
            ],
        ),
        (
            format!(
                "{who} because no identity-based policy allows the ec2:DescribeInstances action"
            ),
            [
                "because no identity-based policy allows the ec2:DescribeInstances action",
                "user/ada",
            ],
        ),
        (
            "You are not authorized to perform this operation.".to_owned(),
            [
                "You are not authorized to perform this operation: ",
                "ec2:DescribeInstances",
            ],
        ),
    ] {
        let fake = two_regions();
        let fault = InjectedFault::unauthorized().message(&message);
        fake.fault(fault.action("DescribeInstances").region(HERE));
        let report = scanned(&fake, "", 3);
        let error = list(&report, "unreachable")[0]["error"].as_str().unwrap();
        says(error, &words);
        assert!(!error.contains("Encoded"), "{error}");
    }
}
