//! `imdsctl scan`: policies and arguments.

use imds_tests::{FakeAws, InjectedFault, launch};
use serde_json::{Value, json};

use crate::reading::*;

#[test]
fn a_hop_limit_is_the_least_and_is_evaluated_with_the_tokens() {
    let ec2 = FakeAws::start();
    let launched = |hops| ec2.launch(launch(REGION).tokens("required").hop_limit(hops));
    let (one, two, three) = (launched(1), launched(2), launched(3));
    let report = scanned(&ec2, "--hop-limit 2", 1);
    for (id, violations) in [
        (one, json!(["hop_limit"])),
        (two, json!([])),
        (three, json!([])),
    ] {
        assert_eq!(entry(&report, &id)["violations"], violations);
    }
    scanned(&ec2, "", 0);
}

#[test]
fn a_policy_is_evaluated_and_its_rules_are_named() {
    let ec2 = FakeAws::start();
    let place = TestFolder::new();
    let policy = place.file(
        "policy.json",
        r#"{ "version": 1, "require": { "http_tokens": "required" }, "on_violation": "terminate",
             "rules": [ { "name": "legacy scanner", "when": { "tags": { "app": "scanner-*" } },
                          "action": "exempt", "expires": "2127-03-31", "reason": "vendor ticket 4711" } ] }"#,
    );
    let non_compliant = ec2.launch(launch(REGION));
    let exempt = ec2.launch(launch(REGION).tag("app", "scanner-eu"));
    let report = scanned(&ec2, &format!("--policy {}", policy.display()), 1);
    assert_eq!(entry(&report, &exempt)["outcome"], "exempt");
    assert_eq!(entry(&report, &exempt)["rule"], "legacy scanner");
    says(
        entry(&report, &exempt)["reason"].as_str().unwrap(),
        &["vendor ticket 4711", "2127-03-31"],
    );
    assert_eq!(
        entry(&report, &non_compliant)["decision"],
        "enforce",
        "the command terminates nothing"
    );
    assert_eq!(report["summary"]["exempt"], 1);
    ec2.set_state(&non_compliant, "terminated");
    scanned(&ec2, &format!("--policy {}", policy.display()), 0);
}

#[test]
fn a_missing_or_invalid_policy_is_rejected_before_any_call() {
    let ec2 = FakeAws::start();
    let place = TestFolder::new();
    let missing = place.path("missing.json").display().to_string();
    let ran = imdsctl(&ec2, "scan --policy").arg(&missing).run();
    says(&ran.ended_with(2).stderr, &["policy", &missing]);
    let invalid = place.file(
        "invalid.json",
        r#"{ "version": 1, "require": { "http_tokens": "sometimes", "hop_limit": { "at_most": 65 } }, "on_violation": "enforce" }"#,
    );
    let ran = imdsctl(&ec2, "scan --policy").arg(&invalid).run();
    says(
        &ran.ended_with(2).stderr,
        &[
            "invalid.json",
            "http_tokens",
            "sometimes",
            "hop_limit",
            "65",
        ],
    );
    assert_eq!(ec2.calls().len(), 0);
}

#[test]
fn invalid_arguments_are_rejected_with_their_value_and_what_is_expected() {
    let ec2 = FakeAws::start();
    for (arguments, words) in [
        (
            "--region Frankfurt",
            ["--region", "Frankfurt", "eu-central-1"],
        ),
        (
            "--region ../../etc",
            ["--region", "../../etc", "eu-central-1"],
        ),
        (
            "--instance web-1",
            ["--instance", "web-1", "i-0e3a5b1c9d8f70642"],
        ),
        ("--tag app", ["--tag", "app", "KEY=VALUE"]),
        ("--tag =web", ["--tag", "=web", "KEY=VALUE"]),
        ("--state asleep", ["--state", "asleep", "running"]),
        ("--only everything", ["--only", "everything", "violations"]),
        ("--usage 0", ["--usage", "0", "1..=63"]),
        ("--usage 64", ["--usage", "64", "1..=63"]),
        ("--concurrency 0", ["--concurrency", "0", "1..=1000"]),
        ("--hop-limit 65", ["--hop-limit", "65", "1 to 64"]),
        ("--format xml", ["--format", "xml", "csv"]),
        (
            "--endpoint-url localhost",
            ["--endpoint-url", "localhost", "https://"],
        ),
        (
            "--sequential --concurrency 2",
            ["--sequential", "--concurrency", "cannot be used"],
        ),
        (
            "--policy p --hop-limit 2",
            ["--policy", "--hop-limit", "cannot be used"],
        ),
    ] {
        let ran = imdsctl(&ec2, &format!("scan {arguments}")).run();
        says(&ran.ended_with(2).stderr, &words);
        assert_eq!(ran.stdout, "", "{arguments}");
    }
    assert_eq!(ec2.calls().len(), 0);
}

#[test]
fn exemptions_that_no_instance_needs_are_listed_where_the_whole_account_was_described() {
    let ec2 = two_regions();
    let place = TestFolder::new();
    let rule = |name: &str| json!({ "name": name, "when": { "tags": { "app": name } }, "action": "exempt" });
    let mut unneeded = rule("unneeded");
    unneeded["expires"] = json!("2127-03-31");
    unneeded["reason"] = json!("vendor ticket 4711");
    let mut elsewhere = rule("elsewhere");
    elsewhere["when"]["accounts"] = json!("444455556666");
    let policy = json!({ "version": 1, "require": { "http_tokens": "required" }, "on_violation": "report",
                         "rules": [rule("needed"), unneeded, elsewhere] });
    let policy = place.file("policy.json", &policy.to_string());
    let needs = ec2.launch(launch(THERE).tag("app", "needed"));
    let compliant = ec2.launch(launch(HERE).tag("app", "unneeded").tokens("required"));
    ec2.launch(launch(HERE).tag("app", "unneeded").state("terminated"));
    let run = |options: &str| {
        imdsctl(&ec2, &format!("scan {options} --policy"))
            .arg(&policy)
            .run()
    };

    let report = json(run("--format json").ended_with(0));
    assert_eq!(entry(&report, &needs)["outcome"], "exempt");
    assert_eq!(entry(&report, &compliant)["outcome"], "compliant");
    assert_eq!(entry(&report, &compliant)["rule"], Value::Null);
    assert_eq!(
        report["unneeded_exemptions"],
        json!([{ "rule": "unneeded", "expires": "2127-03-31", "reason": "vendor ticket 4711" }])
    );
    let words = ["`unneeded`", "vendor ticket 4711", "2127-03-31"];
    for format in ["table", "html"] {
        says(
            &run(&format!("--format {format}")).ended_with(0).stdout,
            &words,
        );
    }
    says(&run("--format csv").ended_with(0).stderr, &words);
    let filters = [
        "--region",
        HERE,
        "--exclude-region",
        THERE,
        "--tag",
        "app=unneeded",
    ];
    for filter in filters.chunks(2) {
        let report = json(run(&format!("--format json {}", filter.join(" "))).ended_with(0));
        assert_eq!(report["unneeded_exemptions"], Value::Null, "{filter:?}");
    }
    ec2.fault(
        InjectedFault::unauthorized()
            .action("DescribeInstances")
            .region(HERE),
    );
    let report = json(run("--format json").ended_with(3));
    assert_eq!(report["unneeded_exemptions"], Value::Null);
}
