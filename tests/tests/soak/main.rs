//! Ten days of 10,000 launches in virtual time, among instances that are months old: with duplicate,
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
mod counting;
mod disrupting;
mod ec2;
mod events;
mod function;
mod observing;
mod oracle;
mod people;
mod real;
mod remembering;
mod sim;
#[path = "../enforcer/support.rs"]
mod support;
mod sweeping;
mod table;
mod traffic;

use std::collections::{BTreeMap, BTreeSet};

use ec2::{DAY, HOUR, MINUTE, SECOND, Time};
use imds_core::policy::Policy;
use oracle::{final_state, is_as_required_after};
use sim::Sim;
use traffic::{OLD, launch, old_instance};

/// For each seed.
const LAUNCHES: usize = 10_000;
const SEEDS: std::ops::Range<u64> = 0..10;

/// Sweeps without faults after the first.
const SWEEPS: Time = 14;
const REGIONS: [&str; 5] = [
    "ap-south-1",
    "eu-central-1",
    "eu-west-1",
    "us-east-1",
    "us-west-2",
];
/// How many of a hundred calls fail.
const FAULTS: u32 = 5;
/// The limits of the policy.
const DISRUPTIONS: usize = 2;
const ENFORCEMENTS: usize = 6;
const EXISTING: usize = 12;

/// The beginning of the day.
const DAWN: Time = 1_781_481_600 * SECOND;

const POLICY: &str = r#"{
  "version": 1, "require": { "http_tokens": "required" },
  "on_violation": "enforce",
  "rules": [
    { "name": "scanners", "when": { "tags": { "app": "scanner-*" } }, "action": "exempt" },
    { "name": "pipelines", "when": { "tags": { "pipeline": "*" }, "principals": ["*:user/ci"] },
      "action": "exempt" },
    { "name": "sandboxes", "when": { "regions": ["us-*"], "tags": { "sandbox": "*" } }, "action": "terminate" },
    { "name": "batch", "when": { "tags": { "batch": "*" } }, "action": "stop" },
    { "name": "kubernetes", "when": { "tags": { "eks:cluster-name": "*" } },
      "require": { "hop_limit": { "at_least": 2 } } },
    { "name": "edge", "when": { "tags": { "edge": "*" } }, "require": { "hop_limit": { "at_most": 1 } } },
    { "name": "tags", "when": { "tags": { "shows-tags": "*" } },
      "require": { "instance_metadata_tags": "enabled" } }
  ],
  "new_instances": { "grace_seconds": 60 },
  "limits": { "disruptions_per_hour": 2, "enforcements_per_hour": 6, "existing_per_hour": 12 },
  "existing": { "usage_window_days": 14, "in_use": "report", "unknown": "report" }
}"#;

#[test]
fn after_a_day_of_faults_every_instance_is_as_the_evidence_says_and_nothing_forbidden_was_done() {
    // Half of the seeds at a time, so that they use two cores.
    let [odd, even] = [1, 0].map(|first| {
        std::thread::spawn(move || {
            let seeds = SEEDS.filter(|seed| seed % 2 == first);
            seeds.map(soak).collect::<Vec<Soaked>>()
        })
    });
    let mut all = Soaked::default();
    for soaked in [odd, even]
        .into_iter()
        .flat_map(|seeds| seeds.join().unwrap())
    {
        all.add(soaked);
    }
    print_ledger(&all);
    assert!(all.broken.is_empty(), "{:#?}", all.broken);
    everything_happened_often_enough(&all);
}

/// What came of seeds.
#[derive(Default)]
struct Soaked {
    ledger: BTreeMap<(&'static str, &'static str), usize>,
    reported: BTreeMap<String, usize>,
    enforced: BTreeMap<String, usize>,
    needless: usize,
    raced: usize,
    /// Promises, with an example.
    broken: Vec<String>,
}

impl Soaked {
    fn add(&mut self, other: Soaked) {
        for (what, count) in other.ledger {
            *self.ledger.entry(what).or_default() += count;
        }
        for (why, count) in other.reported {
            *self.reported.entry(why).or_default() += count;
        }
        for (why, count) in other.enforced {
            *self.enforced.entry(why).or_default() += count;
        }
        self.needless += other.needless;
        self.raced += other.raced;
        self.broken.extend(other.broken);
    }
}

fn soak(seed: u64) -> Soaked {
    let mut sim = Sim::new(Policy::parse(POLICY).unwrap(), DAWN, seed);
    sim.faults = FAULTS;
    (0..OLD).for_each(|number| old_instance(&mut sim, 2 * LAUNCHES + number));
    let mut launched = 0;
    while launched < LAUNCHES {
        launched += launch(&mut sim, launched);
    }
    people::pause(&mut sim);
    people::outages(&mut sim);
    for n in 1..16 {
        sweep_at(&mut sim, DAWN + n * 90 * MINUTE);
    }
    sweeps_without_faults(&mut sim, DAWN + DAY);
    sweeps_without_faults(&mut sim, DAWN + 32 * DAY);
    sim.run();

    let now = sim.now;
    let mut fleet: BTreeMap<&str, usize> = BTreeMap::new();
    for machine in sim.ec2.all(now) {
        *fleet.entry(final_state(machine)).or_default() += 1;
    }
    println!("{launched} launches, {OLD} old instances, seed {seed}; fleet at the end: {fleet:?}");
    every_event_ended_in_an_answer_or_an_error(&sim);
    let broken = broken(&sim);
    let broken = broken.into_iter().map(|it| format!("seed {seed}: {it}"));
    let broken: Vec<String> = broken.collect();
    println!("seed {seed}: broken: {broken:#?}");
    Soaked {
        broken,
        ledger: sim.ledger,
        reported: sim.reported,
        enforced: sim.enforced,
        needless: sim.ec2.needless,
        raced: sim.ec2.raced,
    }
}

/// The promises that were not kept.
fn broken(sim: &Sim) -> Vec<String> {
    let mut broken = Vec::new();
    for (what, which) in &sim.ec2.forbidden {
        broken.push(format!(
            "{what}: {} times, such as {}",
            which.len(),
            which[0]
        ));
    }
    let mut at_most = |limit: usize, most: usize, what: &str| {
        if most > limit {
            broken.push(format!("{most} {what} within an hour, and not {limit}"));
        }
    };
    for (region, at) in &sim.ec2.disruptions {
        at_most(
            DISRUPTIONS,
            busiest_hour(at),
            &format!("disruptions in {region}"),
        );
    }
    for (region, enforced) in &sim.ec2.existing {
        let what = format!("existing instances enforced in {region}");
        at_most(EXISTING, busiest_hour(enforced), &what);
    }
    for (id, changes) in &sim.ec2.drifted {
        at_most(
            ENFORCEMENTS,
            busiest_hour(changes),
            &format!("changes of {id} enforced"),
        );
    }
    broken
}

fn sweep_at(sim: &mut Sim, at: Time) {
    sim.at(at, |sim| sim.deliver(events::sweep(&REGIONS), 0));
}

/// Sweeps during which no call fails, so far apart that each may enforce as many as the first. After them
/// every instance must be as required.
fn sweeps_without_faults(sim: &mut Sim, begin: Time) {
    let after = |n| begin + n * 64 * MINUTE;
    sim.at(begin, |sim| sim.faults = 0);
    (0..=SWEEPS).for_each(|n| sweep_at(sim, after(n)));
    let last = after(SWEEPS);
    sim.at(last + 20 * MINUTE, move |sim| {
        let now = sim.now;
        let all = sim.ec2.all(now);
        let left = all.filter(|machine| !is_as_required_after(machine, last));
        let left: Vec<_> = left.map(|machine| machine.instance.id.clone()).collect();
        for id in left {
            if !sim.ec2.written.is_exempt(&id, last) {
                sim.ec2.forbid("left open by sweeps", "", &id, now);
            }
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
    let done = count("done") + count("done, and something left");
    assert_eq!(count("ended"), done + failed);
}

/// A soak proves something only if everything happens often enough.
fn everything_happened_often_enough(all: &Soaked) {
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
        ("outcome", "exempt by an entry"),
        ("outcome", "the table not read"),
        ("launcher", "remembered"),
        ("observation", "no interface yet"),
        ("disruption", "over its limit"),
        ("disruption", "too late"),
        ("disruption", "permitted again"),
        ("event", "launch, cut"),
        ("event", "once more"),
        ("event", "somebody started an instance"),
        ("invocation", "failed for good"),
        ("invocation", "killed"),
        ("UpdateItem", "condition failed"),
        ("UpdateItem", "its own entries found"),
        ("DescribeSpotInstanceRequests", "done"),
    ] {
        assert!(all.ledger.get(&what).is_some_and(|n| *n >= 10), "{what:?}");
    }
    for because in [
        "DriftLimit",
        "ExistingLimit",
        "InUse",
        "LauncherUnknown",
        "Paused",
        "RejectedCalls",
        "StateUnavailable",
        "UsageUnknown",
    ] {
        let times = all.reported.get(because);
        assert!(times.is_some_and(|n| *n >= 10), "reported: {because}");
    }
    for because in [
        "DedicatedCapacity",
        "Drift",
        "NotNew",
        "Replaced",
        "Restored",
    ] {
        let times = all.enforced.get(because);
        assert!(times.is_some_and(|n| *n >= 10), "enforced: {because}");
    }
    let not_counted = ("disruption", "not counted");
    assert!(all.ledger.contains_key(&not_counted), "{not_counted:?}");
    assert!(all.raced >= 1, "an endpoint disabled while a call waits");
}

fn print_ledger(all: &Soaked) {
    println!("calls, events, outcomes:");
    for ((what, how), count) in &all.ledger {
        println!("{count:8}  {what}: {how}");
    }
    println!("reported, because: {:?}", all.reported);
    println!("enforced, and because: {:?}", all.enforced);
    println!("changes that changed nothing: {}", all.needless);
    println!(
        "endpoints disabled between describe and call: {}",
        all.raced
    );
}

/// The most different ones within any hour.
fn busiest_hour<T: Ord>(times: &[(Time, T)]) -> usize {
    let hours = times.iter().enumerate().map(|(n, (first, _))| {
        let hour = times[n..].iter().take_while(|(at, _)| at - first < HOUR);
        hour.map(|(_, which)| which).collect::<BTreeSet<_>>().len()
    });
    hours.max().unwrap_or_default()
}
