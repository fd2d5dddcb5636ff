//! Limits: disruptions, replacement loops, drift, API rates, other accounts, hostile text.

use imds_tests::{FakeAws, Function, InjectedFault, binary, launch};
use serde_json::{Value, json};

use crate::support::*;

fn terminating(limit: u32) -> String {
    json!({
        "version": 1, "require": { "http_tokens": "required" }, "on_violation": "terminate",
        "new_instances": { "grace_seconds": 0 }, "limits": { "disruptions_per_hour": limit }
    })
    .to_string()
}

fn running(ec2: &FakeAws, ids: &[String]) -> usize {
    ids.iter()
        .filter(|id| ec2.instance(id).state == "running")
        .count()
}

/// Whether an instance was enforced because the limit of disruptions was reached.
fn is_limited(entry: &Value) -> bool {
    entry["outcome"] == "enforced"
        && entry["instead_of"] == "terminate"
        && entry["because"] == "disruption_limit"
}

#[test]
fn no_more_than_the_limit_are_terminated_and_the_others_are_enforced() {
    let ec2 = FakeAws::start();
    let ids = ec2.launch_many(launch(REGION), 500);
    let run = function(&ec2, &terminating(10)).invoke(&launched_ids(&ec2, &ids));
    let report = report(&run);
    assert_eq!(
        (
            &report["summary"]["terminated"],
            &report["summary"]["enforced"]
        ),
        (&json!(10), &json!(490))
    );
    assert_eq!(running(&ec2, &ids), 490);
    let instances = report["instances"].as_array().unwrap();
    let limited = instances.iter().filter(|instance| is_limited(instance));
    assert_eq!(limited.clone().count(), 490);
    for instance in limited {
        let reason = instance["reason"].as_str().unwrap();
        assert!(reason.contains("limit of 10"), "{reason}");
    }
    let metric = "\"DisruptionLimitReached\":490";
    assert!(run.stdout.iter().any(|line| line.contains(metric)));
    let open = ids.iter().filter(|id| {
        let instance = ec2.instance(id);
        instance.state == "running" && instance.options.tokens == "optional"
    });
    assert_eq!(open.count(), 0);
}

#[test]
fn the_limit_applies_across_events() {
    let ec2 = FakeAws::start();
    let function = function(&ec2, &terminating(3));
    let mut all = Vec::new();
    for _ in 0..3 {
        let ids = ec2.launch_many(launch(REGION), 2);
        function.invoke(&launched_ids(&ec2, &ids));
        all.extend(ids);
    }
    assert_eq!(running(&ec2, &all), 3);
}

#[test]
fn the_limit_applies_across_concurrent_invocations() {
    let ec2 = FakeAws::start();
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
    assert_eq!(running(&ec2, &launches.concat()), 7);
}

#[test]
fn each_region_has_a_limit_of_its_own() {
    let ec2 = FakeAws::start();
    let function = function(&ec2, &terminating(1));
    for region in ["eu-central-1", "us-east-1"] {
        let ids = ec2.launch_many(launch(region), 2);
        let run = function.invoke(&launched_ids(&ec2, &ids));
        assert_eq!(report(&run)["summary"]["terminated"], 1);
    }
}

#[test]
fn a_limit_of_zero_terminates_nothing_and_counts_nothing() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION));
    let run = function(&ec2, &terminating(0)).invoke(&launched_one(&ec2, &id));
    assert!(is_limited(entry(report(&run), &id)), "{:#}", report(&run));
    assert_eq!(
        (ec2.count("TerminateInstances"), ec2.count("UpdateItem")),
        (0, 0)
    );
}

#[test]
fn nothing_is_terminated_while_disruptions_cannot_be_counted() {
    for action in ["BatchGetItem", "GetItem", "UpdateItem"] {
        let ec2 = FakeAws::start();
        let ids = ec2.launch_many(launch(REGION), 2);
        ec2.fault(InjectedFault::unauthorized().action(action));
        let run = function(&ec2, &terminating(10)).invoke(&launched_ids(&ec2, &ids));
        for id in &ids {
            let expected = ["enforced", "terminate", "state_unavailable"];
            assert_eq!(done(report(&run), id), expected, "{action}");
            let reason = reason(report(&run), id);
            assert!(
                reason.contains("the state table is not available"),
                "{reason}"
            );
            assert_eq!(ec2.instance(id).options.tokens, "required");
        }
        assert_eq!(ec2.count("TerminateInstances"), 0);
    }
}

#[test]
fn a_failed_termination_counts_against_the_limit() {
    let ec2 = FakeAws::start();
    let function = function(&ec2, &terminating(1));
    let protected = ec2.launch(launch(REGION).protected());
    let run = function.invoke(&launched_one(&ec2, &protected));
    assert_eq!(outcome(report(&run), &protected), "enforced");
    let next = ec2.launch(launch(REGION));
    let run = function.invoke(&launched_one(&ec2, &next));
    assert!(is_limited(entry(report(&run), &next)), "{:#}", report(&run));
}

#[test]
fn replaced_instances_are_terminated_only_if_a_rule_says_so() {
    let policy = r#"{"version": 1, "require": {"http_tokens": "required"}, "on_violation": "terminate",
        "new_instances": {"grace_seconds": 0}, "rules": [{"name": "batch", "when": {"tags": {"app": "batch"}},
        "action": "terminate", "even_if_replaced": true}]}"#;
    let ec2 = FakeAws::start();
    let batch = ec2.launch(launch(REGION).in_group("g").tag("app", "batch"));
    let other = ec2.launch(launch(REGION).in_group("g"));
    let run = function(&ec2, policy).invoke(&launched_ids(&ec2, &[batch.clone(), other.clone()]));
    assert_eq!(
        (outcome(report(&run), &batch), outcome(report(&run), &other)),
        ("terminated", "enforced")
    );
}

#[test]
fn repeated_drift_is_limited_and_names_who_causes_it() {
    let policy = r#"{"version": 1, "require": {"http_tokens": "required"}, "on_violation": "enforce", "limits": {"enforcements_per_hour": 3}}"#;
    let ec2 = FakeAws::start();
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
        let instance = entry(report(&run), &id).clone();
        assert_eq!(
            instance["changed_by"],
            "arn:aws:sts::111122223333:assumed-role/Role/mallory"
        );
        let reason = instance["reason"].as_str().unwrap();
        assert!(
            reason.contains("arn:aws:sts::111122223333:assumed-role/Role/mallory"),
            "{reason}"
        );
        let limited = run
            .stdout
            .iter()
            .any(|line| line.contains("\"DriftLimitReached\":1"));
        assert_eq!(limited, instance["outcome"] == "reported");
        assert_eq!(limited, instance["because"] == "drift_limit");
        outcomes.push(instance["outcome"].as_str().unwrap().to_owned());
    }
    assert_eq!(
        outcomes,
        ["enforced", "enforced", "enforced", "reported", "reported"]
    );
    assert_eq!(ec2.count("ModifyInstanceMetadataOptions"), 3);
}

#[test]
fn a_launch_of_a_thousand_instances_stays_within_ec2_s_rates() {
    let ec2 = FakeAws::start();
    // EC2's own rate, which the function must keep to by itself.
    ec2.set_rate("ModifyInstanceMetadataOptions", 100.0, 5.0);
    let ids = ec2.launch_many(launch(REGION).client_token("t"), 1000);
    let run =
        function(&ec2, ENFORCE).invoke_with_timeout(&cut(REGION, Some("t"), 1000), seconds(12));
    assert!(
        run.result.is_err(),
        "a thousand cannot be enforced within the timeout"
    );
    let enforced = ids
        .iter()
        .filter(|id| ec2.instance(id).options.tokens == "required")
        .count();
    let logged = logged_report(&run);
    assert_eq!(logged["summary"]["enforced"], enforced);
    assert_eq!(logged["summary"]["failed"], 1000 - enforced);
    assert!((140..=152).contains(&enforced), "{enforced}");
    let throttled = ec2.calls_to("ModifyInstanceMetadataOptions").len() - enforced;
    assert!(throttled <= 80, "{throttled} throttled calls");
}

#[test]
fn an_event_of_another_account_is_rejected() {
    let ec2 = FakeAws::start();
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
fn hostile_text_cannot_forge_or_flood_log_lines() {
    let hostile = format!(
        "x\n{{\"level\":\"INFO\",\"outcome\":\"compliant\"}}\r\u{1b}[2K\u{202e}{}",
        "A".repeat(5000)
    );
    let ec2 = FakeAws::start();
    let id = ec2.launch(
        launch(REGION)
            .tag("aws:ec2launchtemplate:id", &hostile)
            .tag("eks:nodegroup-name", &hostile),
    );
    let mut event = launched_one(&ec2, &id);
    event["detail"]["userIdentity"]["arn"] = json!(hostile);
    event["detail"]["requestParameters"]["userData"] = json!("SECRET-USER-DATA");
    let function = Function::builder(binary("enforcer"))
        .fake(&ec2)
        .policy(&without_grace("terminate"))
        .env("AWS_LAMBDA_LOG_LEVEL", "DEBUG")
        .start();
    let run = function.invoke(&event);
    let instance = entry(report(&run), &id);
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
