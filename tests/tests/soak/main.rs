//! A day of 100,000 launches in virtual time, among instances that are months old: with duplicate,
//! reordered, lost and forged events, and with events that are handed over again after 30 days; with late and
//! early tags, starts, restores, people who change options, and faults. At its end every instance is as the
//! policy and the evidence say, and nothing forbidden was done.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests panic on the unexpected and read the clock"
)]

mod apply;
mod asking;
mod changes;
mod cloudwatch;
mod disrupting;
mod ec2;
mod events;
mod function;
mod observing;
mod oracle;
mod people;
mod real;
mod sim;
#[path = "../enforcer/support.rs"]
mod support;
mod sweeping;
mod traffic;

use std::collections::BTreeMap;

use ec2::{DAY, HOUR, MINUTE, SECOND, Time};
use imds_core::policy::Policy;
use oracle::{final_state, is_as_required_after};
use sim::Sim;
use traffic::{OLD, launch, old_instance};

const LAUNCHES: usize = 100_000;
const SEED: u64 = 7;
const REGIONS: [&str; 5] = [
    "ap-south-1",
    "eu-central-1",
    "eu-west-1",
    "us-east-1",
    "us-west-2",
];
/// How many of a hundred calls fail.
const FAULTS: u32 = 5;
const TERMINATIONS: usize = 10;
const ENFORCEMENTS: usize = 6;

/// The beginning of the day.
const DAWN: Time = 1_781_481_600 * SECOND;

const POLICY: &str = r#"{
  "version": 1, "require": { "http_tokens": "required" },
  "on_violation": "enforce",
  "rules": [
    { "name": "scanners", "when": { "tags": { "app": "scanner-*" } }, "action": "exempt" },
    { "name": "sandboxes", "when": { "regions": ["us-*"], "tags": { "sandbox": "*" } }, "action": "terminate" },
    { "name": "batch", "when": { "tags": { "batch": "*" } }, "action": "stop" },
    { "name": "kubernetes", "when": { "tags": { "eks:cluster-name": "*" } },
      "require": { "hop_limit": { "at_least": 2 } } },
    { "name": "edge", "when": { "tags": { "edge": "*" } }, "require": { "hop_limit": { "at_most": 1 } } },
    { "name": "tags", "when": { "tags": { "shows-tags": "*" } },
      "require": { "instance_metadata_tags": "enabled" } }
  ],
  "new_instances": { "grace_seconds": 60 },
  "limits": { "disruptions_per_hour": 10, "enforcements_per_hour": 6 },
  "existing": { "usage_window_days": 14, "in_use": "report", "unknown": "report" }
}"#;

#[test]
fn after_a_day_of_faults_every_instance_is_as_the_evidence_says_and_nothing_forbidden_was_done() {
    let mut sim = Sim::new(Policy::parse(POLICY).unwrap(), DAWN, SEED);
    sim.faults = FAULTS;
    (0..OLD).for_each(|number| old_instance(&mut sim, 2 * LAUNCHES + number));
    let mut launched = 0;
    while launched < LAUNCHES {
        launched += launch(&mut sim, launched);
    }
    for hour in (6..24).step_by(6) {
        sweep_at(&mut sim, DAWN + hour * HOUR);
    }
    sweep_without_faults(&mut sim, DAWN + DAY);
    sweep_without_faults(&mut sim, DAWN + 32 * DAY);
    sim.run();

    let now = sim.now;
    let mut fleet: BTreeMap<&str, usize> = BTreeMap::new();
    for machine in sim.ec2.all(now) {
        *fleet.entry(final_state(machine)).or_default() += 1;
    }
    let busiest = sim.ec2.terminations.iter();
    let busiest: BTreeMap<_, _> = busiest
        .map(|(region, at)| (region, busiest_hour(at)))
        .collect();
    let enforcements = sim.enforcements.values().map(|at| busiest_hour(at)).max();
    println!("{launched} launches, {OLD} old instances, seed {SEED}; fleet at the end: {fleet:?}");
    println!("most terminations within an hour: {busiest:?}");
    println!("most enforcements of one drifting instance within an hour: {enforcements:?}");
    print_ledger(&sim);
    assert!(
        sim.ec2.forbidden.is_empty(),
        "{:#?}",
        sim.ec2.forbidden.keys()
    );
    assert!(busiest.values().all(|most| *most <= TERMINATIONS));
    // The hour of `enforcements_per_hour` begins with the first enforcement, so that any hour overlaps two.
    assert!(enforcements.unwrap() <= 2 * ENFORCEMENTS);
    every_event_ended_in_an_answer_or_an_error(&sim);
    everything_happened_often_enough(&sim);
}

fn sweep_at(sim: &mut Sim, at: Time) {
    sim.at(at, |sim| sim.deliver(events::sweep(&REGIONS), 0));
}

/// A sweep during which no call fails, and after which every instance must be as required.
fn sweep_without_faults(sim: &mut Sim, at: Time) {
    sim.at(at, |sim| sim.faults = 0);
    sweep_at(sim, at);
    sim.at(at + 20 * MINUTE, move |sim| {
        let now = sim.now;
        let all = sim.ec2.all(now);
        let left = all.filter(|machine| !is_as_required_after(machine, at));
        let left: Vec<_> = left.map(|machine| machine.instance.id.clone()).collect();
        for id in left {
            sim.ec2.forbid("left open by a sweep", "", &id, now);
        }
        sim.faults = FAULTS;
    });
}

fn every_event_ended_in_an_answer_or_an_error(sim: &Sim) {
    let count = |how| {
        sim.ledger
            .get(&("invocation", how))
            .copied()
            .unwrap_or_default()
    };
    assert_eq!(count("begun"), count("ended"));
    let failed = count("failed, delivered again") + count("failed for good");
    assert_eq!(count("ended"), count("done") + failed);
}

/// A soak proves something only if everything happens often enough.
fn everything_happened_often_enough(sim: &Sim) {
    for what in [
        ("outcome", "terminated"),
        ("outcome", "stopped"),
        ("outcome", "enforced, not terminated"),
        ("outcome", "enforced, not stopped"),
        ("outcome", "reported, managed"),
        ("outcome", "reported, refused"),
        ("outcome", "tokens required without another option"),
        ("outcome", "a question without an answer"),
        ("outcome", "gone"),
        ("observation", "no interface yet"),
        ("disruption", "over its limit"),
        ("disruption", "too late"),
        ("event", "launch, cut"),
        ("event", "once more"),
        ("event", "somebody started an instance"),
        ("invocation", "failed for good"),
        ("DescribeSpotInstanceRequests", "done"),
    ] {
        assert!(sim.ledger.get(&what).is_some_and(|n| *n >= 10), "{what:?}");
    }
    for because in ["InUse", "UsageUnknown", "RejectedCalls", "DriftLimit"] {
        let times = sim.reported.get(because);
        assert!(times.is_some_and(|n| *n >= 10), "reported: {because}");
    }
    for because in [
        "DedicatedCapacity",
        "Drift",
        "NotNew",
        "Replaced",
        "Restored",
    ] {
        let times = sim.enforced.get(because);
        assert!(times.is_some_and(|n| *n >= 10), "enforced: {because}");
    }
    assert!(
        sim.ec2.raced >= 1,
        "an endpoint disabled while a call waits"
    );
}

fn print_ledger(sim: &Sim) {
    println!("calls, events, outcomes:");
    for ((what, how), count) in &sim.ledger {
        println!("{count:8}  {what}: {how}");
    }
    println!("reported, because: {:?}", sim.reported);
    println!("enforced, and because: {:?}", sim.enforced);
    println!("changes that changed nothing: {}", sim.ec2.needless);
    println!(
        "endpoints disabled between describe and call: {}",
        sim.ec2.raced
    );
    for (what, which) in &sim.ec2.forbidden {
        let times = which.len();
        println!("forbidden: {what}: {times} times, such as {}", which[0]);
    }
}

/// The most times within any hour.
fn busiest_hour(times: &[Time]) -> usize {
    let mut times = times.to_vec();
    times.sort_unstable();
    let from = times.iter().enumerate();
    from.map(|(n, first)| times[n..].partition_point(|time| time - first < HOUR))
        .max()
        .unwrap_or_default()
}
