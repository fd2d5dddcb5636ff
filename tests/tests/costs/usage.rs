//! What one invocation wrote, and what it requested, as AWS counts it for the bill.

use std::collections::{BTreeMap, BTreeSet};

use imds_tests::{FakeAws, Function, TableCall};
use serde_json::Value;

/// A metric that is billed: its namespace, its name, and its dimensions with their values.
pub(crate) type Metric = (String, String, Vec<(String, String)>);

/// What one invocation is billed for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Usage {
    pub(crate) metrics: BTreeSet<Metric>,
    pub(crate) log_bytes: usize,
    pub(crate) requested_metrics: usize,
    pub(crate) read_units: usize,
    pub(crate) write_units: usize,
    /// The result that Lambda puts on the bus, in units of 64 KB.
    pub(crate) result_events: usize,
}

/// Runs the function for an event.
pub(crate) fn measure(ec2: &FakeAws, function: &Function, event: &Value) -> Usage {
    let before = ec2.items();
    ec2.forget_calls();
    let run = function.invoke(event);
    let answer = run.result.unwrap();
    let after = ec2.items();
    let mut usage = Usage {
        result_events: (answer.to_string().len() + event.to_string().len()).div_ceil(64 * 1024),
        ..Usage::default()
    };
    for line in run.stdout.iter().chain(&run.stderr) {
        usage.log_bytes += log_bytes(line);
        usage.metrics.extend(metrics(line));
    }
    for call in ec2.calls_to("GetMetricData") {
        let queries = call.params.keys();
        usage.requested_metrics += queries.filter(|name| is_query(name)).count();
    }
    for call in ec2.table_calls() {
        let size = |key: &String| size(&before, key).max(size(&after, key));
        let units = |kb: usize| -> usize {
            let keys = call.keys.iter();
            keys.map(|key| size(key).div_ceil(kb * 1024).max(1)).sum()
        };
        match writes(&call) {
            true => usage.write_units += units(1),
            false => usage.read_units += units(4),
        }
    }
    usage
}

fn writes(call: &TableCall) -> bool {
    match call.action.as_str() {
        "UpdateItem" => true,
        "GetItem" | "BatchGetItem" => false,
        other => panic!("{other} has no price here"),
    }
}

/// At least what DynamoDB counts: JSON is longer.
fn size(items: &BTreeMap<String, Value>, key: &String) -> usize {
    let item = items.get(key).map(|item| item.to_string().len());
    item.unwrap_or_default()
}

fn is_query(name: &str) -> bool {
    name.strip_prefix("MetricDataQueries.member.")
        .and_then(|rest| rest.strip_suffix(".Id"))
        .is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// What CloudWatch Logs counts for a line. Fractions have up to nine digits, and count as nine, so that the
/// size does not depend on the time.
pub(crate) fn log_bytes(line: &str) -> usize {
    const OF_EACH_EVENT: usize = 26;
    let mut parts = line.split('.');
    let first = parts.next().unwrap_or_default().len();
    let sizes = parts.map(|part| {
        let rest = part.trim_start_matches(|digit: char| digit.is_ascii_digit());
        let is_fraction = rest.len() < part.len();
        1 + rest.len() + if is_fraction { 9 } else { 0 }
    });
    OF_EACH_EVENT + first + sizes.sum::<usize>()
}

/// The metrics that CloudWatch extracts from a line in the embedded metric format, whatever their values.
pub(crate) fn metrics(line: &str) -> Vec<Metric> {
    let Ok(document) = serde_json::from_str::<Value>(line) else {
        return Vec::new();
    };
    let directives = document["_aws"]["CloudWatchMetrics"].as_array();
    let mut all = Vec::new();
    for directive in directives.into_iter().flatten() {
        for set in list(&directive["Dimensions"]) {
            let names = list(set).iter().map(text);
            let dimensions: Vec<_> = names
                .map(|name| (name.clone(), text(&document[&name])))
                .collect();
            for metric in list(&directive["Metrics"]) {
                let (namespace, name) = (text(&directive["Namespace"]), text(&metric["Name"]));
                assert!(document.get(&name).is_some(), "{name} has no value: {line}");
                all.push((namespace, name, dimensions.clone()));
            }
        }
    }
    all
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
