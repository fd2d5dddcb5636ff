//! `imdsctl scan`: which instances it finds, and that it changes nothing.

use std::collections::BTreeMap;

use imds_tests::{FakeAws, InjectedFault, launch};
use serde_json::{Value, json};

use crate::reading::*;

pub(crate) const REGIONS: [&str; 3] = ["eu-central-1", "eu-west-1", "us-east-1"];

/// A non-compliant instance in each of three regions, the only ones of the account.
pub(crate) fn three_regions() -> (FakeAws, [String; 3]) {
    let ec2 = FakeAws::start();
    ec2.set_regions(&REGIONS);
    let ids = REGIONS.map(|region| ec2.launch(launch(region)));
    (ec2, ids)
}

#[test]
fn a_scan_makes_one_call_for_each_page_and_two_more_and_changes_nothing() {
    let (ec2, _) = three_regions();
    ec2.launch_many(launch(REGION), 4);
    ec2.set_page_size(2);
    let report = scanned(&ec2, "", 1);
    assert_eq!(list(&report, "instances").len(), 7);
    let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
    for call in ec2.calls() {
        *counts.entry((call.action, call.region)).or_default() += 1;
    }
    let expected = [
        ("DescribeInstances", "eu-central-1", 3),
        ("DescribeInstances", "eu-west-1", 1),
        ("DescribeInstances", "us-east-1", 1),
        ("DescribeRegions", "us-east-1", 1),
        ("GetCallerIdentity", "us-east-1", 1),
    ];
    let expected = expected
        .map(|(action, region, count)| ((action.to_owned(), region.to_owned()), count))
        .into();
    assert_eq!(counts, expected);
    assert_eq!(ec2.changing_calls().len(), 0);
}

#[test]
fn a_scan_with_all_options_changes_nothing() {
    let ec2 = FakeAws::start();
    ec2.launch_fleet(120);
    scanned(&ec2, "--templates --defaults --usage --user-data", 1);
    let changing = ec2.changing_calls();
    assert!(changing.is_empty(), "{changing:?}");
}

#[test]
fn compliant_instances_or_none_exit_with_0() {
    let ec2 = FakeAws::start();
    let report = scanned(&ec2, "", 0);
    assert_eq!(list(&report, "instances"), &[] as &[Value]);
    ec2.launch(launch(REGION).tokens("required"));
    ec2.launch(launch(REGION).endpoint("disabled"));
    ec2.launch(launch(REGION).state("terminated"));
    let report = scanned(&ec2, "", 0);
    assert_eq!(
        (&report["summary"]["compliant"], &report["summary"]["gone"]),
        (&json!(2), &json!(1))
    );
}

#[test]
fn instances_in_every_state_are_shown() {
    let ec2 = FakeAws::start();
    let states = [
        "pending",
        "running",
        "stopping",
        "stopped",
        "shutting-down",
        "terminated",
    ];
    let all = states.map(|state| (ec2.launch(launch(REGION).state(state)), state));
    let report = scanned(&ec2, "", 1);
    for (id, state) in &all {
        assert_eq!(entry(&report, id)["state"], **state);
    }
    assert_eq!(
        (&report["summary"]["reported"], &report["summary"]["gone"]),
        (&json!(4), &json!(2))
    );
    let report = scanned(&ec2, "--state stopped,running --state pending", 1);
    assert_eq!(ids(&report), sorted([0, 1, 3].map(|n| all[n].0.clone())));
    let report = scanned(&ec2, "--state terminated", 0);
    assert_eq!(ids(&report), [all[5].0.clone()]);
}

#[test]
fn an_instance_is_found_in_any_region_by_its_id() {
    let (ec2, [frankfurt, _, virginia]) = three_regions();
    let report = scanned(&ec2, &format!("--instance {virginia},{frankfurt}"), 1);
    assert_eq!(ids(&report), sorted([frankfurt, virginia]));
    assert_eq!(ec2.count("DescribeInstances"), 3);
}

#[test]
fn an_instance_that_is_not_found_is_named_and_fails_the_scan() {
    let (ec2, [frankfurt, ..]) = three_regions();
    let unknown = "i-0123456789abcdef0";
    let report = scanned(
        &ec2,
        &format!("--instance {frankfurt} --instance {unknown}"),
        3,
    );
    assert_eq!(ids(&report), [frankfurt]);
    says(&report["unreachable"].to_string(), &[unknown]);
    assert_eq!(list(&report, "unreachable").len(), 1);
}

#[test]
fn more_ids_than_a_filter_allows_take_several_calls() {
    let ec2 = FakeAws::start();
    let all = ec2.launch_many(launch(REGION), 250);
    let report = scanned(
        &ec2,
        &format!("--region {REGION} --instance {}", all.join(",")),
        1,
    );
    assert_eq!(list(&report, "instances").len(), 250);
    assert_eq!(ec2.count("DescribeInstances"), 2);
}

#[test]
fn tags_of_different_keys_must_all_match_and_of_one_key_any() {
    let ec2 = FakeAws::start();
    let launched =
        |app: &str, stage: &str| ec2.launch(launch(REGION).tag("app", app).tag("stage", stage));
    let (web_prod, web_dev) = (launched("web-1", "prod"), launched("web-2", "dev"));
    let (api_prod, _) = (launched("api", "prod"), launched("db", "prod"));
    let found = |tags: &str| ids(&scanned(&ec2, tags, 1));
    assert_eq!(
        found("--tag app=web-* --tag stage=prod"),
        [web_prod.as_str()]
    );
    assert_eq!(
        found("--tag app=web-2 --tag app=api"),
        sorted([&web_dev, &api_prod])
    );
    assert_eq!(found("--tag app=web-?"), sorted([&web_prod, &web_dev]));
    assert_eq!(
        found("--tag app=web-* --tag app=api --tag stage=prod"),
        sorted([&web_prod, &api_prod])
    );
    let report = scanned(&ec2, "--tag app=none", 0);
    assert_eq!(ids(&report), [""; 0]);
}

#[test]
fn only_violations_are_listed_and_all_instances_are_counted() {
    let ec2 = FakeAws::start();
    let non_compliant = ec2.launch(launch(REGION));
    ec2.launch(launch(REGION).tokens("required"));
    ec2.launch(launch(REGION).state("terminated"));
    let report = scanned(&ec2, "--only violations", 1);
    assert_eq!(ids(&report), [non_compliant]);
    assert_eq!(
        report["summary"],
        json!({ "compliant": 1, "exempt": 0, "reported": 1, "enforced": 0, "stopped": 0,
                "terminated": 0, "gone": 1, "failed": 0 })
    );
}

#[test]
fn an_unknown_account_does_not_prevent_the_scan() {
    let (ec2, all) = three_regions();
    ec2.fault(InjectedFault::error("AccessDenied", 403).action("GetCallerIdentity"));
    let ran = imdsctl(&ec2, "scan --format json").run();
    let report = json(ran.ended_with(1));
    assert_eq!(report["account"], Value::Null);
    assert_eq!(ids(&report), sorted(all));
    says(&ran.stderr, &["GetCallerIdentity", "AccessDenied"]);
}

#[test]
fn an_instance_with_a_malformed_value_is_named_and_hides_no_other() {
    let (ec2, ids) = three_regions();
    let malformed = &ids[1];
    ec2.launch_many(launch(REGIONS[1]), 3);
    let hops = "<httpPutResponseHopLimit>";
    ec2.garble(malformed, &format!("{hops}1<"), &format!("{hops}many<"));
    let report = scanned(&ec2, "", 3);
    assert_eq!(list(&report, "instances").len(), 5);
    let [unreachable] = list(&report, "unreachable") else {
        panic!("{report:#}");
    };
    assert_eq!(unreachable["region"], REGIONS[1]);
    let error = unreachable["error"].as_str().unwrap();
    assert!(error.contains(malformed.as_str()), "{error}");
    let ran = imdsctl(&ec2, &format!("scan --instance {malformed}")).run();
    assert_eq!(ran.code, Some(3));
    // The error of the malformed value is the only one.
    assert!(ran.stdout.contains("1 error"), "{ran:?}");
}
