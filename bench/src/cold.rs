//! Cold starts: from the making of the process to its first answer. The first event waits for it, as in
//! Lambda.

use std::io;
use std::path::Path;

use std::time::Instant;

use imds_tests::{FunctionBuilder, Standin};
use serde_json::json;

use crate::report::{Goal, Row, Unit};
use crate::setup::{Cost, Fleet, Setup};
use crate::tls::Front;

const MIB: f64 = 1024.0 * 1024.0;

/// Floor and function by turns, each start a process of its own.
///
/// # Errors
/// When the folder can't be written to.
pub(crate) fn measure(setup: &Setup, folder: &Path) -> io::Result<Vec<Row>> {
    let ec2 = Standin::start();
    let front = Front::start(&ec2, folder)?;
    let compliant = Fleet::launch(&ec2, 1, false);
    let wrong = Fleet::launch(&ec2, 1, true);
    let plain = || setup.enforcer(ec2.url());
    let secure = || front.trusted_by(setup.enforcer(front.url()));
    let other = || front.trusted_at_last_by(setup.enforcer(front.url()));

    let mut floor = Starts::default();
    let mut idle = Starts::default();
    let mut mending = Starts::default();
    let mut secure_mending = Starts::default();
    let mut other_mending = Starts::default();
    for _ in 0..setup.rounds {
        floor.push(start(setup.floor(), None));
        idle.push(start(plain(), Some(&compliant)));
        floor.push(start(setup.floor(), None));
        mending.push(start(plain(), Some(&wrong)));
        floor.push(start(setup.floor(), None));
        secure_mending.push(start(secure(), Some(&wrong)));
        floor.push(start(setup.floor(), None));
        other_mending.push(start(other(), Some(&wrong)));
    }

    let http = Section {
        name: "cold start, plain HTTP".to_owned(),
        floor: &floor,
    };
    let tls = Section {
        name: "cold start, TLS".to_owned(),
        floor: &floor,
    };
    let other = Section {
        name: format!(
            "cold start, TLS, then the system's {} roots",
            front.system_roots
        ),
        floor: &floor,
    };
    Ok(vec![
        http.row(
            "process start → ready for the first event",
            |s| s.ready,
            &idle,
        )
        .goal(Goal::TimesFloor(1.4)),
        http.row(
            "process start → compliant launch answered",
            |s| s.answered,
            &idle,
        ),
        http.first_change("process start → EC2 has the first mend", &mending),
        http.row(
            "process start → wrong instance mended and answered",
            |s| s.answered,
            &mending,
        )
        .goal(Goal::TimesFloor(2.2)),
        http.row("CPU time of it, compliant", |s| s.cpu, &idle),
        http.row("CPU time of it, mended", |s| s.cpu, &mending),
        http.memory("peak memory after the first event, compliant", &idle),
        http.memory("peak memory after the first event, mended", &mending)
            .goal(Goal::AtMost(8.0 * MIB)),
        tls.row(
            "process start → ready for the first event",
            |s| s.ready,
            &secure_mending,
        ),
        tls.first_change("process start → EC2 has the first mend", &secure_mending),
        tls.row(
            "process start → wrong instance mended and answered",
            |s| s.answered,
            &secure_mending,
        )
        .goal(Goal::TimesFloor(3.0)),
        tls.row("CPU time of it", |s| s.cpu, &secure_mending),
        tls.memory("peak memory after the first event", &secure_mending),
        other.row(
            "process start → wrong instance mended and answered",
            |s| s.answered,
            &other_mending,
        ),
    ])
}

/// One cold start; times in seconds since the process was made.
struct Start {
    ready: f64,
    answered: f64,
    changed: Option<f64>,
    cpu: f64,
    memory: f64,
}

type Starts = Vec<Start>;

fn start(function: FunctionBuilder, fleet: Option<&Fleet<'_>>) -> Start {
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
    let Cost { cpu, memory } = Cost::of(&function);
    Start {
        ready,
        answered: ready + invocation.duration.as_secs_f64(),
        changed: fleet.and_then(Fleet::first_change).map(since),
        cpu,
        memory,
    }
}

struct Section<'a> {
    name: String,
    floor: &'a Starts,
}

impl Section<'_> {
    fn row(&self, what: &str, figure: fn(&Start) -> f64, starts: &Starts) -> Row {
        Row::new(&self.name, what, Unit::Seconds)
            .floor(self.floor.iter().map(figure))
            .measured(starts.iter().map(figure))
    }

    /// The floor changes nothing: it has answered by then.
    fn first_change(&self, what: &str, starts: &Starts) -> Row {
        Row::new(&self.name, what, Unit::Seconds)
            .floor(self.floor.iter().map(|start| start.answered))
            .measured(starts.iter().filter_map(|start| start.changed))
    }

    fn memory(&self, what: &str, starts: &Starts) -> Row {
        Row::new(&self.name, what, Unit::Bytes)
            .floor(self.floor.iter().map(|start| start.memory))
            .measured(starts.iter().map(|start| start.memory))
    }
}
