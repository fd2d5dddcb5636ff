//! What people do: they end, stop and start instances, change their options, and make events up.

use std::rc::Rc;

use imds_core::instance::{Instance, InstanceId, State};
use imds_core::options::{HttpTokens, MetadataOptions, Toggle};
use imds_core::state::{Item, Key, Value};

use crate::ec2::{DAY, HOUR, MINUTE, NEVER, SECOND, SimInstance, Time, timestamp};
use crate::events::{self, ACCOUNT, RecordedIds};
use crate::sim::Sim;
use crate::traffic::deliver;
use crate::{DAWN, REGIONS};

const OPEN: MetadataOptions = MetadataOptions {
    http_tokens: Some(HttpTokens::Optional),
    http_endpoint: None,
    hop_limit: None,
    http_protocol_ipv6: None,
    instance_metadata_tags: None,
};

/// What people do to an instance that was launched then, which is usually nothing.
pub(crate) fn act(sim: &mut Sim, machine: &SimInstance, launched: Time) {
    let instance = &machine.instance;
    let at = launched + sim.rng.i64(MINUTE..8 * HOUR);
    match sim.rng.u32(0..100) {
        // While it waits for its tags.
        0 => {
            let at = launched + sim.rng.i64(SECOND..MINUTE);
            exempt(sim, instance, at);
        }
        1..3 => {
            exempt(sim, instance, at);
            change(sim, instance, at + MINUTE, OPEN);
        }
        _ => {}
    }
    let uses = machine.software.calls.0 != NEVER;
    if uses && sim.rng.u32(0..100) < 40 {
        // Software fails, and its owner opens the instance again.
        let failed = machine.software.calls.0.max(launched);
        let at = failed + sim.rng.i64(2 * HOUR..3 * HOUR);
        change(sim, instance, at, OPEN);
    }
    match sim.rng.u32(0..1000) {
        0..10 => {
            let id = instance.id.clone();
            let at = launched + sim.rng.i64(SECOND..10 * MINUTE);
            sim.at(at, move |sim| {
                let now = sim.now;
                let machine = sim.ec2.machine(&id);
                if machine.ended.is_none() {
                    machine.end(now);
                }
            });
        }
        10..20 => change(sim, instance, at, OPEN),
        20..35 => {
            let closed = MetadataOptions {
                http_tokens: None,
                http_endpoint: Some(Toggle::Disabled),
                ..OPEN
            };
            let at = launched + sim.rng.i64(SECOND..MINUTE);
            change(sim, instance, at, closed);
        }
        35 => (0..30).for_each(|n| change(sim, instance, at + n * 6 * SECOND, OPEN)),
        36..40 => forge_launch(sim, instance, at),
        40..50 => {
            stop(sim, instance, at);
            let again = at + sim.rng.i64(MINUTE..6 * HOUR);
            start(sim, instance, again);
        }
        _ => {}
    }
}

/// What people do during the day to an instance that is months old.
pub(crate) fn act_on_old(sim: &mut Sim, machine: &SimInstance) {
    let instance = &machine.instance;
    let at = DAWN + sim.rng.i64(0..20 * HOUR);
    if sim.rng.u32(0..100) < 10 {
        let at = DAWN + sim.rng.i64(0..6 * HOUR);
        exempt(sim, instance, at);
    }
    if instance.state == Some(State::Stopped) && sim.rng.bool() {
        start(sim, instance, at);
    }
    match sim.rng.u32(0..100) {
        0..10 => forge_launch(sim, instance, at),
        10..15 => deliver(sim, events::started(&instance.region, &instance.id, at), at),
        15..20 => deliver(sim, events::running(&instance.region, &instance.id, at), at),
        // The options that it has already.
        20..25 => deliver(
            sim,
            events::modified(instance, events::PEOPLE, &instance.options, at),
            at,
        ),
        25..27 => forge_token(sim, instance, at),
        27..30 => change(sim, instance, at, OPEN),
        _ => {}
    }
}

/// A launch of now, or of a day in the future, that names an instance of months ago.
fn forge_launch(sim: &mut Sim, instance: &Instance, at: Time) {
    let named = std::slice::from_ref(instance);
    let says = at + [0, 10 * DAY][sim.rng.usize(0..2)];
    let event = events::launched(named, Some("forged"), RecordedIds::All, says);
    deliver(sim, event, at);
}

/// A launch of now without ids, with the token of another launch, or with one that is a pattern.
fn forge_token(sim: &mut Sim, instance: &Instance, at: Time) {
    let own = instance.client_token.as_deref();
    let token = match sim.rng.bool() {
        true => own,
        false => Some("*"),
    };
    let named = std::slice::from_ref(instance);
    let event = events::launched(named, token, RecordedIds::LeftOut, at);
    deliver(sim, event, at);
}

fn stop(sim: &mut Sim, instance: &Instance, at: Time) {
    let id = instance.id.clone();
    sim.at(at, move |sim| {
        let now = sim.now;
        let machine = sim.ec2.machine(&id);
        machine.settle(now);
        if machine.instance.state == Some(State::Running) {
            machine.set_state(State::Stopped, now);
        }
    });
}

/// A start, which CloudTrail records and EC2 tells of.
fn start(sim: &mut Sim, instance: &Instance, at: Time) {
    let (id, region) = (instance.id.clone(), instance.region.clone());
    sim.at(at, move |sim| started(sim, &id, &region));
}

fn started(sim: &mut Sim, id: &InstanceId, region: &str) {
    let now = sim.now;
    let machine = sim.ec2.machine(id);
    machine.settle(now);
    if machine.instance.state != Some(State::Stopped) {
        return;
    }
    machine.set_state(State::Pending, now);
    machine.instance.started_at = Some(timestamp(now));
    machine.running = now + 15 * SECOND;
    machine.touched = now;
    sim.ec2.started(id);
    sim.count("event", "somebody started an instance");
    let record = events::started(region, id, now);
    deliver(sim, record, now);
    if sim.rng.bool() {
        deliver(sim, events::running(region, id, now), now);
    }
}

fn change(sim: &mut Sim, instance: &Instance, at: Time, set: MetadataOptions) {
    let event: Rc<str> = events::modified(instance, events::PEOPLE, &set, at);
    let id = instance.id.clone();
    sim.at(at, move |sim| {
        let machine = sim.ec2.machine(&id);
        machine.settle(at);
        let options = &mut machine.instance.options;
        *options = set.or(options);
        machine.options_set(at);
        machine.touched = at;
    });
    deliver(sim, event, at);
}

/// Writes that an instance is exempt for hours or days, or what cannot be read and is removed after hours.
fn exempt(sim: &mut Sim, instance: &Instance, at: Time) {
    let key = Key::exemption(&instance.id);
    let until = at + [sim.rng.i64(HOUR..10 * HOUR), 40 * DAY][sim.rng.usize(0..2)];
    let id = instance.id.clone();
    write(sim, key, (at, until));
    sim.at(at, move |sim| sim.ec2.written.exempt(&id, (at, until)));
}

/// Pauses of one region, and of all, during the day and when events are handed over again.
pub(crate) fn pause(sim: &mut Sim) {
    for day in [DAWN, DAWN + 30 * DAY] {
        for n in 0..15 {
            let region = [Some(REGIONS[n % 5]), None][usize::from(n > 12)];
            let slot = HOUR + Time::try_from(n).unwrap() * 85 * MINUTE;
            let at = day + slot + sim.rng.i64(0..40 * MINUTE);
            let until = at + sim.rng.i64(5 * MINUTE..40 * MINUTE);
            write(sim, Key::pause(ACCOUNT, region), (at, until));
            let name = region.unwrap_or_default();
            sim.at(at, move |sim| sim.ec2.written.paused(name, (at, until)));
        }
    }
}

/// Writes an item that holds during a time.
fn write(sim: &mut Sim, key: Key, (at, until): (Time, Time)) {
    let text = |text: String| Value::Text(text);
    let by = ("by".to_owned(), text("ada".to_owned()));
    let is_readable = sim.rng.u32(0..10) > 0;
    let written = match is_readable {
        true => text(timestamp(until).to_string()),
        false => text("next week".to_owned()),
    };
    let item = Item::from([("until".to_owned(), written), by]);
    if !is_readable {
        let key = key.clone();
        sim.at(until, move |sim| sim.table.remove(&key));
    }
    sim.at(at, move |sim| sim.table.put(key, item));
}

/// The table is not available for a while, a few times during the day.
pub(crate) fn outages(sim: &mut Sim) {
    for hours in [2, 7, 12, 17, 22, 30 * 24 + 3, 30 * 24 + 15] {
        let from = DAWN + hours * HOUR + sim.rng.i64(0..HOUR);
        let until = from + sim.rng.i64(3 * MINUTE..25 * MINUTE);
        sim.at(from, |sim| sim.table.is_down = true);
        sim.at(until, |sim| sim.table.is_down = false);
        sim.ec2.written.outage((from, until));
    }
}
