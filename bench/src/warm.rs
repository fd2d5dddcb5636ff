//! Warm events: from the delivery of an event to its answer, with one process for all events of a kind.

use std::io;
use std::path::Path;
use std::time::Duration;

use imds_tests::{FakeAws, Function, Invocation};
use serde_json::Value;

use crate::report::{Goal, ReportRow, Unit};
use crate::setup::{Compliance, LaunchedFleet, ProcessCost, Setup, TOKEN};
use crate::support::{REGION, cut};
use crate::tls::TlsFront;

/// A kind of event.
#[derive(Clone, Copy, Debug)]
struct WarmKind {
    instances: usize,
    form: EventForm,
    /// The latency of each call.
    latency_ms: u64,
    transport: Transport,
    /// Events for each cold start.
    events: f64,
    latency: Option<Goal>,
    cpu: Option<Goal>,
    memory: Option<Goal>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Transport {
    Http,
    Tls,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum EventForm {
    /// Compliant at launch.
    Compliant,
    /// Non-compliant, with all ids in the event.
    NonCompliant,
    /// Non-compliant, without ids in the event, as CloudTrail does above 100 KB.
    WithoutIds,
}

use EventForm::{Compliant, NonCompliant, WithoutIds};

const KINDS: [WarmKind; 15] = [
    kind(1, Compliant, 0, 10.0).latency(Goal::TimesFloorWithoutCalls(2.0)),
    kind(50, Compliant, 0, 3.0),
    kind(1000, Compliant, 0, 0.5).memory(LEAN),
    kind(1, NonCompliant, 0, 5.0),
    kind(1, NonCompliant, 25, 0.5),
    kind(50, NonCompliant, 0, 1.0),
    kind(50, NonCompliant, 25, 1.0).latency(Goal::AtMost(0.110)),
    kind(1000, NonCompliant, 0, 0.5)
        .latency(Goal::AtMost(0.25))
        .cpu(Goal::AtMost(0.3))
        .memory(LEAN),
    kind(1000, NonCompliant, 25, 0.2)
        .latency(Goal::AtMost(1.2))
        .memory(LEAN),
    kind(1000, WithoutIds, 0, 0.5).memory(LEAN),
    kind(1000, WithoutIds, 25, 0.2).memory(LEAN),
    kind(1, NonCompliant, 0, 5.0).tls(),
    kind(50, NonCompliant, 25, 1.0).tls(),
    kind(1000, NonCompliant, 0, 0.5).tls(),
    kind(1000, NonCompliant, 25, 0.2).tls(),
];

const LEAN: Goal = Goal::AtMost(14.0 * MIB);

const MIB: f64 = 1024.0 * 1024.0;

const fn kind(instances: usize, form: EventForm, latency_ms: u64, events: f64) -> WarmKind {
    WarmKind {
        instances,
        form,
        latency_ms,
        transport: Transport::Http,
        events,
        latency: None,
        cpu: None,
        memory: None,
    }
}

impl WarmKind {
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
        self.transport = Transport::Tls;
        self
    }
}

/// Measures each kind, the floor and the function in turn.
///
/// # Errors
/// When the folder cannot be written to.
pub(crate) fn measure(setup: &Setup, folder: &Path) -> io::Result<Vec<ReportRow>> {
    let mut rows = Vec::new();
    for kind in KINDS {
        rows.extend(kind.measure(setup, folder)?);
    }
    Ok(rows)
}

impl WarmKind {
    fn measure(&self, setup: &Setup, folder: &Path) -> io::Result<Vec<ReportRow>> {
        let ec2 = FakeAws::start();
        let fleet = LaunchedFleet::launch(&ec2, self.instances, self.compliance());
        let event = || {
            fleet.prepare();
            match self.form {
                EventForm::Compliant | EventForm::NonCompliant => fleet.event(),
                EventForm::WithoutIds => cut(REGION, Some(TOKEN), self.instances),
            }
        };
        let front = match self.transport {
            Transport::Tls => Some(TlsFront::start(&ec2, folder)?),
            Transport::Http => None,
        };
        let enforcer = match &front {
            Some(front) => front.trusted_by_amazon_roots(setup.enforcer(front.url())),
            None => setup.enforcer(ec2.url()),
        };
        let enforcer = enforcer.start();
        // The floor makes no calls, so that it is no measure if calls have a latency.
        let floor = (self.latency_ms == 0).then(|| setup.floor().start());
        // The first event opens connections, which belongs to the cold start.
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
        let row = |what: &str, unit, figure: fn(&MeasuredEvent) -> f64| {
            ReportRow::new(self.section(), format!("{}: {what}", self.name()), unit)
                .floor(of_floor.iter().map(figure))
                .measured(of_enforcer.iter().map(figure))
        };
        let latency = row("latency", Unit::Seconds, MeasuredEvent::duration);
        let mut rows = vec![
            latency.calls(calls).goal(self.latency),
            row("CPU", Unit::Seconds, |a| a.cpu).goal(self.cpu),
        ];
        if self.instances >= 1000 {
            let memory =
                |what: &str, floor: Option<&MeasuredEvent>, enforcer: Option<&MeasuredEvent>| {
                    ReportRow::new(
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
            // A peak only grows, so that the last one is that of all events.
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

    /// One describe for 200 ids or for 250 instances of a token, and one change for each instance.
    fn least_calls(&self) -> usize {
        match self.form {
            EventForm::Compliant => 0,
            EventForm::NonCompliant => self.instances.div_ceil(200) + self.instances,
            EventForm::WithoutIds => self.instances.div_ceil(250) + self.instances,
        }
    }

    fn compliance(&self) -> Compliance {
        match self.form {
            EventForm::Compliant => Compliance::Compliant,
            EventForm::NonCompliant | EventForm::WithoutIds => Compliance::NonCompliant,
        }
    }

    fn section(&self) -> &'static str {
        match self.transport {
            Transport::Tls => "warm events, TLS",
            Transport::Http => "warm events, plain HTTP",
        }
    }

    fn name(&self) -> String {
        let form = match self.form {
            EventForm::Compliant => return format!("{} compliant", self.instances),
            EventForm::NonCompliant => "non-compliant",
            EventForm::WithoutIds => "non-compliant, without ids",
        };
        format!("{} {form}, {} ms a call", self.instances, self.latency_ms)
    }
}

/// One event, with its cost in seconds and bytes.
struct MeasuredEvent {
    invocation: Invocation,
    cpu: f64,
    memory: f64,
}

impl MeasuredEvent {
    fn duration(&self) -> f64 {
        self.invocation.duration.as_secs_f64()
    }
}

fn run(function: &Function, event: &Value) -> MeasuredEvent {
    assert_eq!(function.init_error(), None);
    let before = ProcessCost::read(function);
    let invocation = function.invoke(event);
    assert!(invocation.result.is_ok(), "{invocation:#?}");
    let after = ProcessCost::read(function);
    MeasuredEvent {
        invocation,
        cpu: after.cpu - before.cpu,
        memory: after.memory,
    }
}
