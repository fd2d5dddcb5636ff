//! The function around its decisions: configuration, logs, metrics.

use crate::support::*;
use imds_tests::{Fault, Function, Standin, binary, launch};
use serde_json::{Value, json};

fn json_lines(lines: &[String]) -> Vec<Value> {
    lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")))
        .collect()
}

#[test]
fn exactly_one_of_the_two_policy_variables_is_needed_at_start() {
    let ec2 = Standin::start();
    let none = Function::of(binary("enforcer")).standin(&ec2).start();
    let told = none.init_error().unwrap().error_message;
    assert!(told.contains("no policy: set `IMDS_POLICY`"), "{told}");
    let both = Function::of(binary("enforcer"))
        .standin(&ec2)
        .policy(ENFORCE)
        .env("IMDS_POLICY_FILE", "/tmp/policy.json")
        .start();
    let told = both.init_error().unwrap().error_message;
    assert!(told.contains("not both"), "{told}");
}

#[test]
fn a_policy_from_a_file_works_too() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), ENFORCE).unwrap();
    let ec2 = Standin::start();
    let id = ec2.launch(launch(REGION));
    let function = Function::of(binary("enforcer"))
        .standin(&ec2)
        .env("IMDS_POLICY_FILE", file.path().to_str().unwrap())
        .start();
    let run = function.invoke(&launched_one(&ec2, &id));
    assert_eq!(outcome(report(&run), &id), "enforced");
}

#[test]
fn a_policy_with_faults_stops_the_start_and_tells_them_all() {
    let ec2 = Standin::start();
    let policy = r#"{"require": {"http_tokens": "optional", "hop_limit": {"at_most": 65}}, "on_violation": "enforced"}"#;
    let function = Function::of(binary("enforcer"))
        .standin(&ec2)
        .policy(policy)
        .start();
    let told = function.init_error().unwrap().error_message;
    for path in [
        "$.require.http_tokens",
        "$.require.hop_limit.at_most",
        "$.on_violation",
    ] {
        assert!(told.contains(path), "{path} is not in {told}");
    }
}

#[test]
fn log_lines_are_json_and_carry_what_happened() {
    let ec2 = Standin::start();
    let id = ec2.launch(launch(REGION).tag("app", "web"));
    let policy = r#"{"require": {"http_tokens": "required"}, "on_violation": "report",
        "rules": [{"name": "web", "when": {"tags": {"app": "web"}}, "then": "enforce"}]}"#;
    let function = function(&ec2, policy);
    let run = function.invoke(&launched_one(&ec2, &id));
    let lines = json_lines(&run.stdout);
    let line = lines
        .iter()
        .find(|line| line["instance"] == id.as_str())
        .unwrap();
    assert_eq!(line["trigger"], "launch");
    assert_eq!(line["region"], REGION);
    assert_eq!(line["outcome"], "enforced");
    assert_eq!(line["rule"], "web");
    assert_eq!(line["level"], "INFO");
    assert_eq!(line["request_id"], run.request_id.as_str());
    assert!(
        line["timestamp"].is_string() && line["message"].is_string(),
        "{line}"
    );
    let right = ec2.launch(launch(REGION).tokens("required"));
    let run = function.invoke(&launched_one(&ec2, &right));
    let ruleless = r#""outcome":"compliant","rule":"""#;
    assert!(run.stdout.iter().any(|line| line.contains(ruleless)));
}

#[test]
fn the_log_level_is_lambda_s() {
    let ec2 = Standin::start();
    let id = ec2.launch(launch(REGION));
    let function = Function::of(binary("enforcer"))
        .standin(&ec2)
        .policy(ENFORCE)
        .env("AWS_LAMBDA_LOG_LEVEL", "ERROR")
        .start();
    let run = function.invoke(&launched_one(&ec2, &id));
    assert!(
        json_lines(&run.stdout)
            .iter()
            .all(|line| line.get("level").is_none()),
        "{:?}",
        run.stdout
    );
}

#[test]
fn no_credential_is_ever_logged() {
    let ec2 = Standin::start();
    let ids = ec2.launch_many(launch(REGION), 2);
    ec2.fault(
        Fault::expired()
            .action("ModifyInstanceMetadataOptions")
            .instance(&ids[0]),
    );
    let function = Function::of(binary("enforcer"))
        .standin(&ec2)
        .policy(ENFORCE)
        .env("AWS_LAMBDA_LOG_LEVEL", "TRACE")
        .env("AWS_SECRET_ACCESS_KEY", "sEcReTsEcReT")
        .env("AWS_SESSION_TOKEN", "tOkEnToKeN")
        .start();
    let run = function.invoke(&launched_ids(&ec2, &ids));
    assert!(
        failure(&run).contains("RequestExpired"),
        "{}",
        failure(&run)
    );
    let all = function.output();
    assert!(!all.contains("sEcReTsEcReT") && !all.contains("tOkEnToKeN"));
}

#[test]
fn metrics_count_every_outcome_by_region_and_tell_how_long_an_instance_was_exposed() {
    let ec2 = Standin::start();
    let mut ids = ec2.launch_many(launch(REGION).launched(seconds(20)), 2);
    ids.push(ec2.launch(launch(REGION).tokens("required")));
    let run = function(&ec2, ENFORCE).invoke(&launched_ids(&ec2, &ids));
    let metrics: Vec<Value> = json_lines(&run.stdout)
        .into_iter()
        .filter(|line| line.get("_aws").is_some())
        .collect();
    let [counts, seconds] = metrics.as_slice() else {
        panic!("{metrics:#?}")
    };
    let directive = &counts["_aws"]["CloudWatchMetrics"][0];
    assert_eq!(directive["Namespace"], "ImdsEnforcer");
    assert_eq!(directive["Dimensions"], json!([["Region"], []]));
    assert_eq!(counts["Region"], REGION);
    assert_eq!(
        (&counts["Enforced"], &counts["Compliant"], &counts["Failed"]),
        (&json!(2), &json!(1), &json!(0))
    );
    let names: Vec<_> = directive["Metrics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["Name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "Compliant",
            "Exempt",
            "Reported",
            "Enforced",
            "Stopped",
            "Terminated",
            "Spared",
            "Gone",
            "Failed"
        ]
    );
    let exposed = seconds["SecondsExposed"].as_array().unwrap();
    assert_eq!(exposed.len(), 2);
    assert!(
        exposed
            .iter()
            .all(|s| (20.0..40.0).contains(&s.as_f64().unwrap())),
        "{exposed:?}"
    );
    assert_eq!(
        seconds["_aws"]["CloudWatchMetrics"][0]["Metrics"],
        json!([{ "Name": "SecondsExposed", "Unit": "Seconds" }])
    );
}

#[test]
fn what_is_left_undone_is_logged_as_the_whole_report_and_fails_the_function() {
    let ec2 = Standin::start();
    let id = ec2.launch(launch(REGION));
    ec2.fault(Fault::unauthorised().action("ModifyInstanceMetadataOptions"));
    let run = function(&ec2, ENFORCE).invoke(&launched_one(&ec2, &id));
    let logged = logged_report(&run);
    let told = run
        .stdout
        .iter()
        .filter(|line| line.contains("left undone"));
    assert_eq!(told.count(), 1, "{:#?}", run.stdout);
    assert_eq!(logged["summary"]["failed"], 1);
    assert_eq!(of(&logged, &id)["before"]["http_tokens"], "optional");
    let error = run.result.unwrap_err();
    assert_eq!(error.error_type, "Incomplete");
    assert!(error.error_message.starts_with("left undone: ") && error.error_message.contains(&id));
}

#[test]
fn the_same_process_answers_event_after_event() {
    let ec2 = Standin::start();
    let function = function(&ec2, ENFORCE);
    for _ in 0..3 {
        let id = ec2.launch(launch(REGION));
        assert_eq!(
            outcome(report(&function.invoke(&launched_one(&ec2, &id))), &id),
            "enforced"
        );
        let scheduled =
            json!({ "detail-type": "Scheduled Event", "source": "aws.events", "detail": {} });
        let run = function.invoke(&scheduled);
        assert_eq!(report(&run)["trigger"], "ignored");
    }
    assert_eq!(
        ec2.connections(),
        1,
        "the connection is kept between events"
    );
}
