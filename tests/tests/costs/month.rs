//! What a month costs an account.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use imds_tests::REGIONS;

use crate::prices::*;
use crate::usage::{Metric, Usage};

/// What starts an invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// The schedule.
    Sweep,
    /// An event that a rule forwards to the home bus.
    Event,
}

/// Invocations of one kind, and how many of them a month has.
#[derive(Clone, Debug)]
pub(crate) struct Invocations {
    pub(crate) trigger: Trigger,
    pub(crate) a_month: f64,
    pub(crate) each: Usage,
}

/// The services, in the order of the table's columns.
pub(crate) const SERVICES: [&str; 8] = [
    "alarms",
    "dashboard",
    "metrics",
    "`GetMetricData`",
    "logs",
    "Lambda",
    "EventBridge",
    "DynamoDB",
];

/// US dollars for each service.
pub(crate) type Costs = [f64; SERVICES.len()];

/// What the account pays for a month.
pub(crate) fn costs(month: &[Invocations]) -> Costs {
    let sum = |of: &dyn Fn(&Invocations) -> f64| -> f64 {
        month.iter().map(|it| it.a_month * of(it)).sum()
    };
    let each = |of: &dyn Fn(&Usage) -> usize| sum(&|it: &Invocations| of(&it.each) as f64);
    let memory = default_memory() / 1024.0;
    let seconds = sum(&|it| match it.trigger {
        Trigger::Sweep => SWEEP_SECONDS,
        Trigger::Event => EVENT_SECONDS,
    });
    let of = |trigger| sum(&|it| if it.trigger == trigger { 1.0 } else { 0.0 });
    let bus = of(Trigger::Event) + each(&|it| it.result_events);
    [
        ALARM.of(alarms() as f64),
        DASHBOARD.of(DASHBOARDS as f64),
        METRIC.of(metric_months(month)),
        REQUESTED_METRIC.of(each(&|it| it.requested_metrics)),
        LOGS.of(each(&|it| it.log_bytes)),
        INVOCATION.of(sum(&|_| 1.0)) + GB_SECOND.of(memory * seconds),
        BUS_EVENT.of(bus) + SCHEDULED.of(of(Trigger::Sweep)),
        READ_UNIT.of(each(&|it| it.read_units))
            + WRITE_UNIT.of(each(&|it| it.write_units))
            + STORED.of(TABLE_BYTES),
    ]
}

/// Metrics, each by the share of the month's hours in which it is written. Two invocations that write it are
/// in different hours, which costs the most.
pub(crate) fn metric_months(month: &[Invocations]) -> f64 {
    let mut written: BTreeMap<&Metric, f64> = BTreeMap::new();
    for invocations in month {
        for metric in &invocations.each.metrics {
            *written.entry(metric).or_default() += invocations.a_month;
        }
    }
    written.values().map(|hours| hours.min(HOURS) / HOURS).sum()
}

pub(crate) fn alarms() -> usize {
    HOME_ALARMS + HOME_BUS_ALARMS + REGION_ALARMS * REGIONS.len()
}

/// The module's default, in MB.
pub(crate) fn default_memory() -> f64 {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../terraform/variables.tf");
    let variables = fs::read_to_string(path).unwrap();
    let (_, variable) = variables.split_once("variable \"memory\" {").unwrap();
    let lines = variable.lines().map(|line| line.split_once('='));
    let mut settings = lines.flatten();
    let default = settings.find(|(name, _)| name.trim() == "default").unwrap();
    default.1.trim().parse().unwrap()
}
