//! What must hold of a report after any fault, according to the state of the fake.

use std::collections::BTreeMap;

use imds_tests::{FakeAws, FakeInstance, Invocation};
use serde_json::Value;

use crate::scenes::{Scene, SceneFleet, SceneTrigger};
use crate::support::{REGION, logged_report};
use crate::troubles::{Trouble, TroubleKind};

/// One delivery of the event.
pub(crate) struct Delivery {
    pub(crate) report: Value,
    /// The error's message.
    pub(crate) error: Option<String>,
}

impl Delivery {
    /// # Errors
    /// When the function logged no report.
    pub(crate) fn read(run: &Invocation) -> Result<Self, String> {
        match &run.result {
            Ok(report) => Ok(Delivery {
                report: report.clone(),
                error: None,
            }),
            Err(error) if error.error_type == "Incomplete" => Ok(Delivery {
                report: logged_report(run),
                error: Some(error.error_message.clone()),
            }),
            Err(error) => Err(format!("{}: {}", error.error_type, error.error_message)),
        }
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

    fn is_unreachable(&self, region: &str) -> bool {
        self.unreachable()
            .iter()
            .any(|unreachable| unreachable["region"] == region || unreachable["region"] == "all")
    }

    fn entries(&self, id: &str) -> Vec<&Value> {
        let all = self.report["instances"].as_array().unwrap();
        all.iter()
            .filter(|entry| entry["instance_id"] == id)
            .collect()
    }
}

/// A delivery with the fleet and the fake's state after it.
pub(crate) struct CellRun<'r> {
    pub(crate) ec2: &'r FakeAws,
    pub(crate) scene: &'r Scene,
    pub(crate) fleet: &'r SceneFleet,
    pub(crate) delivery: &'r Delivery,
}

impl CellRun<'_> {
    /// The errors of the first delivery, during the fault.
    pub(crate) fn faults_of_first(&self, trouble: &Trouble) -> Vec<String> {
        let CellRun {
            ec2,
            scene,
            fleet,
            delivery,
        } = *self;
        // A sweep cannot know of instances that EC2 does not show; the next sweep does.
        let hidden = scene.trigger.sweeps() && matches!(trouble.kind, TroubleKind::NotVisible);
        let expected: Vec<String> = if hidden {
            fleet.to_be_left().cloned().collect()
        } else {
            scene.concerned(fleet)
        };
        let mut faults = self.faults_of_outcomes(&expected);
        let mut open = open(ec2, fleet);
        open.retain(|instance| expected.contains(&instance.id));
        let excused = |instance: &FakeInstance| {
            let closed = scene.trigger == SceneTrigger::SweepOfAll
                && instance.region != REGION
                && trouble.closes_a_region()
                && delivery.is_unreachable(&instance.region);
            // A usage that could not be read is unknown, which the policy only reports.
            let reported = scene.purpose == "usage"
                && delivery
                    .entries(&instance.id)
                    .iter()
                    .any(|entry| is_reported_unread(entry));
            closed || reported
        };
        let undone: Vec<&str> = open
            .iter()
            .filter(|i| !excused(i))
            .map(|i| i.id.as_str())
            .collect();
        match &delivery.error {
            None if !undone.is_empty() => {
                faults.push(format!(
                    "it did not fail, and left {} open",
                    undone.join(", ")
                ));
            }
            Some(message) if open.is_empty() && !trouble.loses_answers() => {
                faults.push(format!("it failed with nothing left to do: {message}"));
            }
            None | Some(_) => {}
        }
        faults
    }

    /// The errors of the second delivery, after the fault.
    pub(crate) fn faults_of_second(&self) -> Vec<String> {
        let mut faults = self.faults_of_outcomes(&self.scene.concerned(self.fleet));
        if let Some(message) = &self.delivery.error {
            faults.push(format!("it failed: {message}"));
        }
        faults.extend(
            open(self.ec2, self.fleet)
                .iter()
                .map(|instance| format!("{} is still open", instance.id)),
        );
        faults
    }

    /// Instances without exactly one outcome, and outcomes that are not true.
    fn faults_of_outcomes(&self, expected: &[String]) -> Vec<String> {
        let CellRun {
            ec2,
            scene,
            fleet,
            delivery,
        } = *self;
        let mut faults = Vec::new();
        let mut counted: BTreeMap<&str, usize> = BTreeMap::new();
        let mut all_reachable = true;
        let mut compliant_here = 0;
        for id in expected {
            let instance = ec2.instance(id);
            let entries = delivery.entries(id);
            for entry in &entries {
                *counted
                    .entry(entry["outcome"].as_str().unwrap())
                    .or_default() += 1;
                faults.extend(untrue(fleet, &instance, entry));
            }
            // A sweep counts compliant instances, and lists only those with rejected calls.
            let is_counted = scene.trigger.sweeps() && instance.options.tokens == "required";
            match entries.len() {
                1 => {}
                0 if delivery.is_unreachable(&instance.region) => all_reachable = false,
                0 if is_counted => compliant_here += 1,
                0 if scene.trigger.sweeps() && is_ended(&instance) => {}
                n => faults.push(format!("{id} has {n} outcomes")),
            }
        }
        *counted.entry("compliant").or_default() += compliant_here;
        for (outcome, count) in delivery.report["summary"].as_object().unwrap() {
            let listed = counted.get(outcome.as_str()).copied().unwrap_or_default();
            if all_reachable && *count != listed {
                faults.push(format!(
                    "the summary has {count} {outcome}, the truth {listed}"
                ));
            }
        }
        faults
    }
}

fn untrue(fleet: &SceneFleet, instance: &FakeInstance, entry: &Value) -> Option<String> {
    let outcome = entry["outcome"].as_str().unwrap();
    let is_compliant = instance.options.tokens == "required";
    let holds = match outcome {
        "compliant" | "enforced" => is_compliant,
        "exempt" => instance.id == fleet.exempt,
        "stopped" => is_stopped(instance),
        "terminated" | "gone" => is_ended(instance),
        "reported" => is_reported_unread(entry) || fleet.in_use.as_ref() == Some(&instance.id),
        "failed" => fleet.non_compliant.contains(&instance.id) || entry["before"].is_null(),
        _ => false,
    };
    (!holds).then(|| {
        format!(
            "{} is said to be {outcome} ({}), and is {} with tokens {}",
            instance.id, entry["reason"], instance.state, instance.options.tokens
        )
    })
}

fn is_reported_unread(entry: &Value) -> bool {
    entry["outcome"] == "reported" && entry["usage"]["because"]["unreadable"].is_string()
}

/// The instances that should have been changed and still allow IMDSv1.
fn open(ec2: &FakeAws, fleet: &SceneFleet) -> Vec<FakeInstance> {
    let non_compliant = fleet.non_compliant.iter().map(|id| ec2.instance(id));
    non_compliant
        .filter(|i| i.options.tokens != "required" && !is_stopped(i) && !is_ended(i))
        .collect()
}

fn is_stopped(instance: &FakeInstance) -> bool {
    ["stopping", "stopped"].contains(&instance.state.as_str())
}

fn is_ended(instance: &FakeInstance) -> bool {
    ["shutting-down", "terminated"].contains(&instance.state.as_str())
}
