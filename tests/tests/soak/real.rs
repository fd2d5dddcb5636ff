//! A smaller soak of the real function against the fake.

mod check;
mod kinds;
mod tell;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use check::RealFleet;
use fastrand::Rng;
use imds_tests::{CallOutcome, FakeAws, Function, InjectedFault, RecordedCall, binary, launch};
use serde_json::{Value, json};

use crate::support::{self, DAY, REGION, ahead, done, launched_one, report, sweep, without_grace};

const CALLS: usize = 400;
const FUNCTIONS: usize = 14;
const DISRUPTIONS: usize = 15;

/// A region that is paused.
const PAUSED: &str = "eu-west-1";

/// How long an instance is left alone before it is stopped or terminated.
const GRACE: Duration = Duration::from_secs(12);

/// One event, and how it may be delivered.
struct RealEvent {
    event: Value,
    /// The instances that it is about, as far as it tells.
    ids: Option<Vec<String>>,
    timeout: Duration,
    group: usize,
}

#[test]
fn the_real_function_converges_under_faults_and_does_nothing_forbidden() {
    let mut rng = Rng::with_seed(11);
    let ec2 = FakeAws::start();
    let entry = json!({ "until": ahead(DAY).to_string(), "reason": "moves", "by": "ada" });
    ec2.put_item(&format!("pause#111122223333#{PAUSED}"), entry);
    let mut fleet = RealFleet::default();
    for call in 0..CALLS {
        fleet.launch(&ec2, &mut rng, call);
    }
    rng.shuffle(&mut fleet.events);
    // One call in twenty.
    for n in 0..200 {
        let fault = match n % 5 {
            0 => InjectedFault::throttle(),
            1 => InjectedFault::status(500),
            2 => InjectedFault::reset(),
            3 => InjectedFault::reset_after(),
            _ => InjectedFault::unauthorized(),
        };
        ec2.fault(fault.after(20 * n).times(1));
    }
    let delivered = while_owners_disable(&ec2, &fleet.owned, || deliver_all(&ec2, &fleet.events));
    ec2.clear_faults();
    let swept = function(&ec2).invoke_with_timeout(&sweep(&[REGION]), Duration::from_secs(60));
    assert!(swept.result.is_ok(), "{swept:?}");
    let paused = function(&ec2).invoke_with_timeout(&sweep(&[PAUSED]), Duration::from_secs(60));
    let paused = paused.result.unwrap();
    assert_eq!(paused["paused"]["by"], "ada", "{paused:#}");
    let before = ec2.changing_calls().len();
    let again = function(&ec2).invoke_with_timeout(&sweep(&[REGION]), Duration::from_secs(60));
    fleet.is_denied_once(again.result.as_ref().unwrap());

    println!(
        "{} instances, {} events, {} failed for good",
        fleet.ids().count(),
        fleet.events.len(),
        delivered.failed
    );
    print_calls(&ec2);
    fleet.is_of_every_kind();
    fleet.check(&ec2, &delivered.answered);
    let done = |call: &&RecordedCall| call.service == "ec2" && call.outcome == CallOutcome::Ok;
    let calls = ec2.changing_calls();
    let needless: Vec<_> = calls[before..].iter().filter(done).collect();
    assert!(needless.is_empty(), "a second sweep changed {needless:?}");
    let rejected = |call: &&RecordedCall| matches!(&call.outcome, CallOutcome::Err(code) if code != "IncorrectInstanceState");
    assert!(ec2.calls().iter().filter(rejected).count() >= 20);
}

#[test]
fn a_new_spot_instance_that_a_person_exempts_is_not_terminated() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION).spot());
    let entry = json!({ "until": ahead(DAY).to_string(), "by": "ada" });
    ec2.put_item(&format!("exempt#{id}"), entry);
    let function = support::function(&ec2, &without_grace("terminate"));
    let run = function.invoke(&launched_one(&ec2, &id));
    assert_eq!(done(report(&run), &id)[0], "exempt");
    assert!(ec2.disruptions().is_empty());
}

/// What became of the events.
#[derive(Default)]
struct Delivered {
    failed: usize,
    /// Groups of instances of which an event was answered.
    answered: BTreeSet<usize>,
}

/// Delivers the events to several functions, each up to three times.
fn deliver_all(ec2: &FakeAws, events: &[RealEvent]) -> Delivered {
    let next = AtomicUsize::new(0);
    let deliver = || {
        let function = function(ec2);
        let mut delivered = Delivered::default();
        while let Some(event) = events.get(next.fetch_add(1, Ordering::SeqCst)) {
            let mut tries = (0..3).map(|_| deliver(&function, event));
            if tries.any(|is_answered| is_answered) {
                delivered.answered.insert(event.group);
            } else {
                delivered.failed += 1;
            }
        }
        delivered
    };
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..FUNCTIONS).map(|_| scope.spawn(deliver)).collect();
        let mut all = Delivered::default();
        for run in runs {
            let delivered = run.join().unwrap();
            all.failed += delivered.failed;
            all.answered.extend(delivered.answered);
        }
        all
    })
}

/// Whether it was answered. Then every instance of the event has one outcome.
fn deliver(function: &Function, event: &RealEvent) -> bool {
    let run = function.invoke_with_timeout(&event.event, event.timeout);
    match &run.result {
        Ok(report) => {
            let entries = report["instances"].as_array().unwrap().iter();
            let mut reported: Vec<&str> = entries
                .map(|entry| entry["instance_id"].as_str().unwrap())
                .collect();
            reported.sort_unstable();
            if let Some(ids) = &event.ids {
                assert_eq!(reported, *ids, "{report:#}");
            }
            true
        }
        Err(error) => {
            assert_eq!(error.error_type, "Incomplete", "{run:#?}");
            false
        }
    }
}

/// The owners of these instances disable their endpoints, one after another, while calls wait.
fn while_owners_disable<T>(ec2: &FakeAws, owned: &[String], act: impl FnOnce() -> T) -> T {
    for id in owned {
        let wait = InjectedFault::delay(Duration::from_millis(500)).instance(id);
        ec2.fault(wait.action("ModifyInstanceMetadataOptions"));
    }
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for id in owned {
                let waits = || {
                    let calls = ec2.calls_to("ModifyInstanceMetadataOptions");
                    calls
                        .iter()
                        .any(|call| call.param("InstanceId") == Some(id))
                };
                while !waits() && !is_over.load(Ordering::SeqCst) {
                    std::thread::sleep(Duration::from_millis(50));
                }
                ec2.set_options(id, |options| "disabled".clone_into(&mut options.endpoint));
            }
        });
        let _over = SetOnDrop(&is_over);
        act()
    })
}

/// Also where a test fails.
struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn print_calls(ec2: &FakeAws) {
    let mut ledger: BTreeMap<(String, String), usize> = BTreeMap::new();
    for RecordedCall {
        action, outcome, ..
    } in ec2.calls()
    {
        *ledger.entry((action, format!("{outcome:?}"))).or_default() += 1;
    }
    for ((action, outcome), count) in &ledger {
        println!("{count:6}  {action}: {outcome}");
    }
}

fn function(ec2: &FakeAws) -> Function {
    let policy = json!({
        "version": 1, "require": { "http_tokens": "required" }, "on_violation": "enforce",
        "rules": [
            { "name": "scanners", "when": { "tags": { "app": "scanner-*" } }, "action": "exempt" },
            { "name": "sandboxes", "when": { "tags": { "sandbox": "*" } }, "action": "terminate" },
            { "name": "batch", "when": { "tags": { "batch": "*" } }, "action": "stop" },
            { "name": "tags", "when": { "tags": { "shows-tags": "*" } },
              "require": { "instance_metadata_tags": "enabled" } },
            { "name": "ipv6", "when": { "tags": { "ipv6": "*" } },
              "require": { "http_protocol_ipv6": "enabled" } }
        ],
        "new_instances": { "grace_seconds": GRACE.as_secs() },
        "limits": { "disruptions_per_hour": DISRUPTIONS, "existing_per_hour": null }
    });
    Function::builder(binary("enforcer"))
        .fake(ec2)
        .policy(&policy.to_string())
        .start()
}
