//! One cell of the matrix: a call, a fault, and the result.

use std::time::Duration;

use imds_tests::{FakeAws, Function, InjectedFault, Invocation, wait_until};
use serde_json::Value;

use crate::calls::{are_in_flight, naming, repeated_changes};
use crate::delivery::{Delivery, LATE};
use crate::fleet::SceneFleet;
use crate::scenes::{Purpose, SCENES, Scene};
use crate::support::function;
use crate::troubles::{TROUBLES, Trouble, TroubleKind};
use crate::verdict::CellRun;

pub(crate) struct MatrixCell {
    scene: &'static Scene,
    trouble: &'static Trouble,
}

/// A line of the table.
pub(crate) struct MatrixRow {
    /// Action and purpose, trouble, trigger and policy.
    pub(crate) key: [String; 3],
    pub(crate) outcomes: String,
    pub(crate) function: &'static str,
    /// How many calls of the action arrived during the fault.
    pub(crate) calls: usize,
    pub(crate) again: String,
    pub(crate) faults: Vec<String>,
}

/// All cells, the slowest first.
pub(crate) fn cells() -> Vec<MatrixCell> {
    let troubles = |scene: &'static Scene| {
        TROUBLES
            .iter()
            .filter(move |trouble| trouble.affects.includes(scene))
            .map(move |trouble| MatrixCell { scene, trouble })
    };
    let mut cells: Vec<MatrixCell> = SCENES.iter().flat_map(troubles).collect();
    cells.sort_by_key(|cell| !matches!(cell.trouble.kind, TroubleKind::ThrottledFor(_)));
    cells
}

/// The function's timeout; its own deadline is at 85 % of it.
const TIME: Duration = Duration::from_secs(5);

/// Nobody can set a shorter timeout than a minute; the table may take 5 seconds of it.
const TIME_WITH_TABLE: Duration = Duration::from_secs(16);

/// The timeout of a second attempt, so that a busy machine does not fail the test.
const MORE_TIME: Duration = Duration::from_secs(25);

/// The timeout once the fault is over.
const AMPLE_TIME: Duration = Duration::from_secs(60);

impl MatrixCell {
    pub(crate) fn run(&self) -> MatrixRow {
        let row = self.run_within(match self.scene.is_of_table() {
            true => TIME_WITH_TABLE,
            false => TIME,
        });
        let is_late = |fault: &String| {
            ["Sandbox.Timedout", LATE]
                .iter()
                .any(|it| fault.contains(it))
        };
        if row.faults.iter().any(is_late) {
            return self.run_within(MORE_TIME);
        }
        row
    }

    pub(crate) fn broken(&self, why: &str) -> MatrixRow {
        MatrixRow {
            key: self.key(),
            outcomes: String::new(),
            function: "broken",
            calls: 0,
            again: String::new(),
            faults: vec![why.to_owned()],
        }
    }

    fn run_within(&self, time: Duration) -> MatrixRow {
        let ec2 = FakeAws::start();
        let fleet = self.scene.populate(&ec2, self.trouble);
        let event = self.scene.event(&ec2, &fleet);
        let function = function(&ec2, &self.scene.policy());
        let first = self.first_delivery((&ec2, &function), &event, &fleet, time);
        let first_calls = ec2.calls();
        let mut row = self.check_first(&ec2, &fleet, &first);
        fleet.recover(&ec2, self.scene, self.trouble);
        let second = function.invoke_with_timeout(&event, AMPLE_TIME);
        wait_until("the calls in flight", || {
            !are_in_flight(&ec2.calls(), self.scene, self.trouble)
        });
        self.check_second(&ec2, &fleet, &second, &mut row);
        let calls = ec2.calls();
        let repeated = |id| repeated_changes((&first_calls, &calls), id, self.scene, self.trouble);
        row.faults
            .extend(fleet.to_change().iter().filter_map(|id| repeated(id)));
        for id in fleet.to_be_left() {
            let changed = naming(&calls, id).filter(|call| call.changes()).count();
            if changed > 0 {
                row.faults
                    .push(format!("{changed} changing calls for {id}"));
            }
        }
        row.faults.extend(fleet.forbidden(&ec2, self.trouble));
        row.faults.extend(self.scene.missing_items(&ec2, &fleet));
        row
    }

    fn first_delivery(
        &self,
        (ec2, function): (&FakeAws, &Function),
        event: &Value,
        fleet: &SceneFleet,
        time: Duration,
    ) -> Invocation {
        let late = time + Duration::from_secs(1);
        match self.trouble.kind {
            TroubleKind::Plain(fault) | TroubleKind::Lost(fault) => {
                self.inject(ec2, fleet, fault());
                function.invoke_with_timeout(event, time)
            }
            TroubleKind::TimeOut => {
                self.inject(ec2, fleet, InjectedFault::delay(late));
                function.invoke_with_timeout(event, time)
            }
            TroubleKind::ThrottledFor(long) => {
                self.inject(ec2, fleet, InjectedFault::throttle());
                let over = || {
                    std::thread::sleep(long);
                    ec2.clear_faults();
                };
                meanwhile(over, || function.invoke_with_timeout(event, long * 2))
            }
            TroubleKind::OwnersDisable => {
                self.inject(ec2, fleet, InjectedFault::throttle());
                let disable = || {
                    wait_until("a call", || ec2.count(self.scene.action) > 0);
                    fleet.disable_endpoints(ec2);
                    ec2.clear_faults();
                };
                meanwhile(disable, || function.invoke_with_timeout(event, AMPLE_TIME))
            }
            TroubleKind::Shown(_)
            | TroubleKind::Status(_)
            | TroubleKind::NoData
            | TroubleKind::Item
            | TroubleKind::Unprocessed(_) => function.invoke_with_timeout(event, time),
        }
    }

    fn inject(&self, ec2: &FakeAws, fleet: &SceneFleet, fault: InjectedFault) {
        let mut fault = fault
            .action(self.scene.action)
            .after(self.scene.earlier_calls)
            .region(self.scene.region());
        // Other calls of the same action name other items, or other instances.
        if self.scene.is_of_table() {
            fault = fault.instance(self.scene.purpose.item().unwrap());
        } else if self.scene.purpose == Purpose::Watch {
            fault = fault.instance(&fleet.compliant);
        }
        ec2.fault(match self.trouble.times {
            Some(times) => fault.times(times),
            None => fault,
        });
    }

    fn check_first(&self, ec2: &FakeAws, fleet: &SceneFleet, run: &Invocation) -> MatrixRow {
        let calls = ec2.count(self.scene.action);
        match Delivery::read(run) {
            Err(why) => self.broken(&why),
            Ok(delivery) => MatrixRow {
                key: self.key(),
                outcomes: delivery.outcomes(),
                function: delivery.ended(),
                calls,
                again: String::new(),
                faults: self.run_of(ec2, fleet, &delivery).faults_of_first(),
            },
        }
    }

    fn check_second(
        &self,
        ec2: &FakeAws,
        fleet: &SceneFleet,
        run: &Invocation,
        row: &mut MatrixRow,
    ) {
        let faults = match Delivery::read(run) {
            Err(why) => vec![why],
            Ok(delivery) => {
                row.again = delivery.outcomes();
                self.run_of(ec2, fleet, &delivery).faults_of_second()
            }
        };
        let again = |fault| format!("delivered again: {fault}");
        row.faults.extend(faults.into_iter().map(again));
    }

    fn run_of<'r>(
        &self,
        ec2: &'r FakeAws,
        fleet: &'r SceneFleet,
        delivery: &'r Delivery,
    ) -> CellRun<'r> {
        CellRun {
            ec2,
            scene: self.scene,
            trouble: self.trouble,
            fleet,
            delivery,
        }
    }

    fn key(&self) -> [String; 3] {
        let Scene {
            action,
            purpose,
            trigger,
            on_violation,
            ..
        } = self.scene;
        let action = match *purpose {
            Purpose::Any => (*action).to_owned(),
            purpose => format!("{action} ({})", purpose.as_str()),
        };
        let trouble = self.trouble.name.to_owned();
        [
            action,
            trouble,
            format!("{}, {on_violation}", trigger.as_str()),
        ]
    }
}

impl MatrixRow {
    pub(crate) fn failure(&self) -> Option<String> {
        let faults = self.faults.join("; ");
        (!faults.is_empty()).then(|| format!("{}: {faults}", self.key.join(" · ")))
    }
}

/// Does both at the same time.
fn meanwhile<T>(other: impl FnOnce() + Send, invoke: impl FnOnce() -> T) -> T {
    std::thread::scope(|scope| {
        scope.spawn(other);
        invoke()
    })
}
