//! What the function costs a month, computed from what it really wrote and called, and the table in README
//! that says so. `UPDATE=1` writes the table again.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests panic on the unexpected and read the clock"
)]

#[path = "../enforcer/support.rs"]
mod support;

mod month;
mod prices;
mod table;
mod usage;

use imds_tests::{FakeAws, Function, LaunchBuilder, REGIONS, launch};
use month::{Costs, Invocations, Trigger, costs, metric_months};
use prices::*;
use serde_json::json;
use support::*;
use usage::{Usage, log_bytes, measure, metrics};

/// Regions that have instances.
const WITH_INSTANCES: [&str; REGIONS_WITH_INSTANCES] = [REGION, "us-east-1", "ap-southeast-2"];

fn old(region: &str) -> LaunchBuilder {
    launch(region).launched(seconds(90 * DAY))
}

/// An account with compliant instances, and a function.
fn account() -> (FakeAws, Function) {
    let ec2 = FakeAws::start();
    ec2.set_regions(&REGIONS);
    for region in WITH_INSTANCES {
        ec2.launch_many(old(region).tokens("required"), 20);
    }
    let policy = json!({
        "version": 1, "require": { "http_tokens": "required" }, "on_violation": "enforce",
        "rules": [{ "name": "legacy scanner", "when": { "tags": { "app": "scanner-*" } },
                    "action": "exempt", "reason": "vendor ticket 4711" }]
    });
    let function = function(&ec2, &policy.to_string());
    (ec2, function)
}

/// Adds what most accounts have that were not built with IMDSv2.
fn leave(ec2: &FakeAws) {
    for region in WITH_INSTANCES {
        for id in ec2.launch_many(old(region), IN_USE_EACH) {
            in_use(ec2, &id);
        }
        ec2.launch_many(old(region).tag("app", "scanner-1"), EXEMPT_EACH);
        for id in ec2.launch_many(old(region), UNUSED_EACH) {
            unused(ec2, &id);
        }
    }
    let missed = ec2.launch(launch(REGION).launched(seconds(2 * HOUR)));
    unused(ec2, &missed);
}

fn invocations(trigger: Trigger, a_day: f64, each: Usage) -> Invocations {
    Invocations {
        trigger,
        a_month: a_day * DAYS,
        each,
    }
}

/// A launch whose event shows it.
fn one_launch(ec2: &FakeAws, function: &Function, tokens: &str) -> (String, Usage) {
    let id = ec2.launch(launch(REGION).tokens(tokens));
    let usage = measure(ec2, function, &launched_one(ec2, &id));
    assert_eq!(ec2.instance(&id).options.tokens, "required");
    (id, usage)
}

/// A month of an account in which everything is compliant.
fn compliant_month() -> Vec<Invocations> {
    let (ec2, function) = account();
    let sweep = measure(&ec2, &function, &sweep(&REGIONS));
    let (_, launch) = one_launch(&ec2, &function, "required");
    vec![
        invocations(Trigger::Sweep, SWEEPS_A_DAY, sweep),
        invocations(Trigger::Event, LAUNCHES_A_DAY, launch),
    ]
}

/// A month of an account with leftovers.
fn month_with_leftovers() -> Vec<Invocations> {
    let (ec2, function) = account();
    leave(&ec2);
    let finds = measure(&ec2, &function, &sweep(&REGIONS));
    let repeats = measure(&ec2, &function, &sweep(&REGIONS));
    let (_, compliant) = one_launch(&ec2, &function, "required");
    let (id, enforced) = one_launch(&ec2, &function, "optional");
    ec2.set_options(&id, |options| options.tokens = "optional".to_owned());
    let changed = modified(&id, "ada", &json!({ "HttpTokens": "optional" }));
    let drift = measure(&ec2, &function, &changed);
    assert_eq!(ec2.instance(&id).options.tokens, "required");
    let non_compliant = NON_COMPLIANT_LAUNCHES_A_DAY;
    vec![
        invocations(Trigger::Sweep, 1.0, finds),
        invocations(Trigger::Sweep, SWEEPS_A_DAY - 1.0, repeats),
        invocations(Trigger::Event, LAUNCHES_A_DAY - non_compliant, compliant),
        invocations(Trigger::Event, non_compliant, enforced),
        invocations(Trigger::Event, DRIFTS_A_DAY, drift),
    ]
}

fn names(usage: &Usage) -> Vec<&str> {
    let names = usage.metrics.iter();
    names.map(|(_, name, _)| name.as_str()).collect()
}

#[test]
fn the_costs_in_readme_are_those_of_what_the_function_writes_and_calls() {
    let leftovers = month_with_leftovers();
    // Organizations share the tiers of a price.
    let most = 300.0;
    assert!(most * metric_months(&leftovers) < METRICS_AT_PRICE);
    let one = costs(&leftovers);
    let accounts = |count: f64| -> Costs { one.map(|usd| usd * count) };
    let expected = table::render(&[
        ("1, all compliant".to_owned(), costs(&compliant_month())),
        ("1, with leftovers".to_owned(), one),
        ("30, with leftovers".to_owned(), accounts(30.0)),
        (format!("{most}, with leftovers"), accounts(most)),
    ]);
    let written = table::in_readme(&expected);
    assert!(
        written == expected,
        "README.md is stale: write it again with UPDATE=1\n{written}\n{expected}"
    );
}

#[test]
fn a_sweep_of_17_regions_that_finds_nothing_writes_one_metric_and_no_log_line_besides() {
    let (ec2, function) = account();
    let usage = measure(&ec2, &function, &sweep(&REGIONS));
    assert_eq!(REGIONS.len(), 17);
    assert_eq!(names(&usage), ["SweepIncomplete"]);
    assert!(usage.log_bytes < 400, "{}", usage.log_bytes);
    assert_eq!(usage.requested_metrics, 0);
    // Pauses of the account and of each Region; the lease is taken and given back.
    assert_eq!((usage.read_units, usage.write_units), (18, 2));
}

#[test]
fn what_occurs_is_a_metric_once_however_many_regions_and_invocations_have_it() {
    let month = month_with_leftovers();
    let written: Vec<Vec<&str>> = month.iter().map(|it| names(&it.each)).collect();
    let expected: [&[&str]; 5] = [
        &[
            "Enforced",
            "ExemptInstances",
            "MissedLaunches",
            "NonCompliant",
            "SweepIncomplete",
        ],
        &["ExemptInstances", "NonCompliant", "SweepIncomplete"],
        &["Compliant"],
        &["Enforced", "SecondsExposed"],
        &["Enforced"],
    ];
    assert_eq!(written, expected);
    // Each hour `Compliant` and the three gauges; `Enforced` in the hours of 12 invocations a day,
    // `SecondsExposed` in those of 10, `MissedLaunches` in one.
    let hours = [24.0, 24.0, 24.0, 24.0, 12.0, 10.0, 1.0];
    let months = hours.iter().sum::<f64>() / 24.0;
    assert!((metric_months(&month) - months).abs() < 1e-9);
    // Two metrics of each instance that is not exempt; later only of those that are in use.
    let (unused, in_use) = (UNUSED_EACH, IN_USE_EACH);
    let requested: Vec<usize> = month.iter().map(|it| it.each.requested_metrics).collect();
    let regions = REGIONS_WITH_INSTANCES;
    let expected = [regions * (unused + in_use) + 1, regions * in_use, 0, 0];
    assert_eq!(requested[..4], expected.map(|instances| 2 * instances));
}

#[test]
fn counts_that_are_zero_and_dimensions_would_cost_as_much_as_others() {
    let line = |dimensions: &str, counts: &[&str], region: &str| {
        let listed: Vec<_> = counts.iter().map(|name| json!({ "Name": name })).collect();
        let mut line = json!({ "Region": region, "_aws": { "CloudWatchMetrics": [{
            "Namespace": "ImdsEnforcer/enforcer", "Dimensions": [[]], "Metrics": listed }] } });
        if !dimensions.is_empty() {
            line["_aws"]["CloudWatchMetrics"][0]["Dimensions"] = json!([[dimensions]]);
        }
        for name in counts {
            line[name] = json!(0);
        }
        line.to_string()
    };
    let outcomes = ["Enforced", "Stopped", "SweepIncomplete"];
    let cost = |lines: &[String]| {
        let metrics = lines.iter().flat_map(|line| metrics(line)).collect();
        let each = Usage {
            metrics,
            ..Usage::default()
        };
        METRIC.of(metric_months(&[invocations(Trigger::Sweep, 24.0, each)]))
    };
    let usd = |cost: f64| (cost * 100.0).round() / 100.0;
    let gauge = line("", &outcomes[2..], "");
    assert_eq!(usd(cost(&[gauge.clone(), gauge])), 0.30);
    assert_eq!(usd(cost(&[line("", &outcomes, "")])), 0.90);
    let regions: Vec<String> = REGIONS
        .iter()
        .map(|region| line("Region", &outcomes, region))
        .collect();
    assert_eq!(usd(cost(&regions)), 15.30);
}

#[test]
fn the_size_of_a_log_line_does_not_depend_on_the_digits_of_a_fraction() {
    assert_eq!(log_bytes("a b."), 26 + 4);
    for time in ["12:00:00.1Z", "12:00:00.123456789Z"] {
        assert_eq!(log_bytes(time), 26 + 19);
    }
    assert_eq!(log_bytes("0.5,1.25"), 26 + "0.500000000,1.250000000".len());
}
