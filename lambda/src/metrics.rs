//! Metrics in CloudWatch's embedded metric format, on standard output.
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use std::collections::BTreeMap;
use std::io::Write;

use imds_aws::Swept;
use imds_core::report::{InstanceReport, Outcome, Report, Summary, Trigger};
use jiff::Timestamp;
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
        let drifting = instances
            .iter()
            .filter(|instance| instance.mends.is_some())
            .count();
        let mut counts = outcomes(&Summary::of(instances.iter().copied()));
        counts.extend((drifting > 0).then(|| ("Drifting".to_owned(), json!(drifting))));
        let mut documents = vec![document(region, now, "Count", counts)];
        // What ran before the event says nothing of how fast a launch is mended.
        if matches!(report.trigger, Trigger::Launch | Trigger::StateChange) {
            let seconds: Vec<f64> = instances.iter().filter_map(|i| exposed(i, now)).collect();
            for values in seconds.chunks(VALUES) {
                let values = vec![("SecondsExposed".to_owned(), json!(values))];
                documents.push(document(region, now, "Seconds", values));
            }
        }
        write(&documents);
    }
}

/// Writes the metrics of a region that was swept.
pub(crate) fn region(region: &str, swept: &Swept, to_its_end: bool, now: Timestamp) {
    let breaking = swept
        .instances
        .iter()
        .filter(|instance| instance.breaking.is_some())
        .count();
    let mut counts = outcomes(&swept.summary);
    counts.push(("Breaking".to_owned(), json!(breaking)));
    counts.push(("Swept".to_owned(), json!(usize::from(to_its_end))));
    counts.push(("Unseen".to_owned(), json!(usize::from(!to_its_end))));
    write(&[document(region, now, "Count", counts)]);
}

fn outcomes(summary: &Summary) -> Vec<(String, Value)> {
    let count = |&outcome| (name(outcome), json!(summary.count(outcome)));
    Outcome::ALL.iter().map(count).collect()
}

/// A line each, and all of them in one system call.
fn write(documents: &[Value]) {
    let lines: String = documents.iter().map(|line| format!("{line}\n")).collect();
    // Standard output that is closed leaves nobody to tell.
    let _closed = std::io::stdout().lock().write_all(lines.as_bytes());
}

/// The most values of one metric in one document.
const VALUES: usize = 100;

/// Seconds from the launch until the options were set.
fn exposed(instance: &InstanceReport, now: Timestamp) -> Option<f64> {
    let ended = matches!(instance.outcome, Outcome::Enforced | Outcome::Spared);
    let launched = instance.launched_at.filter(|_| ended)?;
    Some(now.duration_since(launched).as_secs_f64().max(0.0))
}

/// An outcome's metric: its word with a capital.
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
