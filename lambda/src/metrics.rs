//! Metrics in CloudWatch's embedded metric format, on standard output.
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use std::collections::BTreeMap;
use std::io::Write;

use imds_core::decide::BecauseWord;
use imds_core::report::{InstanceReport, Outcome, Report, Summary, Trigger};
use imds_engine::SweptRegion;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

/// Writes the metrics of an event's report.
pub(crate) fn event(report: &Report, now: Timestamp) {
    let mut by_region: BTreeMap<&str, Vec<&InstanceReport>> = BTreeMap::new();
    for instance in &report.instances {
        by_region
            .entry(&instance.region)
            .or_default()
            .push(instance);
    }
    for (region, instances) in by_region {
        let mut counts = outcomes(&Summary::count(instances.iter().copied()));
        counts.extend(limits(instances.iter().copied()));
        let rejected = instances.iter().filter(|it| it.rejected_calls.is_some());
        match rejected.count() {
            0 => {}
            rejected => counts.push(("RejectedCalls".to_owned(), json!(rejected))),
        }
        let mut documents = vec![document(region, now, "Count", counts)];
        let seconds = instances
            .iter()
            .filter_map(|it| exposed(it, report.trigger));
        let seconds: Vec<f64> = seconds.collect();
        for values in seconds.chunks(VALUES) {
            let values = vec![("SecondsExposed".to_owned(), json!(values))];
            documents.push(document(region, now, "Seconds", values));
        }
        write(&documents);
    }
}

/// Writes the metrics of a region that was swept.
pub(crate) fn region(swept: &SweptRegion, now: Timestamp) {
    let is_reachable = swept.unreachable.is_empty();
    let rejected = swept.instances.iter();
    let rejected = rejected.filter(|it| it.rejected_calls.is_some()).count();
    let mut counts = outcomes(&swept.summary);
    counts.extend(limits(&swept.instances));
    counts.push(("RejectedCalls".to_owned(), json!(rejected)));
    counts.push((
        "RegionsScanned".to_owned(),
        json!(usize::from(is_reachable)),
    ));
    counts.push((
        "RegionsUnreachable".to_owned(),
        json!(usize::from(!is_reachable)),
    ));
    write(&[document(&swept.region, now, "Count", counts)]);
}

/// How many instances each limit of the policy held back, if any.
fn limits<'a>(instances: impl IntoIterator<Item = &'a InstanceReport>) -> Vec<(String, Value)> {
    let (mut drift, mut disruption) = (0, 0);
    for instance in instances {
        match instance.because {
            Some(BecauseWord::DriftLimit) => drift += 1,
            Some(BecauseWord::DisruptionLimit | BecauseWord::NotCounted) => disruption += 1,
            _ => {}
        }
    }
    let reached = [
        ("DriftLimitReached", drift),
        ("DisruptionLimitReached", disruption),
    ];
    let reached = reached.into_iter().filter(|(_, count)| *count > 0);
    reached
        .map(|(name, count)| (name.to_owned(), json!(count)))
        .collect()
}

fn outcomes(summary: &Summary) -> Vec<(String, Value)> {
    let count = |&outcome| (name(outcome), json!(summary.get(outcome)));
    Outcome::ALL.iter().map(count).collect()
}

/// Writes one line per document, all in one system call.
fn write(documents: &[Value]) {
    let lines: String = documents.iter().map(|line| format!("{line}\n")).collect();
    // If standard output is closed, there is nowhere to report it.
    let _closed = std::io::stdout().lock().write_all(lines.as_bytes());
}

/// The maximum number of values of one metric in one document.
const VALUES: usize = 100;

/// A start of an instance that is not older is a launch that came by another way.
const STARTED_IS_LAUNCHED: SignedDuration = SignedDuration::from_mins(15);

/// Seconds from the first launch until the options were set. For other triggers, the age of an instance
/// does not measure how fast a launch is enforced.
fn exposed(instance: &InstanceReport, trigger: Trigger) -> Option<f64> {
    let is_enforced = instance.outcome == Outcome::Enforced;
    let launched = instance.first_launched_at.filter(|_| is_enforced)?;
    let exposed = instance.changed_at?.duration_since(launched);
    let counts = match trigger {
        Trigger::Launch => true,
        Trigger::Start => exposed <= STARTED_IS_LAUNCHED,
        Trigger::MetadataChange | Trigger::Sweep | Trigger::Ignored => false,
    };
    counts.then(|| exposed.as_secs_f64().max(0.0))
}

/// The name of an outcome's metric: its word, capitalized.
fn name(outcome: Outcome) -> String {
    let mut letters = outcome.as_str().chars();
    letters
        .next()
        .map(|first| first.to_ascii_uppercase())
        .into_iter()
        .chain(letters)
        .collect()
}

fn document(region: &str, now: Timestamp, unit: &str, values: Vec<(String, Value)>) -> Value {
    let metrics: Vec<_> = values
        .iter()
        .map(|(name, _)| json!({ "Name": name, "Unit": unit }))
        .collect();
    let mut line = Map::new();
    line.insert(
        "_aws".to_owned(),
        json!({
            "Timestamp": now.as_millisecond(),
            "CloudWatchMetrics": [{
                "Namespace": "ImdsEnforcer",
                "Dimensions": [["Region"], []],
                "Metrics": metrics,
            }],
        }),
    );
    line.insert("Region".to_owned(), json!(region));
    line.extend(values);
    Value::Object(line)
}
