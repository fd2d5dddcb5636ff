//! Events within the messages, logs and answers of the services that passed them on, as people have
//! them in files. The function accepts only what [`super::parse`] does.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::DateTime;
use serde_json::Deserializer;
use serde_json::value::RawValue;

use super::malformed::Malformed;

/// An event that a text contains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveredEvent {
    /// Where it is, for example `Messages[0].Body`; empty: the text is the event. Of several JSON
    /// documents in a text, the first is `[0]`.
    pub path: String,
    /// The event's own JSON; or why there is none, with the path in the text.
    pub json: Result<String, Malformed>,
}

/// The fields that contain events, or strings with events.
const WRAPPINGS: [&str; 12] = [
    // CloudTrail's log files, and what SNS and SQS invoke functions with.
    "Records",
    "Sns",
    "body",
    // `aws sqs receive-message`
    "Messages",
    "Body",
    // SNS, over HTTP and to queues.
    "Message",
    // Lambda, to a destination.
    "requestPayload",
    // `aws cloudtrail lookup-events`
    "Events",
    "CloudTrailEvent",
    // `aws logs filter-log-events`, and a subscription.
    "events",
    "logEvents",
    "message",
];

const EXPECTED: &str =
    "expected an EventBridge event, a CloudTrail record, or a message, log or answer with them";

/// More than wrappings ever have, and less than the stack holds.
const MAX_DEPTH: usize = 32;

/// All events of a text, in its order; at least one.
pub fn delivered(text: &str) -> Vec<DeliveredEvent> {
    let mut events = Events(Vec::new());
    events.text(&without_times(without_footer(text)), "", 0);
    events.0
}

struct Events(Vec<DeliveredEvent>);

impl Events {
    fn text(&mut self, text: &str, path: &str, depth: usize) {
        let documents = Deserializer::from_str(text).into_iter::<&RawValue>();
        match documents.collect::<Result<Vec<_>, _>>() {
            Err(_) if is_lines(text) => {
                let lines = text.lines().filter(|line| !line.trim().is_empty());
                for (n, line) in lines.enumerate() {
                    self.text(line, &format!("{path}[{n}]"), depth + 1);
                }
            }
            Err(error) => {
                let line = text.lines().nth(error.line().saturating_sub(1));
                let found = begin(line.unwrap_or_default());
                self.fail(path, format!("not JSON: {error}; found `{found}`"));
            }
            Ok(documents) => match documents.as_slice() {
                [document] => self.value(document.get(), path, depth + 1),
                documents => self.list(documents, path, depth),
            },
        }
    }

    fn value(&mut self, json: &str, path: &str, depth: usize) {
        let read = match json.as_bytes() {
            _ if depth > MAX_DEPTH => return self.fail(path, "nested too deeply"),
            [b'{', ..] => serde_json::from_str(json).map(|it| self.object(json, &it, path, depth)),
            [b'[', ..] => serde_json::from_str(json)
                .map(|items: Vec<&RawValue>| self.list(&items, path, depth)),
            [b'"', ..] => {
                serde_json::from_str(json).map(|text: String| self.text(&text, path, depth))
            }
            _ => return self.fail(path, format!("{EXPECTED}; found `{}`", begin(json))),
        };
        if let Err(error) = read {
            self.fail(path, format!("not JSON: {error}"));
        }
    }

    fn list(&mut self, items: &[&RawValue], path: &str, depth: usize) {
        if items.is_empty() {
            self.fail(path, format!("{EXPECTED}; found none"));
        }
        for (n, item) in items.iter().enumerate() {
            self.value(item.get(), &format!("{path}[{n}]"), depth + 1);
        }
    }

    fn object(
        &mut self,
        json: &str,
        fields: &BTreeMap<String, &RawValue>,
        path: &str,
        depth: usize,
    ) {
        let text = |name| {
            let json = fields.get(name)?.get();
            serde_json::from_str::<String>(json).ok()
        };
        let kind = text("detail-type").unwrap_or_default();
        let is_result = kind.starts_with("Lambda Function Invocation Result");
        // Services that invoke functions write records of their own.
        let is_record = !text("eventSource").is_some_and(|source| source.starts_with("aws:"));
        let wrapping = if fields.contains_key("detail-type") || fields.contains_key("detail") {
            is_result.then_some("detail")
        } else if fields.contains_key("eventName") && is_record {
            None
        } else if let Some(name) = WRAPPINGS.into_iter().find(|it| fields.contains_key(*it)) {
            Some(name)
        } else {
            return self.fail(path, unknown(fields));
        };
        match wrapping.and_then(|name| Some((name, fields.get(name)?))) {
            Some((name, within)) => self.value(within.get(), &below(path, name), depth + 1),
            None => self.0.push(DeliveredEvent {
                path: path.to_owned(),
                json: Ok(json.to_owned()),
            }),
        }
    }

    fn fail(&mut self, path: &str, problem: impl Into<String>) {
        self.0.push(DeliveredEvent {
            path: path.to_owned(),
            json: Err(Malformed::new(path, problem)),
        });
    }
}

fn below(path: &str, name: &str) -> String {
    let dot = if path.is_empty() { "" } else { "." };
    format!("{path}{dot}{name}")
}

fn begin(text: &str) -> String {
    text.trim().chars().take(40).collect()
}

fn unknown(fields: &BTreeMap<String, &RawValue>) -> String {
    if fields.contains_key("s3") || fields.contains_key("s3ObjectKey") {
        return "a notification of S3 objects, which contains no event: download the objects, and explain \
                these"
            .to_owned();
    }
    if fields.is_empty() {
        return format!("{EXPECTED}; found `{{}}`");
    }
    let names: Vec<String> = fields
        .keys()
        .map(|name| format!("`{}`", begin(name)))
        .collect();
    let names = names.join(", ");
    format!("{EXPECTED}; found an object with the fields {names}")
}

/// Whether a text, which is not JSON as a whole, has an event in each line.
fn is_lines(text: &str) -> bool {
    let is_json = |line| serde_json::from_str::<BTreeMap<String, &RawValue>>(line).is_ok();
    text.trim()
        .split_once('\n')
        .is_some_and(|(first, _)| is_json(first))
}

/// SNS ends an e-mail with how to unsubscribe.
fn without_footer(text: &str) -> &str {
    let footer = "If you wish to stop receiving notifications";
    text.split_once("\n--")
        .filter(|(_, rest)| rest.trim_start().starts_with(footer))
        .map_or(text, |(message, _)| message)
}

/// Exports of CloudWatch Logs begin each line with a time, and `aws logs tail` with the stream too.
fn without_times(text: &str) -> Cow<'_, str> {
    let is_time =
        |word: &str| word.parse::<Timestamp>().is_ok() || word.parse::<DateTime>().is_ok();
    let has_time = |line: &str| line.split_whitespace().next().is_some_and(is_time);
    if !has_time(text) {
        return Cow::Borrowed(text);
    }
    let lines = text.lines().map(|line| match line.find('{') {
        Some(start) if has_time(line) => line.get(start..).unwrap_or_default(),
        _ => line,
    });
    Cow::Owned(lines.collect::<Vec<_>>().join("\n"))
}
