//! Tests of the Runtime API and `Function` with a puppet: this test program, started again as a function.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test support"
)]

mod puppet;

use std::time::{Duration, Instant};

use imds_tests::{FakeAws, Function, FunctionBuilder, Invocation, binary};
use serde_json::{Value, json};

/// A function that does what its events say.
fn function(mode: &str) -> FunctionBuilder {
    Function::builder(std::env::current_exe().unwrap())
        .arg("puppet::puppet")
        .arg("--exact")
        .arg("--ignored")
        .arg("--nocapture")
        .env("PUPPET", mode)
}

fn act(name: &str) -> Value {
    json!({ "do": name })
}

#[track_caller]
fn error_type(invocation: &Invocation) -> &str {
    &invocation.result.as_ref().unwrap_err().error_type
}

#[test]
fn an_event_goes_in_and_its_answer_comes_out() {
    let function = function("good").start();
    assert_eq!(function.init_error(), None);
    let invocation = function.invoke(&json!({ "do": "echo", "detail": { "ü": [1, null] } }));
    let answer = invocation.result.unwrap();
    assert_eq!(answer["event"]["detail"], json!({ "ü": [1, null] }));
    assert_eq!(answer["request_id"], json!(invocation.request_id));
    assert_eq!(
        answer["arn"],
        "arn:aws:lambda:eu-central-1:111122223333:function:enforcer"
    );
    assert!(answer["trace_id"].as_str().unwrap().starts_with("Root=1-"));
}

#[test]
fn one_process_answers_event_after_event() {
    let function = function("good").start();
    let answers: Vec<_> = (0..3).map(|_| function.invoke(&act("echo"))).collect();
    let pids: Vec<_> = answers
        .iter()
        .map(|answer| answer.result.as_ref().unwrap()["pid"].clone())
        .collect();
    assert!(pids.iter().all(|pid| *pid == pids[0]));
    assert_ne!(answers[0].request_id, answers[1].request_id);
}

#[test]
fn an_event_that_is_ready_before_the_start_is_the_first() {
    let (function, first) = function("good").start_with(&act("echo"));
    let started = function.started();
    let ready = function.first_poll().unwrap() - started;
    assert!(ready > Duration::ZERO && ready + first.duration <= started.elapsed());
    let second = function.invoke(&act("echo"));
    let pid = |invocation: &Invocation| invocation.result.as_ref().unwrap()["pid"].clone();
    assert_eq!(pid(&first), pid(&second));
    assert_ne!(first.request_id, second.request_id);
}

#[test]
fn a_function_that_does_not_start_leaves_its_first_event_unanswered() {
    let (_, first) = function("die").start_with(&act("echo"));
    assert_eq!(error_type(&first), "Runtime.ExitError");
}

#[test]
fn a_function_runs_on_its_core_and_the_test_where_it_was() {
    let cores = |process: &str| {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let allowed = status
            .lines()
            .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        allowed.unwrap().trim().to_owned()
    };
    let before = cores("self");
    let first: usize = before.split(['-', ',']).next().unwrap().parse().unwrap();
    let function = function("good").on_core(first).start();
    assert_eq!(cores(&function.process_id().to_string()), first.to_string());
    assert_eq!(cores("self"), before);
}

#[test]
fn the_deadline_is_the_time_and_the_timeout() {
    let function = function("good").timeout(Duration::from_secs(7)).start();
    let left = |invocation: Invocation| {
        invocation.result.unwrap()["milliseconds_left"]
            .as_i64()
            .unwrap()
    };
    let usual = left(function.invoke(&act("echo")));
    assert!((6_000..=7_000).contains(&usual), "{usual}");
    let longer = left(function.invoke_with_timeout(&act("echo"), Duration::from_secs(70)));
    assert!((69_000..=70_000).contains(&longer), "{longer}");
}

#[test]
fn the_environment_has_only_what_lambda_and_the_test_set() {
    let fake = FakeAws::start();
    let function = function("good")
        .fake(&fake)
        .policy("{}")
        .env("AWS_REGION", "us-east-1")
        .without_env("TZ")
        .start();
    let answer = function.invoke(&act("environment")).result.unwrap();
    assert_eq!(answer["AWS_ENDPOINT_URL"], json!(fake.url()));
    assert_eq!(answer["IMDS_POLICY"], "{}");
    assert_eq!(answer["AWS_REGION"], "us-east-1");
    assert_eq!(answer["AWS_LAMBDA_FUNCTION_NAME"], "enforcer");
    for name in ["TZ", "HOME", "PATH", "CARGO_PKG_NAME"] {
        assert_eq!(answer[name], Value::Null, "{name}");
    }
}

#[test]
fn the_output_of_an_invocation_has_no_other_output() {
    let function = function("good").start();
    assert_eq!(function.init_error(), None);
    let invocations =
        ["print one", "print two", "print-late"].map(|name| function.invoke(&act(name)));
    let [one, two, late] = &invocations;
    assert_eq!(
        (&one.stdout[..], &one.stderr[..]),
        (&["one".to_owned()][..], &["error one".to_owned()][..])
    );
    assert_eq!(two.stdout, ["two"]);
    assert_eq!(
        late.stdout,
        ["after the answer"],
        "what follows the answer belongs to it"
    );
    let output = function.output();
    assert!(
        output.contains("starting\n") && output.contains("one\ntwo\n"),
        "{output}"
    );
}

#[test]
fn a_reported_error_is_the_result() {
    let function = function("good").start();
    let error = function.invoke(&act("fail")).result.unwrap_err();
    assert_eq!(
        (error.error_type.as_str(), error.error_message.as_str()),
        ("Puppet", "cut strings")
    );
    assert!(function.invoke(&act("echo")).result.is_ok());
}

#[test]
fn an_exit_is_an_error_with_all_output_and_the_next_event_starts_a_new_process() {
    let function = function("good").start();
    let before = function.invoke(&act("echo")).result.unwrap()["pid"].clone();
    let invocation = function.invoke(&act("die"));
    assert_eq!(error_type(&invocation), "Runtime.ExitError");
    let message = invocation.result.unwrap_err().error_message;
    assert!(
        message.contains("exit status: 3") && message.contains("goodbye"),
        "{message}"
    );
    assert_eq!(invocation.stderr, ["goodbye"]);
    let after = function.invoke(&act("echo")).result.unwrap()["pid"].clone();
    assert_ne!(before, after);
}

#[test]
fn an_exit_between_events_does_not_fail_the_next_event() {
    let function = function("good").start();
    assert!(function.invoke(&act("echo-and-die")).result.is_ok());
    assert!(function.invoke(&act("echo")).result.is_ok());
}

#[test]
fn a_function_that_does_not_answer_is_killed_at_its_deadline() {
    let function = function("good").start();
    assert_eq!(function.init_error(), None);
    let begun = Instant::now();
    let invocation = function.invoke_with_timeout(&act("sleep"), Duration::from_millis(300));
    assert_eq!(error_type(&invocation), "Sandbox.Timedout");
    assert!(
        (300..5_000).contains(&begun.elapsed().as_millis()),
        "{:?}",
        begun.elapsed()
    );
    assert!(function.invoke(&act("echo")).result.is_ok());
}

#[test]
fn answers_that_lambda_rejects_are_errors() {
    let function = function("good").start();
    assert_eq!(
        error_type(&function.invoke(&act("garbage"))),
        "Runtime.InvalidResponse"
    );
    let invocation = function.invoke(&act("big"));
    assert_eq!(error_type(&invocation), "Function.ResponseSizeTooLarge");
    assert_eq!(invocation.stdout, ["413"]);
    let invocation = function.invoke(&act("wrong-id"));
    assert_eq!(
        (invocation.stdout, invocation.result.unwrap()),
        (vec!["400".to_owned()], json!("right"))
    );
}

#[test]
fn the_duration_is_that_of_the_event() {
    let function = function("good").start();
    let duration = function.invoke(&act("nap")).duration;
    assert!((200..2_000).contains(&duration.as_millis()), "{duration:?}");
}

#[test]
fn an_error_at_start_is_reported() {
    let function = function("init-error").start();
    let error = function.init_error().unwrap();
    assert_eq!(
        (error.error_type.as_str(), error.error_message.as_str()),
        ("Puppet", "no strings")
    );
    assert_eq!(error_type(&function.invoke(&act("echo"))), "Puppet");
}

#[test]
fn an_exit_at_start_is_reported() {
    let function = function("die").start();
    let error = function.init_error().unwrap();
    assert_eq!(error.error_type, "Runtime.ExitError");
    assert!(
        error.error_message.contains("starting"),
        "{}",
        error.error_message
    );
    let invocation = function.invoke(&act("echo"));
    assert_eq!(
        (error_type(&invocation), invocation.request_id.as_str()),
        ("Runtime.ExitError", "")
    );
    let starts = function.output().matches("starting").count();
    assert_eq!(starts, 2, "the next event starts a new process");
}

#[test]
fn the_process_ends_with_its_function() {
    let function = function("good").start();
    let pid = function.invoke(&act("echo")).result.unwrap()["pid"].clone();
    let process = std::path::PathBuf::from(format!("/proc/{pid}"));
    assert!(process.exists());
    drop(function);
    assert!(!process.exists());
}

#[test]
#[should_panic(expected = "could not start `/nowhere/enforcer`")]
fn a_program_that_cannot_be_started_is_named() {
    let _ = Function::builder("/nowhere/enforcer").start();
}

#[test]
fn a_program_of_the_workspace_is_found_next_to_the_tests() {
    assert!(binary("fake").ends_with("debug/fake") || binary("fake").ends_with("release/fake"));
}

#[test]
#[should_panic(expected = "run `cargo build -p nothing`")]
fn a_missing_program_is_an_error_with_the_command_to_build_it() {
    let _ = binary("nothing");
}

#[test]
fn the_fake_runs_as_a_program() {
    let mut child = std::process::Command::new(binary("fake"))
        .args([
            "--seed-non-compliant",
            "3",
            "--region",
            "us-east-1",
            "--latency-ms",
            "50",
            "--real-rates",
        ])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut url = String::new();
    std::io::BufRead::read_line(
        &mut std::io::BufReader::new(child.stdout.take().unwrap()),
        &mut url,
    )
    .unwrap();
    let begun = Instant::now();
    let answer = ureq::post(url.trim())
        .header(
            "Authorization",
            "AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/ec2/aws4_request",
        )
        .send_form([("Action", "DescribeInstances"), ("Version", "2016-11-15")])
        .map(|mut response| response.body_mut().read_to_string().unwrap());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(50));
    assert_eq!(
        answer
            .unwrap()
            .matches("<httpTokens>optional</httpTokens>")
            .count(),
        3
    );
}
