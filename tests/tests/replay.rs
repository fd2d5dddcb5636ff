//! Replays `events/` through the real function: each event yields the report next to it, with the calls
//! that `events/fleet.json` lists. `UPDATE=1` writes the reports.
//!
//! The function's clock is the machine's, so that all times of an event and of its account are moved as if
//! the event were delivered now, and those of the report are moved back.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::disallowed_methods,
    reason = "tests panic on the unexpected and read the clock"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use imds_core::event::{Event, parse};
use imds_tests::{FakeAws, Function, Invocation, LaunchBuilder, binary, launch};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

#[test]
fn every_fixture_event_yields_the_report_next_to_it() {
    let fixtures = Fixtures::read();
    let update = std::env::var_os("UPDATE").is_some();
    let mut faults = fixtures.strays();
    for (name, text) in &fixtures.events {
        let account = GuardedAccount::start(&fixtures, name);
        let answer = account.answer(&account.deliver(text));
        let expected = folder().join(format!("{name}.report.json"));
        if update {
            fs::write(
                &expected,
                serde_json::to_string_pretty(&answer).unwrap() + "\n",
            )
            .unwrap();
        }
        match fs::read_to_string(&expected) {
            Ok(expected) => {
                differences(name, Some(&json_of(&expected)), Some(&answer), &mut faults)
            }
            Err(_) => faults.push(format!("{name}: there is no report")),
        }
        let calls = json!(account.calls());
        let allowed = fixtures.fleet.calls.get(name).map(|calls| json!(calls));
        differences(
            &format!("{name}: calls"),
            allowed.as_ref(),
            Some(&calls),
            &mut faults,
        );
    }
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn an_event_delivered_twice_makes_no_changing_call_the_second_time() {
    let fixtures = Fixtures::read();
    let mut faults = Vec::new();
    for (name, text) in &fixtures.events {
        let account = GuardedAccount::start(&fixtures, name);
        let first = account.deliver(text);
        account.ec2.forget_calls();
        let second = account.deliver(text);
        for call in account.ec2.changing_calls() {
            faults.push(format!("{name}: {} {:?}", call.action, call.params));
        }
        if let (Ok(_), Err(error)) = (first.result, second.result) {
            faults.push(format!("{name}: failed the second time: {error}"));
        }
    }
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

/// The files of `events/`.
struct Fixtures {
    /// By name, without `.json`.
    events: BTreeMap<String, String>,
    reports: BTreeSet<String>,
    policy: String,
    fleet: FixtureFleet,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FixtureFleet {
    /// By account.
    instances: BTreeMap<String, Vec<FixtureInstance>>,
    /// When an event is delivered, by event; the others are within seconds.
    delivered: BTreeMap<String, Timestamp>,
    /// By event, then by action.
    calls: BTreeMap<String, BTreeMap<String, usize>>,
}

/// An instance as it is when the event arrives.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FixtureInstance {
    id: String,
    region: String,
    state: Option<String>,
    launched_at: Timestamp,
    /// The last start, where it is not the launch.
    started_at: Option<Timestamp>,
    tokens: String,
    hop_limit: u8,
    endpoint: String,
    metadata_tags: Option<String>,
    client_token: Option<String>,
    #[serde(default)]
    protected: bool,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

impl Fixtures {
    const FEWEST: usize = 15;

    fn read() -> Self {
        let read = |name: &str| fs::read_to_string(folder().join(name)).unwrap();
        let mut fixtures = Fixtures {
            events: BTreeMap::new(),
            reports: BTreeSet::new(),
            policy: read("policy.json"),
            fleet: serde_json::from_str(&read("fleet.json")).unwrap(),
        };
        for entry in fs::read_dir(folder()).unwrap() {
            let file = entry.unwrap().file_name().into_string().unwrap();
            let Some(name) = file.strip_suffix(".json") else {
                continue;
            };
            if let Some(event) = name.strip_suffix(".report") {
                fixtures.reports.insert(event.to_owned());
            } else if !["policy", "fleet"].contains(&name) {
                fixtures.events.insert(name.to_owned(), read(&file));
            }
        }
        let count = fixtures.events.len();
        assert!(count >= Self::FEWEST, "only {count} events");
        fixtures
    }

    /// Reports, deliveries and calls without an event.
    fn strays(&self) -> Vec<String> {
        let no_event = |name: &&String| !self.events.contains_key(*name);
        let reports = self.reports.iter().filter(no_event);
        let listed = self.fleet.calls.keys().chain(self.fleet.delivered.keys());
        let listed = listed.filter(no_event);
        let reports = reports.map(|name| format!("{name}.report.json: there is no event"));
        let listed = listed.map(|name| format!("fleet.json: `{name}` is no event"));
        reports.chain(listed).collect()
    }

    /// When an event is delivered; one that is ignored or malformed needs no time.
    fn delivered(&self, name: &str) -> Option<Timestamp> {
        let at = match parse(&self.events[name]).ok()? {
            Event::Launch(launch) => launch.origin.time?,
            Event::MetadataChange(change) => change.origin.time?,
            Event::Start(start) => start.origin.time?,
            Event::Sweep(_) | Event::Ignored(_) => return None,
        };
        let within_seconds = at + SignedDuration::from_secs(4);
        let delivered = self.fleet.delivered.get(name);
        Some(delivered.copied().unwrap_or(within_seconds))
    }
}

/// An account with its instances, and the function.
struct GuardedAccount {
    ec2: FakeAws,
    function: Function,
    delivered: Option<Timestamp>,
    /// From the time of delivery until now, in whole seconds.
    moved_by: SignedDuration,
}

impl GuardedAccount {
    /// The account is the one that the event names.
    fn start(fixtures: &Fixtures, name: &str) -> Self {
        let event = fixtures.events[name].as_str();
        let mut named = fixtures
            .fleet
            .instances
            .iter()
            .filter(|(account, _)| event.contains(*account));
        let (Some((account, instances)), None) = (named.next(), named.next()) else {
            panic!("an event must name exactly one of the accounts of fleet.json: {event}");
        };
        let delivered = fixtures.delivered(name);
        let until_now = |at: Timestamp| Timestamp::now().as_second() - at.as_second();
        let moved_by = SignedDuration::from_secs(delivered.map_or(0, until_now));
        let ec2 = FakeAws::start();
        ec2.set_account(account);
        for instance in instances {
            ec2.launch(instance.launch(moved_by));
        }
        let function = Function::builder(binary("enforcer"))
            .fake(&ec2)
            .policy(&fixtures.policy)
            .account(account)
            .env(
                "IMDS_ROLE_ARN",
                &format!("arn:aws:iam::{account}:role/imds-enforcer"),
            )
            .start();
        GuardedAccount {
            ec2,
            function,
            delivered,
            moved_by,
        }
    }

    fn deliver(&self, event: &str) -> Invocation {
        self.function.invoke(&json_of(&moved(event, self.moved_by)))
    }

    /// The report with the times of the fixtures, and with changes at the time of delivery.
    fn answer(&self, invocation: &Invocation) -> Value {
        let report = match &invocation.result {
            Ok(report) => report,
            Err(error) => {
                return json!({ "error_type": error.error_type, "error_message": error.error_message });
            }
        };
        let mut report = json_of(&moved(&report.to_string(), -self.moved_by));
        for instance in report["instances"].as_array_mut().into_iter().flatten() {
            let Some(at) = instance.get_mut("changed_at") else {
                continue;
            };
            let (changed, delivered) = (time(at), self.delivered.unwrap());
            let within = delivered..=delivered + SignedDuration::from_mins(1);
            assert!(
                within.contains(&changed),
                "changed at {changed}, delivered at {delivered}"
            );
            *at = json!(delivered);
        }
        report
    }

    fn calls(&self) -> BTreeMap<String, usize> {
        let mut calls = BTreeMap::new();
        for call in self.ec2.calls() {
            *calls.entry(call.action).or_default() += 1;
        }
        calls
    }
}

impl FixtureInstance {
    fn launch(&self, moved_by: SignedDuration) -> LaunchBuilder {
        let started_at = self.started_at.unwrap_or(self.launched_at);
        let mut new = launch(&self.region)
            .id(&self.id)
            .launched_at(self.launched_at + moved_by)
            .started_at(started_at + moved_by)
            .tokens(&self.tokens)
            .hop_limit(self.hop_limit)
            .endpoint(&self.endpoint)
            .client_token(self.client_token.as_deref().unwrap_or_default());
        if let Some(state) = &self.state {
            new = new.state(state);
        }
        if let Some(metadata_tags) = &self.metadata_tags {
            new = new.metadata_tags(metadata_tags);
        }
        if self.protected {
            new = new.protected();
        }
        self.tags
            .iter()
            .fold(new, |new, (key, value)| new.tag(key, value))
    }
}

/// The text with all its times moved: those in words, and those of launches and attachments, which
/// CloudTrail writes in milliseconds.
fn moved(text: &str, by: SignedDuration) -> String {
    let mut moved = String::new();
    let mut rest = text;
    while let Some(begin) = rest.find(|sign: char| sign.is_ascii_digit()) {
        let (before, word) = rest.split_at(begin);
        let in_time = |sign: char| sign.is_ascii_digit() || "-:T.".contains(sign);
        let end = word.find(|sign| !in_time(sign)).unwrap_or(word.len());
        let end = end + usize::from(word[end..].starts_with('Z'));
        let (word, after) = word.split_at(end);
        moved.push_str(before);
        let name = before.trim_end_matches(|sign: char| !sign.is_ascii_alphabetic());
        let is_millisecond = name.ends_with("launchTime") || name.ends_with("attachTime");
        match (word.parse::<Timestamp>(), word.parse::<i128>()) {
            (Ok(at), _) => moved.push_str(&(at + by).to_string()),
            (_, Ok(at)) if is_millisecond => moved.push_str(&(at + by.as_millis()).to_string()),
            _ => moved.push_str(word),
        }
        rest = after;
    }
    moved + rest
}

fn time(value: &Value) -> Timestamp {
    value.as_str().unwrap().parse().unwrap()
}

/// Every value that differs, with its path.
fn differences(
    path: &str,
    expected: Option<&Value>,
    found: Option<&Value>,
    faults: &mut Vec<String>,
) {
    match (expected, found) {
        (Some(Value::Object(expected)), Some(Value::Object(found))) => {
            for key in expected.keys().chain(found.keys()).collect::<BTreeSet<_>>() {
                differences(
                    &format!("{path}.{key}"),
                    expected.get(key),
                    found.get(key),
                    faults,
                );
            }
        }
        (Some(Value::Array(expected)), Some(Value::Array(found))) => {
            for n in 0..expected.len().max(found.len()) {
                differences(
                    &format!("{path}[{n}]"),
                    expected.get(n),
                    found.get(n),
                    faults,
                );
            }
        }
        _ if expected == found => {}
        _ => {
            let show = |value: Option<&Value>| value.map_or("nothing".to_owned(), Value::to_string);
            faults.push(format!(
                "{path}: expected {}, found {}",
                show(expected),
                show(found)
            ));
        }
    }
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../events")
}
