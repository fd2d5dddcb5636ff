//! The function that the tests start: this program, which does what its events say.

use std::time::Duration;

use serde_json::{Value, json};

/// Not a test: the entry point of the function.
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
