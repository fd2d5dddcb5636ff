//! Cold starts: from the creation of the process to its first answer. The first event waits for it, as in
//! Lambda.

use std::io;
use std::path::Path;
use std::time::Instant;

use imds_tests::{FakeAws, FunctionBuilder};
use serde_json::json;

use crate::report::{Goal, ReportRow, Unit};
use crate::setup::{Compliance, LaunchedFleet, ProcessCost, Setup};
use crate::tls::TlsFront;

const MIB: f64 = 1024.0 * 1024.0;

const READY: &str = "process start → ready for the first event";
const FIRST_CHANGE: &str = "process start → EC2 has the first change";
const ENFORCED: &str = "process start → non-compliant instance enforced and answered";

/// Measures the floor and the function in turn, each start in a process of its own.
///
/// # Errors
/// When the folder cannot be written to.
pub(crate) fn measure(setup: &Setup, folder: &Path) -> io::Result<Vec<ReportRow>> {
    let ec2 = FakeAws::start();
    let front = TlsFront::start(&ec2, folder)?;
    let starts = AllStarts::measure(setup, &ec2, &front);
    let system_roots = front.system_roots;
    let mut rows = starts.plain_http();
    rows.extend(starts.tls());
    rows.extend(starts.tls_with_system_roots(system_roots));
    Ok(rows)
}

/// The cold starts of each kind.
#[derive(Default)]
struct AllStarts {
    floor: ColdStarts,
    compliant: ColdStarts,
    enforcing: ColdStarts,
    enforcing_tls: ColdStarts,
    enforcing_system_roots: ColdStarts,
}

impl AllStarts {
    fn measure(setup: &Setup, ec2: &FakeAws, front: &TlsFront) -> Self {
        let compliant = LaunchedFleet::launch(ec2, 1, Compliance::Compliant);
        let non_compliant = LaunchedFleet::launch(ec2, 1, Compliance::NonCompliant);
        let plain = || setup.enforcer(ec2.url());
        let tls = || setup.enforcer(front.url());
        let mut all = AllStarts::default();
        for _ in 0..setup.rounds {
            all.floor.push(start(setup.floor(), None));
            all.compliant.push(start(plain(), Some(&compliant)));
            all.floor.push(start(setup.floor(), None));
            all.enforcing.push(start(plain(), Some(&non_compliant)));
            all.floor.push(start(setup.floor(), None));
            let trusting = front.trusted_by_amazon_roots(tls());
            all.enforcing_tls
                .push(start(trusting, Some(&non_compliant)));
            all.floor.push(start(setup.floor(), None));
            let trusting = front.trusted_by_system_roots(tls());
            all.enforcing_system_roots
                .push(start(trusting, Some(&non_compliant)));
        }
        all
    }

    fn section(&self, name: impl Into<String>) -> ColdSection<'_> {
        ColdSection {
            name: name.into(),
            floor: &self.floor,
        }
    }

    fn plain_http(&self) -> Vec<ReportRow> {
        let http = self.section("cold start, plain HTTP");
        let (compliant, enforcing) = (&self.compliant, &self.enforcing);
        let answered = "process start → compliant launch answered";
        vec![
            http.row(READY, |s| s.ready, compliant)
                .goal(Goal::TimesFloor(1.4)),
            http.row(answered, |s| s.answered, compliant),
            http.first_change(FIRST_CHANGE, enforcing),
            http.row(ENFORCED, |s| s.answered, enforcing)
                .goal(Goal::TimesFloor(2.2)),
            http.row("CPU time, compliant", |s| s.cpu, compliant),
            http.row("CPU time, enforced", |s| s.cpu, enforcing),
            http.memory("peak memory after the first event, compliant", compliant),
            http.memory("peak memory after the first event, enforced", enforcing)
                .goal(Goal::AtMost(8.0 * MIB)),
        ]
    }

    fn tls(&self) -> Vec<ReportRow> {
        let tls = self.section("cold start, TLS");
        let starts = &self.enforcing_tls;
        vec![
            tls.row(READY, |s| s.ready, starts),
            tls.first_change(FIRST_CHANGE, starts),
            tls.row(ENFORCED, |s| s.answered, starts)
                .goal(Goal::TimesFloor(3.0)),
            tls.row("CPU time", |s| s.cpu, starts),
            tls.memory("peak memory after the first event", starts),
        ]
    }

    fn tls_with_system_roots(&self, roots: usize) -> Vec<ReportRow> {
        let name = format!("cold start, TLS, then the system's {roots} roots");
        let starts = &self.enforcing_system_roots;
        vec![self.section(name).row(ENFORCED, |s| s.answered, starts)]
    }
}

/// One cold start; times in seconds since the process was created.
struct ColdStart {
    ready: f64,
    answered: f64,
    changed: Option<f64>,
    cpu: f64,
    memory: f64,
}

type ColdStarts = Vec<ColdStart>;

fn start(function: FunctionBuilder, fleet: Option<&LaunchedFleet<'_>>) -> ColdStart {
    let event = fleet.map_or_else(
        || json!({}),
        |fleet| {
            fleet.prepare();
            fleet.event()
        },
    );
    let (function, invocation) = function.start_with(&event);
    match fleet {
        Some(fleet) => fleet.check(&invocation),
        None => assert!(invocation.result.is_ok(), "{invocation:#?}"),
    }
    let started = function.started();
    let since = |at: Instant| at.duration_since(started).as_secs_f64();
    let ready = since(function.first_poll().expect("it has answered"));
    let ProcessCost { cpu, memory } = ProcessCost::read(&function);
    ColdStart {
        ready,
        answered: ready + invocation.duration.as_secs_f64(),
        changed: fleet.and_then(LaunchedFleet::first_change).map(since),
        cpu,
        memory,
    }
}

struct ColdSection<'a> {
    name: String,
    floor: &'a ColdStarts,
}

impl ColdSection<'_> {
    fn row(&self, what: &str, figure: fn(&ColdStart) -> f64, starts: &ColdStarts) -> ReportRow {
        ReportRow::new(&self.name, what, Unit::Seconds)
            .floor(self.floor.iter().map(figure))
            .measured(starts.iter().map(figure))
    }

    /// Compares with the answer of the floor, which changes nothing.
    fn first_change(&self, what: &str, starts: &ColdStarts) -> ReportRow {
        ReportRow::new(&self.name, what, Unit::Seconds)
            .floor(self.floor.iter().map(|start| start.answered))
            .measured(starts.iter().filter_map(|start| start.changed))
    }

    fn memory(&self, what: &str, starts: &ColdStarts) -> ReportRow {
        ReportRow::new(&self.name, what, Unit::Bytes)
            .floor(self.floor.iter().map(|start| start.memory))
            .measured(starts.iter().map(|start| start.memory))
    }
}
