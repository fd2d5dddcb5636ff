//! Configuration, logs and metrics of the function.

use crate::support::*;
use imds_tests::{FakeAws, Function, InjectedFault, binary, launch};
use serde_json::{Value, json};

fn json_lines(lines: &[String]) -> Vec<Value> {
    lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")))
        .collect()
}

#[test]
fn exactly_one_of_the_policy_variables_is_needed_at_start() {
    let ec2 = FakeAws::start();
    let none = Function::builder(binary("enforcer")).fake(&ec2).start();
    let message = none.init_error().unwrap().error_message;
    assert!(
        message.contains("no policy") && message.contains("`IMDS_POLICY`"),
        "{message}"
    );
    let both = Function::builder(binary("enforcer"))
        .fake(&ec2)
        .policy(ENFORCE)
        .env("IMDS_POLICY_FILE", "/tmp/policy.json")
        .start();
    let message = both.init_error().unwrap().error_message;
    assert!(
        message.contains("set only one of `IMDS_POLICY`, `IMDS_POLICY_FILE`"),
        "{message}"
    );
}

#[test]
fn a_policy_may_come_from_a_file() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), ENFORCE).unwrap();
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION));
    let function = Function::builder(binary("enforcer"))
        .fake(&ec2)
        .env("IMDS_POLICY_FILE", file.path().to_str().unwrap())
        .start();
    let run = function.invoke(&launched_one(&ec2, &id));
    assert_eq!(outcome(report(&run), &id), "enforced");
}

#[test]
fn an_invalid_policy_fails_the_start_and_all_its_faults_are_reported() {
    let ec2 = FakeAws::start();
    let policy = r#"{"version": 1, "require": {"http_tokens": "optional", "hop_limit": {"at_most": 65}}, "on_violation": "enforced"}"#;
    let function = Function::builder(binary("enforcer"))
        .fake(&ec2)
        .policy(policy)
        .start();
    let message = function.init_error().unwrap().error_message;
    for path in [
        "$.require.http_tokens",
        "$.require.hop_limit.at_most",
        "$.on_violation",
    ] {
        assert!(message.contains(path), "{path} is not in {message}");
    }
}

#[test]
fn log_lines_are_json_with_the_outcome() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION).tag("app", "web"));
    let policy = r#"{"version": 1, "require": {"http_tokens": "required"}, "on_violation": "report",
        "rules": [{"name": "web", "when": {"tags": {"app": "web"}}, "action": "enforce"}]}"#;
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
    let compliant = ec2.launch(launch(REGION).tokens("required"));
    let run = function.invoke(&launched_one(&ec2, &compliant));
    let ruleless = r#""outcome":"compliant","rule":"""#;
    assert!(run.stdout.iter().any(|line| line.contains(ruleless)));
}

#[test]
fn the_log_level_is_lambda_s() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION));
    let function = Function::builder(binary("enforcer"))
        .fake(&ec2)
        .policy(&without_grace("report"))
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
    let ec2 = FakeAws::start();
    let ids = ec2.launch_many(launch(REGION), 2);
    ec2.fault(
        InjectedFault::expired()
            .action("ModifyInstanceMetadataOptions")
            .instance(&ids[0]),
    );
    let function = Function::builder(binary("enforcer"))
        .fake(&ec2)
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
fn metrics_count_what_occurred_and_measure_the_exposure() {
    let ec2 = FakeAws::start();
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
    assert_eq!(directive["Namespace"], "ImdsEnforcer/enforcer");
    assert_eq!(directive["Dimensions"], json!([[]]));
    assert_eq!(
        (&counts["Enforced"], &counts["Compliant"]),
        (&json!(2), &json!(1))
    );
    let names: Vec<_> = directive["Metrics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["Name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["Compliant", "Enforced"]);
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
fn a_failed_change_fails_the_function_and_logs_the_whole_report_once() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION));
    ec2.fault(InjectedFault::unauthorized().action("ModifyInstanceMetadataOptions"));
    let run = function(&ec2, ENFORCE).invoke(&launched_one(&ec2, &id));
    let logged = logged_report(&run);
    let lines = run
        .stdout
        .iter()
        .filter(|line| line.contains("\"report\":"));
    assert_eq!(lines.count(), 1, "{:#?}", run.stdout);
    assert_eq!(logged["summary"]["failed"], 1);
    assert_eq!(entry(&logged, &id)["before"]["http_tokens"], "optional");
    let error = run.result.unwrap_err();
    assert_eq!(error.error_type, "Incomplete");
    assert!(
        error.error_message.starts_with("left undone: ") && error.error_message.contains(&id),
        "{error}"
    );
}

#[test]
fn one_process_handles_event_after_event() {
    let ec2 = FakeAws::start();
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
