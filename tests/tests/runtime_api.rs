//! The Runtime API and `Function`, driven by a puppet: this very test program, started again as a function.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test support"
)]

use std::time::{Duration, Instant};

use imds_tests::{Function, FunctionBuilder, Invocation, Standin, binary};
use serde_json::{Value, json};

/// A function that does what its events say.
fn function(mode: &str) -> FunctionBuilder {
    Function::of(std::env::current_exe().unwrap())
        .arg("puppet")
        .arg("--exact")
        .arg("--ignored")
        .arg("--nocapture")
        .env("PUPPET", mode)
}

fn told(act: &str) -> Value {
    json!({ "do": act })
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
    let answers: Vec<_> = (0..3).map(|_| function.invoke(&told("echo"))).collect();
    let pids: Vec<_> = answers
        .iter()
        .map(|answer| answer.result.as_ref().unwrap()["pid"].clone())
        .collect();
    assert!(pids.iter().all(|pid| *pid == pids[0]));
    assert_ne!(answers[0].request_id, answers[1].request_id);
}

#[test]
fn an_event_that_waits_for_the_start_is_the_first_and_others_follow() {
    let (function, first) = function("good").start_with(&told("echo"));
    let started = function.started();
    let ready = function.first_poll().unwrap() - started;
    assert!(ready > Duration::ZERO && ready + first.duration <= started.elapsed());
    let second = function.invoke(&told("echo"));
    let pid = |invocation: &Invocation| invocation.result.as_ref().unwrap()["pid"].clone();
    assert_eq!(pid(&first), pid(&second));
    assert_ne!(first.request_id, second.request_id);
}

#[test]
fn one_that_does_not_start_leaves_its_first_event_unanswered() {
    let (_, first) = function("die").start_with(&told("echo"));
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
    let usual = left(function.invoke(&told("echo")));
    assert!((6_000..=7_000).contains(&usual), "{usual}");
    let longer = left(function.invoke_with_timeout(&told("echo"), Duration::from_secs(70)));
    assert!((69_000..=70_000).contains(&longer), "{longer}");
}

#[test]
fn the_environment_is_lambda_s_and_the_test_s_only() {
    let standin = Standin::start();
    let function = function("good")
        .standin(&standin)
        .policy("{}")
        .env("AWS_REGION", "us-east-1")
        .without_env("TZ")
        .start();
    let answer = function.invoke(&told("environment")).result.unwrap();
    assert_eq!(answer["AWS_ENDPOINT_URL"], json!(standin.url()));
    assert_eq!(answer["IMDS_POLICY"], "{}");
    assert_eq!(answer["AWS_REGION"], "us-east-1");
    assert_eq!(answer["AWS_LAMBDA_FUNCTION_NAME"], "enforcer");
    for name in ["TZ", "HOME", "PATH", "CARGO_PKG_NAME"] {
        assert_eq!(answer[name], Value::Null, "{name}");
    }
}

#[test]
fn the_output_of_an_invocation_is_its_own() {
    let function = function("good").start();
    assert_eq!(function.init_error(), None);
    let invocations =
        ["print one", "print two", "print-late"].map(|act| function.invoke(&told(act)));
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
    let error = function.invoke(&told("fail")).result.unwrap_err();
    assert_eq!(
        (error.error_type.as_str(), error.error_message.as_str()),
        ("Puppet", "cut strings")
    );
    assert!(function.invoke(&told("echo")).result.is_ok());
}

#[test]
fn a_death_is_an_error_with_all_output_and_the_next_event_starts_afresh() {
    let function = function("good").start();
    let before = function.invoke(&told("echo")).result.unwrap()["pid"].clone();
    let invocation = function.invoke(&told("die"));
    assert_eq!(error_type(&invocation), "Runtime.ExitError");
    let message = invocation.result.unwrap_err().error_message;
    assert!(
        message.contains("exit status: 3") && message.contains("goodbye"),
        "{message}"
    );
    assert_eq!(invocation.stderr, ["goodbye"]);
    let after = function.invoke(&told("echo")).result.unwrap()["pid"].clone();
    assert_ne!(before, after);
}

#[test]
fn a_death_between_events_is_not_the_next_one_s() {
    let function = function("good").start();
    assert!(function.invoke(&told("echo-and-die")).result.is_ok());
    assert!(function.invoke(&told("echo")).result.is_ok());
}

#[test]
fn a_function_that_does_not_answer_is_killed_at_its_deadline() {
    let function = function("good").start();
    assert_eq!(function.init_error(), None);
    let begun = Instant::now();
    let invocation = function.invoke_with_timeout(&told("sleep"), Duration::from_millis(300));
    assert_eq!(error_type(&invocation), "Sandbox.Timedout");
    assert!(
        (300..5_000).contains(&begun.elapsed().as_millis()),
        "{:?}",
        begun.elapsed()
    );
    assert!(function.invoke(&told("echo")).result.is_ok());
}

#[test]
fn answers_that_lambda_would_not_take_are_errors() {
    let function = function("good").start();
    assert_eq!(
        error_type(&function.invoke(&told("garbage"))),
        "Runtime.InvalidResponse"
    );
    let invocation = function.invoke(&told("big"));
    assert_eq!(error_type(&invocation), "Function.ResponseSizeTooLarge");
    assert_eq!(invocation.stdout, ["413"]);
    let invocation = function.invoke(&told("wrong-id"));
    assert_eq!(
        (invocation.stdout, invocation.result.unwrap()),
        (vec!["400".to_owned()], json!("right"))
    );
}

#[test]
fn the_duration_is_that_of_the_event() {
    let function = function("good").start();
    let duration = function.invoke(&told("nap")).duration;
    assert!((200..2_000).contains(&duration.as_millis()), "{duration:?}");
}

#[test]
fn an_error_at_start_is_told() {
    let function = function("init-error").start();
    let error = function.init_error().unwrap();
    assert_eq!(
        (error.error_type.as_str(), error.error_message.as_str()),
        ("Puppet", "no strings")
    );
    assert_eq!(error_type(&function.invoke(&told("echo"))), "Puppet");
}

#[test]
fn a_death_at_start_is_told() {
    let function = function("die").start();
    let error = function.init_error().unwrap();
    assert_eq!(error.error_type, "Runtime.ExitError");
    assert!(
        error.error_message.contains("starting"),
        "{}",
        error.error_message
    );
    let invocation = function.invoke(&told("echo"));
    assert_eq!(
        (error_type(&invocation), invocation.request_id.as_str()),
        ("Runtime.ExitError", "")
    );
    let starts = function.output().matches("starting").count();
    assert_eq!(starts, 2, "the next event starts it afresh");
}

#[test]
fn the_process_ends_with_its_function() {
    let function = function("good").start();
    let pid = function.invoke(&told("echo")).result.unwrap()["pid"].clone();
    let process = std::path::PathBuf::from(format!("/proc/{pid}"));
    assert!(process.exists());
    drop(function);
    assert!(!process.exists());
}

#[test]
#[should_panic(expected = "could not start `/nowhere/enforcer`")]
fn a_program_that_cannot_be_started_is_named() {
    let _ = Function::of("/nowhere/enforcer").start();
}

#[test]
fn a_program_of_the_workspace_is_found_beside_the_tests() {
    assert!(
        binary("standin").ends_with("debug/standin")
            || binary("standin").ends_with("release/standin")
    );
}

#[test]
#[should_panic(expected = "run `cargo build -p nothing`")]
fn a_program_that_was_not_built_is_a_command_to_run() {
    let _ = binary("nothing");
}

#[test]
fn the_stand_in_runs_as_a_program() {
    let mut child = std::process::Command::new(binary("standin"))
        .args([
            "--seed-wrong",
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

/// Not a test: the function that the tests above start.
#[test]
#[ignore = "it is started by other tests"]
fn puppet() {
    let Some(api) = std::env::var_os("AWS_LAMBDA_RUNTIME_API") else {
        return;
    };
    println!("starting");
    let api = api.into_string().unwrap();
    let api = format!("http://{api}/2018-06-01/runtime");
    match std::env::var_os("PUPPET").unwrap().to_str().unwrap() {
        "die" => std::process::exit(3),
        "init-error" => {
            let error = json!({ "errorType": "Puppet", "errorMessage": "no strings" });
            post(&format!("{api}/init/error"), &error.to_string());
            std::process::exit(1);
        }
        _ => loop {
            play(&api);
        },
    }
}

fn play(api: &str) {
    let mut next = ureq::get(format!("{api}/invocation/next")).call().unwrap();
    let header = |name: &str| next.headers()[name].to_str().unwrap().to_owned();
    let id = header("Lambda-Runtime-Aws-Request-Id");
    let deadline: i64 = header("Lambda-Runtime-Deadline-Ms").parse().unwrap();
    let (arn, trace_id) = (
        header("Lambda-Runtime-Invoked-Function-Arn"),
        header("Lambda-Runtime-Trace-Id"),
    );
    let event: Value = serde_json::from_str(&next.body_mut().read_to_string().unwrap()).unwrap();
    let url = format!("{api}/invocation/{id}");
    let answer = |body: &str| post(&format!("{url}/response"), body);
    let echo = json!({
        "event": event,
        "request_id": id,
        "arn": arn,
        "trace_id": trace_id,
        "milliseconds_left": deadline - milliseconds(),
        "pid": std::process::id(),
    });
    match event["do"].as_str().unwrap() {
        "fail" => {
            let error = json!({ "errorType": "Puppet", "errorMessage": "cut strings" });
            post(&format!("{url}/error"), &error.to_string());
        }
        "die" => {
            eprintln!("goodbye");
            std::process::exit(3);
        }
        "echo-and-die" => {
            answer(&echo.to_string());
            std::process::exit(3);
        }
        "sleep" => std::thread::sleep(Duration::from_secs(60)),
        "nap" => {
            std::thread::sleep(Duration::from_millis(200));
            answer("{}");
        }
        "print-late" => {
            answer("{}");
            std::thread::sleep(Duration::from_millis(100));
            println!("after the answer");
        }
        "garbage" => {
            answer("{");
        }
        "big" => println!("{}", answer(&json!("x".repeat(6_300_000)).to_string())),
        "wrong-id" => {
            println!(
                "{}",
                post(&format!("{api}/invocation/another/response"), r#""wrong""#)
            );
            answer(r#""right""#);
        }
        "environment" => {
            let all = std::env::vars_os()
                .map(|(name, value)| (name.into_string().unwrap(), json!(value.to_str())));
            answer(&Value::from_iter(all).to_string());
        }
        act => {
            if let Some(text) = act.strip_prefix("print ") {
                println!("{text}");
                eprintln!("error {text}");
            }
            answer(&echo.to_string());
        }
    }
}

fn post(url: &str, body: &str) -> u16 {
    let request = ureq::post(url).config().http_status_as_error(false).build();
    request.send(body).unwrap().status().as_u16()
}

#[expect(clippy::disallowed_methods, reason = "deadlines are times of day")]
fn milliseconds() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
