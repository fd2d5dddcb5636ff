//! The fleets, policies and events in which the function makes each of its calls.

use std::time::Duration;

use imds_tests::{Launch, Settle, Standin, launch};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::{REGION, cut, launched_ids, modified};

/// One call of the function: what sets it off, and which of its kind it is.
pub(crate) struct Scene {
    pub(crate) trigger: Trigger,
    pub(crate) end: &'static str,
    pub(crate) action: &'static str,
    /// What the call is for, or where it goes, where that makes a difference.
    pub(crate) purpose: &'static str,
    /// Earlier calls of the same action, which go well.
    pub(crate) spared: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trigger {
    Launch,
    CutLaunch,
    Drift,
    Sweep,
    SweepOfAll,
}

impl Trigger {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Trigger::Launch => "launch",
            Trigger::CutLaunch => "launch without ids",
            Trigger::Drift => "drift",
            Trigger::Sweep => "sweep",
            Trigger::SweepOfAll => "sweep of all",
        }
    }

    pub(crate) fn sweeps(self) -> bool {
        matches!(self, Trigger::Sweep | Trigger::SweepOfAll)
    }
}

/// Not the function's own.
const OTHER_REGION: &str = "eu-west-1";

const DESCRIBE: &str = "DescribeInstances";
const MODIFY: &str = "ModifyInstanceMetadataOptions";
const TERMINATE: &str = "TerminateInstances";
const STOP: &str = "StopInstances";
const TAG: &str = "CreateTags";
const METRICS: &str = "GetMetricData";

use Trigger::{CutLaunch, Drift, Launch as Launched, Sweep, SweepOfAll};

pub(crate) const SCENES: &[Scene] = &[
    of(Launched, "enforce", DESCRIBE, "", 0),
    of(CutLaunch, "enforce", DESCRIBE, "", 0),
    of(Drift, "enforce", DESCRIBE, "", 0),
    of(Sweep, "enforce", DESCRIBE, "", 0),
    of(SweepOfAll, "enforce", DESCRIBE, "own region", 0),
    of(SweepOfAll, "enforce", DESCRIBE, "other region", 0),
    of(Launched, "terminate", DESCRIBE, "claims", 1),
    of(Sweep, "terminate", DESCRIBE, "claims", 1),
    of(Launched, "enforce", MODIFY, "", 0),
    of(Drift, "enforce", MODIFY, "", 0),
    of(Sweep, "enforce", MODIFY, "", 0),
    of(Launched, "terminate", TERMINATE, "", 0),
    of(Sweep, "terminate", TERMINATE, "", 0),
    of(Launched, "stop", STOP, "", 0),
    of(Sweep, "stop", STOP, "", 0),
    of(Launched, "terminate", TAG, "claim", 0),
    of(Sweep, "terminate", TAG, "claim", 0),
    of(Drift, "enforce", TAG, "mends", 0),
    of(Sweep, "enforce", TAG, "watch", 0),
    of(SweepOfAll, "enforce", "DescribeRegions", "", 0),
    of(Sweep, "enforce", METRICS, "usage", 0),
    of(Sweep, "terminate", METRICS, "usage", 0),
    of(Sweep, "enforce", METRICS, "watch", 1),
];

const fn of(
    trigger: Trigger,
    end: &'static str,
    action: &'static str,
    purpose: &'static str,
    spared: u32,
) -> Scene {
    Scene {
        trigger,
        end,
        action,
        purpose,
        spared,
    }
}

/// The instances of a cell.
pub(crate) struct Fleet {
    /// To be mended, stopped or terminated; the last is in another region where there is a sweep.
    pub(crate) wrong: Vec<String>,
    pub(crate) right: String,
    pub(crate) exempt: String,
    /// One that uses IMDSv1, and that the policy therefore only reports.
    pub(crate) in_use: Option<String>,
    client_token: String,
}

impl Scene {
    /// The region whose calls go wrong.
    pub(crate) fn region(&self) -> &'static str {
        match self.purpose {
            "other region" => OTHER_REGION,
            _ => REGION,
        }
    }

    pub(crate) fn policy(&self) -> String {
        // What is not known to be in use is treated as a launch would be, the better to see harm.
        let unknown = match (self.end, self.purpose) {
            ("enforce", "usage") => "enforce",
            ("enforce", _) => "report",
            (end, _) => end,
        };
        json!({
            "require": { "http_tokens": "required" },
            "on_violation": self.end,
            "rules": [{ "name": "exempt", "when": { "tags": { "exempt": "*" } }, "then": "exempt" }],
            "limits": { "grace_seconds": 0 },
            "existing": {
                "unknown": unknown, "in_use": "report",
                "watch_days": if self.purpose == "watch" { 7 } else { 0 },
            }
        })
        .to_string()
    }

    pub(crate) fn populate(&self, ec2: &Standin, visible: Settle) -> Fleet {
        const DAY: u64 = 24 * 3600;
        ec2.set_regions(&[REGION, OTHER_REGION]);
        let age = Duration::from_secs(if self.trigger.sweeps() { 30 * DAY } else { 10 });
        let wrong = |region: &str| -> Launch {
            let wrong = launch(region).launched(age).client_token("token");
            wrong.visible(visible)
        };
        let here = launch(REGION).launched(age).client_token("token");
        let mut right = here.clone().tokens("required");
        if self.purpose == "watch" {
            let now = Timestamp::now().to_string();
            right = right.tag("imds-enforcer:enforced", &now);
        }
        let fleet = Fleet {
            wrong: match self.trigger {
                Trigger::Drift => vec![ec2.launch(wrong(REGION))],
                Trigger::Launch | Trigger::CutLaunch => ec2.launch_many(wrong(REGION), 2),
                Trigger::Sweep | Trigger::SweepOfAll => {
                    vec![ec2.launch(wrong(REGION)), ec2.launch(wrong(OTHER_REGION))]
                }
            },
            right: ec2.launch(right),
            exempt: ec2.launch(here.clone().tag("exempt", "yes")),
            in_use: (self.purpose == "usage").then(|| ec2.launch(here)),
            client_token: "token".to_owned(),
        };
        if self.end == "enforce" {
            for id in &fleet.wrong {
                ec2.datapoint(id, "MetadataNoToken", an_hour_ago(), 0.0);
            }
        }
        if let Some(id) = &fleet.in_use {
            ec2.datapoint(id, "MetadataNoToken", an_hour_ago(), 40.0);
        }
        fleet
    }

    /// Those that the event is about.
    pub(crate) fn concerned(&self, fleet: &Fleet) -> Vec<String> {
        match self.trigger {
            Trigger::Drift => fleet.wrong.clone(),
            Trigger::Launch | Trigger::CutLaunch | Trigger::Sweep | Trigger::SweepOfAll => {
                fleet.all()
            }
        }
    }

    pub(crate) fn event(&self, ec2: &Standin, fleet: &Fleet) -> Value {
        let regions = match self.trigger {
            Trigger::Launch => return launched_ids(ec2, &fleet.all()),
            Trigger::CutLaunch => return cut(REGION, Some(&fleet.client_token), fleet.all().len()),
            Trigger::Drift => {
                let options = json!({ "HttpTokens": "optional" });
                return modified(&fleet.wrong[0], "mallory", &options);
            }
            Trigger::Sweep => json!({ "regions": [REGION, OTHER_REGION] }),
            Trigger::SweepOfAll => json!({}),
        };
        json!({
            "source": "imds-enforcer", "detail-type": "Sweep", "account": "111122223333",
            "detail": regions
        })
    }
}

impl Fleet {
    /// Those that nothing may be done to.
    pub(crate) fn to_be_left(&self) -> impl Iterator<Item = &String> {
        [&self.right, &self.exempt].into_iter().chain(&self.in_use)
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.wrong
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
