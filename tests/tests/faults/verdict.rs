//! What must hold of a report, whatever went wrong. It judges by the stand-in's truth alone.

use std::collections::BTreeMap;

use imds_tests::{Instance, Invocation, Standin};
use serde_json::Value;

use crate::scenes::{Fleet, Scene, Trigger};
use crate::support::{REGION, logged_report};
use crate::troubles::{Kind, Trouble};

/// One delivery of the event.
pub(crate) struct Delivery {
    pub(crate) report: Value,
    /// The error's type and message.
    pub(crate) error: Option<(String, String)>,
}

impl Delivery {
    /// # Errors
    /// When the function left no report behind.
    pub(crate) fn of(run: &Invocation) -> Result<Self, String> {
        match &run.result {
            Ok(report) => Ok(Delivery {
                report: report.clone(),
                error: None,
            }),
            Err(error) if error.error_type == "Incomplete" => Ok(Delivery {
                report: logged_report(run),
                error: Some((error.error_type.clone(), error.error_message.clone())),
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
        if !self.unseen().is_empty() {
            words.push(format!("unseen {}", self.unseen().len()));
        }
        words.join(", ")
    }

    fn unseen(&self) -> &[Value] {
        self.report["unseen"].as_array().unwrap()
    }

    fn is_unseen(&self, region: &str) -> bool {
        self.unseen()
            .iter()
            .any(|unseen| unseen["region"] == region || unseen["region"] == "all")
    }

    fn entries(&self, id: &str) -> Vec<&Value> {
        let all = self.report["instances"].as_array().unwrap();
        all.iter()
            .filter(|entry| entry["instance_id"] == id)
            .collect()
    }
}

/// What is wrong with the first delivery, during which the trouble held.
pub(crate) fn of_first(
    ec2: &Standin,
    scene: &Scene,
    trouble: &Trouble,
    fleet: &Fleet,
    delivery: &Delivery,
) -> Vec<String> {
    // What EC2 does not show, a sweep cannot know of; the next one does.
    let hidden = scene.trigger.sweeps() && matches!(trouble.kind, Kind::NotVisible);
    let expected: Vec<String> = if hidden {
        fleet.to_be_left().cloned().collect()
    } else {
        scene.concerned(fleet)
    };
    let mut faults = of_outcomes(ec2, scene, fleet, &expected, delivery);
    let mut open = open(ec2, fleet);
    open.retain(|instance| expected.contains(&instance.id));
    let excused = |instance: &Instance| {
        let closed = scene.trigger == Trigger::SweepOfAll
            && instance.region != REGION
            && trouble.closes_a_region()
            && delivery.is_unseen(&instance.region);
        // A usage that could not be read is unknown, and by the policy that is only reported.
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
        Some((_, message)) if open.is_empty() && !trouble.loses_answers() => {
            faults.push(format!("it failed with nothing left to do: {message}"));
        }
        None | Some(_) => {}
    }
    faults
}

/// What is wrong once the trouble is over and the event came again.
pub(crate) fn of_second(
    ec2: &Standin,
    scene: &Scene,
    fleet: &Fleet,
    delivery: &Delivery,
) -> Vec<String> {
    let mut faults = of_outcomes(ec2, scene, fleet, &scene.concerned(fleet), delivery);
    if let Some((_, message)) = &delivery.error {
        faults.push(format!("it failed: {message}"));
    }
    faults.extend(
        open(ec2, fleet)
            .iter()
            .map(|instance| format!("{} is still open", instance.id)),
    );
    faults
}

/// One outcome for every instance, and a true one.
fn of_outcomes(
    ec2: &Standin,
    scene: &Scene,
    fleet: &Fleet,
    expected: &[String],
    delivery: &Delivery,
) -> Vec<String> {
    let mut faults = Vec::new();
    let mut counted: BTreeMap<&str, usize> = BTreeMap::new();
    let mut all_seen = true;
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
        // A sweep counts those that are right, and lists them only where software fails.
        let is_counted = scene.trigger.sweeps() && instance.options.tokens == "required";
        match entries.len() {
            1 => {}
            0 if delivery.is_unseen(&instance.region) => all_seen = false,
            0 if is_counted => compliant_here += 1,
            0 if scene.trigger.sweeps() && is_ended(&instance) => {}
            n => faults.push(format!("{id} has {n} outcomes")),
        }
    }
    *counted.entry("compliant").or_default() += compliant_here;
    for (outcome, count) in delivery.report["summary"].as_object().unwrap() {
        let listed = counted.get(outcome.as_str()).copied().unwrap_or_default();
        if all_seen && *count != listed {
            faults.push(format!(
                "the summary has {count} {outcome}, the truth {listed}"
            ));
        }
    }
    faults
}

fn untrue(fleet: &Fleet, instance: &Instance, entry: &Value) -> Option<String> {
    let outcome = entry["outcome"].as_str().unwrap();
    let is_right = instance.options.tokens == "required";
    let holds = match outcome {
        "compliant" | "enforced" | "spared" => is_right,
        "exempt" => instance.id == fleet.exempt,
        "stopped" => is_stopped(instance),
        "terminated" | "gone" => is_ended(instance),
        "reported" => is_reported_unread(entry) || fleet.in_use.as_ref() == Some(&instance.id),
        "failed" => fleet.wrong.contains(&instance.id) || entry["before"].is_null(),
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

/// Those that the policy wants mended, and that still answer without a token.
fn open(ec2: &Standin, fleet: &Fleet) -> Vec<Instance> {
    let wrong = fleet.wrong.iter().map(|id| ec2.instance(id));
    wrong
        .filter(|i| i.options.tokens != "required" && !is_stopped(i) && !is_ended(i))
        .collect()
}

fn is_stopped(instance: &Instance) -> bool {
    ["stopping", "stopped"].contains(&instance.state.as_str())
}

fn is_ended(instance: &Instance) -> bool {
    ["shutting-down", "terminated"].contains(&instance.state.as_str())
}
