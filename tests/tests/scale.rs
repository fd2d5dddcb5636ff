//! Large fleets and launches: calls, memory, and the number of sweeps at EC2's own rates.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests panic on the unexpected and read the clock"
)]

use std::time::Duration;

#[path = "enforcer/support.rs"]
mod support;

use imds_tests::{CallOutcome, FakeAws, Function, Invocation, LaunchBuilder, REGIONS, launch};
use serde_json::json;
use support::*;

const MODIFY: &str = "ModifyInstanceMetadataOptions";

/// Neither new nor recent, so that a sweep asks for its use of IMDSv1.
fn existing(region: &str) -> LaunchBuilder {
    launch(region).launched(Duration::from_hours(100 * 24))
}

#[test]
fn a_sweep_of_20_000_instances_makes_the_least_calls_and_stays_small() {
    // 14 days have up to 338 hours, each instance two metrics, and an answer 100,800 datapoints.
    const ASKED_AT_ONCE: usize = 100_800 / 338 / 2;
    const READ_AT_ONCE: usize = 100;
    let ec2 = FakeAws::start();
    ec2.set_regions(&REGIONS);
    let (mut non_compliant, mut pages, mut metrics, mut batches) = (0, 0, 0, 0);
    for (n, region) in REGIONS.iter().enumerate() {
        let instances = 1176 + usize::from(n == 0) * 8;
        let open = if n == 0 { 1100 } else { 30 };
        ec2.launch_many(existing(region).tag("team", "payments"), open);
        let compliant = existing(region).tokens("required").tag("team", "payments");
        ec2.launch_many(compliant, instances - open);
        non_compliant += open;
        pages += instances.div_ceil(1000);
        metrics += open.div_ceil(ASKED_AT_ONCE);
        // What people have exempted, and two items for what they have paused.
        batches += (open + 2).div_ceil(READ_AT_ONCE);
    }
    ec2.set_latency(Duration::from_millis(20));
    // A long timeout, because debug builds and busy machines are slow.
    let function = sweeper(&ec2);
    let run = function.invoke_with_timeout(&sweep(&[]), seconds(600));
    let summary = &report(&run)["summary"];
    assert_eq!(
        (&summary["enforced"], &summary["compliant"]),
        (&json!(non_compliant), &json!(20_000 - non_compliant)),
        "the worst: {}",
        report(&run)["instances"][0]
    );
    let least = [
        ("DescribeRegions", 1),
        ("DescribeInstances", pages),
        ("GetMetricData", metrics),
        (MODIFY, non_compliant),
        // The pauses of all regions first.
        ("BatchGetItem", 1 + batches),
        // The lease, at the beginning and at the end.
        ("UpdateItem", 2),
    ];
    let made = least.map(|(action, _)| (action, ec2.count(action)));
    assert_eq!(made, least);
    assert_eq!(
        ec2.calls().len(),
        least.iter().map(|(_, calls)| calls).sum::<usize>()
    );
    let peak = peak_memory(function.process_id());
    println!(
        "20,000 instances in 17 regions, {non_compliant} non-compliant: {made:?}, the least possible; {} \
         concurrent calls, peak memory {peak} KiB, {:.1} s",
        ec2.max_in_flight(),
        run.duration.as_secs_f64()
    );
    assert!(peak < 96 * 1024, "{peak} KiB");
    assert!(ec2.max_in_flight() <= 64);
}

/// Instances, bucket sizes and timeout are a fiftieth of 20,000, 100 and five minutes, while the refill is
/// EC2's, so that a sweep enforces the same share of the fleet as in AWS.
#[test]
fn at_ec2_s_rates_a_fleet_of_20_000_is_enforced_in_a_few_sweeps() {
    const SCALE: usize = 50;
    let ec2 = FakeAws::start();
    ec2.set_regions(&REGIONS);
    ec2.set_rate(MODIFY, 100.0 / SCALE as f64, 5.0);
    for region in REGIONS {
        let largest = region == "us-east-1";
        let instances = if largest { 10_000 } else { 10_000 / 16 };
        ec2.launch_many(existing(region), instances / SCALE);
    }
    let function = sweeper(&ec2);
    let mut left = Vec::new();
    loop {
        let run = function.invoke_with_timeout(&sweep(&[]), seconds(300 / SCALE as u64));
        left.push(open(&ec2, &REGIONS) * SCALE);
        if is_complete(&ec2, &run) {
            break;
        }
        assert!(left.len() < 24, "{left:?}");
    }
    println!(
        "20,000 non-compliant instances, 10,000 of them in one region, sweeps of 5 minutes without a pause: \
         all enforced by sweep {}; left after each: {left:?}",
        left.len()
    );
    assert_eq!(left.last(), Some(&0), "it says what is left");
    // 10,000 at five a second for 85 % of five minutes are eight sweeps.
    assert!(left.len() >= 7);
}

/// The processes share the bucket, and each knows only its own calls.
#[test]
fn concurrent_large_launches_stay_within_ec2_s_rates_and_a_sweep_leaves_nothing() {
    const EVENTS: usize = 200;
    const INSTANCES: usize = 20;
    // The calls in flight when the bucket is empty.
    const IN_FLIGHT: usize = INSTANCES * EVENTS;
    let ec2 = FakeAws::start();
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
        .filter(|call| call.outcome != CallOutcome::Ok)
        .count();
    assert!(
        left == 0 || results.contains(&false),
        "an unfinished launch is an error"
    );
    let function = sweeper(&ec2);
    let mut sweeps = 1;
    while !is_complete(
        &ec2,
        &function.invoke_with_timeout(&sweep(&[]), seconds(30)),
    ) {
        sweeps += 1;
        assert!(sweeps < 8);
    }
    assert_eq!(open(&ec2, &[REGION]), 0);
    println!(
        "{EVENTS} launches of {INSTANCES} instances without ids, concurrently: {} calls, {throttled} of them \
         throttled; {left} instances left, and none after {sweeps} sweeps",
        calls.len()
    );
    let later = throttled.saturating_sub(IN_FLIGHT);
    assert!(
        later * 4 <= calls.len(),
        "{throttled} of {} calls were throttled",
        calls.len()
    );
}

/// A policy change finds a fleet that was launched before it.
#[test]
fn a_first_sweep_of_10_000_open_instances_enforces_50_in_an_hour_and_region_and_says_what_is_left()
{
    const INSTANCES: usize = 10_000;
    const PER_HOUR: usize = 50;
    let ec2 = FakeAws::start();
    ec2.set_regions(&[REGION]);
    ec2.launch_many(existing(REGION), INSTANCES);
    let policy = enforcing(json!({ "unknown": "enforce" }));
    let function = function(&ec2, &policy);
    for enforced in [PER_HOUR, 0] {
        let run = function.invoke_with_timeout(&sweep(&[]), seconds(300));
        assert!(
            is_complete(&ec2, &run),
            "what is held back is not a failure"
        );
        let report = report(&run);
        assert_eq!(report["summary"]["enforced"], enforced);
        assert_eq!(report["left"], INSTANCES - PER_HOUR);
        assert_eq!(metric(&run, "LeftForNextSweep"), [INSTANCES - PER_HOUR]);
    }
    assert_eq!(open(&ec2, &[REGION]), INSTANCES - PER_HOUR);
    let counted = ec2.item("existing#111122223333#eu-central-1").unwrap();
    assert_eq!(counted["entries"].as_object().unwrap().len(), PER_HOUR);
}

/// Without an hourly limit.
fn sweeper(ec2: &FakeAws) -> Function {
    let policy = json!({
        "version": 1, "require": { "http_tokens": "required" }, "on_violation": "enforce",
        "existing": { "unknown": "enforce" }, "limits": { "existing_per_hour": null }
    });
    function(ec2, &policy.to_string())
}

/// A sweep succeeds, and its gauge says whether it left something. One that a busy machine keeps from ending
/// in time also keeps its lease, and the next comes when that has ended.
fn is_complete(ec2: &FakeAws, sweep: &Invocation) -> bool {
    match &sweep.result {
        Ok(_) => metric(sweep, "SweepIncomplete") == [0],
        Err(error) => {
            assert_eq!(error.error_type, "Sandbox.Timedout", "{error:?}");
            ec2.remove_item("lease#111122223333");
            false
        }
    }
}

fn open(ec2: &FakeAws, regions: &[&str]) -> usize {
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
