//! `imdsctl enforce`: only what is wrong is set, where it was agreed to, and nothing stops the others.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use imds_tests::{Fault, Settle, Standin, launch};
use serde_json::{Value, json};

use crate::reading::*;

/// `enforce --yes --format json` with more arguments, its exit code asserted.
#[track_caller]
fn enforced(ec2: &Standin, arguments: &str, code: i32) -> Value {
    let ran = imdsctl(ec2, &format!("enforce --yes --format json {arguments}")).run();
    json(ran.ended_with(code))
}

fn policy(text: Value) -> (Place, String) {
    let place = Place::new();
    let path = place.file("policy.json", &text.to_string());
    let argument = format!("--policy {}", path.display());
    (place, argument)
}

#[test]
fn a_dry_run_shows_the_plan_and_makes_no_changing_call() {
    let ec2 = Standin::start();
    let wrong = ec2.launch(launch(REGION).tag("Name", "web-1"));
    let right = ec2.launch(launch(REGION).tokens("required"));
    let ran = imdsctl(&ec2, "enforce --dry-run").run();
    says(
        &ran.ended_with(1).stdout,
        &[
            &wrong,
            "web-1",
            "enforce: http_tokens is optional",
            "1 to mend",
        ],
    );
    assert!(
        !ran.stdout.contains(&right),
        "only what is to be changed is the plan"
    );
    let ran = imdsctl(&ec2, "enforce --dry-run --format json").run();
    let report = json(ran.ended_with(1));
    assert_eq!(of(&report, &wrong)["decision"], "enforce");
    assert_eq!(of(&report, &wrong)["after"], Value::Null);
    assert_eq!(ec2.changing_calls().len(), 0);
    assert_eq!(tokens(&ec2, &wrong), "optional");
}

#[test]
fn a_dry_run_of_what_is_right_ends_well() {
    let ec2 = Standin::start();
    ec2.launch(launch(REGION).tokens("required"));
    imdsctl(&ec2, "enforce --dry-run").run().ended_with(0);
}

#[test]
fn without_a_terminal_and_without_yes_nothing_is_even_asked_of_aws() {
    let ec2 = Standin::start();
    ec2.launch(launch(REGION));
    // Whoever pipes `yes` into it has not seen the plan.
    let ran = imdsctl(&ec2, "enforce").stdin("yes\n").run();
    says(&ran.ended_with(2).stderr, &["--yes", "terminal"]);
    assert_eq!(ran.stdout, "");
    assert_eq!(ec2.calls().len(), 0);
}

#[test]
fn only_yes_in_full_is_taken_for_yes() {
    for (answer, done) in [
        ("yes", true),
        ("y", false),
        ("no", false),
        ("", false),
        ("YES", false),
        ("yes please", false),
    ] {
        let ec2 = Standin::start();
        let id = ec2.launch(launch(REGION).tag("Name", "web-1"));
        let mut terminal = imdsctl(&ec2, "enforce").on_terminal(160, 40);
        let screen = terminal.wait_for("Type yes to go on:");
        says(
            &screen,
            &[
                &id,
                "Set the metadata options of 1 instances in eu-central-1 (1) of account 111122223333?",
                "--unused-only",
            ],
        );
        assert_eq!(ec2.changing_calls().len(), 0, "it is asked before");
        terminal.type_text(answer);
        terminal.type_text("\r");
        let closed = terminal.wait();
        closed.ended_with(if done { 0 } else { 1 });
        assert_eq!(tokens(&ec2, &id) == "required", done, "{answer:?}");
        assert_eq!(ec2.changing_calls().len(), usize::from(done), "{answer:?}");
        assert_eq!(
            closed.screen.contains("nothing was changed"),
            !done,
            "{answer:?}"
        );
    }
}

#[test]
fn ctrl_c_at_the_question_changes_nothing() {
    let ec2 = Standin::start();
    ec2.launch(launch(REGION));
    let mut terminal = imdsctl(&ec2, "enforce").on_terminal(120, 30);
    terminal.wait_for("Type yes to go on:");
    terminal.interrupt();
    let closed = terminal.wait();
    assert_ne!(closed.code, Some(0), "{}", closed.screen);
    assert_eq!(ec2.changing_calls().len(), 0);
}

#[test]
fn only_what_is_wrong_is_sent() {
    let ec2 = Standin::start();
    let wrong = ec2.launch(
        launch(REGION)
            .hop_limit(3)
            .ipv6("enabled")
            .metadata_tags("enabled"),
    );
    let disabled = ec2.launch(launch(REGION).endpoint("disabled"));
    let right = ec2.launch(launch(REGION).tokens("required"));
    let before = ec2.instance(&wrong).options;
    let report = enforced(&ec2, "", 0);
    let sent = [
        ("HttpEndpoint", "enabled"),
        ("HttpTokens", "required"),
        ("InstanceId", &wrong),
    ];
    let sent = BTreeMap::from(sent.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!(modified(&ec2), [sent]);
    let after = ec2.instance(&wrong).options;
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
    for id in [&disabled, &right] {
        assert_eq!(of(&report, id)["outcome"], "compliant");
    }
    let told = of(&report, &wrong);
    assert_eq!(told["outcome"], "enforced");
    assert_eq!(
        (
            &told["before"]["http_tokens"],
            &told["after"]["http_tokens"]
        ),
        (&json!("optional"), &json!("required"))
    );
    assert_eq!(told["after"]["hop_limit"], 3);
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
fn doing_it_twice_changes_nothing_and_leaves_no_second_journal() {
    let ec2 = Standin::start();
    ec2.launch(launch(REGION));
    let place = Place::new();
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
fn a_hop_limit_is_set_where_it_is_wrong_and_only_there() {
    let ec2 = Standin::start();
    let all = [
        ("optional", 1),
        ("required", 1),
        ("optional", 2),
        ("required", 2),
        ("required", 5),
    ];
    let ids = all.map(|(tokens, hops)| ec2.launch(launch(REGION).tokens(tokens).hop_limit(hops)));
    enforced(&ec2, "--hop-limit 2", 0);
    for id in &ids {
        let options = ec2.instance(id).options;
        assert_eq!(
            (options.tokens.as_str(), options.hop_limit),
            ("required", 2)
        );
    }
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
    let expected = [
        (0, (true, true)),
        (1, (false, true)),
        (2, (true, false)),
        (4, (false, true)),
    ];
    assert_eq!(
        sent,
        expected.map(|(n, sent)| (ids[n].clone(), sent)).into()
    );
}

#[test]
fn exempt_instances_are_left_as_they_are() {
    let ec2 = Standin::start();
    let exempt = ec2.launch(launch(REGION).tag("app", "scanner-eu"));
    let wrong = ec2.launch(launch(REGION));
    let (_place, argument) = policy(json!({
        "require": { "http_tokens": "required" }, "on_violation": "enforce",
        "rules": [{ "name": "scanners", "when": { "tags": { "app": "scanner-*" } }, "then": "exempt" }]
    }));
    let report = enforced(&ec2, &argument, 0);
    assert_eq!(of(&report, &exempt)["outcome"], "exempt");
    assert_eq!(
        (tokens(&ec2, &exempt), tokens(&ec2, &wrong)),
        ("optional".to_owned(), "required".to_owned())
    );
}

#[test]
fn a_policy_that_reports_changes_nothing() {
    let ec2 = Standin::start();
    let id = ec2.launch(launch(REGION));
    let (_place, argument) =
        policy(json!({ "require": { "http_tokens": "required" }, "on_violation": "report" }));
    let report = enforced(&ec2, &argument, 1);
    assert_eq!(of(&report, &id)["outcome"], "reported");
    assert_eq!(ec2.changing_calls().len(), 0);
}

#[test]
fn a_policy_that_ends_instances_only_mends_them_here() {
    for end in ["stop", "terminate"] {
        let ec2 = Standin::start();
        let id = ec2.launch(launch(REGION));
        let (_place, argument) = policy(json!({
            "require": { "http_tokens": "required" }, "on_violation": end,
            "limits": { "grace_seconds": 0 }, "existing": { "in_use": end, "unknown": end }
        }));
        let report = enforced(&ec2, &argument, 0);
        assert_eq!(of(&report, &id)["outcome"], "enforced");
        assert_eq!(ec2.instance(&id).state, "running");
        assert!(
            ec2.changing_calls()
                .iter()
                .all(|call| call.action == MODIFY)
        );
    }
}

/// One that used IMDSv1, one that did not, one of which nothing is known.
fn three_usages() -> (Standin, [String; 3]) {
    let ec2 = Standin::start();
    let ids = [(); 3].map(|()| ec2.launch(launch(REGION).launched(DAY * 100)));
    ec2.datapoint(&ids[0], "MetadataNoToken", ago(DAY * 5), 7.0);
    ec2.datapoint(&ids[1], "MetadataNoToken", ago(DAY), 0.0);
    (ec2, ids)
}

#[test]
fn unused_only_leaves_what_is_in_use_and_what_is_unknown() {
    let (ec2, ids) = three_usages();
    let report = enforced(&ec2, "--unused-only", 1);
    let after = ids.each_ref().map(|id| tokens(&ec2, id));
    assert_eq!(after, ["optional", "required", "optional"]);
    for (id, outcome, usage) in [
        (0, "reported", "in_use"),
        (1, "enforced", "unused"),
        (2, "reported", "unknown"),
    ] {
        let told = of(&report, &ids[id]);
        assert_eq!(
            (&told["outcome"], &told["usage"]["verdict"]),
            (&json!(outcome), &json!(usage))
        );
    }
    assert_eq!(modified(&ec2).len(), 1);
}

#[test]
fn unused_only_holds_whatever_the_policy_lets_the_function_do() {
    for action in ["enforce", "terminate"] {
        let (ec2, ids) = three_usages();
        let (_place, argument) = policy(json!({
            "require": { "http_tokens": "required" }, "on_violation": action,
            "existing": { "in_use": action, "unknown": action }
        }));
        enforced(&ec2, &format!("--unused-only {argument}"), 1);
        let after = ids.each_ref().map(|id| tokens(&ec2, id));
        assert_eq!(after, ["optional", "required", "optional"], "{action}");
        assert_eq!(ec2.changing_calls().len(), 1);
    }
}

#[test]
fn the_window_of_unused_only_is_chosen_in_days() {
    let (ec2, ids) = three_usages();
    enforced(&ec2, "--unused-only 3 --dry-run", 1);
    let report = enforced(&ec2, "--unused-only 3", 1);
    assert_eq!(
        of(&report, &ids[0])["usage"]["verdict"],
        "unknown",
        "no datapoint within three days"
    );
    ec2.datapoint(&ids[0], "MetadataNoToken", ago(DAY), 0.0);
    enforced(&ec2, "--unused-only 3", 1);
    assert_eq!(tokens(&ec2, &ids[0]), "required");
}

#[test]
fn usage_that_cannot_be_read_is_not_unused() {
    let (ec2, _) = three_usages();
    ec2.fault(Fault::error("AccessDenied", 403).action("GetMetricData"));
    let report = enforced(&ec2, "--unused-only", 1);
    says(&report.to_string(), &["AccessDenied"]);
    assert_eq!(ec2.changing_calls().len(), 0);
}

#[test]
fn a_limit_leaves_the_rest_and_says_so() {
    let ec2 = Standin::start();
    let ids = ec2.launch_many(launch(REGION), 5);
    let ran = imdsctl(&ec2, "enforce --yes --format json --limit 2").run();
    let report = json(ran.ended_with(1));
    says(&ran.stderr, &["3 more are left by --limit"]);
    assert_eq!(
        (
            &report["summary"]["enforced"],
            &report["summary"]["reported"]
        ),
        (&json!(2), &json!(3))
    );
    let mended = ids.iter().filter(|id| tokens(&ec2, id) == "required");
    assert_eq!(mended.count(), 2);
    assert_eq!(modified(&ec2).len(), 2);
}

#[test]
fn filters_narrow_what_is_changed() {
    let ec2 = Standin::start();
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
fn region_by_region_finishes_one_before_the_next_begins() {
    let ec2 = Standin::start();
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
        "its options are applied before the next begins"
    );
    let describes = calls[first..]
        .iter()
        .filter(|call| call.action == "DescribeInstances");
    assert!(describes.count() >= 6);
}

#[test]
fn it_waits_until_the_options_are_applied_unless_told_otherwise() {
    let ec2 = Standin::start();
    ec2.launch(launch(REGION));
    ec2.set_applied(Settle::After(Duration::from_secs(2)));
    let begin = Instant::now();
    enforced(&ec2, "", 0);
    assert!(begin.elapsed() >= Duration::from_secs(2));
    assert_eq!(ec2.instances(REGION)[0].options.state, "applied");

    let ec2 = Standin::start();
    ec2.launch(launch(REGION));
    ec2.set_applied(Settle::Never);
    let report = enforced(&ec2, "--no-wait", 0);
    assert_eq!(report["summary"]["enforced"], 1);
    assert_eq!(
        ec2.calls().last().unwrap().action,
        MODIFY,
        "nothing is looked at again"
    );
}

#[test]
fn what_is_stopped_is_mended_and_not_waited_for() {
    let ec2 = Standin::start();
    let id = ec2.launch(launch(REGION).state("stopped"));
    ec2.set_applied(Settle::Never);
    enforced(&ec2, "", 0);
    assert_eq!(tokens(&ec2, &id), "required");
}

#[test]
fn one_that_ends_while_it_is_waited_for_is_not_waited_for_any_longer() {
    let ec2 = Standin::start();
    let id = ec2.launch(launch(REGION));
    ec2.set_applied(Settle::Never);
    let mut running = imdsctl(&ec2, "enforce --yes --format json").start();
    running.wait_until(|_| ec2.count(MODIFY) == 1 && ec2.count("DescribeInstances") > 18);
    ec2.set_state(&id, "shutting-down");
    running.wait().ended_with(0);
}

#[test]
fn a_region_that_refuses_changes_keeps_no_other_from_being_mended() {
    let ec2 = Standin::start();
    let refusing = ec2.launch(launch("eu-west-1"));
    let others = ["ap-south-1", "us-east-1"].map(|region| ec2.launch(launch(region)));
    ec2.fault(Fault::unauthorised().action(MODIFY).region("eu-west-1"));
    let report = enforced(&ec2, "", 3);
    assert_eq!(of(&report, &refusing)["outcome"], "failed");
    says(
        of(&report, &refusing)["reason"].as_str().unwrap(),
        &["UnauthorizedOperation"],
    );
    assert!(others.iter().all(|id| tokens(&ec2, id) == "required"));
    assert_eq!(
        (&report["summary"]["enforced"], &report["summary"]["failed"]),
        (&json!(2), &json!(1))
    );
}

#[test]
fn a_region_that_cannot_be_seen_keeps_no_other_from_being_mended() {
    let ec2 = Standin::start();
    let unseen = ec2.launch(launch("eu-west-1"));
    let seen = ec2.launch(launch("us-east-1"));
    ec2.fault(
        Fault::unauthorised()
            .action("DescribeInstances")
            .region("eu-west-1"),
    );
    let report = enforced(&ec2, "", 3);
    assert_eq!(
        [&unseen, &seen].map(|id| tokens(&ec2, id)),
        ["optional", "required"]
    );
    assert_eq!(list(&report, "unseen")[0]["region"], "eu-west-1");
}

#[test]
fn an_instance_that_refuses_changes_keeps_no_other_from_being_mended() {
    let ec2 = Standin::start();
    let others = ec2.launch_many(launch(REGION), 3);
    let managed = ec2.launch(launch(REGION).refuses_changes());
    let ran = imdsctl(&ec2, "enforce --yes").run();
    says(
        &ran.ended_with(3).stdout,
        &[
            "Failed\n",
            &managed,
            "OperationNotPermitted",
            "3 enforced",
            "1 failed",
        ],
    );
    assert!(others.iter().all(|id| tokens(&ec2, id) == "required"));
}

#[test]
fn one_not_ready_yet_is_tried_again_and_one_gone_since_is_gone() {
    let ec2 = Standin::start();
    let pending = ec2.launch(launch(REGION).refuse_modify(2));
    let ended = ec2.launch(launch(REGION));
    ec2.fault(
        Fault::delay(Duration::from_millis(500))
            .action(MODIFY)
            .instance(&ended),
    );
    let mut running = imdsctl(&ec2, "enforce --yes --format json").start();
    running.wait_until(|_| {
        modified(&ec2)
            .iter()
            .any(|call| call["InstanceId"] == ended)
    });
    ec2.set_state(&ended, "terminated");
    let ran = running.wait();
    let report = json(ran.ended_with(0));
    assert_eq!(of(&report, &pending)["outcome"], "enforced");
    assert_eq!(of(&report, &ended)["outcome"], "gone");
}

#[test]
fn throttled_changes_take_their_turn_again() {
    let ec2 = Standin::start();
    ec2.launch_many(launch(REGION), 8);
    ec2.fault(Fault::throttle().action(MODIFY).times(4));
    let report = enforced(&ec2, "", 0);
    assert_eq!(report["summary"]["enforced"], 8);
    assert_eq!(ec2.count(MODIFY), 12);
}

#[test]
fn an_account_that_cannot_be_named_is_not_changed() {
    let ec2 = Standin::start();
    ec2.launch(launch(REGION));
    ec2.fault(Fault::error("AccessDenied", 403).action("GetCallerIdentity"));
    let ran = imdsctl(&ec2, "enforce --yes").run();
    says(
        &ran.ended_with(2).stderr,
        &["whose credentials these are", "AccessDenied"],
    );
    assert_eq!(ec2.changing_calls().len(), 0);
}

#[test]
fn the_way_back_and_what_to_watch_are_told() {
    let ec2 = Standin::start();
    let id = ec2.launch(launch(REGION));
    let place = Place::new();
    let journal = place.path("it's here.jsonl");
    let ran = imdsctl(&ec2, "enforce --yes --journal").arg(&journal).run();
    let hint = ran
        .ended_with(0)
        .stderr
        .lines()
        .find_map(|line| line.strip_prefix("take it back with: imdsctl "));
    says(&ran.stderr, &["journal: ", "usage --rejected"]);
    // Pasted into a shell as it stands.
    let pasted = format!(
        "{} {} --yes",
        imds_tests::binary("imdsctl").display(),
        hint.unwrap()
    );
    let shell = imds_tests::Imdsctl::of("/bin/sh")
        .args(["-c", &pasted])
        .standin(&ec2);
    shell.run().ended_with(0);
    assert_eq!(tokens(&ec2, &id), "optional");
}
