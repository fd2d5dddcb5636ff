//! Events within the messages, logs and answers of the services that passed them on.

use imds_core::event::{DeliveredEvent, Event, Reason, delivered, parse};
use serde_json::{Value, json};

use crate::{event, launch};

fn record() -> Value {
    serde_json::from_str::<Value>(&event(|_| ())).unwrap()["detail"].take()
}

fn bridged() -> Value {
    serde_json::from_str(&event(|_| ())).unwrap()
}

/// As SNS sends a message over HTTP and to queues.
fn notification(message: &Value) -> Value {
    json!({ "Type": "Notification", "MessageId": "m", "TopicArn": "arn:aws:sns:eu-central-1:1:t",
        "Message": message.to_string(), "Timestamp": "2026-03-01T10:00:06Z" })
}

/// As `aws sqs receive-message` prints messages.
fn received(bodies: &[Value]) -> Value {
    let messages = bodies
        .iter()
        .map(|body| json!({ "MessageId": "m", "ReceiptHandle": "h", "Body": body.to_string() }));
    json!({ "Messages": messages.collect::<Vec<_>>() })
}

/// As Lambda sends what became of an asynchronous invocation to a destination.
fn result(payload: &Value) -> Value {
    json!({ "version": "1.0", "timestamp": "2026-03-01T10:09:00.000Z",
        "requestContext": { "condition": "RetriesExhausted", "approximateInvokeCount": 3 },
        "requestPayload": payload, "responseContext": { "functionError": "Unhandled" },
        "responsePayload": { "errorMessage": "x" } })
}

/// As Lambda sends it to an event bus.
fn result_on_a_bus(payload: &Value) -> Value {
    json!({ "version": "0", "id": "1", "source": "lambda", "account": "111122223333",
        "detail-type": "Lambda Function Invocation Result - Failure", "detail": result(payload) })
}

/// Every wrapping, with the places of its events.
fn wrappings() -> Vec<(Value, Vec<&'static str>)> {
    let (event, record) = (bridged(), record());
    let text = |value: &Value| value.to_string();
    let both = [event.clone(), record.clone()];
    vec![
        (event.clone(), vec![""]),
        (record.clone(), vec![""]),
        (json!(both), vec!["[0]", "[1]"]),
        (
            json!({ "Records": [record, record] }),
            vec!["Records[0]", "Records[1]"],
        ),
        (
            json!({ "Records": [{ "EventSource": "aws:sns", "Sns": notification(&event) },
                { "EventSource": "aws:sns", "Sns": notification(&event) }] }),
            vec!["Records[0].Sns.Message", "Records[1].Sns.Message"],
        ),
        (
            json!({ "Records": [{ "messageId": "m", "eventSource": "aws:sqs", "body": text(&event) }] }),
            vec!["Records[0].body"],
        ),
        (
            received(&both),
            vec!["Messages[0].Body", "Messages[1].Body"],
        ),
        (received(&both)["Messages"][0].clone(), vec!["Body"]),
        (notification(&event), vec!["Message"]),
        (
            received(&[notification(&event)]),
            vec!["Messages[0].Body.Message"],
        ),
        (result(&event), vec!["requestPayload"]),
        (result_on_a_bus(&event), vec!["detail.requestPayload"]),
        (
            received(&[notification(&result_on_a_bus(&event))]),
            vec!["Messages[0].Body.Message.detail.requestPayload"],
        ),
        (
            json!({ "Events": [{ "EventId": "e", "EventName": "RunInstances",
                "CloudTrailEvent": text(&record) }], "NextToken": "n" }),
            vec!["Events[0].CloudTrailEvent"],
        ),
        (json!([text(&record)]), vec!["[0]"]),
        (json!(text(&record)), vec![""]),
        (
            json!({ "events": [{ "timestamp": 1, "message": text(&record) }] }),
            vec!["events[0].message"],
        ),
        (
            json!({ "messageType": "DATA_MESSAGE", "logEvents": [{ "message": text(&record) }] }),
            vec!["logEvents[0].message"],
        ),
    ]
}

fn paths(text: &str) -> Vec<String> {
    delivered(text).into_iter().map(|it| it.path).collect()
}

#[track_caller]
fn found(events: &[DeliveredEvent]) -> Vec<&str> {
    let json = events.iter().map(|event| event.json.as_deref().unwrap());
    json.collect()
}

#[test]
fn an_event_is_the_same_in_every_wrapping() {
    let alone = [
        launch(&bridged().to_string()),
        launch(&record().to_string()),
    ];
    for (wrapping, places) in wrappings() {
        for text in [
            wrapping.to_string(),
            serde_json::to_string_pretty(&wrapping).unwrap(),
        ] {
            assert_eq!(paths(&text), places, "{text}");
            for json in found(&delivered(&text)) {
                assert!(alone.contains(&launch(json)), "{text}");
            }
        }
    }
}

#[test]
fn the_function_accepts_no_wrapping_but_a_notification_of_sns() {
    for (wrapping, places) in wrappings() {
        let accepted =
            [vec![""], vec!["Records[0].Sns.Message"]].contains(&places) && !wrapping.is_string();
        match parse(&wrapping.to_string()) {
            Ok(Event::Ignored(ignored)) => {
                assert!(
                    matches!(ignored.reason, Reason::OtherEvent(_)),
                    "{wrapping}"
                );
            }
            read => assert_eq!(read.is_ok(), accepted, "{wrapping}"),
        }
    }
}

#[test]
fn a_text_may_contain_several_documents() {
    let (event, record) = (bridged().to_string(), record().to_string());
    let log = json!({ "Records": [{ "eventName": "A" }, { "eventName": "B" }] });
    let pretty = serde_json::to_string_pretty(&log).unwrap();
    for (text, places) in [
        (format!("{event}\n{record}\n"), vec!["[0]", "[1]"]),
        (format!("{event}\t{record}"), vec!["[0]", "[1]"]),
        (format!("{event}{record}\r\n\r\n"), vec!["[0]", "[1]"]),
        (
            format!("{pretty}\n{record}"),
            vec!["[0].Records[0]", "[0].Records[1]", "[1]"],
        ),
    ] {
        assert_eq!(paths(&text), places, "{text}");
        assert!(found(&delivered(&text)).contains(&record.as_str()));
    }
}

#[test]
fn lines_of_a_log_may_begin_with_their_times() {
    let record = record().to_string();
    for begin in [
        "2026-03-01T10:00:02.000Z ",
        "2026-03-01T10:00:02 ",
        "2026-03-01T10:00:02.123000+00:00 111122223333_CloudTrail_eu-central-1 ",
    ] {
        let text = format!("{begin}{record}\n{begin}{record}\n");
        assert_eq!(found(&delivered(&text)), [&record, &record], "{begin}");
    }
}

#[test]
fn an_e_mail_of_sns_ends_with_how_to_unsubscribe() {
    let (event, footer) = (
        bridged().to_string(),
        "If you wish to stop receiving notifications from this topic, please click or visit the link below",
    );
    for text in [
        format!("{event}\n\n--\n{footer}:\nhttps://sns.example/\n"),
        format!("{event}\r\n--\r\n{footer}:\r\n"),
    ] {
        assert_eq!(found(&delivered(&text)), [&event]);
    }
    let other = format!("{event}\n--\n{event}");
    assert_eq!(paths(&other), ["[0]", "[1]", "[2]"]);
}

#[test]
fn what_an_event_itself_contains_is_no_other_event() {
    let mut event = bridged();
    let mut record = record();
    for name in ["Records", "Message", "body", "requestPayload", "events"] {
        event["detail"][name] = json!([record]);
        event[name] = json!([record]);
    }
    for name in ["Records", "Message", "body", "requestPayload", "events"] {
        record[name] = json!([bridged()]);
    }
    for json in [event.to_string(), record.to_string()] {
        assert_eq!(found(&delivered(&json)), [&json]);
    }
}

#[test]
fn what_is_no_event_is_named_with_its_place_and_what_was_found() {
    let expected =
        "expected an EventBridge event, a CloudTrail record, or a message, log or answer with them";
    let objects = "a notification of S3 objects, which contains no event: download the objects, and explain these";
    let s3 = json!({ "Records": [{ "eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": {} }] });
    for (text, fault) in [
        (String::new(), format!("{expected}; found none")),
        (json!({ "Records": [] }).to_string(), format!("`Records`: {expected}; found none")),
        (
            json!({ "logFiles": [], "digestEndTime": "" }).to_string(),
            format!("{expected}; found an object with the fields `digestEndTime`, `logFiles`"),
        ),
        ("{}".to_owned(), format!("{expected}; found `{{}}`")),
        (received(&[json!(null)]).to_string(), format!("`Messages[0].Body`: {expected}; found `null`")),
        (
            json!({ "Type": "SubscriptionConfirmation", "Message": "You have chosen to subscribe" }).to_string(),
            "`Message`: not JSON: expected value at line 1 column 1; found `You have chosen to subscribe`".to_owned(),
        ),
        (
            "{\n \"Records\": [".to_owned(),
            "not JSON: EOF while parsing a list at line 2 column 13; found `\"Records\": [`".to_owned(),
        ),
        (s3.to_string(), format!("`Records[0]`: {objects}")),
        (received(&[notification(&s3)]).to_string(), format!("`Messages[0].Body.Message.Records[0]`: {objects}")),
        (
            json!({ "s3Bucket": "b", "s3ObjectKey": ["k"] }).to_string(),
            objects.to_owned(),
        ),
    ] {
        let events = delivered(&text);
        let faults: Vec<String> = events
            .iter()
            .map(|it| it.json.as_ref().unwrap_err().to_string())
            .collect();
        assert_eq!(faults, [format!("malformed event: {fault}")], "{text}");
    }
}

#[test]
fn of_an_event_that_lacks_a_field_its_own_fault_tells() {
    let mut event = bridged();
    event.as_object_mut().unwrap().remove("detail-type");
    let json = event.to_string();
    assert_eq!(found(&delivered(&json)), [&json]);
}

#[test]
fn a_fault_hides_no_other_event() {
    let log = json!({ "Records": [5, record(), {}, record()] }).to_string();
    let events = delivered(&log);
    let are_events: Vec<bool> = events.iter().map(|it| it.json.is_ok()).collect();
    assert_eq!(are_events, [false, true, false, true]);
    assert_eq!(events[2].json.as_ref().unwrap_err().path, "Records[2]");
}

#[test]
fn a_line_that_is_no_json_hides_no_other_line() {
    let record = record().to_string();
    let events = delivered(&format!(
        "{record}\nSTART RequestId: 1\n\n{record}\n{{\"a\""
    ));
    let are_events: Vec<bool> = events.iter().map(|it| it.json.is_ok()).collect();
    assert_eq!(are_events, [true, false, true, false]);
    assert_eq!(
        events[1].json.as_ref().unwrap_err().to_string(),
        "malformed event: `[1]`: not JSON: expected value at line 1 column 1; found `START RequestId: 1`"
    );
}

#[test]
fn no_nesting_exhausts_the_stack() {
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let events = delivered(&deep);
    assert_eq!(events.len(), 1);
    let fault = events[0].json.as_ref().unwrap_err().to_string();
    assert!(fault.ends_with("nested too deeply"), "{fault}");
}
