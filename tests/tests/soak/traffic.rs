//! Launches, and the instances that are there before the day begins.

use std::rc::Rc;

use fastrand::Rng;
use imds_core::instance::{DedicatedCapacity, Instance, InstanceId, SpotRequest, State};
use imds_core::options::{HopLimit, HttpTokens, MetadataOptions, Toggle};

use crate::cloudwatch::{Metered, Software, ToldByCloudWatch};
use crate::ec2::{
    Attached, AttachedVolume, DAY, HOUR, MINUTE, NEVER, SECOND, SimInstance, Time, timestamp,
};
use crate::events::{self, PIPELINE, RecordedIds};
use crate::people;
use crate::sim::Sim;
use crate::{DAWN, REGIONS};

/// How many instances are there at dawn.
pub(crate) const OLD: usize = 1_000;

/// One call of RunInstances and everything that follows from it outside the function.
pub(crate) fn launch(sim: &mut Sim, number: usize) -> usize {
    let mut at = DAWN + sim.rng.i64(0..24 * HOUR);
    // Some launches come together, and so do the disruptions after their grace.
    let is_surge = sim.rng.u32(0..100) < 15;
    if is_surge {
        at = at / HOUR * HOUR + sim.rng.i64(0..SECOND / 4);
    }
    let count = match sim.rng.u32(0..1000) {
        0 => 60,
        1..100 => sim.rng.usize(2..10),
        _ => 1,
    };
    let region = REGIONS[sim.rng.usize(0..REGIONS.len())];
    let token = match sim.rng.u32(0..1000) {
        0 => "*".to_owned(),
        _ => format!("token-{number}"),
    };
    let mut kind = kind(&mut sim.rng);
    if is_surge && sim.rng.bool() {
        kind.tags = &["sandbox"];
    }
    let is_pattern = token == "*";
    let mut machines = Vec::new();
    for n in 0..count {
        let mut machine = new_instance(&mut sim.rng, (number + n, region), at);
        machine.instance.client_token = Some(token.clone());
        kind.give(&mut machine, at);
        if is_pattern {
            // Several launches have it, and their users differ.
            machine.instance.tags.remove(PIPELINE);
        }
        machines.push(machine);
    }
    // CloudTrail leaves the ids of large launches out.
    let recorded = match count {
        ..44 => RecordedIds::All,
        _ => RecordedIds::LeftOut,
    };
    let tells_token = recorded == RecordedIds::All || sim.rng.u32(0..4) > 0;
    let described: Vec<Instance> = machines.iter().map(|it| it.instance.clone()).collect();
    let told = tells_token.then_some(token.as_str());
    let event = events::launched(&described, told, recorded, at);
    for machine in &machines {
        let id = machine.instance.id.clone();
        if sim.rng.u32(0..100) < 10 {
            deliver(sim, events::running(region, &id, at), at);
        }
        people::act(sim, machine, at);
    }
    sim.at(at, |sim| {
        machines
            .into_iter()
            .for_each(|machine| sim.ec2.launch(machine));
    });
    if kind.is_disrupted() && sim.rng.u32(0..100) < 25 {
        // So late that the instances turn 15 minutes old while they are handled.
        let late = at + sim.rng.i64(14 * MINUTE..15 * MINUTE + 10 * SECOND);
        sim.at(late, |sim| sim.deliver(event, 0));
    } else {
        deliver(sim, event, at);
    }
    count
}

/// An instance that was launched months before the day.
pub(crate) fn old_instance(sim: &mut Sim, number: usize) {
    let at = DAWN - 90 * DAY;
    let region = REGIONS[sim.rng.usize(0..REGIONS.len())];
    let mut machine = new_instance(&mut sim.rng, (number, region), at);
    machine.instance.client_token = Some(format!("token-{number}"));
    kind(&mut sim.rng).give(&mut machine, at);
    machine.settle(DAWN - 89 * DAY);
    machine.software.calls = match sim.rng.u32(0..100) {
        0..25 => (at, NEVER),
        25..35 => (at, DAWN - 9 * DAY),
        _ => (NEVER, NEVER),
    };
    // CloudWatch answers wholly on some day, or never.
    machine.software.complete_from = match sim.rng.bool() {
        true => DAWN + 2 * DAY,
        false => NEVER,
    };
    let stopped = match sim.rng.u32(0..100) {
        0..15 => Some(DAWN - 60 * DAY),
        15..20 => Some(DAWN - 2 * DAY),
        _ => None,
    };
    if let Some(stopped) = stopped {
        machine.set_state(State::Stopped, stopped);
    }
    people::act_on_old(sim, &machine);
    sim.ec2.launch(machine);
}

fn new_instance(rng: &mut Rng, (number, region): (usize, &str), at: Time) -> SimInstance {
    let id = InstanceId::try_from(format!("i-{number:017x}").as_str()).unwrap();
    let mut instance = Instance::unknown(id, region);
    instance.started_at = Some(timestamp(at));
    instance.state = Some(State::Pending);
    instance.options = options(rng);
    let mut late_tags = Vec::new();
    match rng.u32(0..100) {
        0..3 => {
            let from = at + rng.i64(5 * SECOND..50 * SECOND);
            late_tags.push((from, "app".to_owned(), "scanner-late".to_owned()));
        }
        3..5 => {
            let exempt = ("app".to_owned(), "scanner-9".to_owned());
            instance.tags.extend([exempt]);
        }
        _ => {}
    }
    let early = rng.u32(0..100) < 20;
    let early = early.then(|| (at + rng.i64(MINUTE..8 * HOUR), "app"));
    let visible = at + rng.i64(0..20 * SECOND);
    let mut attached = Attached::at_launch(at);
    attached.shown = match rng.u32(0..1000) {
        0..2 => NEVER,
        2..50 => visible + rng.i64(0..40 * SECOND),
        _ => at,
    };
    SimInstance {
        instance,
        attached,
        visible,
        running: at + rng.i64(5 * SECOND..40 * SECOND),
        ended: None,
        protected: rng.u32(0..100) == 0,
        denies: false,
        is_persistent: false,
        late_tags,
        early_tags: early.into_iter().collect(),
        software: software(rng, at),
        touched: at,
    }
}

fn software(rng: &mut Rng, at: Time) -> Software {
    let told = match rng.u32(0..100) {
        0 => ToldByCloudWatch::PartialData,
        1 => ToldByCloudWatch::Forbidden,
        2 => ToldByCloudWatch::InternalError,
        3 => ToldByCloudWatch::Missing,
        _ => ToldByCloudWatch::Complete,
    };
    let calls = match rng.u32(0..100) {
        0..12 => at + rng.i64(MINUTE..20 * MINUTE),
        12..16 => at + rng.i64(HOUR..5 * HOUR),
        _ => NEVER,
    };
    Software {
        calls: (calls, NEVER),
        history: vec![(at, Metered::Off)],
        told,
        complete_from: at + rng.i64(HOUR..9 * HOUR),
    }
}

/// The tags of an instance, which rules refer to, and what else there is about it.
struct Kind {
    tags: &'static [&'static str],
    feature: Option<Feature>,
}

/// What there is about an instance: mostly a reason not to stop or terminate it, however new it is.
#[derive(Clone, Copy)]
enum Feature {
    /// A tag whose value is `owned`.
    Tag(&'static str),
    Managed,
    Denies,
    PersistentSpot,
    /// Which is no such reason.
    OneTimeSpot,
    DedicatedHost,
    /// A volume of another instance, attached minutes after the launch.
    AttachedVolume,
    /// It was restored with a volume that is older than the launch.
    OldVolume,
    /// EC2's clock is ahead of ours.
    Ahead,
}

const FEATURES: &[Feature] = &[
    Feature::Tag("aws:autoscaling:groupName"),
    Feature::Tag("aws:backup:source-resource"),
    Feature::Tag("aws:elasticmapreduce:job-flow-id"),
    Feature::Tag("aws:batch:compute-environment"),
    Feature::Tag("AWSElasticDisasterRecoveryManaged"),
    Feature::Tag("karpenter.sh/provisioner-name"),
    Feature::Tag("sigs.k8s.io/cluster-api-provider-aws/cluster/a"),
    Feature::Tag("kubernetes.io/cluster/a"),
    Feature::Managed,
    Feature::Denies,
    Feature::PersistentSpot,
    Feature::OneTimeSpot,
    Feature::DedicatedHost,
    Feature::AttachedVolume,
    Feature::OldVolume,
    Feature::Ahead,
];

fn kind(rng: &mut Rng) -> Kind {
    let tags: &[&str] = match rng.u32(0..100) {
        0..9 => &["sandbox"],
        9..13 => &["batch"],
        13..20 => &["eks:cluster-name"],
        20..25 => &["edge"],
        25..27 => &["shows-tags"],
        27 => &["shows-tags", "example.com/team"],
        28..31 => &[PIPELINE],
        _ => &[],
    };
    let plain = Kind {
        tags,
        feature: None,
    };
    let often = if plain.is_disrupted() { 40 } else { 2 };
    let has_feature = rng.u32(0..100) < often;
    Kind {
        feature: has_feature.then(|| FEATURES[rng.usize(0..FEATURES.len())]),
        ..plain
    }
}

impl Kind {
    fn is_disrupted(&self) -> bool {
        let disrupted = ["sandbox", "batch"];
        disrupted.iter().any(|tag| self.tags.contains(tag))
    }

    fn give(&self, machine: &mut SimInstance, at: Time) {
        let instance = &mut machine.instance;
        for tag in self.tags {
            let value = match *tag {
                PIPELINE if at % 3 > 0 => "ci",
                PIPELINE => "ada",
                _ => "x",
            };
            instance.tags.insert((*tag).to_owned(), value.to_owned());
        }
        match self.feature {
            None => {}
            Some(Feature::Tag(key)) => {
                instance.tags.insert(key.to_owned(), "owned".to_owned());
            }
            Some(Feature::Managed) => instance.managed_by = Some("ecs.amazonaws.com".to_owned()),
            Some(Feature::Denies) => {
                instance.managed_by = Some("eks.amazonaws.com".to_owned());
                machine.denies = true;
            }
            Some(feature @ (Feature::PersistentSpot | Feature::OneTimeSpot)) => {
                instance.spot = Some(SpotRequest {
                    id: Some(format!("sir-{}", instance.id)),
                    is_persistent: None,
                });
                machine.is_persistent = matches!(feature, Feature::PersistentSpot);
            }
            Some(Feature::DedicatedHost) => {
                instance.dedicated = Some(DedicatedCapacity::DedicatedHost);
            }
            Some(Feature::AttachedVolume) => {
                let at = at + 3 * MINUTE;
                machine
                    .attached
                    .volumes
                    .push(AttachedVolume { at, shown: at });
            }
            Some(Feature::OldVolume) => {
                let (old, shown) = (at - 40 * DAY, at);
                machine
                    .attached
                    .volumes
                    .push(AttachedVolume { at: old, shown });
            }
            Some(Feature::Ahead) => {
                let (ahead, shown) = (at + 40 * MINUTE, at);
                machine
                    .attached
                    .volumes
                    .push(AttachedVolume { at: ahead, shown });
            }
        }
    }
}

fn options(rng: &mut Rng) -> MetadataOptions {
    let tokens = match rng.bool() {
        true => HttpTokens::Required,
        false => HttpTokens::Optional,
    };
    let endpoint = match rng.u32(0..100) {
        0..5 => Toggle::Disabled,
        _ => Toggle::Enabled,
    };
    MetadataOptions {
        http_tokens: Some(tokens),
        http_endpoint: Some(endpoint),
        hop_limit: HopLimit::try_from(rng.i64(1..5)).ok(),
        http_protocol_ipv6: Some(Toggle::Disabled),
        instance_metadata_tags: Some(Toggle::Disabled),
    }
}

/// Delivers an event late, twice, again hours or 30 days later, or never.
pub(crate) fn deliver(sim: &mut Sim, event: Rc<str>, at: Time) {
    if sim.rng.u32(0..100) < 2 {
        return;
    }
    let copies = 1 + u32::from(sim.rng.u32(0..100) < 10);
    for _ in 0..copies {
        let (event, then) = (Rc::clone(&event), at + sim.rng.i64(SECOND..2 * MINUTE));
        sim.at(then, |sim| sim.deliver(event, 0));
    }
    let again = match sim.rng.u32(0..100) {
        0..3 => at + sim.rng.i64(HOUR..10 * HOUR),
        3..7 => at + 30 * DAY,
        _ => return,
    };
    sim.at(again, |sim| {
        sim.count("event", "once more");
        sim.deliver(event, 0);
    });
}
