//! A sweep of compliant instances, which only reads.

use imds_tests::FakeAws;
use serde_json::json;

use crate::report::{ReportRow, Unit};
use crate::setup::{ProcessCost, Setup};
use crate::support::report;

/// The number of regions with instances.
const REGIONS: usize = 6;

/// Measures sweeps, each in a process of its own.
pub(crate) fn measure(setup: &Setup, instances: usize) -> Vec<ReportRow> {
    let ec2 = FakeAws::start();
    let regions = &imds_tests::REGIONS[..REGIONS];
    for region in regions {
        let launch = imds_tests::launch(region).tokens("required");
        ec2.launch_many(launch, instances / REGIONS);
    }
    let event = json!({
        "source": "imds-enforcer",
        "detail-type": "Sweep",
        "detail": { "regions": regions },
    });
    let (mut times, mut cpu, mut memory, mut calls) = (vec![], vec![], vec![], 0);
    for _ in 0..setup.rounds.div_ceil(4) {
        let function = setup.enforcer(ec2.url()).start();
        assert_eq!(function.init_error(), None);
        ec2.forget_calls();
        let before = ProcessCost::read(&function);
        let invocation = function.invoke(&event);
        let after = ProcessCost::read(&function);
        let report = report(&invocation);
        assert_eq!(report["summary"]["compliant"], instances, "{report:#}");
        calls = ec2.calls().len();
        times.push(invocation.duration.as_secs_f64());
        cpu.push(after.cpu - before.cpu);
        memory.push(after.memory);
    }
    let row = |what: &str, unit| {
        let what = format!("{instances} compliant: {what}");
        ReportRow::new("sweep of 6 regions, plain HTTP", what, unit)
    };
    vec![
        row("latency", Unit::Seconds).measured(times).calls(calls),
        row("CPU", Unit::Seconds).measured(cpu),
        row("peak memory", Unit::Bytes).measured(memory),
    ]
}
