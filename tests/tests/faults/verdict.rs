//! What must hold of a report after any fault, according to the state of the fake.

use std::collections::BTreeMap;

use imds_tests::{FakeAws, FakeInstance};
use serde_json::Value;

use crate::delivery::{Delivery, LATE};
use crate::fleet::SceneFleet;
use crate::scenes::{Purpose, Scene, SceneTrigger};
use crate::support::REGION;
use crate::troubles::{NOT_VISIBLE, Trouble, TroubleKind};

/// A delivery with the fleet and the fake's state after it.
pub(crate) struct CellRun<'r> {
    pub(crate) ec2: &'r FakeAws,
    pub(crate) scene: &'r Scene,
    pub(crate) trouble: &'r Trouble,
    pub(crate) fleet: &'r SceneFleet,
    pub(crate) delivery: &'r Delivery,
}

impl CellRun<'_> {
    /// The errors of the first delivery, during the fault.
    pub(crate) fn faults_of_first(&self) -> Vec<String> {
        let CellRun {
            scene,
            trouble,
            fleet,
            delivery,
            ..
        } = *self;
        // A sweep cannot know of instances that EC2 does not show; the next sweep does.
        let hidden = scene.trigger.sweeps() && trouble.name == NOT_VISIBLE;
        let mut expected = scene.concerned(fleet);
        expected.retain(|id| !hidden || !fleet.to_change().contains(id));
        let mut faults = self.faults_of_outcomes(&expected);
        let mut open = self.open();
        open.retain(|instance| expected.contains(&instance.id));
        let excused = |instance: &FakeInstance| {
            let closed = scene.trigger == SceneTrigger::SweepOfAll
                && instance.region != REGION
                && trouble.closes_a_region()
                && delivery.is_unreachable(&instance.region);
            let mut entries = delivery.entries(&instance.id).into_iter();
            closed || entries.any(|entry| self.is_of_unknown_use(entry))
        };
        let undone: Vec<&str> = open
            .iter()
            .filter(|i| !excused(i))
            .map(|i| i.id.as_str())
            .collect();
        if scene.action == "GetMetricData" && delivery.report["summary"]["failed"] != 0 {
            let failed = "a question without an answer left no time for what needs none";
            faults.push(format!("{failed}: {:?}", delivery.left));
        }
        let others = fleet.denying.iter().chain(&fleet.held);
        let mut others = others.flat_map(|id| delivery.entries(id));
        let others_failed = others.any(|entry| entry["outcome"] == "failed");
        match &delivery.left {
            None if !undone.is_empty() => {
                faults.push(format!(
                    "it did not say that it left {} open",
                    undone.join(", ")
                ));
            }
            Some(message) if open.is_empty() && !others_failed => {
                // On a busy machine an answer may come too late.
                let is_lost = trouble.loses_answers() || message.contains(LATE);
                let is_lost = is_lost || self.forgets_launchers() || self.lacks_watch();
                let needless = || format!("it left nothing, and says it did: {message}");
                faults.extend((!is_lost).then(needless));
            }
            None | Some(_) => {}
        }
        faults.extend(self.faults_of_promise());
        faults
    }

    /// The errors of the second delivery, after the fault.
    pub(crate) fn faults_of_second(&self) -> Vec<String> {
        let mut faults = self.faults_of_outcomes(&self.scene.concerned(self.fleet));
        if let Some(message) = &self.delivery.left {
            faults.push(format!("it left something: {message}"));
        }
        let known = |instance: &FakeInstance| {
            let mut entries = self.delivery.entries(&instance.id).into_iter();
            !entries.any(|entry| self.is_of_unknown_use(entry))
        };
        let open = self.open().into_iter().filter(known);
        faults.extend(open.map(|instance| format!("{} is still open", instance.id)));
        faults
    }

    /// Instances without exactly one outcome, and outcomes that are not true.
    fn faults_of_outcomes(&self, expected: &[String]) -> Vec<String> {
        let CellRun {
            ec2,
            scene,
            delivery,
            ..
        } = *self;
        let mut faults = delivery.unrecorded();
        faults.extend(delivery.miscounted());
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
                faults.extend(self.untrue(&instance, entry));
            }
            // A sweep counts compliant instances, and lists only those with rejected calls.
            let is_counted = scene.trigger.sweeps() && is_closed(&instance);
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

    fn untrue(&self, instance: &FakeInstance, entry: &Value) -> Option<String> {
        let fleet = self.fleet;
        let is = |id: &Option<String>| id.as_ref() == Some(&instance.id);
        let outcome = entry["outcome"].as_str().unwrap();
        let holds = match outcome {
            "compliant" => is_closed(instance),
            "enforced" => {
                // Where the policy says more, the report says why it was not done.
                let says_why =
                    entry["instead_of"] == self.scene.on_violation && entry["because"].is_string();
                is_closed(instance) && (says_why || !self.scene.disrupts())
            }
            "exempt" => {
                let exempt = self.scene.purpose == Purpose::Exemptions;
                instance.id == fleet.exempt || exempt && fleet.held.contains(&instance.id)
            }
            "stopped" => is_stopped(instance) && is_closed(instance),
            "terminated" | "gone" => is_ended(instance),
            "reported" if is(&fleet.denying) => entry["because"] == "managed",
            "reported" if self.scene.purpose == Purpose::TokensAlone => {
                is_closed(instance) && entry["refused"][0]["option"] == "instance_metadata_tags"
            }
            "reported" if fleet.held.contains(&instance.id) => entry["because"] == "paused",
            "reported" if self.lacks_watch() => entry["because"] == "rejected_calls",
            "reported" => is(&fleet.in_use) || self.is_of_unknown_use(entry),
            "failed" if fleet.held.contains(&instance.id) => {
                entry["because"] == "state_unavailable"
            }
            "failed" if self.forgets_launchers() => entry["because"] == "state_unavailable",
            "failed" => {
                fleet.to_change().contains(&instance.id)
                    || is(&fleet.denying)
                    || entry["before"].is_null()
            }
            _ => false,
        };
        (!holds).then(|| {
            format!(
                "{} is said to be {outcome} ({}), and is {} with tokens {}",
                instance.id, entry["reason"], instance.state, instance.options.tokens
            )
        })
    }

    /// Whether it is only reported because CloudWatch could not be asked, or has no whole answer.
    fn is_of_unknown_use(&self, entry: &Value) -> bool {
        let unknown = &entry["usage"]["because"];
        // A launch is described again until its age is known.
        let is_launch = [SceneTrigger::Launch, SceneTrigger::CutLaunch];
        let hides_age = self.trouble.hides_age() && !is_launch.contains(&self.scene.trigger);
        let has_no_data = matches!(self.trouble.kind, TroubleKind::NoData) || hides_age;
        let is_unknown = unknown["unreadable"].is_string()
            || unknown["incomplete"].is_string()
            || unknown == "no_data" && has_no_data;
        entry["outcome"] == "reported" && entry["because"] == "usage_unknown" && is_unknown
    }

    /// The instances that should have been changed and still allow IMDSv1.
    pub(crate) fn open(&self) -> Vec<FakeInstance> {
        let to_change = self.fleet.to_change().iter();
        let instances = to_change.map(|id| self.ec2.instance(id));
        instances
            .filter(|instance| !is_closed(instance) && !is_ended(instance))
            .collect()
    }
}

/// Whether there is no IMDSv1 to attack. A stopped instance that allows it opens when it is started.
pub(crate) fn is_closed(instance: &FakeInstance) -> bool {
    instance.options.tokens == "required" || instance.options.endpoint == "disabled"
}

fn is_stopped(instance: &FakeInstance) -> bool {
    ["stopping", "stopped"].contains(&instance.state.as_str())
}

fn is_ended(instance: &FakeInstance) -> bool {
    ["shutting-down", "terminated"].contains(&instance.state.as_str())
}
