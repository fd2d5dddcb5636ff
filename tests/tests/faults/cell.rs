//! One cell of the matrix: a call, what befalls it, and what comes of it.

use std::time::{Duration, Instant};

use imds_tests::{Fault, Function, Invocation, Settle, Standin, binary};

use crate::calls::{are_under_way, naming, needless_touches};
use crate::scenes::{Fleet, SCENES, Scene};
use crate::troubles::{Kind, TROUBLES, Trouble};
use crate::verdict::{Delivery, of_first, of_second};

pub(crate) struct Cell {
    scene: &'static Scene,
    trouble: &'static Trouble,
}

/// A line of the table.
pub(crate) struct Row {
    /// Action and purpose, trouble, trigger and policy.
    pub(crate) key: [String; 3],
    pub(crate) outcomes: String,
    pub(crate) function: &'static str,
    /// Of the action, while the trouble held.
    pub(crate) calls: usize,
    pub(crate) again: String,
    pub(crate) faults: Vec<String>,
}

/// All cells, those that take long first.
pub(crate) fn cells() -> Vec<Cell> {
    let troubles = |scene: &'static Scene| {
        TROUBLES
            .iter()
            .filter(move |trouble| trouble.befalls.includes(scene))
            .map(move |trouble| Cell { scene, trouble })
    };
    let mut cells: Vec<Cell> = SCENES.iter().flat_map(troubles).collect();
    cells.sort_by_key(|cell| !matches!(cell.trouble.kind, Kind::ThrottledFor(_)));
    cells
}

/// What the function is given; its own deadline is at 85 % of it.
const TIME: Duration = Duration::from_secs(5);

/// What it is given where it was too slow, so that a busy machine proves nothing.
const MORE_TIME: Duration = Duration::from_secs(25);

/// What it is given once all is well.
const AMPLE_TIME: Duration = Duration::from_secs(60);

impl Cell {
    pub(crate) fn run(&self) -> Row {
        let row = self.run_within(TIME);
        if row
            .faults
            .iter()
            .any(|fault| fault.contains("Sandbox.Timedout"))
        {
            return self.run_within(MORE_TIME);
        }
        row
    }

    pub(crate) fn broken(&self, why: &str) -> Row {
        Row {
            key: self.key(),
            outcomes: String::new(),
            function: "broken",
            calls: 0,
            again: String::new(),
            faults: vec![why.to_owned()],
        }
    }

    fn run_within(&self, time: Duration) -> Row {
        let ec2 = Standin::start();
        // A launch asks again by itself, a sweep leaves it to the next.
        let visible = match self.trouble.kind {
            Kind::NotVisible => Settle::Describes(1),
            _ => Settle::Now,
        };
        let fleet = self.scene.populate(&ec2, visible);
        let event = self.scene.event(&ec2, &fleet);
        let function = Function::of(binary("enforcer"))
            .standin(&ec2)
            .policy(&self.scene.policy())
            .start();
        let late = time + Duration::from_secs(1);
        let begun = Instant::now();
        let first = match self.trouble.kind {
            Kind::Plain(fault) | Kind::Lost(fault) => {
                self.befall(&ec2, fault());
                function.invoke_with_timeout(&event, time)
            }
            Kind::TimeOut => {
                self.befall(&ec2, Fault::delay(late));
                function.invoke_with_timeout(&event, time)
            }
            Kind::ThrottledFor(long) => {
                self.befall(&ec2, Fault::throttle());
                std::thread::scope(|scope| {
                    scope.spawn(|| {
                        std::thread::sleep(long);
                        ec2.clear_faults();
                    });
                    function.invoke_with_timeout(&event, long * 2)
                })
            }
            Kind::NotVisible => function.invoke_with_timeout(&event, time),
        };
        let first_calls = ec2.calls().len();
        let mut row = self.judge_first(&ec2, &fleet, &first);
        ec2.clear_faults();
        let second = function.invoke_with_timeout(&event, AMPLE_TIME);
        while are_under_way(&ec2.calls(), self.scene, self.trouble)
            && begun.elapsed() < late + AMPLE_TIME
        {
            std::thread::sleep(Duration::from_millis(50));
        }
        self.judge_second(&ec2, &fleet, &second, &mut row);
        let calls = ec2.calls();
        let touches = |id| needless_touches(&calls, first_calls, id, self.scene, self.trouble);
        row.faults
            .extend(fleet.wrong.iter().filter_map(|id| touches(id)));
        for id in fleet.to_be_left() {
            let changed = naming(&calls, id).filter(|call| call.changes()).count();
            if changed > 0 {
                row.faults
                    .push(format!("{changed} changing calls for {id}"));
            }
        }
        row
    }

    fn befall(&self, ec2: &Standin, fault: Fault) {
        let fault = fault.action(self.scene.action).after(self.scene.spared);
        let fault = fault.region(self.scene.region());
        ec2.fault(match self.trouble.times {
            Some(times) => fault.times(times),
            None => fault,
        });
    }

    fn judge_first(&self, ec2: &Standin, fleet: &Fleet, run: &Invocation) -> Row {
        let calls = ec2.count(self.scene.action);
        match Delivery::of(run) {
            Err(why) => self.broken(&why),
            Ok(delivery) => Row {
                key: self.key(),
                outcomes: delivery.outcomes(),
                function: if delivery.error.is_some() {
                    "failed"
                } else {
                    "ok"
                },
                calls,
                again: String::new(),
                faults: of_first(ec2, self.scene, self.trouble, fleet, &delivery),
            },
        }
    }

    fn judge_second(&self, ec2: &Standin, fleet: &Fleet, run: &Invocation, row: &mut Row) {
        let faults = match Delivery::of(run) {
            Err(why) => vec![why],
            Ok(delivery) => {
                row.again = delivery.outcomes();
                of_second(ec2, self.scene, fleet, &delivery)
            }
        };
        let again = |fault| format!("delivered again: {fault}");
        row.faults.extend(faults.into_iter().map(again));
    }

    fn key(&self) -> [String; 3] {
        let Scene {
            action,
            purpose,
            trigger,
            end,
            ..
        } = self.scene;
        let action = match *purpose {
            "" => (*action).to_owned(),
            purpose => format!("{action} ({purpose})"),
        };
        let trouble = self.trouble.name.to_owned();
        [action, trouble, format!("{}, {end}", trigger.as_str())]
    }
}

impl Row {
    pub(crate) fn complaint(&self) -> Option<String> {
        let faults = self.faults.join("; ");
        (!faults.is_empty()).then(|| format!("{}: {faults}", self.key.join(" · ")))
    }
}
