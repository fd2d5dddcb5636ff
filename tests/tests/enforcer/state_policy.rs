//! A policy in the state table, by its hash; and what is served without a table.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Instant;

use imds_tests::{FakeAws, Function, FunctionBuilder, InjectedFault, binary, launch};
use serde_json::{Value, json};

use crate::support::*;
use crate::support_state::*;

/// By a program that has nothing to do with the function.
fn sha256(document: &str) -> String {
    let mut command = Command::new("sha256sum");
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(document.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap().stdout;
    let output = String::from_utf8(output).unwrap();
    output.split(' ').next().unwrap().to_owned()
}

fn without_policy(ec2: &FakeAws) -> FunctionBuilder {
    Function::builder(binary("enforcer")).fake(ec2)
}

/// A function whose policy is in the table, where it is.
fn stored(ec2: &FakeAws, document: &str) -> (String, FunctionBuilder) {
    let sha256 = sha256(document);
    let builder = without_policy(ec2).env("IMDS_POLICY_SHA256", &sha256);
    (format!("policy#{sha256}"), builder)
}

/// Why a function does not start.
#[track_caller]
fn refusal(builder: FunctionBuilder) -> String {
    builder.start().init_error().unwrap().error_message
}

/// Longer than the variables of a function may be.
fn long_policy() -> String {
    let rule = |n: usize| {
        let when = json!({ "tags": { "app": format!("application-{n:04}-*") } });
        json!({ "name": format!("rule {n}"), "when": when, "action": "report" })
    };
    let mut rules: Vec<Value> = (0..100).map(rule).collect();
    rules
        .push(json!({ "name": "last", "when": { "tags": { "app": "last" } }, "action": "exempt" }));
    json!({ "version": 1, "require": { "http_tokens": "required" }, "on_violation": "enforce", "rules": rules })
        .to_string()
}

#[test]
fn a_long_policy_is_served_from_the_table_and_read_once() {
    let ec2 = FakeAws::start();
    let document = long_policy();
    assert!(document.len() > 4096);
    let (key, builder) = stored(&ec2, &document);
    ec2.put_item(&key, json!({ "document": document }));
    let function = builder.start();
    let last = ec2.launch(launch(REGION).tag("app", "last"));
    let other = ec2.launch(launch(REGION));
    for _ in 0..2 {
        let run = function.invoke(&launched_ids(&ec2, &[last.clone(), other.clone()]));
        assert_eq!(entry(report(&run), &last)["rule"], "last");
        assert_eq!(outcome(report(&run), &last), "exempt");
    }
    assert_eq!(ec2.instance(&other).options.tokens, "required");
    let calls = ec2.table_calls();
    assert_eq!(calls.len(), 1);
    assert_eq!(
        (calls[0].action.as_str(), &calls[0].keys[0]),
        ("GetItem", &key)
    );
}

#[test]
fn a_policy_in_the_table_may_disrupt() {
    let ec2 = FakeAws::start();
    let document = limited("terminate", 1);
    let (key, builder) = stored(&ec2, &document);
    ec2.put_item(&key, json!({ "document": document }));
    let id = ec2.launch(launch(REGION));
    let run = builder.start().invoke(&launched_one(&ec2, &id));
    assert_eq!(outcome(report(&run), &id), "terminated");
}

#[test]
fn a_policy_that_is_not_in_the_table_is_refused_at_start() {
    let ec2 = FakeAws::start();
    let (key, builder) = stored(&ec2, ENFORCE);
    let message = refusal(builder);
    let expected = format!("there is no item `{key}` in `IMDS_STATE_TABLE`");
    assert!(message.contains(&expected), "{message}");
}

#[test]
fn a_policy_of_another_hash_is_refused_at_start() {
    let ec2 = FakeAws::start();
    let (key, builder) = stored(&ec2, ENFORCE);
    let tampered = ENFORCE.replace("enforce", "report");
    ec2.put_item(&key, json!({ "document": tampered }));
    let message = refusal(builder);
    for part in [&key, &sha256(&tampered), "IMDS_POLICY_SHA256"] {
        assert!(message.contains(part), "{part} is not in {message}");
    }
}

#[test]
fn an_item_without_a_document_is_refused_at_start() {
    for item in [
        json!({}),
        json!({ "document": 1 }),
        json!({ "document": {} }),
    ] {
        let ec2 = FakeAws::start();
        let (key, builder) = stored(&ec2, ENFORCE);
        ec2.put_item(&key, item);
        let message = refusal(builder);
        let expected = format!("attribute `document` of item `{key}` is not a string");
        assert!(message.contains(&expected), "{message}");
    }
}

#[test]
fn a_malformed_policy_in_the_table_is_refused_with_the_paths_of_its_faults() {
    let ec2 = FakeAws::start();
    let document = r#"{"version": 1, "require": {"http_tokens": "optional"}, "on_violation": "mend", "extra": 1}"#;
    let (key, builder) = stored(&ec2, document);
    ec2.put_item(&key, json!({ "document": document }));
    let message = refusal(builder);
    for part in [
        "IMDS_POLICY_SHA256",
        "$.require.http_tokens",
        "$.on_violation",
        "$.extra",
    ] {
        assert!(message.contains(part), "{part} is not in {message}");
    }
}

#[test]
fn a_table_that_cannot_be_read_keeps_the_function_from_starting() {
    for (fault, cause) in [
        (InjectedFault::unauthorized(), "AccessDeniedException"),
        (InjectedFault::status(500), ""),
        (InjectedFault::delay(seconds(30)), ""),
    ] {
        let ec2 = FakeAws::start();
        let (key, builder) = stored(&ec2, ENFORCE);
        ec2.put_item(&key, json!({ "document": ENFORCE }));
        ec2.fault(fault.action("GetItem"));
        let begun = Instant::now();
        let message = refusal(builder);
        let expected = format!("could not read item `{key}` of `IMDS_STATE_TABLE`");
        assert!(
            message.contains(&expected) && message.contains(cause),
            "{message}"
        );
        // Lambda would end a start that takes ten.
        let took = begun.elapsed();
        assert!(took < seconds(10), "{took:?}");
    }
}

#[test]
fn a_table_that_is_throttled_for_a_moment_does_not_keep_it_from_starting() {
    let ec2 = FakeAws::start();
    let (key, builder) = stored(&ec2, ENFORCE);
    ec2.put_item(&key, json!({ "document": ENFORCE }));
    ec2.fault(InjectedFault::throttle().action("GetItem").times(3));
    assert_eq!(builder.start().init_error(), None);
}

#[test]
fn the_policy_is_given_once() {
    let ec2 = FakeAws::start();
    let (_, builder) = stored(&ec2, ENFORCE);
    let both = builder.clone().policy(ENFORCE);
    let message = refusal(both);
    let expected = "several policies: set only one of `IMDS_POLICY`, `IMDS_POLICY_SHA256`";
    assert!(message.contains(expected), "{message}");
    let all = builder
        .policy(ENFORCE)
        .env("IMDS_POLICY_FILE", "/policy.json");
    let message = refusal(all);
    for name in [
        "`IMDS_POLICY`",
        "`IMDS_POLICY_FILE`",
        "`IMDS_POLICY_SHA256`",
    ] {
        assert!(message.contains(name), "{message}");
    }
    let message = refusal(without_policy(&ec2));
    assert!(message.contains("no policy"), "{message}");
    assert_eq!(ec2.calls().len(), 0);
}

#[test]
fn a_hash_that_is_none_is_refused_at_start() {
    let ec2 = FakeAws::start();
    let sha256 = sha256(ENFORCE);
    for hash in [
        &sha256.replacen(char::is_alphanumeric, "", 1),
        &sha256.to_uppercase(),
        &sha256.replace('f', "g"),
        "latest",
    ] {
        let message = refusal(without_policy(&ec2).env("IMDS_POLICY_SHA256", hash));
        assert!(
            message.contains("expected 64 hexadecimal digits in lower case"),
            "{message}"
        );
    }
    assert_eq!(ec2.calls().len(), 0);
}

#[test]
fn what_needs_a_table_is_refused_without_one_by_the_name_of_its_variable() {
    let ec2 = FakeAws::start();
    let mut by_rule: Value = serde_json::from_str(ENFORCE).unwrap();
    by_rule["rules"] =
        json!([{ "name": "lab", "when": { "tags": { "lab": "*" } }, "action": "terminate" }]);
    let (_, in_table) = stored(&ec2, ENFORCE);
    let refused = [
        builder(&ec2, &without_grace("stop")),
        builder(&ec2, &without_grace("terminate")),
        builder(&ec2, &by_rule.to_string()),
        in_table,
    ];
    for builder in refused {
        let message = refusal(builder.without_env("IMDS_STATE_TABLE"));
        assert!(
            message.contains("`IMDS_STATE_TABLE` is not set"),
            "{message}"
        );
    }
}

#[test]
fn a_policy_that_never_disrupts_is_served_without_a_table() {
    let ec2 = FakeAws::start();
    let start = |policy: &str| {
        builder(&ec2, policy)
            .without_env("IMDS_STATE_TABLE")
            .start()
    };
    let enforcing = start(ENFORCE);
    let id = ec2.launch(launch(REGION));
    let run = enforcing.invoke(&launched_one(&ec2, &id));
    assert_eq!(outcome(report(&run), &id), "enforced");
    ec2.set_options(&id, |options| options.tokens = "optional".to_owned());
    let run = enforcing.invoke(&modified(
        &id,
        "mallory",
        &json!({ "HttpTokens": "optional" }),
    ));
    assert_eq!(outcome(report(&run), &id), "enforced");
    let old = ec2.launch(launch(REGION).launched(seconds(90 * DAY)));
    unused(&ec2, &old);
    let reporting = start(&without_grace("report"));
    let run = reporting.invoke(&sweep_here());
    assert_eq!(outcome(report(&run), &old), "reported");
    let run = enforcing.invoke(&sweep_here());
    assert_eq!(outcome(report(&run), &old), "enforced");
    assert_eq!(metric(&run, "SweepIncomplete"), [0]);
    assert_eq!(ec2.table_calls().len(), 0);
}

#[test]
fn a_name_that_no_table_can_have_is_refused_at_start() {
    let ec2 = FakeAws::start();
    let names = [
        "ab",
        "my table",
        "table/imds-enforcer",
        "arn:aws:dynamodb:eu-central-1:111122223333:table/",
        "arn:aws:dynamodb::111122223333:table/imds-enforcer",
        "arn:aws:dynamodb:eu-central-1:111122223333:table/imds-enforcer/index/by-age",
        "arn:aws:sqs:eu-central-1:111122223333:imds-enforcer",
    ];
    for name in names {
        let message = refusal(builder(&ec2, ENFORCE).env("IMDS_STATE_TABLE", name));
        assert!(
            message.contains("could not use `IMDS_STATE_TABLE`") && message.contains(name),
            "{message}"
        );
    }
}

#[test]
fn a_table_by_its_arn_may_be_in_another_region() {
    let ec2 = FakeAws::start();
    let arn = "arn:aws:dynamodb:us-east-1:111122223333:table/imds-enforcer";
    let builder = builder(&ec2, &limited("terminate", 1));
    let function = builder.env("IMDS_STATE_TABLE", arn).start();
    let ids = [launch(REGION), launch("eu-west-1"), launch(REGION)].map(|it| ec2.launch(it));
    let outcomes = ids.each_ref().map(|id| {
        let run = function.invoke(&launched_one(&ec2, id));
        outcome(report(&run), id).to_owned()
    });
    assert_eq!(outcomes, ["terminated", "terminated", "enforced"]);
    let there: Vec<String> = ec2.table("us-east-1").items().into_keys().collect();
    assert_eq!(there, [LIMIT, "limit#111122223333#eu-west-1"]);
    assert_eq!(ec2.items().len(), 0);
    assert!(ec2.table_calls().iter().all(|it| it.region == "us-east-1"));
}

#[test]
fn a_table_that_does_not_exist_is_unavailable() {
    let ec2 = FakeAws::start();
    let builder = builder(&ec2, &limited("terminate", 1));
    let function = builder.env("IMDS_STATE_TABLE", "another").start();
    let id = ec2.launch(launch(REGION));
    let run = function.invoke(&launched_one(&ec2, &id));
    assert_eq!(
        done(report(&run), &id),
        ["enforced", "terminate", "state_unavailable"]
    );
    let why = reason(report(&run), &id);
    assert!(why.contains("ResourceNotFoundException"), "{why}");
}
