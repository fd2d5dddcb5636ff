//! Nothing runs away: the breaker, replacement loops, drift, pacing, other accounts, hostile text.

use imds_tests::{Fault, Function, Standin, binary, launch};
use serde_json::{Value, json};

use crate::support::*;

fn terminating(limit: u32) -> String {
    json!({
        "require": { "http_tokens": "required" }, "on_violation": "terminate",
        "limits": { "grace_seconds": 0, "terminations_per_hour": limit }
    })
    .to_string()
}

fn alive(ec2: &Standin, ids: &[String]) -> usize {
    ids.iter()
        .filter(|id| ec2.instance(id).state == "running")
        .count()
}

#[test]
fn no_more_than_the_limit_are_terminated_and_the_others_are_mended() {
    let ec2 = Standin::start();
    let ids = ec2.launch_many(launch(REGION), 500);
    let run = function(&ec2, &terminating(10)).invoke(&launched_ids(&ec2, &ids));
    let report = report(&run);
    assert_eq!(
        (
            &report["summary"]["terminated"],
            &report["summary"]["spared"]
        ),
        (&json!(10), &json!(490))
    );
    assert_eq!(alive(&ec2, &ids), 490);
    let spared = report["instances"]
        .as_array()
        .unwrap()
        .iter()
        .find(|i| i["outcome"] == "spared")
        .unwrap();
    assert!(
        spared["reason"]
            .as_str()
            .unwrap()
            .contains("the limit of 10 terminations within an hour")
    );
    let open = ids.iter().filter(|id| {
        let instance = ec2.instance(id);
        instance.state == "running" && instance.options.tokens == "optional"
    });
    assert_eq!(open.count(), 0);
}

#[test]
fn the_limit_holds_over_events() {
    let ec2 = Standin::start();
    let function = function(&ec2, &terminating(3));
    let mut all = Vec::new();
    for _ in 0..3 {
        let ids = ec2.launch_many(launch(REGION), 2);
        function.invoke(&launched_ids(&ec2, &ids));
        all.extend(ids);
    }
    assert_eq!(alive(&ec2, &all), 3);
}

#[test]
fn the_limit_holds_over_invocations_that_run_at_once() {
    let ec2 = Standin::start();
    let launches: Vec<Vec<String>> = (0..4).map(|_| ec2.launch_many(launch(REGION), 3)).collect();
    let policy = terminating(5);
    let terminated: u64 = std::thread::scope(|scope| {
        let runs: Vec<_> = launches
            .iter()
            .map(|ids| {
                let (ec2, policy) = (&ec2, &policy);
                scope.spawn(move || {
                    let run = function(ec2, policy).invoke(&launched_ids(ec2, ids));
                    report(&run)["summary"]["terminated"].as_u64().unwrap()
                })
            })
            .collect();
        runs.into_iter().map(|run| run.join().unwrap()).sum()
    });
    assert_eq!(terminated, 5);
    assert_eq!(alive(&ec2, &launches.concat()), 7);
}

#[test]
fn each_region_has_a_limit_of_its_own() {
    let ec2 = Standin::start();
    let function = function(&ec2, &terminating(1));
    for region in ["eu-central-1", "us-east-1"] {
        let ids = ec2.launch_many(launch(region), 2);
        let run = function.invoke(&launched_ids(&ec2, &ids));
        assert_eq!(report(&run)["summary"]["terminated"], 1);
    }
}

#[test]
fn a_limit_of_none_terminates_none_and_tags_nothing() {
    let ec2 = Standin::start();
    let id = ec2.launch(launch(REGION));
    let run = function(&ec2, &terminating(0)).invoke(&launched_one(&ec2, &id));
    assert_eq!(outcome(report(&run), &id), "spared");
    assert_eq!(
        (ec2.count("TerminateInstances"), ec2.count("CreateTags")),
        (0, 0)
    );
}

#[test]
fn where_terminations_cannot_be_counted_none_is_terminated() {
    let faults = [
        Fault::unauthorised().action("CreateTags"),
        // The first look is at the launched instances themselves, the second at the claims.
        Fault::unauthorised().action("DescribeInstances").after(1),
    ];
    for fault in faults {
        let ec2 = Standin::start();
        let ids = ec2.launch_many(launch(REGION), 2);
        ec2.fault(fault);
        let run = function(&ec2, &terminating(10)).invoke(&launched_ids(&ec2, &ids));
        assert_eq!(report(&run)["summary"]["spared"], 2);
        let reason = of(report(&run), &ids[0])["reason"].as_str().unwrap();
        assert!(
            reason.contains("could not be counted: UnauthorizedOperation"),
            "{reason}"
        );
        assert_eq!(ec2.count("TerminateInstances"), 0);
        assert!(
            ids.iter()
                .all(|id| ec2.instance(id).options.tokens == "required")
        );
    }
}

#[test]
fn an_instance_that_was_not_terminated_after_all_gives_its_place_back() {
    let ec2 = Standin::start();
    let function = function(&ec2, &terminating(1));
    let protected = ec2.launch(launch(REGION).protected());
    let run = function.invoke(&launched_one(&ec2, &protected));
    assert_eq!(outcome(report(&run), &protected), "enforced");
    let next = ec2.launch(launch(REGION));
    let run = function.invoke(&launched_one(&ec2, &next));
    assert_eq!(outcome(report(&run), &next), "terminated");
}

#[test]
fn what_is_replaced_is_ended_only_where_a_rule_says_so() {
    let policy = r#"{"require": {"http_tokens": "required"}, "on_violation": "terminate",
        "limits": {"grace_seconds": 0}, "rules": [{"name": "batch", "when": {"tags": {"app": "batch"}},
        "then": "terminate", "even_if_replaced": true}]}"#;
    let ec2 = Standin::start();
    let batch = ec2.launch(launch(REGION).in_group("g").tag("app", "batch"));
    let other = ec2.launch(launch(REGION).in_group("g"));
    let run = function(&ec2, policy).invoke(&launched_ids(&ec2, &[batch.clone(), other.clone()]));
    assert_eq!(
        (outcome(report(&run), &batch), outcome(report(&run), &other)),
        ("terminated", "enforced")
    );
}

#[test]
fn one_who_keeps_reopening_an_instance_is_named_and_cannot_make_a_storm() {
    let policy = r#"{"require": {"http_tokens": "required"}, "on_violation": "enforce", "limits": {"mends_per_hour": 3}}"#;
    let ec2 = Standin::start();
    let function = function(&ec2, policy);
    let id = ec2.launch(launch(REGION));
    let mut outcomes = Vec::new();
    for _ in 0..5 {
        ec2.set_options(&id, |options| options.tokens = "optional".to_owned());
        let run = function.invoke(&modified(
            &id,
            "mallory",
            &json!({ "HttpTokens": "optional" }),
        ));
        let instance = of(report(&run), &id).clone();
        assert_eq!(
            instance["changed_by"],
            "arn:aws:sts::111122223333:assumed-role/Role/mallory"
        );
        assert!(
            instance["reason"]
                .as_str()
                .unwrap()
                .contains("changed by arn:aws:sts::111122223333:assumed-role/Role/mallory")
        );
        let drifting = run
            .stdout
            .iter()
            .any(|line| line.contains("\"Drifting\":1"));
        assert_eq!(drifting, instance["outcome"] == "reported");
        outcomes.push(instance["outcome"].as_str().unwrap().to_owned());
    }
    assert_eq!(
        outcomes,
        ["enforced", "enforced", "enforced", "reported", "reported"]
    );
    assert_eq!(ec2.count("ModifyInstanceMetadataOptions"), 3);
}

#[test]
fn a_thousand_instances_without_ids_keep_to_ec2_s_rates() {
    let ec2 = Standin::start();
    // A hundred times as fast as EC2, so that the test is quick: the pace of the function is EC2's.
    ec2.set_rate("ModifyInstanceMetadataOptions", 100.0, 5.0);
    let ids = ec2.launch_many(launch(REGION).client_token("t"), 1000);
    let run =
        function(&ec2, ENFORCE).invoke_with_timeout(&cut(REGION, Some("t"), 1000), seconds(12));
    assert!(
        run.result.is_err(),
        "a thousand cannot be mended within the function's time"
    );
    let mended = ids
        .iter()
        .filter(|id| ec2.instance(id).options.tokens == "required")
        .count();
    let logged = logged_report(&run);
    assert_eq!(logged["summary"]["enforced"], mended);
    assert_eq!(logged["summary"]["failed"], 1000 - mended);
    assert!((140..=152).contains(&mended), "{mended}");
    let throttled = ec2.calls_to("ModifyInstanceMetadataOptions").len() - mended;
    assert!(throttled <= 80, "{throttled} calls for nothing");
}

#[test]
fn an_event_of_another_account_is_refused() {
    let ec2 = Standin::start();
    let id = ec2.launch(launch(REGION));
    let mut event = launched_one(&ec2, &id);
    event["detail"]["recipientAccountId"] = json!("999988887777");
    let run = function(&ec2, ENFORCE).invoke(&event);
    let error = run.result.unwrap_err();
    assert_eq!(error.error_type, "OtherAccount");
    assert!(
        error.error_message.contains("999988887777")
            && error.error_message.contains("111122223333")
    );
    assert_eq!(ec2.calls().len(), 0);
}

#[test]
fn hostile_text_forges_no_log_line_and_floods_none() {
    let hostile = format!(
        "x\n{{\"level\":\"INFO\",\"outcome\":\"compliant\"}}\r\u{1b}[2K\u{202e}{}",
        "A".repeat(5000)
    );
    let ec2 = Standin::start();
    let id = ec2.launch(
        launch(REGION)
            .tag("aws:ec2launchtemplate:id", &hostile)
            .tag("eks:nodegroup-name", &hostile),
    );
    let mut event = launched_one(&ec2, &id);
    event["detail"]["userIdentity"]["arn"] = json!(hostile);
    event["detail"]["requestParameters"]["userData"] = json!("SECRET-USER-DATA");
    let function = Function::of(binary("enforcer"))
        .standin(&ec2)
        .policy(&without_grace("terminate"))
        .env("AWS_LAMBDA_LOG_LEVEL", "DEBUG")
        .start();
    let run = function.invoke(&event);
    let instance = of(report(&run), &id);
    assert_eq!(instance["outcome"], "enforced");
    let mut malformed = event.clone();
    malformed["detail"]["responseElements"]["instancesSet"]["items"][0]["instanceId"] =
        json!(hostile);
    let failed = function
        .invoke(&malformed)
        .result
        .unwrap_err()
        .error_message;
    for text in [instance["reason"].as_str().unwrap(), &failed] {
        assert!(
            text.len() < 1500 && !text.contains(['\n', '\r', '\u{1b}', '\u{202e}']),
            "{text}"
        );
    }
    for line in function.output().lines() {
        assert!(serde_json::from_str::<Value>(line).is_ok(), "{line}");
        assert!(!line.contains("SECRET-USER-DATA"));
    }
}
