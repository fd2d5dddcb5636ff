//! A large fleet and large launches: calls, memory, and how many sweeps it takes at EC2's own rates.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test stops at what it did not expect, and lives in the present"
)]

use std::time::Duration;

#[path = "enforcer/support.rs"]
mod support;

use imds_tests::{Function, Outcome, REGIONS, Standin, binary, launch};
use serde_json::{Value, json};
use support::*;

const MODIFY: &str = "ModifyInstanceMetadataOptions";

#[test]
fn a_sweep_of_20_000_instances_makes_the_least_calls_and_stays_small() {
    let ec2 = Standin::start();
    ec2.set_regions(&REGIONS);
    let (mut wrong, mut pages, mut metrics) = (0, 0, 0);
    for (n, region) in REGIONS.iter().enumerate() {
        let instances = 1176 + usize::from(n == 0) * 8;
        let open = if n == 0 { 1100 } else { 30 };
        ec2.launch_many(launch(region).tag("team", "payments"), open);
        let right = launch(region).tokens("required").tag("team", "payments");
        ec2.launch_many(right, instances - open);
        wrong += open;
        pages += instances.div_ceil(1000);
        metrics += open.div_ceil(500);
    }
    ec2.set_latency(Duration::from_millis(20));
    // Debug builds and busy machines are slow; what is measured here is not time.
    let function = sweeper(&ec2);
    let run = function.invoke_with_timeout(&sweep(), seconds(600));
    let summary = &report(&run)["summary"];
    assert_eq!(
        (&summary["enforced"], &summary["compliant"]),
        (&json!(wrong), &json!(20_000 - wrong))
    );
    let least = [
        ("DescribeRegions", 1),
        ("DescribeInstances", pages),
        ("GetMetricData", metrics),
        (MODIFY, wrong),
    ];
    let made = least.map(|(action, _)| (action, ec2.count(action)));
    assert_eq!(made, least);
    assert_eq!(
        ec2.calls().len(),
        least.iter().map(|(_, calls)| calls).sum::<usize>()
    );
    let peak = peak_memory(function.process_id());
    println!(
        "20,000 instances in 17 regions, {wrong} wrong: {made:?}, the least possible; {} calls at \
         once, peak memory {peak} KiB, {:.1} s",
        ec2.max_in_flight(),
        run.duration.as_secs_f64()
    );
    assert!(peak < 96 * 1024, "{peak} KiB");
    assert!(ec2.max_in_flight() <= 64);
}

/// Everything but EC2's refill is a fiftieth: 20,000 instances, half of them in one region, buckets of
/// 100, and five minutes of time. So a sweep mends as large a part of the fleet as it does in AWS.
#[test]
fn at_ec2_s_rates_a_fleet_of_20_000_is_mended_in_a_few_sweeps() {
    const SCALE: usize = 50;
    let ec2 = Standin::start();
    ec2.set_regions(&REGIONS);
    ec2.set_rate(MODIFY, 100.0 / SCALE as f64, 5.0);
    for region in REGIONS {
        let largest = region == "us-east-1";
        let instances = if largest { 10_000 } else { 10_000 / 16 };
        ec2.launch_many(launch(region), instances / SCALE);
    }
    let function = sweeper(&ec2);
    let mut left = Vec::new();
    loop {
        let run = function.invoke_with_timeout(&sweep(), seconds(300 / SCALE as u64));
        left.push(open(&ec2, &REGIONS) * SCALE);
        if run.result.is_ok() {
            break;
        }
        assert!(left.len() < 24, "{left:?}");
    }
    println!(
        "20,000 wrong instances, 10,000 of them in one region, sweeps of 5 minutes without a pause: \
         all mended by sweep {}; left after each: {left:?}",
        left.len()
    );
    assert_eq!(left.last(), Some(&0), "it fails while work is left");
    // 10,000 at five a second for 85 % of five minutes are eight sweeps.
    assert!(left.len() >= 7);
}

/// Other processes draw from the same bucket, and each sees only its own calls.
#[test]
fn large_launches_at_once_keep_to_ec2_s_rates_and_a_sweep_leaves_nothing() {
    const EVENTS: usize = 200;
    const INSTANCES: usize = 20;
    // The calls that are under way when the bucket runs dry.
    const IN_FLIGHT: usize = INSTANCES * EVENTS;
    let ec2 = Standin::start();
    ec2.set_rate(MODIFY, 100.0, 200.0);
    for event in 0..EVENTS {
        let token = format!("t{event}");
        ec2.launch_many(launch(REGION).client_token(&token), INSTANCES);
    }
    let run = |event: usize| {
        let event = cut(REGION, Some(&format!("t{event}")), INSTANCES);
        let function = function(&ec2, ENFORCE);
        let run = function.invoke_with_timeout(&event, seconds(60));
        run.result.is_ok()
    };
    let results: Vec<bool> = std::thread::scope(|scope| {
        let run = &run;
        let runs: Vec<_> = (0..EVENTS)
            .map(|event| scope.spawn(move || run(event)))
            .collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    let left = open(&ec2, &[REGION]);
    let calls = ec2.calls_to(MODIFY);
    let throttled = calls
        .iter()
        .filter(|call| call.outcome != Outcome::Ok)
        .count();
    assert!(left == 0 || results.contains(&false), "it fails loudly");
    let function = sweeper(&ec2);
    let mut sweeps = 1;
    while function
        .invoke_with_timeout(&sweep(), seconds(30))
        .result
        .is_err()
    {
        sweeps += 1;
        assert!(sweeps < 8);
    }
    assert_eq!(open(&ec2, &[REGION]), 0);
    println!(
        "{EVENTS} launches of {INSTANCES} instances without ids at once: {} calls, {throttled} of them \
         throttled; {left} instances left, and none after {sweeps} sweeps",
        calls.len()
    );
    let later = throttled.saturating_sub(IN_FLIGHT);
    assert!(
        later * 4 <= calls.len(),
        "{throttled} of {} calls for nothing",
        calls.len()
    );
}

fn sweeper(ec2: &Standin) -> Function {
    let policy = json!({
        "require": { "http_tokens": "required" }, "on_violation": "enforce",
        "existing": { "unknown": "enforce" }
    });
    Function::of(binary("enforcer"))
        .standin(ec2)
        .policy(&policy.to_string())
        .start()
}

fn sweep() -> Value {
    json!({ "source": "imds-enforcer", "detail-type": "Sweep", "account": "111122223333", "detail": {} })
}

fn open(ec2: &Standin, regions: &[&str]) -> usize {
    let all = regions.iter().flat_map(|region| ec2.instances(region));
    all.filter(|instance| instance.options.tokens == "optional")
        .count()
}

/// The most memory that a process has held, in KiB.
fn peak_memory(process: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse().ok())
        .unwrap()
}
