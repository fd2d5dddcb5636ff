//! A day of 100,000 launches in virtual time, with duplicate, replayed, reordered and lost events, late
//! tags, people who change options, and faults. At its end every instance is as the policy requires, and
//! nothing forbidden was done.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests panic on the unexpected and read the clock"
)]

mod apply;
mod ec2;
mod events;
mod function;
mod real;
mod sim;
#[path = "../enforcer/support.rs"]
mod support;
mod traffic;

use std::collections::BTreeMap;

use ec2::{HOUR, SECOND, SimInstance, Time};
use imds_core::instance::{Instance, State};
use imds_core::options::{HttpTokens, Toggle};
use imds_core::policy::Policy;
use sim::Sim;
use traffic::launch;

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
    { "name": "edge", "when": { "tags": { "edge": "*" } }, "require": { "hop_limit": { "at_most": 1 } } }
  ],
  "new_instances": { "grace_seconds": 60 },
  "limits": { "disruptions_per_hour": 10, "enforcements_per_hour": 6 },
  "existing": { "usage_window_days": 1, "in_use": "enforce", "unknown": "enforce" }
}"#;

#[test]
fn after_a_day_of_faults_every_instance_is_as_the_policy_requires_and_nothing_forbidden_was_done() {
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
    let mut non_compliant = Vec::new();
    let mut fleet: BTreeMap<&str, usize> = BTreeMap::new();
    for machine in sim.ec2.all(now) {
        let state = final_state(machine);
        *fleet.entry(state).or_default() += 1;
        if state == NON_COMPLIANT {
            non_compliant.push(format!("{machine:#?}"));
        }
    }
    let busiest = sim.ec2.terminations.iter();
    let busiest: BTreeMap<_, _> = busiest
        .map(|(region, at)| (region, busiest_hour(at)))
        .collect();
    let enforcements = sim.enforcements.values().map(|at| busiest_hour(at)).max();
    println!("{launched} instances, seed {SEED}; fleet at the end: {fleet:?}");
    println!("most terminations within an hour: {busiest:?}");
    println!("most enforcements of one drifting instance within an hour: {enforcements:?}");
    print_ledger(&sim);
    if let Some(first) = non_compliant.first() {
        panic!("{} non-compliant, such as {first}", non_compliant.len());
    }
    assert!(sim.ec2.forbidden.is_empty());
    assert!(busiest.values().all(|most| *most <= TERMINATIONS));
    // The hour of `enforcements_per_hour` begins with the first enforcement, so that any hour overlaps two.
    assert!(enforcements.unwrap() <= 2 * ENFORCEMENTS);
    // EC2 has required `HttpEndpoint=enabled` in a call that sets tokens; a call cannot be made to depend
    // on the current value.
    assert!(sim.ec2.raced < 50);
    // A soak proves something only if everything happens often enough.
    for what in [
        ("outcome", "terminated"),
        ("outcome", "enforced, over the disruption limit"),
        ("outcome", "stopped"),
        ("outcome", "reported"),
        ("event", "launch, cut"),
        ("invocation", "failed for good"),
    ] {
        assert!(sim.ledger.get(&what).is_some_and(|n| *n >= 10), "{what:?}");
    }
}

fn print_ledger(sim: &Sim) {
    println!("calls, events, outcomes:");
    for ((what, how), count) in &sim.ledger {
        println!("{count:8}  {what}: {how}");
    }
    println!("changes that changed nothing: {}", sim.ec2.needless);
    println!(
        "endpoints disabled between describe and call, and enabled by the call: {}",
        sim.ec2.raced
    );
    for (what, which) in &sim.ec2.forbidden {
        let times = which.len();
        println!("forbidden: {what}: {times} times, such as {}", which[0]);
    }
}

const NON_COMPLIANT: &str = "non-compliant";

/// What the policy asks for, stated independently of its implementation.
fn final_state(machine: &SimInstance) -> &'static str {
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
    let hops_compliant = decided_before
        || (!has("eks:cluster-name") || hops >= 2)
            && (!has("edge") || has("eks:cluster-name") || hops <= 1);
    match state {
        _ if machine.ended.is_some() => "ended",
        _ if machine.is_exempt() => "exempt",
        Some(State::Stopped) if has("batch") => "stopped",
        _ if options.http_endpoint == Some(Toggle::Disabled) => "endpoint disabled",
        _ if options.http_tokens == Some(HttpTokens::Required) && hops_compliant => "as required",
        _ => NON_COMPLIANT,
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
