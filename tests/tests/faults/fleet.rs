//! The instances of a cell, and what may be done to each.

use std::collections::BTreeMap;
use std::time::Duration;

use imds_tests::{FakeAws, FakeInstance, LaunchBuilder, Options, Settle, launch};
use jiff::SignedDuration;

use crate::scenes::{Purpose, Scene, SceneTrigger};
use crate::support::{DAY, MINUTE, REGION, ago, hourly, seconds, unused};
use crate::troubles::{Trouble, TroubleKind};

/// A region other than the function's.
pub(crate) const OTHER_REGION: &str = "eu-west-1";

const SPOT: &str = "DescribeSpotInstanceRequests";

/// The longest after its first launch that an instance may be stopped or terminated.
const NEW: SignedDuration = SignedDuration::from_mins(15);

/// The instances of a cell.
pub(crate) struct SceneFleet {
    /// Not compliant.
    changeable: Vec<String>,
    /// Those of them that may be stopped or terminated. The others are old, or launched by a group, or
    /// restored, or of a persistent Spot request.
    disruptable: Vec<String>,
    pub(crate) compliant: String,
    pub(crate) exempt: String,
    /// An instance that uses IMDSv1, so that the policy only reports it.
    pub(crate) in_use: Option<String>,
    /// Managed by a service that denies every change.
    pub(crate) denying: Option<String>,
    /// Not compliant, and exempt or paused by an item of the state table.
    pub(crate) held: Vec<String>,
    pub(crate) client_token: String,
    before: BTreeMap<String, Options>,
}

impl Scene {
    pub(crate) fn populate(&self, ec2: &FakeAws, trouble: &Trouble) -> SceneFleet {
        ec2.set_regions(&[REGION, OTHER_REGION]);
        let new = self.new_instances(ec2, trouble);
        let spared = self.spared_instances(ec2, trouble);
        let mut compliant = self.here().tokens("required");
        if self.purpose == Purpose::TokensAlone {
            compliant = compliant.metadata_tags("enabled");
        }
        let compliant = ec2.launch(compliant);
        let exempt = ec2.launch(self.here().tag("exempt", "yes"));
        let in_use = (self.purpose == Purpose::Usage).then(|| ec2.launch(old()));
        if let Some(id) = &in_use {
            crate::support::in_use(ec2, id);
        }
        let managed = self.here().managed_by("eks.amazonaws.com");
        let denying = self.has_denying().then_some(managed.denies_changes());
        let denying = denying.map(|denying| ec2.launch(denying));
        if let Some(id) = &denying {
            unused(ec2, id);
        }
        let is_drift = self.trigger == SceneTrigger::Drift;
        let may_disrupt = self.disrupts() && !is_drift && !trouble.hides_age_for_ever();
        let is_paused = self.purpose == Purpose::Pauses;
        let may_disrupt = may_disrupt && !is_paused;
        let disruptable = new.iter().filter(|_| may_disrupt).cloned().collect();
        let non_compliant = new.into_iter().chain(spared);
        let (mut held, changeable) = non_compliant.partition(|_| is_paused);
        if self.purpose == Purpose::Exemptions && !is_drift {
            held = vec![ec2.launch(old())];
            self.add_data(ec2, trouble, &held);
        }
        let mut fleet = SceneFleet {
            changeable,
            disruptable,
            compliant,
            exempt,
            in_use,
            denying,
            held,
            client_token: "token".to_owned(),
            before: BTreeMap::new(),
        };
        fleet.before = fleet
            .all()
            .into_iter()
            .map(|id| (id.clone(), ec2.instance(&id).options))
            .collect();
        self.put_items(ec2, &fleet, trouble);
        fleet
    }

    /// An instance of the event.
    fn here(&self) -> LaunchBuilder {
        launch(REGION).launched(self.age()).client_token("token")
    }

    fn age(&self) -> Duration {
        match self.trigger {
            SceneTrigger::Replay => seconds(30 * DAY),
            SceneTrigger::ForgedLaunch | SceneTrigger::Start => seconds(90 * DAY),
            SceneTrigger::Sweep | SceneTrigger::SweepOfAll if !self.disrupts() => seconds(30 * DAY),
            SceneTrigger::Launch
            | SceneTrigger::CutLaunch
            | SceneTrigger::Drift
            | SceneTrigger::Sweep
            | SceneTrigger::SweepOfAll => seconds(10),
        }
    }

    /// With a sweep, the last is in another region.
    fn new_instances(&self, ec2: &FakeAws, trouble: &Trouble) -> Vec<String> {
        if self.trigger.is_of_old_instances() {
            return Vec::new();
        }
        let in_region = |region: &str| {
            let new = launch(region).launched(self.age()).client_token("token");
            let new = match self.purpose {
                Purpose::Again => new.becomes_running(Settle::Describes(2)),
                // EC2 refuses to show such a tag to the instance.
                Purpose::TokensAlone => new.tag("kubernetes.io/cluster/a", "shared"),
                _ => new,
            };
            trouble.applied_to(new)
        };
        let ids = match self.trigger {
            SceneTrigger::Drift => vec![ec2.launch(in_region(REGION))],
            SceneTrigger::Sweep | SceneTrigger::SweepOfAll => {
                vec![
                    ec2.launch(in_region(REGION)),
                    ec2.launch(in_region(OTHER_REGION)),
                ]
            }
            _ if self.action == SPOT => ec2.launch_many(in_region(REGION).spot(), 2),
            _ => ec2.launch_many(in_region(REGION), 2),
        };
        if self.trigger.sweeps() && !self.disrupts() {
            self.add_data(ec2, trouble, &ids);
        }
        ids
    }

    /// Not compliant and not to be disrupted, whatever the policy says.
    fn spared_instances(&self, ec2: &FakeAws, trouble: &Trouble) -> Vec<String> {
        if self.trigger == SceneTrigger::Drift
            || !self.disrupts() && !self.trigger.is_of_old_instances()
        {
            return Vec::new();
        }
        let old = || trouble.applied_to(old());
        let mut ids = vec![ec2.launch(old())];
        if self.trigger.is_of_old_instances() {
            ids.push(ec2.launch(old().state("stopped")));
        }
        self.add_data(ec2, trouble, &ids);
        let disrupting = ["StopInstances", "TerminateInstances", SPOT];
        if disrupting.contains(&self.action) {
            ids.extend(self.milder_instances(ec2, trouble));
        }
        ids
    }

    /// New, and enforced at most.
    fn milder_instances(&self, ec2: &FakeAws, trouble: &Trouble) -> Vec<String> {
        let new = || trouble.applied_to(self.here());
        let mut milder = vec![
            new().in_group("web"),
            new()
                .launched(seconds(9 * MINUTE))
                .second_volume_at(ago(2 * MINUTE)),
            new().tag("aws:backup:source-resource", "vol-0a1b2c3d4e5f60718"),
        ];
        if self.action == SPOT {
            milder.push(new().persistent_spot());
        }
        milder.into_iter().map(|one| ec2.launch(one)).collect()
    }

    /// Two days of running without a call, as CloudWatch tells of them.
    fn add_data(&self, ec2: &FakeAws, trouble: &Trouble, ids: &[String]) {
        for id in ids {
            match trouble.kind {
                TroubleKind::NoData => {}
                TroubleKind::Status(code) => {
                    unused(ec2, id);
                    ec2.set_status_code(id, "MetadataNoToken", code);
                }
                _ => unused(ec2, id),
            }
        }
    }

    fn has_denying(&self) -> bool {
        self.action == "ModifyInstanceMetadataOptions"
            && self.purpose == Purpose::Any
            && matches!(self.trigger, SceneTrigger::Launch | SceneTrigger::Sweep)
    }
}

/// Launched long ago, and started just now.
fn old() -> LaunchBuilder {
    let old = launch(REGION).launched(seconds(90 * DAY));
    old.started(seconds(10)).client_token("token")
}

impl SceneFleet {
    /// Ends the fault.
    pub(crate) fn recover(&self, ec2: &FakeAws, scene: &Scene, trouble: &Trouble) {
        ec2.clear_faults();
        self.complete_data(ec2, trouble);
        scene.recover_items(ec2, self, trouble);
    }

    /// The instances that are not compliant and must not stay so.
    pub(crate) fn to_change(&self) -> &[String] {
        &self.changeable
    }

    /// Whether this instance may be stopped or terminated.
    pub(crate) fn disrupts(&self, id: &str) -> bool {
        self.disruptable.iter().any(|it| it == id)
    }

    /// The instances that must not be changed.
    pub(crate) fn to_be_left(&self) -> impl Iterator<Item = &String> {
        [&self.compliant, &self.exempt]
            .into_iter()
            .chain(&self.in_use)
            .chain(&self.held)
    }

    pub(crate) fn all(&self) -> Vec<String> {
        let others = self.to_be_left().chain(&self.denying);
        self.changeable.iter().chain(others).cloned().collect()
    }

    /// What the instances' owners do.
    pub(crate) fn disable_endpoints(&self, ec2: &FakeAws) {
        for id in self.to_change() {
            ec2.set_options(id, |options| "disabled".clone_into(&mut options.endpoint));
        }
    }

    /// Makes CloudWatch answer wholly.
    fn complete_data(&self, ec2: &FakeAws, trouble: &Trouble) {
        for id in self.to_change() {
            match trouble.kind {
                TroubleKind::NoData => hourly(ec2, id, "MetadataNoToken", 48, 1, 0.0),
                TroubleKind::Status(_) => {
                    ec2.set_status_code(id, "MetadataNoToken", "Complete");
                }
                _ => {}
            }
        }
    }

    /// What the fake's ledger shows and must not: disruptions of anything that is not new, calls that
    /// widen, options that were widened.
    pub(crate) fn forbidden(&self, ec2: &FakeAws, trouble: &Trouble) -> Vec<String> {
        let mut forbidden = Vec::new();
        if let TroubleKind::OwnersDisable = trouble.kind {
            let enabled = self.changeable.iter().map(|id| ec2.instance(id));
            let enabled = enabled.filter(|instance| instance.options.endpoint != "disabled");
            forbidden.extend(enabled.map(|instance| format!("{instance:?} was enabled again")));
        }
        for call in ec2.widening_calls() {
            forbidden.push(format!("it asked for less protection: {:?}", call.params));
        }
        for disruption in ec2.disruptions() {
            let age = disruption.at.duration_since(disruption.oldest_attachment);
            if age > NEW || !self.disrupts(&disruption.id) {
                let id = &disruption.id;
                forbidden.push(format!("{} of {id}, {age:#} old", disruption.action));
            }
        }
        for (id, before) in &self.before {
            let FakeInstance { options, .. } = ec2.instance(id);
            let is_wider = before.endpoint == "disabled" && options.endpoint != "disabled"
                || before.tokens == "required" && options.tokens != "required"
                || options.hop_limit != before.hop_limit
                || options.ipv6 != before.ipv6
                || options.metadata_tags != before.metadata_tags;
            if is_wider {
                forbidden.push(format!("{id} had {before:?} and has {options:?}"));
            }
        }
        forbidden
    }
}
