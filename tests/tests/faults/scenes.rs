//! The fleets, policies and events in which the function makes each of its calls.

use std::time::Duration;

use imds_tests::{FakeAws, LaunchBuilder, Settle, launch};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::{REGION, cut, launched_ids, modified, sweep};

/// One call of the function: what triggers it, and which call of its action it is.
pub(crate) struct Scene {
    pub(crate) trigger: SceneTrigger,
    pub(crate) on_violation: &'static str,
    pub(crate) action: &'static str,
    /// The purpose or the region of the call, if it matters.
    pub(crate) purpose: &'static str,
    /// How many earlier calls of the same action succeed.
    pub(crate) earlier_calls: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum SceneTrigger {
    Launch,
    CutLaunch,
    Drift,
    Sweep,
    SweepOfAll,
}

impl SceneTrigger {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            SceneTrigger::Launch => "launch",
            SceneTrigger::CutLaunch => "launch without ids",
            SceneTrigger::Drift => "drift",
            SceneTrigger::Sweep => "sweep",
            SceneTrigger::SweepOfAll => "sweep of all",
        }
    }

    pub(crate) fn sweeps(self) -> bool {
        matches!(self, SceneTrigger::Sweep | SceneTrigger::SweepOfAll)
    }
}

/// A region other than the function's.
const OTHER_REGION: &str = "eu-west-1";

const DESCRIBE: &str = "DescribeInstances";
const MODIFY: &str = "ModifyInstanceMetadataOptions";
const TERMINATE: &str = "TerminateInstances";
const STOP: &str = "StopInstances";
const TAG: &str = "CreateTags";
const METRICS: &str = "GetMetricData";

use SceneTrigger::{CutLaunch, Drift, Launch as Launched, Sweep, SweepOfAll};

pub(crate) const SCENES: &[Scene] = &[
    scene(Launched, "enforce", DESCRIBE, "", 0),
    scene(CutLaunch, "enforce", DESCRIBE, "", 0),
    scene(Drift, "enforce", DESCRIBE, "", 0),
    scene(Sweep, "enforce", DESCRIBE, "", 0),
    scene(SweepOfAll, "enforce", DESCRIBE, "own region", 0),
    scene(SweepOfAll, "enforce", DESCRIBE, "other region", 0),
    scene(Launched, "terminate", DESCRIBE, "claims", 1),
    scene(Sweep, "terminate", DESCRIBE, "claims", 1),
    scene(Launched, "enforce", MODIFY, "", 0),
    scene(Drift, "enforce", MODIFY, "", 0),
    scene(Sweep, "enforce", MODIFY, "", 0),
    scene(Launched, "terminate", TERMINATE, "", 0),
    scene(Sweep, "terminate", TERMINATE, "", 0),
    scene(Launched, "stop", STOP, "", 0),
    scene(Sweep, "stop", STOP, "", 0),
    scene(Launched, "terminate", TAG, "claim", 0),
    scene(Sweep, "terminate", TAG, "claim", 0),
    scene(Drift, "enforce", TAG, "enforcements", 0),
    scene(Sweep, "enforce", TAG, "watch", 0),
    scene(SweepOfAll, "enforce", "DescribeRegions", "", 0),
    scene(Sweep, "enforce", METRICS, "usage", 0),
    scene(Sweep, "terminate", METRICS, "usage", 0),
    scene(Sweep, "enforce", METRICS, "watch", 1),
];

const fn scene(
    trigger: SceneTrigger,
    on_violation: &'static str,
    action: &'static str,
    purpose: &'static str,
    earlier_calls: u32,
) -> Scene {
    Scene {
        trigger,
        on_violation,
        action,
        purpose,
        earlier_calls,
    }
}

/// The instances of a cell.
pub(crate) struct SceneFleet {
    /// To be enforced, stopped or terminated; with a sweep, the last is in another region.
    pub(crate) non_compliant: Vec<String>,
    pub(crate) compliant: String,
    pub(crate) exempt: String,
    /// An instance that uses IMDSv1, so that the policy only reports it.
    pub(crate) in_use: Option<String>,
    client_token: String,
}

impl Scene {
    /// The region whose calls fail.
    pub(crate) fn region(&self) -> &'static str {
        match self.purpose {
            "other region" => OTHER_REGION,
            _ => REGION,
        }
    }

    pub(crate) fn policy(&self) -> String {
        // Instances of unknown usage get the same action as a launch, so that harm is visible.
        let unknown = match (self.on_violation, self.purpose) {
            ("enforce", "usage") => "enforce",
            ("enforce", _) => "report",
            (action, _) => action,
        };
        json!({
            "version": 1, "require": { "http_tokens": "required" },
            "on_violation": self.on_violation,
            "rules": [{ "name": "exempt", "when": { "tags": { "exempt": "*" } }, "action": "exempt" }],
            "new_instances": { "grace_seconds": 0 },
            "existing": {
                "unknown": unknown, "in_use": "report",
                "watch_days": if self.purpose == "watch" { 7 } else { 0 },
            }
        })
        .to_string()
    }

    pub(crate) fn populate(&self, ec2: &FakeAws, visible: Settle) -> SceneFleet {
        const DAY: u64 = 24 * 3600;
        ec2.set_regions(&[REGION, OTHER_REGION]);
        let age = Duration::from_secs(if self.trigger.sweeps() { 30 * DAY } else { 10 });
        let non_compliant = |region: &str| -> LaunchBuilder {
            let non_compliant = launch(region).launched(age).client_token("token");
            non_compliant.visible(visible)
        };
        let here = launch(REGION).launched(age).client_token("token");
        let mut compliant = here.clone().tokens("required");
        if self.purpose == "watch" {
            let now = Timestamp::now().to_string();
            compliant = compliant.tag("imds-enforcer:enforced", &now);
        }
        let fleet = SceneFleet {
            non_compliant: match self.trigger {
                SceneTrigger::Drift => vec![ec2.launch(non_compliant(REGION))],
                SceneTrigger::Launch | SceneTrigger::CutLaunch => {
                    ec2.launch_many(non_compliant(REGION), 2)
                }
                SceneTrigger::Sweep | SceneTrigger::SweepOfAll => {
                    vec![
                        ec2.launch(non_compliant(REGION)),
                        ec2.launch(non_compliant(OTHER_REGION)),
                    ]
                }
            },
            compliant: ec2.launch(compliant),
            exempt: ec2.launch(here.clone().tag("exempt", "yes")),
            in_use: (self.purpose == "usage").then(|| ec2.launch(here)),
            client_token: "token".to_owned(),
        };
        if self.on_violation == "enforce" {
            for id in &fleet.non_compliant {
                ec2.datapoint(id, "MetadataNoToken", an_hour_ago(), 0.0);
            }
        }
        if let Some(id) = &fleet.in_use {
            ec2.datapoint(id, "MetadataNoToken", an_hour_ago(), 40.0);
        }
        fleet
    }

    /// The instances that the event is about.
    pub(crate) fn concerned(&self, fleet: &SceneFleet) -> Vec<String> {
        match self.trigger {
            SceneTrigger::Drift => fleet.non_compliant.clone(),
            SceneTrigger::Launch
            | SceneTrigger::CutLaunch
            | SceneTrigger::Sweep
            | SceneTrigger::SweepOfAll => fleet.all(),
        }
    }

    pub(crate) fn event(&self, ec2: &FakeAws, fleet: &SceneFleet) -> Value {
        match self.trigger {
            SceneTrigger::Launch => launched_ids(ec2, &fleet.all()),
            SceneTrigger::CutLaunch => cut(REGION, Some(&fleet.client_token), fleet.all().len()),
            SceneTrigger::Drift => {
                let options = json!({ "HttpTokens": "optional" });
                modified(&fleet.non_compliant[0], "mallory", &options)
            }
            SceneTrigger::Sweep => sweep(&[REGION, OTHER_REGION]),
            SceneTrigger::SweepOfAll => sweep(&[]),
        }
    }
}

impl SceneFleet {
    /// The instances that must not be changed.
    pub(crate) fn to_be_left(&self) -> impl Iterator<Item = &String> {
        [&self.compliant, &self.exempt]
            .into_iter()
            .chain(&self.in_use)
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.non_compliant
            .iter()
            .chain(self.to_be_left())
            .cloned()
            .collect()
    }
}

fn an_hour_ago() -> Timestamp {
    let hour = jiff::SignedDuration::from_hours(1);
    Timestamp::now().checked_sub(hour).unwrap()
}
