//! A day of 100,000 launches in virtual time: in random order, with duplicates, replays, lost events,
//! late tags, people who change options, and faults. At its end every instance is as the policy says,
//! and nothing was done that must never be.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test stops at what it did not expect, and lives in the present"
)]

mod ec2;
mod events;
mod guard;
mod real;
mod sim;
#[path = "../enforcer/support.rs"]
mod support;

use std::collections::BTreeMap;
use std::rc::Rc;

use ec2::{HOUR, MINUTE, Machine, SECOND, Time, timestamp};
use imds_core::instance::{
    HopLimit, HttpTokens, Instance, InstanceId, MetadataOptions, State, Toggle,
};
use imds_core::policy::Policy;
use sim::Sim;

const LAUNCHES: usize = 100_000;
const SEED: u64 = 7;
const REGIONS: [&str; 5] = [
    "ap-south-1",
    "eu-central-1",
    "eu-west-1",
    "us-east-1",
    "us-west-2",
];
const TERMINATIONS: usize = 10;
const MENDS: usize = 6;

/// The day begins.
const DAWN: Time = 1_781_481_600 * SECOND;

const POLICY: &str = r#"{
  "require": { "http_tokens": "required" },
  "on_violation": "enforce",
  "rules": [
    { "name": "scanners", "when": { "tags": { "app": "scanner-*" } }, "then": "exempt" },
    { "name": "sandboxes", "when": { "regions": ["us-*"], "tags": { "sandbox": "*" } }, "then": "terminate" },
    { "name": "batch", "when": { "tags": { "batch": "*" } }, "then": "stop" },
    { "name": "kubernetes", "when": { "tags": { "eks:cluster-name": "*" } },
      "require": { "hop_limit": { "at_least": 2 } } },
    { "name": "edge", "when": { "tags": { "edge": "*" } }, "require": { "hop_limit": { "at_most": 1 } } }
  ],
  "limits": { "terminations_per_hour": 10, "grace_seconds": 60, "mends_per_hour": 6 },
  "existing": { "usage_window_days": 1, "in_use": "enforce", "unknown": "enforce" }
}"#;

#[test]
fn after_a_day_of_faults_every_instance_is_as_the_policy_says_and_nothing_forbidden_was_done() {
    let mut sim = Sim::new(Policy::parse(POLICY).unwrap(), DAWN, SEED);
    sim.faults = 5;
    let mut launched = 0;
    while launched < LAUNCHES {
        launched += launch(&mut sim, launched);
    }
    for hour in (2..24).step_by(2) {
        sim.at(DAWN + hour * HOUR, |sim| {
            sim.deliver(events::sweep(&REGIONS), 0)
        });
    }
    sim.run();
    sim.faults = 0;
    for hour in 36..38 {
        sim.at(DAWN + hour * HOUR, |sim| {
            sim.deliver(events::sweep(&REGIONS), 0)
        });
    }
    sim.run();

    let now = sim.now;
    let mut wrong = Vec::new();
    let mut fleet: BTreeMap<&str, usize> = BTreeMap::new();
    for machine in sim.ec2.all(now) {
        let fate = fate(machine);
        *fleet.entry(fate).or_default() += 1;
        if fate == "wrong" {
            wrong.push(format!("{machine:#?}"));
        }
    }
    let busiest = sim.ec2.terminations.iter();
    let busiest: BTreeMap<_, _> = busiest
        .map(|(region, at)| (region, busiest_hour(at)))
        .collect();
    let mends = sim.mends.values().map(|at| busiest_hour(at)).max();
    println!("{launched} instances, seed {SEED}; calls, events, outcomes:");
    for ((what, how), count) in &sim.ledger {
        println!("{count:8}  {what}: {how}");
    }
    println!("fleet: {fleet:?}");
    println!("most terminations within an hour: {busiest:?}");
    println!("most mends of one drifting instance within an hour: {mends:?}");
    println!("changes that changed nothing: {}", sim.ec2.needless);
    println!(
        "endpoints disabled between look and call, and enabled by it: {}",
        sim.ec2.raced
    );
    for (what, which) in &sim.ec2.forbidden {
        println!(
            "forbidden: {what}: {} times, such as {}",
            which.len(),
            which[0]
        );
    }
    assert!(
        wrong.is_empty(),
        "{} wrong, such as {}",
        wrong.len(),
        wrong[0]
    );
    assert!(sim.ec2.forbidden.is_empty());
    assert!(busiest.values().all(|most| *most <= TERMINATIONS));
    // The hour of `mends_per_hour` begins with the first mend, so that any hour meets two of them.
    assert!(mends.unwrap() <= 2 * MENDS);
    // The call names the endpoint because EC2 has demanded it; there is no call that does so only where
    // it is enabled.
    assert!(sim.ec2.raced < 50);
    // A soak in which little happens shows little.
    for what in [
        ("outcome", "terminated"),
        ("outcome", "spared"),
        ("outcome", "stopped"),
        ("outcome", "reported"),
        ("event", "launch, cut"),
        ("invocation", "failed for good"),
    ] {
        assert!(sim.ledger.get(&what).is_some_and(|n| *n >= 10), "{what:?}");
    }
}

/// One call of RunInstances, and all that follows from it on other sides than ours.
fn launch(sim: &mut Sim, number: usize) -> usize {
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
        machines.push(Machine {
            instance,
            client_token: token.clone(),
            visible: at + sim.rng.i64(0..20 * SECOND),
            running: at + sim.rng.i64(5 * SECOND..40 * SECOND),
            ended: None,
            protected: sim.rng.u32(0..100) == 0,
            late_tags,
        });
    }
    let seen: Vec<Instance> = machines
        .iter()
        .map(|machine| machine.instance.clone())
        .collect();
    let event = events::launched(&seen, &token, count < 44, at);
    sim.at(at, |sim| {
        machines
            .into_iter()
            .for_each(|machine| sim.ec2.launch(machine))
    });
    deliver(sim, event, at);
    for instance in seen {
        if sim.rng.u32(0..100) < 10 {
            deliver(sim, events::running(&instance, at), at);
        }
        live(sim, &instance, at);
    }
    count
}

/// Tags that rules ask for, or that who replaces it sets.
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
    let toggle = |on| {
        if on {
            Toggle::Enabled
        } else {
            Toggle::Disabled
        }
    };
    MetadataOptions {
        http_tokens: Some(if sim.rng.bool() {
            HttpTokens::Required
        } else {
            HttpTokens::Optional
        }),
        http_endpoint: Some(toggle(sim.rng.u32(0..100) >= 5)),
        hop_limit: HopLimit::try_from(sim.rng.i64(1..5)).ok(),
        http_protocol_ipv6: Some(Toggle::Disabled),
        instance_metadata_tags: Some(Toggle::Disabled),
    }
}

/// Events come late, twice, hours later once more, or not at all.
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

/// What people do to it: nothing, mostly.
fn live(sim: &mut Sim, instance: &Instance, launched: Time) {
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

/// The policy once more, in other words.
fn fate(machine: &Machine) -> &'static str {
    let Instance {
        tags,
        options,
        state,
        ..
    } = &machine.instance;
    let has = |key: &str| tags.contains_key(key);
    let hops = u8::from(options.hop_limit.unwrap());
    let decided_before =
        has("sandbox") && machine.instance.region.starts_with("us-") || has("batch");
    let hops_right = decided_before
        || (!has("eks:cluster-name") || hops >= 2)
            && (!has("edge") || has("eks:cluster-name") || hops <= 1);
    match state {
        _ if machine.ended.is_some() => "ended",
        _ if machine.is_exempt() => "exempt",
        Some(State::Stopped) if has("batch") => "stopped",
        _ if options.http_endpoint == Some(Toggle::Disabled) => "endpoint disabled",
        _ if options.http_tokens == Some(HttpTokens::Required) && hops_right => "as required",
        _ => "wrong",
    }
}

/// The most within any hour.
fn busiest_hour(times: &[Time]) -> usize {
    let mut times = times.to_vec();
    times.sort_unstable();
    let from = times.iter().enumerate();
    from.map(|(n, first)| times[n..].partition_point(|time| time - first < HOUR))
        .max()
        .unwrap_or_default()
}
