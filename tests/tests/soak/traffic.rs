//! What happens outside the function: launches, deliveries of events, and changes by people.

use std::rc::Rc;

use imds_core::instance::{Instance, InstanceId, State};
use imds_core::options::{HopLimit, HttpTokens, MetadataOptions, Toggle};

use crate::ec2::{HOUR, MINUTE, SECOND, SimInstance, Time, timestamp};
use crate::events::{self, RecordedIds};
use crate::sim::Sim;
use crate::{DAWN, REGIONS};

/// One call of RunInstances and everything that follows from it outside the function.
pub(crate) fn launch(sim: &mut Sim, number: usize) -> usize {
    let at = DAWN + sim.rng.i64(0..24 * HOUR);
    let count = match sim.rng.u32(0..1000) {
        0 => 60,
        1..100 => sim.rng.usize(2..10),
        _ => 1,
    };
    let region = REGIONS[sim.rng.usize(0..REGIONS.len())];
    let token = format!("token-{number}");
    let kind = kind(sim);
    let late = sim.rng.u32(0..100) < 3;
    let mut machines = Vec::new();
    for n in 0..count {
        let id = InstanceId::try_from(format!("i-{:017x}", number + n).as_str()).unwrap();
        let mut instance = Instance::unknown(id, region);
        instance.launched_at = Some(timestamp(at));
        instance.state = Some(State::Pending);
        instance.tags = kind
            .iter()
            .map(|key| ((*key).to_owned(), "x".to_owned()))
            .collect();
        instance.options = options(sim);
        let mut late_tags = Vec::new();
        if late {
            let from = at + sim.rng.i64(5 * SECOND..50 * SECOND);
            late_tags.push((from, "app".to_owned(), "scanner-late".to_owned()));
        } else if sim.rng.u32(0..100) < 2 {
            instance
                .tags
                .insert("app".to_owned(), "scanner-9".to_owned());
        }
        machines.push(SimInstance {
            instance,
            client_token: token.clone(),
            visible: at + sim.rng.i64(0..20 * SECOND),
            running: at + sim.rng.i64(5 * SECOND..40 * SECOND),
            ended: None,
            protected: sim.rng.u32(0..100) == 0,
            late_tags,
        });
    }
    // CloudTrail leaves the ids of large launches out.
    let recorded = if count < 44 {
        RecordedIds::All
    } else {
        RecordedIds::LeftOut
    };
    let described: Vec<Instance> = machines
        .iter()
        .map(|machine| machine.instance.clone())
        .collect();
    let event = events::launched(&described, &token, recorded, at);
    sim.at(at, |sim| {
        machines
            .into_iter()
            .for_each(|machine| sim.ec2.launch(machine))
    });
    deliver(sim, event, at);
    for instance in described {
        if sim.rng.u32(0..100) < 10 {
            deliver(sim, events::running(&instance, at), at);
        }
        change_by_people(sim, &instance, at);
    }
    count
}

/// The tags of an instance, which rules or a replacing service refer to.
fn kind(sim: &mut Sim) -> &'static [&'static str] {
    match sim.rng.u32(0..100) {
        0..8 => &["sandbox"],
        8..10 => &["sandbox", "aws:autoscaling:groupName"],
        10..13 => &["batch"],
        13..20 => &["eks:cluster-name"],
        20..25 => &["edge"],
        _ => &[],
    }
}

fn options(sim: &mut Sim) -> MetadataOptions {
    let tokens = match sim.rng.bool() {
        true => HttpTokens::Required,
        false => HttpTokens::Optional,
    };
    let endpoint = match sim.rng.u32(0..100) {
        0..5 => Toggle::Disabled,
        _ => Toggle::Enabled,
    };
    MetadataOptions {
        http_tokens: Some(tokens),
        http_endpoint: Some(endpoint),
        hop_limit: HopLimit::try_from(sim.rng.i64(1..5)).ok(),
        http_protocol_ipv6: Some(Toggle::Disabled),
        instance_metadata_tags: Some(Toggle::Disabled),
    }
}

/// Delivers an event late, twice, again hours later, or never.
fn deliver(sim: &mut Sim, event: Rc<str>, at: Time) {
    if sim.rng.u32(0..100) < 2 {
        return;
    }
    let copies = 1 + u32::from(sim.rng.u32(0..100) < 10);
    for _ in 0..copies {
        let (event, then) = (Rc::clone(&event), at + sim.rng.i64(SECOND..2 * MINUTE));
        sim.at(then, |sim| sim.deliver(event, 0));
    }
    if sim.rng.u32(0..100) < 3 {
        let then = at + sim.rng.i64(HOUR..10 * HOUR);
        sim.at(then, |sim| sim.deliver(event, 0));
    }
}

/// What people do to an instance, which is usually nothing.
fn change_by_people(sim: &mut Sim, instance: &Instance, launched: Time) {
    let at = launched + sim.rng.i64(MINUTE..8 * HOUR);
    let open = MetadataOptions {
        http_tokens: Some(HttpTokens::Optional),
        ..MetadataOptions::default()
    };
    match sim.rng.u32(0..1000) {
        0..10 => {
            let id = instance.id.clone();
            let at = launched + sim.rng.i64(SECOND..10 * MINUTE);
            sim.at(at, move |sim| {
                let ended = sim.now;
                sim.ec2.machine(&id).ended.get_or_insert(ended);
            });
        }
        10..20 => change(sim, instance, at, open),
        20..25 => {
            let closed = MetadataOptions {
                http_endpoint: Some(Toggle::Disabled),
                ..MetadataOptions::default()
            };
            let at = launched + sim.rng.i64(SECOND..MINUTE);
            change(sim, instance, at, closed);
        }
        25 => (0..30).for_each(|n| change(sim, instance, at + n * 6 * SECOND, open)),
        _ => {}
    }
}

fn change(sim: &mut Sim, instance: &Instance, at: Time, set: MetadataOptions) {
    let event = events::modified(instance, "mallory", &set, at);
    let id = instance.id.clone();
    sim.at(at, move |sim| {
        let options = &mut sim.ec2.machine(&id).instance.options;
        options.http_tokens = set.http_tokens.or(options.http_tokens);
        options.http_endpoint = set.http_endpoint.or(options.http_endpoint);
    });
    deliver(sim, event, at);
}
