//! What one delivery of an event says, in its report, its log and its metrics.

use imds_tests::Invocation;
use serde_json::Value;

use crate::support::{logged_report, metric};

/// What the function says of a call whose answer it could not wait for.
pub(crate) const LATE: &str = "no answer before the deadline";

/// One delivery of the event.
pub(crate) struct Delivery {
    pub(crate) report: Value,
    /// What it says to have left undone: an event by its error, a sweep by its gauge.
    pub(crate) left: Option<String>,
    /// The records of what was done, from the log.
    records: Vec<Value>,
    /// Of the metric.
    state_unavailable: usize,
}

impl Delivery {
    /// # Errors
    /// When the function logged no report.
    pub(crate) fn read(run: &Invocation) -> Result<Self, String> {
        let (report, left) = match &run.result {
            Ok(report) => (report.clone(), swept_incompletely(run, report)?),
            Err(error) if error.error_type == "Incomplete" => {
                (logged_report(run), Some(error.error_message.clone()))
            }
            Err(error) => return Err(format!("{}: {}", error.error_type, error.error_message)),
        };
        match (report["trigger"].as_str(), &run.result) {
            (Some("ignored"), _) => return Err(format!("ignored: {}", report["reason"])),
            (Some("sweep"), Err(error)) => {
                return Err(format!("a sweep failed: {}", error.error_message));
            }
            _ => {}
        }
        let lines = run.stdout.iter();
        let lines = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let records = lines.filter_map(|line| serde_json::from_str(line["entry"].as_str()?).ok());
        Ok(Delivery {
            report,
            left,
            records: records.collect(),
            state_unavailable: sum(run, "StateUnavailable"),
        })
    }

    /// Such as `failed`; a sweep does not fail.
    pub(crate) fn ended(&self) -> &'static str {
        match (&self.left, self.report["trigger"] == "sweep") {
            (None, _) => "ok",
            (Some(_), false) => "failed",
            (Some(_), true) => "incomplete",
        }
    }

    /// Entries that say so are counted by the metric.
    pub(crate) fn miscounted(&self) -> Option<String> {
        let entries = self.report["instances"].as_array().unwrap().iter();
        let listed = entries.filter(|entry| entry["because"] == "state_unavailable");
        let (listed, counted) = (listed.count(), self.state_unavailable);
        (listed != counted)
            .then(|| format!("StateUnavailable is {counted}, and the report lists {listed}"))
    }

    /// Instances to which something was done, without a record of it.
    pub(crate) fn unrecorded(&self) -> Vec<String> {
        let entries = self.report["instances"].as_array().unwrap().iter();
        let is_record = |entry: &&Value| {
            let outcome = entry["outcome"].as_str().unwrap();
            ["enforced", "stopped", "terminated", "failed"].contains(&outcome)
        };
        let unrecorded = entries.filter(is_record).filter(|entry| {
            let same = self.records.iter().filter(|record| record == entry);
            same.count() != 1
        });
        unrecorded
            .map(|entry| format!("the log has no record of {entry}"))
            .collect()
    }

    /// Such as `enforced 2, exempt 1`.
    pub(crate) fn outcomes(&self) -> String {
        let summary = self.report["summary"].as_object().unwrap();
        let mut words: Vec<String> = summary
            .iter()
            .filter(|(_, count)| **count != 0)
            .map(|(outcome, count)| format!("{outcome} {count}"))
            .collect();
        if !self.unreachable().is_empty() {
            words.push(format!("unreachable {}", self.unreachable().len()));
        }
        words.join(", ")
    }

    fn unreachable(&self) -> &[Value] {
        self.report["unreachable"].as_array().unwrap()
    }

    pub(crate) fn is_unreachable(&self, region: &str) -> bool {
        self.unreachable()
            .iter()
            .any(|unreachable| unreachable["region"] == region || unreachable["region"] == "all")
    }

    pub(crate) fn entries(&self, id: &str) -> Vec<&Value> {
        let all = self.report["instances"].as_array().unwrap();
        all.iter()
            .filter(|entry| entry["instance_id"] == id)
            .collect()
    }
}

/// What a sweep says to have left.
///
/// # Errors
/// When its gauge does not say what its report says.
fn swept_incompletely(run: &Invocation, report: &Value) -> Result<Option<String>, String> {
    if report["trigger"] != "sweep" {
        return Ok(None);
    }
    let instances = report["instances"].as_array().unwrap().iter();
    let failed = instances.filter(|entry| entry["outcome"] == "failed");
    let regions = report["unreachable"].as_array().unwrap().iter();
    let fatal = regions.filter(|region| region["fatal"] == true);
    let failed = failed.map(|entry| entry["reason"].to_string());
    let left: Vec<String> = failed
        .chain(fatal.map(|region| region["error"].to_string()))
        .collect();
    let gauge = metric(run, "SweepIncomplete");
    if gauge != [left.len()] {
        return Err(format!(
            "SweepIncomplete is {gauge:?}, and it left {left:?}"
        ));
    }
    Ok((!left.is_empty()).then(|| left.join("; ")))
}

fn sum(run: &Invocation, name: &str) -> usize {
    let values = metric(run, name).into_iter();
    let values = values.map(|value| usize::try_from(value.as_u64().unwrap()).unwrap());
    values.sum()
}
