//! `imdsctl enforce`: it sets only non-compliant options, and an error affects no other instance.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use imds_tests::{FakeAws, Settle, launch};
use serde_json::{Value, json};

use crate::reading::*;

/// Runs `enforce --yes --format json` with more arguments and asserts its exit code.
#[track_caller]
pub(crate) fn enforced(ec2: &FakeAws, arguments: &str, code: i32) -> Value {
    let ran = imdsctl(ec2, &format!("enforce --yes --format json {arguments}")).run();
    json(ran.ended_with(code))
}

pub(crate) fn policy(text: Value) -> (TestFolder, String) {
    let place = TestFolder::new();
    let path = place.file("policy.json", &text.to_string());
    let argument = format!("--policy {}", path.display());
    (place, argument)
}

#[test]
fn only_non_compliant_options_are_sent() {
    let ec2 = FakeAws::start();
    let non_compliant = ec2.launch(
        launch(REGION)
            .hop_limit(3)
            .ipv6("enabled")
            .metadata_tags("enabled"),
    );
    let disabled = ec2.launch(launch(REGION).endpoint("disabled"));
    let compliant = ec2.launch(launch(REGION).tokens("required"));
    let before = ec2.instance(&non_compliant).options;
    let report = enforced(&ec2, "", 0);
    let sent = [("HttpTokens", "required"), ("InstanceId", &non_compliant)];
    let sent = BTreeMap::from(sent.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!(modified(&ec2), [sent]);
    let after = ec2.instance(&non_compliant).options;
    assert_eq!(after.tokens, "required");
    assert_eq!(
        imds_tests::Options {
            tokens: before.tokens.clone(),
            state: before.state.clone(),
            ..after
        },
        before
    );
    assert_eq!(ec2.instance(&disabled).options.endpoint, "disabled");
    for id in [&disabled, &compliant] {
        assert_eq!(entry(&report, id)["outcome"], "compliant");
    }
    let instance = entry(&report, &non_compliant);
    assert_eq!(instance["outcome"], "enforced");
    assert_eq!(
        (
            &instance["before"]["http_tokens"],
            &instance["after"]["http_tokens"]
        ),
        (&json!("optional"), &json!("required"))
    );
    assert_eq!(instance["after"]["hop_limit"], 3);
    assert_eq!(report["trigger"], "enforce");
    assert_eq!(
        (
            &report["summary"]["enforced"],
            &report["summary"]["compliant"]
        ),
        (&json!(1), &json!(2))
    );
    assert_eq!(ec2.changing_calls().len(), 1);
}

#[test]
fn a_second_enforcement_changes_nothing_and_writes_no_journal() {
    let ec2 = FakeAws::start();
    ec2.launch(launch(REGION));
    let place = TestFolder::new();
    let run = || {
        imdsctl(&ec2, "enforce --yes")
            .home(place.folder.path())
            .run()
    };
    run().ended_with(0);
    let again = run();
    says(&again.ended_with(0).stderr, &["nothing to do"]);
    assert_eq!(ec2.changing_calls().len(), 1);
    let journals = std::fs::read_dir(place.path(".local/state/imdsctl")).unwrap();
    assert_eq!(journals.count(), 1);
}

#[test]
fn a_hop_limit_is_raised_to_at_least_n_and_never_lowered() {
    let ec2 = FakeAws::start();
    let all = [
        ("optional", 1),
        ("required", 1),
        ("optional", 2),
        ("required", 2),
        ("required", 5),
    ];
    let ids = all.map(|(tokens, hops)| ec2.launch(launch(REGION).tokens(tokens).hop_limit(hops)));
    enforced(&ec2, "--hop-limit 2", 0);
    let after = ids.each_ref().map(|id| ec2.instance(id).options);
    assert_eq!(after.each_ref().map(|it| it.hop_limit), [2, 2, 2, 2, 5]);
    assert!(after.iter().all(|it| it.tokens == "required"));
    let sent: BTreeMap<String, (bool, bool)> = modified(&ec2)
        .into_iter()
        .map(|call| {
            let has = |name: &str| call.contains_key(name);
            (
                call["InstanceId"].clone(),
                (has("HttpTokens"), has("HttpPutResponseHopLimit")),
            )
        })
        .collect();
    let expected = [(0, (true, true)), (1, (false, true)), (2, (true, false))];
    assert_eq!(
        sent,
        expected.map(|(n, sent)| (ids[n].clone(), sent)).into()
    );
}

#[test]
fn exempt_instances_are_not_changed() {
    let ec2 = FakeAws::start();
    let exempt = ec2.launch(launch(REGION).tag("app", "scanner-eu"));
    let non_compliant = ec2.launch(launch(REGION));
    let (_place, argument) = policy(json!({
        "version": 1, "require": { "http_tokens": "required" }, "on_violation": "enforce",
        "rules": [{ "name": "scanners", "when": { "tags": { "app": "scanner-*" } }, "action": "exempt" }]
    }));
    let report = enforced(&ec2, &argument, 0);
    assert_eq!(entry(&report, &exempt)["outcome"], "exempt");
    assert_eq!(
        (tokens(&ec2, &exempt), tokens(&ec2, &non_compliant)),
        ("optional".to_owned(), "required".to_owned())
    );
}

#[test]
fn a_policy_that_only_reports_changes_nothing() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION));
    let (_place, argument) = policy(
        json!({ "version": 1, "require": { "http_tokens": "required" }, "on_violation": "report" }),
    );
    let report = enforced(&ec2, &argument, 1);
    assert_eq!(entry(&report, &id)["outcome"], "reported");
    assert_eq!(ec2.changing_calls().len(), 0);
}

#[test]
fn a_policy_that_disrupts_instances_only_enforces_them_here() {
    for action in ["stop", "terminate"] {
        let ec2 = FakeAws::start();
        let id = ec2.launch(launch(REGION));
        let (_place, argument) = policy(json!({
            "version": 1, "require": { "http_tokens": "required" }, "on_violation": action,
            "new_instances": { "grace_seconds": 0 }
        }));
        let report = enforced(&ec2, &argument, 0);
        let instance = entry(&report, &id);
        assert_eq!(
            (
                &instance["outcome"],
                &instance["instead_of"],
                &instance["because"]
            ),
            (&json!("enforced"), &json!(action), &json!("requested"))
        );
        assert_eq!(ec2.instance(&id).state, "running");
        assert!(
            ec2.changing_calls()
                .iter()
                .all(|call| call.action == MODIFY)
        );
    }
}

#[test]
fn a_limit_leaves_the_rest_and_reports_it() {
    let ec2 = FakeAws::start();
    let ids = ec2.launch_many(launch(REGION), 5);
    let ran = imdsctl(&ec2, "enforce --yes --format json --limit 2").run();
    let report = json(ran.ended_with(1));
    says(&ran.stderr, &["3 ", "--limit"]);
    assert_eq!(
        (
            &report["summary"]["enforced"],
            &report["summary"]["reported"]
        ),
        (&json!(2), &json!(3))
    );
    let enforced = ids.iter().filter(|id| tokens(&ec2, id) == "required");
    assert_eq!(enforced.count(), 2);
    assert_eq!(modified(&ec2).len(), 2);
}

#[test]
fn filters_narrow_what_is_changed() {
    let ec2 = FakeAws::start();
    let web = ec2.launch(launch(REGION).tag("app", "web"));
    let api = ec2.launch(launch(REGION).tag("app", "api"));
    let far = ec2.launch(launch("us-east-1").tag("app", "web"));
    enforced(&ec2, &format!("--tag app=web --region {REGION}"), 0);
    assert_eq!(
        [&web, &api, &far].map(|id| tokens(&ec2, id)),
        ["required", "optional", "optional"]
    );
    enforced(&ec2, &format!("--instance {far}"), 0);
    assert_eq!(
        [&api, &far].map(|id| tokens(&ec2, id)),
        ["optional", "required"]
    );
}

#[test]
fn region_by_region_completes_a_region_before_the_next() {
    let ec2 = FakeAws::start();
    let regions = ["ap-south-1", "eu-central-1", "us-west-2"];
    for region in regions {
        ec2.launch_many(launch(region), 3);
    }
    ec2.set_applied(Settle::Describes(2));
    ec2.set_latency(Duration::from_millis(20));
    enforced(&ec2, "--region-by-region", 0);
    let calls = ec2.calls();
    let first = calls.iter().position(|call| call.action == MODIFY).unwrap();
    let mut order: Vec<String> = calls[first..]
        .iter()
        .map(|call| call.region.clone())
        .collect();
    order.dedup();
    assert_eq!(
        order, regions,
        "a region's options are applied before the next begins"
    );
    let describes = calls[first..]
        .iter()
        .filter(|call| call.action == "DescribeInstances");
    assert!(describes.count() >= 6);
}

#[test]
fn it_waits_until_the_options_are_applied_unless_no_wait_is_given() {
    let ec2 = FakeAws::start();
    ec2.launch(launch(REGION));
    ec2.set_applied(Settle::After(Duration::from_secs(2)));
    let begin = Instant::now();
    enforced(&ec2, "", 0);
    assert!(begin.elapsed() >= Duration::from_secs(2));
    assert_eq!(ec2.instances(REGION)[0].options.state, "applied");

    let ec2 = FakeAws::start();
    ec2.launch(launch(REGION));
    ec2.set_applied(Settle::Never);
    let report = enforced(&ec2, "--no-wait", 0);
    assert_eq!(report["summary"]["enforced"], 1);
    assert_eq!(
        ec2.calls().last().unwrap().action,
        MODIFY,
        "nothing is described again"
    );
}

#[test]
fn a_stopped_instance_is_enforced_without_waiting() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION).state("stopped"));
    ec2.set_applied(Settle::Never);
    enforced(&ec2, "", 0);
    assert_eq!(tokens(&ec2, &id), "required");
}

#[test]
fn the_wait_ends_when_the_instance_terminates() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION));
    ec2.set_applied(Settle::Never);
    let mut running = imdsctl(&ec2, "enforce --yes --format json").start();
    running.wait_until(|_| ec2.count(MODIFY) == 1 && ec2.count("DescribeInstances") > 18);
    ec2.set_state(&id, "shutting-down");
    running.wait().ended_with(0);
}

#[test]
fn the_commands_to_roll_back_and_to_watch_are_printed() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION));
    let place = TestFolder::new();
    let journal = place.path("it's here.jsonl");
    let ran = imdsctl(&ec2, "enforce --yes --journal").arg(&journal).run();
    let hint = ran
        .ended_with(0)
        .stderr
        .lines()
        .find_map(|line| line.split_once("imdsctl rollback "));
    says(&ran.stderr, &["journal: ", "usage --rejected"]);
    // Pasted into a shell without a change.
    let pasted = format!(
        "{} rollback {} --yes",
        imds_tests::binary("imdsctl").display(),
        hint.unwrap().1
    );
    let shell = imds_tests::Imdsctl::with_program("/bin/sh")
        .args(["-c", &pasted])
        .fake(&ec2);
    shell.run().ended_with(0);
    assert_eq!(tokens(&ec2, &id), "optional");
}
