//! Metrics in CloudWatch's embedded metric format, on standard output.
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use std::collections::BTreeMap;
use std::io::Write;

use imds_core::report::{InstanceReport, Outcome, Report, Summary, Trigger};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// Writes the report's metrics.
pub(crate) fn emit(report: &Report, now: Timestamp) {
    let mut out = std::io::stdout().lock();
    for line in lines(report, now) {
        // Standard output that is closed leaves nobody to tell.
        let _closed = writeln!(out, "{line}");
    }
}

/// The most values of one metric in one document.
const VALUES: usize = 100;

/// For every region one count per outcome, and how long the enforced launches were exposed.
fn lines(report: &Report, now: Timestamp) -> Vec<Value> {
    let mut by_region: BTreeMap<&str, Vec<InstanceReport>> = BTreeMap::new();
    for instance in &report.instances {
        by_region
            .entry(&instance.region)
            .or_default()
            .push(instance.clone());
    }
    let mut lines = Vec::new();
    for (region, instances) in by_region {
        let summary = Summary::of(&instances);
        let counts: Vec<_> = Outcome::ALL
            .iter()
            .map(|&outcome| (name(outcome), json!(summary.count(outcome))))
            .collect();
        lines.push(document(region, now, "Count", counts));
        // What ran before the event says nothing of how fast a launch is mended.
        if matches!(report.trigger, Trigger::Launch | Trigger::StateChange) {
            let seconds: Vec<f64> = instances.iter().filter_map(|i| exposed(i, now)).collect();
            lines.extend(seconds.chunks(VALUES).map(|values| {
                document(
                    region,
                    now,
                    "Seconds",
                    vec![("SecondsExposed".to_owned(), json!(values))],
                )
            }));
        }
    }
    lines
}

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
