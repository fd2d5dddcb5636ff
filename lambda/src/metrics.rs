//! Metrics in CloudWatch's embedded metric format, on standard output. Each costs by the month, and so what
//! did not occur is not sent, and no metric has a dimension.
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use std::io::Write;

use imds_core::decide::BecauseWord;
use imds_core::policy::Policy;
use imds_core::report::{InstanceReport, Outcome, Report, Trigger};
use imds_engine::SweptRegion;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

/// Counts of metrics by name.
type Counts = Vec<(&'static str, usize)>;

/// Writes the metrics of an event's report.
pub(crate) fn event(report: &Report, namespace: &str, now: Timestamp) {
    let mut counts: Counts = Outcome::ALL
        .iter()
        .map(|outcome| (name(*outcome), report.summary.get(*outcome)))
        .collect();
    counts.extend(held_back(&report.instances));
    let mut documents = vec![document(namespace, now, "Count", occurred(counts))];
    let exposed = report.instances.iter();
    let exposed = exposed.filter_map(|it| seconds_exposed(it, report.trigger));
    let exposed: Vec<f64> = exposed.collect();
    for values in exposed.chunks(VALUES) {
        let values = vec![("SecondsExposed", json!(values))];
        documents.push(document(namespace, now, "Seconds", values));
    }
    write(&documents);
}

/// What a sweep of an account found, region by region.
#[derive(Debug, Default)]
pub(crate) struct SweepMetrics {
    counts: Vec<Counts>,
}

/// A launch whose event may still come is not missed.
const EVENT_MAY_COME: SignedDuration = SignedDuration::from_mins(3);

impl SweepMetrics {
    /// Adds a region.
    pub(crate) fn add(&mut self, swept: &SweptRegion, policy: &Policy, now: Timestamp) {
        let done = [Outcome::Enforced, Outcome::Stopped, Outcome::Terminated];
        let mut counts: Counts = done
            .iter()
            .map(|outcome| (name(*outcome), swept.summary.get(*outcome)))
            .collect();
        counts.extend(held_back(&swept.instances));
        let missed = |it: &&InstanceReport| {
            let first = it.first_launched_at;
            first.is_some_and(|first| {
                now.duration_since(first) > EVENT_MAY_COME
                    && now <= policy.new_instances.enforce_until(first)
            })
        };
        let missed: Vec<&InstanceReport> = swept.instances.iter().filter(missed).collect();
        let count =
            |is: &dyn Fn(&InstanceReport) -> bool| missed.iter().filter(|it| is(it)).count();
        let acted =
            |it: &InstanceReport| done.contains(&it.outcome) || it.outcome == Outcome::Failed;
        counts.push(("MissedLaunches", count(&acted)));
        let in_use = |it: &InstanceReport| it.because == Some(BecauseWord::InUse);
        counts.push(("MissedLaunchesInUse", count(&in_use)));
        self.counts.push(counts);
    }

    /// Writes the metrics of the sweep, with gauges of what is left.
    pub(crate) fn write(self, report: &Report, namespace: &str, now: Timestamp) {
        let summary = &report.summary;
        let mut totals: Counts = Vec::new();
        let gauges = [
            ("NonCompliant", summary.reported + summary.failed),
            ("LeftForNextSweep", report.left),
            ("ExemptInstances", summary.exempt),
            ("Paused", usize::from(report.paused.is_some())),
        ];
        for (name, count) in self.counts.into_iter().flatten().chain(gauges) {
            match totals.iter_mut().find(|(known, _)| *known == name) {
                Some((_, total)) => *total += count,
                None => totals.push((name, count)),
            }
        }
        let unreachable = report.unreachable.iter().filter(|region| region.fatal);
        let incomplete = unreachable.count() + summary.failed;
        let mut values = occurred(totals);
        // Its absence means that no sweep has run.
        values.push(("SweepIncomplete", json!(incomplete)));
        write(&[document(namespace, now, "Count", values)]);
    }
}

/// Instances to which something was not done that the policy says, where an alarm is about that.
fn held_back(instances: &[InstanceReport]) -> Counts {
    let because = |word| {
        let instances = instances.iter();
        instances.filter(|it| it.because == Some(word)).count()
    };
    let rejected = instances.iter().filter(|it| it.rejected_calls.is_some());
    vec![
        ("RejectedCalls", rejected.count()),
        ("DriftLimitReached", because(BecauseWord::DriftLimit)),
        (
            "DisruptionLimitReached",
            because(BecauseWord::DisruptionLimit),
        ),
        ("LauncherUnknown", because(BecauseWord::LauncherUnknown)),
        ("StateUnavailable", because(BecauseWord::StateUnavailable)),
    ]
}

fn occurred(counts: Counts) -> Vec<(&'static str, Value)> {
    let occurred = counts.into_iter().filter(|(_, count)| *count > 0);
    occurred.map(|(name, count)| (name, json!(count))).collect()
}

/// Writes one line per document, all in one system call.
fn write(documents: &[Option<Value>]) {
    let lines = documents.iter().flatten().map(|line| format!("{line}\n"));
    // If standard output is closed, there is nowhere to report it.
    let _closed = std::io::stdout()
        .lock()
        .write_all(lines.collect::<String>().as_bytes());
}

/// The maximum number of values of one metric in one document.
const VALUES: usize = 100;

/// A start of an instance that is not older is a launch that came by another way.
const STARTED_IS_LAUNCHED: SignedDuration = SignedDuration::from_mins(15);

/// Seconds from the first launch until the options were set. For other triggers, the age of an instance
/// does not measure how fast a launch is enforced.
fn seconds_exposed(instance: &InstanceReport, trigger: Trigger) -> Option<f64> {
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
fn name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Compliant => "Compliant",
        Outcome::Exempt => "Exempt",
        Outcome::Reported => "Reported",
        Outcome::Enforced => "Enforced",
        Outcome::Stopped => "Stopped",
        Outcome::Terminated => "Terminated",
        Outcome::Gone => "Gone",
        Outcome::Failed => "Failed",
    }
}

/// `None`: there is nothing to send.
fn document(
    namespace: &str,
    now: Timestamp,
    unit: &str,
    values: Vec<(&'static str, Value)>,
) -> Option<Value> {
    if values.is_empty() {
        return None;
    }
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
                "Namespace": namespace,
                "Dimensions": [[]],
                "Metrics": metrics,
            }],
        }),
    );
    line.extend(
        values
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value)),
    );
    Some(Value::Object(line))
}
