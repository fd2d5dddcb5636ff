//! Warm events: from an event's handing over to its answer, one process of each for all of a kind.

use std::io;
use std::path::Path;
use std::time::Duration;

use imds_tests::{Function, Invocation, Standin};
use serde_json::Value;

use crate::report::{Goal, Row, Unit};
use crate::setup::{Cost, Fleet, Setup, TOKEN};
use crate::support::{REGION, cut};
use crate::tls::Front;

/// Events that are alike.
#[derive(Clone, Copy, Debug)]
struct Kind {
    instances: usize,
    form: Form,
    /// Of each call.
    latency_ms: u64,
    tls: bool,
    /// So many for each cold start.
    events: f64,
    latency: Option<Goal>,
    cpu: Option<Goal>,
    memory: Option<Goal>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    /// Right at launch.
    Compliant,
    /// Each in the event.
    Wrong,
    /// Left out of the event, as CloudTrail does above 100 KB.
    WrongUnnamed,
}

use Form::{Compliant, Wrong, WrongUnnamed};

const KINDS: [Kind; 15] = [
    kind(1, Compliant, 0, 10.0).latency(Goal::TimesFloorWithoutCalls(2.0)),
    kind(50, Compliant, 0, 3.0),
    kind(1000, Compliant, 0, 0.5).memory(LEAN),
    kind(1, Wrong, 0, 5.0),
    kind(1, Wrong, 25, 0.5),
    kind(50, Wrong, 0, 1.0),
    kind(50, Wrong, 25, 1.0).latency(Goal::AtMost(0.110)),
    kind(1000, Wrong, 0, 0.5)
        .latency(Goal::AtMost(0.25))
        .cpu(Goal::AtMost(0.3))
        .memory(LEAN),
    kind(1000, Wrong, 25, 0.2)
        .latency(Goal::AtMost(1.2))
        .memory(LEAN),
    kind(1000, WrongUnnamed, 0, 0.5).memory(LEAN),
    kind(1000, WrongUnnamed, 25, 0.2).memory(LEAN),
    kind(1, Wrong, 0, 5.0).tls(),
    kind(50, Wrong, 25, 1.0).tls(),
    kind(1000, Wrong, 0, 0.5).tls(),
    kind(1000, Wrong, 25, 0.2).tls(),
];

const LEAN: Goal = Goal::AtMost(14.0 * MIB);

const MIB: f64 = 1024.0 * 1024.0;

const fn kind(instances: usize, form: Form, latency_ms: u64, events: f64) -> Kind {
    Kind {
        instances,
        form,
        latency_ms,
        tls: false,
        events,
        latency: None,
        cpu: None,
        memory: None,
    }
}

impl Kind {
    const fn latency(mut self, goal: Goal) -> Self {
        self.latency = Some(goal);
        self
    }

    const fn cpu(mut self, goal: Goal) -> Self {
        self.cpu = Some(goal);
        self
    }

    const fn memory(mut self, goal: Goal) -> Self {
        self.memory = Some(goal);
        self
    }

    const fn tls(mut self) -> Self {
        self.tls = true;
        self
    }
}

/// Kind by kind, floor and function by turns.
///
/// # Errors
/// When the folder can't be written to.
pub(crate) fn measure(setup: &Setup, folder: &Path) -> io::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for kind in KINDS {
        rows.extend(kind.measure(setup, folder)?);
    }
    Ok(rows)
}

impl Kind {
    fn measure(&self, setup: &Setup, folder: &Path) -> io::Result<Vec<Row>> {
        let ec2 = Standin::start();
        let fleet = Fleet::launch(&ec2, self.instances, self.form != Form::Compliant);
        let event = || {
            fleet.prepare();
            match self.form {
                Form::Compliant | Form::Wrong => fleet.event(),
                Form::WrongUnnamed => cut(REGION, Some(TOKEN), self.instances),
            }
        };
        let front = match self.tls {
            true => Some(Front::start(&ec2, folder)?),
            false => None,
        };
        let enforcer = match &front {
            Some(front) => front.trusted_by(setup.enforcer(front.url())),
            None => setup.enforcer(ec2.url()),
        };
        let enforcer = enforcer.start();
        // Beside calls that take their time, the floor's nothing is no measure.
        let floor = (self.latency_ms == 0).then(|| setup.floor().start());
        // The first event of each opens connections, and is a cold start's affair.
        let first_of_floor = floor.as_ref().map(|floor| run(floor, &event()));
        let first = run(&enforcer, &event());
        ec2.set_latency(Duration::from_millis(self.latency_ms));
        let (mut of_floor, mut of_enforcer, mut calls) = (vec![], vec![], 0);
        for _ in 0..self.events(setup.rounds) {
            let event = event();
            of_floor.extend(floor.as_ref().map(|floor| run(floor, &event)));
            let answered = run(&enforcer, &event);
            fleet.check(&answered.invocation);
            calls = fleet.calls();
            assert_eq!(calls, self.least_calls(), "{}", self.name());
            of_enforcer.push(answered);
        }
        let row = |what: &str, unit, figure: fn(&Answered) -> f64| {
            Row::new(self.section(), format!("{}: {what}", self.name()), unit)
                .floor(of_floor.iter().map(figure))
                .measured(of_enforcer.iter().map(figure))
        };
        let latency = row("latency", Unit::Seconds, Answered::duration);
        let mut rows = vec![
            latency.calls(calls).goal(self.latency),
            row("CPU", Unit::Seconds, |a| a.cpu).goal(self.cpu),
        ];
        if self.instances >= 1000 {
            let memory = |what: &str, floor: Option<&Answered>, enforcer: Option<&Answered>| {
                Row::new(
                    self.section(),
                    format!("{}: {what}", self.name()),
                    Unit::Bytes,
                )
                .floor(floor.map(|a| a.memory))
                .measured(enforcer.map(|a| a.memory))
            };
            let first = memory(
                "peak memory, one event",
                first_of_floor.as_ref(),
                Some(&first),
            );
            rows.push(first.goal(self.memory));
            // A peak only grows: the last one is that of all events.
            let events = of_enforcer.len() + 1;
            let what = format!("peak memory, {events} events");
            rows.push(memory(&what, of_floor.last(), of_enforcer.last()));
        }
        Ok(rows)
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "small counts"
    )]
    fn events(&self, rounds: usize) -> usize {
        ((rounds as f64 * self.events) as usize).max(1)
    }

    /// One look for 200 by their ids or for 250 by their token, and one change for each.
    fn least_calls(&self) -> usize {
        match self.form {
            Form::Compliant => 0,
            Form::Wrong => self.instances.div_ceil(200) + self.instances,
            Form::WrongUnnamed => self.instances.div_ceil(250) + self.instances,
        }
    }

    fn section(&self) -> &'static str {
        if self.tls {
            "warm events, TLS"
        } else {
            "warm events, plain HTTP"
        }
    }

    fn name(&self) -> String {
        let form = match self.form {
            Form::Compliant => return format!("{} compliant", self.instances),
            Form::Wrong => "wrong",
            Form::WrongUnnamed => "wrong, ids left out",
        };
        format!("{} {form}, {} ms a call", self.instances, self.latency_ms)
    }
}

/// One event; its cost in seconds and bytes.
struct Answered {
    invocation: Invocation,
    cpu: f64,
    memory: f64,
}

impl Answered {
    fn duration(&self) -> f64 {
        self.invocation.duration.as_secs_f64()
    }
}

fn run(function: &Function, event: &Value) -> Answered {
    assert_eq!(function.init_error(), None);
    let before = Cost::of(function);
    let invocation = function.invoke(event);
    assert!(invocation.result.is_ok(), "{invocation:#?}");
    let after = Cost::of(function);
    Answered {
        invocation,
        cpu: after.cpu - before.cpu,
        memory: after.memory,
    }
}
