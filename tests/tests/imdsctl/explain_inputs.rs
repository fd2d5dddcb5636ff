//! What people have events in: other encodings, messages, logs, and answers of the AWS CLI.

use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use imds_tests::{Imdsctl, Ran};
use serde_json::{Value, json};

use crate::explain::{event, events};
use crate::reading::*;

/// The bytes in every encoding, each named.
fn encodings(text: &str) -> Vec<(&'static str, Vec<u8>)> {
    let marked = format!("\u{feff}{text}");
    let utf_16 = |write: fn(u16) -> [u8; 2]| marked.encode_utf16().flat_map(write).collect();
    let plain = [
        ("UTF-8", text.as_bytes().to_vec()),
        ("UTF-8 with a mark", marked.clone().into_bytes()),
        ("UTF-16, little endian", utf_16(u16::to_le_bytes)),
        ("UTF-16, big endian", utf_16(u16::to_be_bytes)),
    ];
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(text.as_bytes()).unwrap();
    let mut all = Vec::from(plain);
    all.push(("gzip", gzip.finish().unwrap()));
    all
}

fn explain(event: &Path, policy: &Path) -> Imdsctl {
    let explain = Imdsctl::offline().arg("explain").arg(event);
    explain.arg("--policy").arg(policy)
}

/// Explains what a file contains by the policy of the sample events.
fn explained(content: &Value, arguments: &[&str]) -> Ran {
    let place = TestFolder::new();
    let file = place.file("input.json", &content.to_string());
    let policy = events().join("policy.json");
    explain(&file, &policy).args(arguments).run()
}

/// The sample event as the body of a message of SQS, which contains one of SNS.
fn queued(name: &str) -> Value {
    let notification =
        json!({ "Type": "Notification", "MessageId": "m", "Message": event(name).to_string() });
    json!({ "MessageId": "m", "ReceiptHandle": "h", "Body": notification.to_string() })
}

#[test]
fn an_event_and_a_policy_are_read_in_every_encoding_from_a_file_and_from_standard_input() {
    let launch = event("launch-open").to_string();
    let policy = std::fs::read_to_string(events().join("policy.json")).unwrap();
    let place = TestFolder::new();
    for (encoding, policy) in encodings(&policy) {
        std::fs::write(place.path("policy"), policy).unwrap();
        let check = Imdsctl::offline().args(["policy", "check"]);
        let checked = check.arg(place.path("policy")).run();
        assert_eq!(checked.code, Some(0), "{encoding}: {}", checked.stderr);
        let ran = explain(Path::new("-"), &place.path("policy")).stdin(&launch);
        says(
            &ran.run().ended_with(1).stdout,
            &["i-07ec6babf5e39a2ec: enforced"],
        );
    }
    for (_, bytes) in encodings(&launch) {
        std::fs::write(place.path("event"), &bytes).unwrap();
        let policy = events().join("policy.json");
        let ran = explain(&place.path("event"), &policy).run();
        says(
            &ran.ended_with(1).stdout,
            &["i-07ec6babf5e39a2ec: enforced"],
        );
        let piped = explain(Path::new("-"), &policy).stdin(&bytes).run();
        says(
            &piped.ended_with(1).stdout,
            &["i-07ec6babf5e39a2ec: enforced"],
        );
    }
}

#[test]
fn what_is_neither_utf_8_nor_complete_is_refused_and_says_so() {
    let place = TestFolder::new();
    let (_, mut cut) = encodings(&event("launch-open").to_string()).pop().unwrap();
    cut.truncate(cut.len() / 2);
    for (bytes, words) in [
        (cut, "could not read the event"),
        (
            b"{\"detail-type\": \"\xe4\"}".to_vec(),
            "not valid UTF-8, nor UTF-16 with a byte order mark",
        ),
        (
            b"\xff\xfe{\x00}".to_vec(),
            "not valid UTF-16, as its byte order mark says",
        ),
    ] {
        std::fs::write(place.path("event"), bytes).unwrap();
        let ran = explain(&place.path("event"), &events().join("policy.json")).run();
        says(&ran.ended_with(2).stderr, &[words]);
        assert_eq!(ran.stdout, "");
    }
}

#[test]
fn one_event_in_a_wrapping_is_explained_like_the_event_itself() {
    for name in ["launch-open", "start-running", "scheduled-event"] {
        let alone = explained(&event(name), &["--json"]);
        let wrapped = explained(&json!({ "Messages": [queued(name)] }), &["--json"]);
        let (mut alone, mut wrapped) = (json(&alone), json(&wrapped));
        // The time of a launch, which is that of the run.
        if name == "launch-open" {
            alone["notes"].take();
            wrapped["notes"].take();
        }
        assert_eq!(alone, wrapped);
    }
}

#[test]
fn several_events_are_explained_in_turn_with_their_places() {
    let messages = json!({ "Messages": [queued("launch-compliant"), queued("start-stopped"), queued("launch-open")] });
    let ran = explained(&messages, &["--json"]);
    let list = json(ran.ended_with(1));
    let told: Vec<(&str, &str)> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|it| {
            (
                it["path"].as_str().unwrap(),
                it["trigger"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("Messages[0].Body.Message", "launch"),
            ("Messages[1].Body.Message", "ignored"),
            ("Messages[2].Body.Message", "launch"),
        ]
    );
    let shown = explained(&messages, &[]);
    says(
        &shown.ended_with(1).stdout,
        &[
            "Messages[0].Body.Message: launch, account 111122223333",
            "\nMessages[1].Body.Message: ignored: ",
            "i-07ec6babf5e39a2ec: enforced",
            "\n3 events: 2 explained, 1 ignored, 0 malformed\n",
        ],
    );
}

#[test]
fn the_exit_code_is_that_of_the_worst_event_and_no_event_hides_another() {
    let of = |names: &[&str]| {
        let records: Vec<Value> = names
            .iter()
            .map(|name| event(name)["detail"].take())
            .collect();
        explained(&json!({ "Records": records }), &[])
    };
    let (compliant, open, malformed) = ("launch-compliant", "launch-open", "launch-malformed-id");
    of(&[compliant, compliant]).ended_with(0);
    of(&[open, compliant]).ended_with(1);
    let ran = of(&[compliant, malformed, open, malformed]);
    let path = "`Records[1].responseElements.instancesSet.items[0].instanceId`: `i-YOUR_ID` is not";
    says(&ran.ended_with(2).stderr, &["2 of 4 events", path]);
    says(
        &ran.stdout,
        &[
            "Records[0]: launch",
            path,
            "i-07ec6babf5e39a2ec: enforced",
            "Records[3]: malformed event: ",
        ],
    );
}

#[test]
fn what_contains_no_event_is_named_and_so_is_what_was_expected() {
    let objects = json!({ "Records": [{ "eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": {} }] });
    let body = json!({ "Messages": [{ "Body": objects.to_string() }] });
    let ran = explained(&body, &[]);
    says(
        &ran.ended_with(2).stderr,
        &["`Messages[0].Body.Records[0]`: a notification of S3 objects, which contains no event"],
    );
    let ran = explained(&json!({ "logFiles": [] }), &[]);
    says(
        &ran.ended_with(2).stderr,
        &[
            "expected an EventBridge event, a CloudTrail record, or",
            "found an object with the fields `logFiles`",
        ],
    );
}
