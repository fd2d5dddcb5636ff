//! The policies and events in which the function makes each of its calls.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::fleet::{OTHER_REGION, SceneFleet};
use crate::support::{DAY, REGION, ago, cut, happened, launched_ids, modified, started, sweep};

/// One call of the function: what triggers it, and which call of its action it is.
pub(crate) struct Scene {
    pub(crate) trigger: SceneTrigger,
    pub(crate) on_violation: &'static str,
    pub(crate) action: &'static str,
    pub(crate) purpose: Purpose,
    /// How many earlier calls of the same action succeed.
    pub(crate) earlier_calls: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum SceneTrigger {
    Launch,
    CutLaunch,
    /// A launch event of 30 days ago, handed over once more.
    Replay,
    /// A launch event of now that names instances of 90 days ago.
    ForgedLaunch,
    /// Somebody starts instances of 90 days ago.
    Start,
    Drift,
    Sweep,
    SweepOfAll,
}

/// The purpose or the region of a call, if it matters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Any,
    OwnRegion,
    OtherRegion,
    /// Whether IMDSv1 is used.
    Usage,
    /// Whether calls were rejected before somebody changed the options.
    RejectedCalls,
    /// Whether calls are rejected since the options were enforced.
    Watch,
    /// Once more, before a stop is tried again.
    Again,
    /// After EC2 has refused one of several options.
    TokensAlone,
    /// Of the state table: the limit of disruptions.
    Limit,
    /// The limit of enforcements of existing instances.
    Existing,
    /// The limit of enforcements after drift.
    DriftLimit,
    /// What people have exempted.
    Exemptions,
    /// What people have paused.
    Pauses,
    /// Who launched the instances.
    Launchers,
    /// Who sweeps the account.
    Lease,
    /// That the sweep is over.
    Release,
}

use Purpose::{
    Again, Any, DriftLimit, Exemptions, Existing, Launchers, Lease, Limit, OtherRegion, OwnRegion,
    Pauses, RejectedCalls, Release, TokensAlone, Usage, Watch,
};
use SceneTrigger::{
    CutLaunch, Drift, ForgedLaunch, Launch as Launched, Replay, Start, Sweep, SweepOfAll,
};

impl SceneTrigger {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Launched => "launch",
            CutLaunch => "launch without ids",
            Replay => "launch of 30 days ago",
            ForgedLaunch => "forged launch",
            Start => "start",
            Drift => "drift",
            Sweep => "sweep",
            SweepOfAll => "sweep of all",
        }
    }

    pub(crate) fn sweeps(self) -> bool {
        matches!(self, Sweep | SweepOfAll)
    }

    /// Whether all of its instances are older than any that may be disrupted.
    pub(crate) fn is_of_old_instances(self) -> bool {
        matches!(self, Replay | ForgedLaunch | Start)
    }
}

impl Purpose {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Any => "",
            OwnRegion => "own region",
            OtherRegion => "other region",
            Usage => "usage",
            RejectedCalls => "rejected calls",
            Watch => "watch",
            Again => "again",
            TokensAlone => "tokens alone",
            Limit => "limit",
            Existing => "existing",
            DriftLimit => "drift",
            Exemptions => "exemptions",
            Pauses => "pauses",
            Launchers => "launchers",
            Lease => "lease",
            Release => "release",
        }
    }

    /// How the keys of the items begin that a call of the state table names.
    pub(crate) fn item(self) -> Option<&'static str> {
        match self {
            Limit => Some("limit"),
            Existing => Some("existing"),
            DriftLimit => Some("drift"),
            Exemptions => Some("exempt"),
            Pauses => Some("pause"),
            Launchers => Some("launcher"),
            Lease | Release => Some("lease"),
            Watch => Some("watch"),
            Any | OwnRegion | OtherRegion | Usage | RejectedCalls | Again | TokensAlone => None,
        }
    }

    /// Whether something is counted before it is done.
    pub(crate) fn counts(self) -> bool {
        matches!(self, Limit | Existing | DriftLimit)
    }
}

const DESCRIBE: &str = "DescribeInstances";
const MODIFY: &str = "ModifyInstanceMetadataOptions";
const TERMINATE: &str = "TerminateInstances";
const STOP: &str = "StopInstances";
const GET: &str = "GetItem";
const BATCH: &str = "BatchGetItem";
const UPDATE: &str = "UpdateItem";
const METRICS: &str = "GetMetricData";

/// Who launches in events.
pub(crate) const LAUNCHER: &str = "arn:aws:iam::111122223333:user/ada";

pub(crate) const SCENES: &[Scene] = &[
    scene(Launched, "enforce", DESCRIBE, Any, 0),
    scene(CutLaunch, "enforce", DESCRIBE, Any, 0),
    scene(Replay, "terminate", DESCRIBE, Any, 0),
    scene(Start, "terminate", DESCRIBE, Any, 0),
    scene(Drift, "enforce", DESCRIBE, Any, 0),
    scene(Sweep, "enforce", DESCRIBE, Any, 0),
    scene(Sweep, "stop", DESCRIBE, Any, 0),
    scene(SweepOfAll, "enforce", DESCRIBE, OwnRegion, 0),
    scene(SweepOfAll, "enforce", DESCRIBE, OtherRegion, 0),
    scene(Launched, "stop", DESCRIBE, Again, 1),
    scene(Launched, "enforce", MODIFY, Any, 0),
    scene(Launched, "enforce", MODIFY, TokensAlone, 1),
    scene(Launched, "stop", MODIFY, Any, 0),
    scene(ForgedLaunch, "terminate", MODIFY, Any, 0),
    scene(Start, "enforce", MODIFY, Any, 0),
    scene(Drift, "enforce", MODIFY, Any, 0),
    scene(Sweep, "enforce", MODIFY, Any, 0),
    scene(Launched, "terminate", TERMINATE, Any, 0),
    scene(Sweep, "terminate", TERMINATE, Any, 0),
    scene(Launched, "stop", STOP, Any, 0),
    scene(Sweep, "stop", STOP, Any, 0),
    scene(SweepOfAll, "enforce", "DescribeRegions", Any, 0),
    scene(
        Launched,
        "terminate",
        "DescribeSpotInstanceRequests",
        Any,
        0,
    ),
    scene(Replay, "terminate", METRICS, Usage, 0),
    scene(ForgedLaunch, "terminate", METRICS, Usage, 0),
    scene(Start, "stop", METRICS, Usage, 0),
    scene(Drift, "terminate", METRICS, RejectedCalls, 0),
    scene(Sweep, "enforce", METRICS, Usage, 0),
    scene(Sweep, "terminate", METRICS, Usage, 0),
    scene(Sweep, "enforce", METRICS, Watch, 0),
    scene(Launched, "terminate", BATCH, Exemptions, 0),
    scene(Replay, "terminate", BATCH, Exemptions, 0),
    scene(Start, "stop", BATCH, Exemptions, 0),
    scene(Drift, "enforce", BATCH, Exemptions, 0),
    scene(Sweep, "enforce", BATCH, Exemptions, 0),
    scene(Sweep, "terminate", BATCH, Exemptions, 0),
    scene(Drift, "enforce", BATCH, Launchers, 0),
    scene(SweepOfAll, "terminate", BATCH, Pauses, 0),
    scene(Sweep, "enforce", BATCH, Watch, 0),
    scene(Launched, "terminate", GET, Limit, 0),
    scene(Launched, "stop", GET, Limit, 0),
    scene(Sweep, "terminate", GET, Limit, 0),
    scene(Start, "stop", GET, Existing, 0),
    scene(Sweep, "enforce", GET, Existing, 0),
    scene(Drift, "enforce", GET, DriftLimit, 0),
    scene(Launched, "terminate", UPDATE, Limit, 0),
    scene(Launched, "stop", UPDATE, Limit, 0),
    scene(Sweep, "terminate", UPDATE, Limit, 0),
    scene(Start, "stop", UPDATE, Existing, 0),
    scene(Sweep, "enforce", UPDATE, Existing, 0),
    scene(Drift, "enforce", UPDATE, DriftLimit, 0),
    scene(Launched, "enforce", UPDATE, Launchers, 0),
    scene(Sweep, "terminate", UPDATE, Lease, 0),
    scene(Sweep, "enforce", UPDATE, Release, 1),
    scene(Sweep, "enforce", UPDATE, Watch, 0),
];

const fn scene(
    trigger: SceneTrigger,
    on_violation: &'static str,
    action: &'static str,
    purpose: Purpose,
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

impl Scene {
    /// The region whose calls fail.
    pub(crate) fn region(&self) -> &'static str {
        match self.purpose {
            OtherRegion => OTHER_REGION,
            _ => REGION,
        }
    }

    pub(crate) fn disrupts(&self) -> bool {
        ["stop", "terminate"].contains(&self.on_violation)
    }

    /// Whether it is told of a launch.
    pub(crate) fn launches(&self) -> bool {
        matches!(self.trigger, Launched | CutLaunch | Replay | ForgedLaunch)
    }

    /// Whether it calls the state table.
    pub(crate) fn is_of_table(&self) -> bool {
        [GET, BATCH, UPDATE].contains(&self.action)
    }

    pub(crate) fn policy(&self) -> String {
        let mut require = json!({ "http_tokens": "required" });
        if self.purpose == TokensAlone {
            require["instance_metadata_tags"] = json!("enabled");
        }
        let exempt =
            json!({ "name": "exempt", "when": { "tags": { "exempt": "*" } }, "action": "exempt" });
        let mut rules = vec![exempt];
        if self.purpose == Launchers {
            // Where it is not known who launched an instance, the first may match.
            let (bob, ada) = ("arn:aws:iam::*:user/bob", LAUNCHER);
            rules.push(
                json!({ "name": "bob", "when": { "principals": [bob] }, "action": "report" }),
            );
            rules.push(
                json!({ "name": "ada", "when": { "principals": [ada] }, "action": "enforce" }),
            );
        }
        json!({
            "version": 1, "require": require, "on_violation": self.on_violation, "rules": rules,
            "new_instances": { "grace_seconds": 0 },
            "existing": { "watch_days": if self.purpose == Watch { 7 } else { 0 } }
        })
        .to_string()
    }

    pub(crate) fn event(&self, ec2: &imds_tests::FakeAws, fleet: &SceneFleet) -> Value {
        let launched = || launched_ids(ec2, &fleet.all());
        match self.trigger {
            Launched => launched(),
            CutLaunch => cut(REGION, Some(&fleet.client_token), fleet.all().len()),
            Replay => happened(launched(), ago(30 * DAY)),
            ForgedLaunch => {
                let mut event = launched();
                let items = &mut event["detail"]["responseElements"]["instancesSet"]["items"];
                for item in items.as_array_mut().unwrap() {
                    item["launchTime"] = json!(Timestamp::now().as_millisecond());
                }
                event
            }
            Start => {
                let all = fleet.all();
                started(&all.iter().map(String::as_str).collect::<Vec<_>>())
            }
            Drift => {
                let options = json!({ "HttpTokens": "optional" });
                modified(&fleet.to_change()[0], "mallory", &options)
            }
            Sweep => sweep(&[REGION, OTHER_REGION]),
            SweepOfAll => sweep(&[]),
        }
    }

    /// The instances that the event is about.
    pub(crate) fn concerned(&self, fleet: &SceneFleet) -> Vec<String> {
        match self.trigger {
            Drift => fleet.to_change().to_vec(),
            Launched | CutLaunch | Replay | ForgedLaunch | Start | Sweep | SweepOfAll => {
                fleet.all()
            }
        }
    }
}
