//! A smaller soak of the real function against the fake.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fastrand::Rng;
use imds_tests::{CallOutcome, FakeAws, Function, InjectedFault, RecordedCall, binary, launch};
use serde_json::{Value, json};

use crate::support::{REGION, cut, launched_ids};

const CALLS: usize = 400;
const FUNCTIONS: usize = 8;
const TERMINATIONS: usize = 5;

#[test]
fn the_real_function_converges_under_faults_and_does_nothing_forbidden() {
    let mut rng = Rng::with_seed(11);
    let ec2 = FakeAws::start();
    let launches = launch_all(&ec2, &mut rng);
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
    let failed = deliver_all(&ec2, &launches.events);
    ec2.clear_faults();
    let sweep = json!({ "source": "imds-enforcer", "detail-type": "Sweep", "detail": { "regions": [REGION] } });
    let swept = function(&ec2).invoke_with_timeout(&sweep, Duration::from_secs(60));
    assert!(swept.result.is_ok(), "{swept:?}");

    println!(
        "{} instances, {} events, {failed} failed for good",
        launches.ids.len(),
        launches.events.len()
    );
    print_calls(&ec2);
    launches.check(&ec2);
    let rejected = |call: &&RecordedCall| matches!(&call.outcome, CallOutcome::Err(code) if code != "IncorrectInstanceState");
    assert!(ec2.calls().iter().filter(rejected).count() >= 20);
}

struct RealLaunches {
    /// In random order; some are lost, and some come twice.
    events: Vec<Value>,
    ids: Vec<String>,
    /// Exempt instances and those whose endpoint is disabled.
    untouchable: BTreeSet<String>,
}

fn launch_all(ec2: &FakeAws, rng: &mut Rng) -> RealLaunches {
    let mut launches = RealLaunches {
        events: Vec::new(),
        ids: Vec::new(),
        untouchable: BTreeSet::new(),
    };
    for call in 0..CALLS {
        let (token, count) = (format!("token-{call}"), rng.usize(1..10));
        let mut what = launch(REGION)
            .client_token(&token)
            .hop_limit(rng.u8(1..5))
            .tokens(if rng.bool() { "required" } else { "optional" });
        let kind = rng.u8(0..20);
        what = match kind {
            0 => what.tag("app", "scanner-9"),
            1 => what.endpoint("disabled"),
            2 => what.tag("sandbox", "x"),
            3 => what.tag("sandbox", "x").in_group("g"),
            4 => what.refuse_modify(2),
            _ => what,
        };
        let ids = ec2.launch_many(what, count);
        if kind < 2 {
            launches.untouchable.extend(ids.iter().cloned());
        }
        let event = match rng.u8(0..20) {
            0 => cut(REGION, Some(&token), count),
            _ => launched_ids(ec2, &ids),
        };
        for _ in 0..[0, 1, 1, 1, 1, 1, 1, 1, 1, 2][rng.usize(0..10)] {
            launches.events.push(event.clone());
        }
        launches.ids.extend(ids);
    }
    rng.shuffle(&mut launches.events);
    launches
}

/// Delivers the events to several functions, each up to three times; returns how many failed.
fn deliver_all(ec2: &FakeAws, events: &[Value]) -> usize {
    std::thread::scope(|scope| {
        let runs: Vec<_> = events
            .chunks(events.len().div_ceil(FUNCTIONS))
            .map(|events| {
                scope.spawn(move || {
                    let function = function(ec2);
                    let fails = |event: &&Value| {
                        let mut tries = (0..3).map(|_| function.invoke(event));
                        !tries.any(|run| run.result.is_ok())
                    };
                    events.iter().filter(fails).count()
                })
            })
            .collect();
        runs.into_iter().map(|run| run.join().unwrap()).sum()
    })
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

impl RealLaunches {
    fn check(&self, ec2: &FakeAws) {
        for call in ec2.changing_calls() {
            let named = call
                .params
                .values()
                .find(|value| self.untouchable.contains(*value));
            assert_eq!(named, None, "{call:?}");
            assert_eq!(call.param("HttpPutResponseHopLimit"), None, "{call:?}");
        }
        let mut terminated = 0;
        for id in &self.ids {
            let instance = ec2.instance(id);
            let is_running = instance.state == "running";
            terminated += usize::from(!is_running);
            assert!(
                is_running || instance.tags.contains_key("sandbox"),
                "{instance:?}"
            );
            assert!(is_running || !instance.tags.contains_key("aws:autoscaling:groupName"));
            let compliant = self.untouchable.contains(id) || instance.options.tokens == "required";
            assert!(compliant || !is_running, "{instance:?}");
        }
        assert!(terminated <= TERMINATIONS, "{terminated}");
    }
}

fn function(ec2: &FakeAws) -> Function {
    let policy = json!({
        "version": 1, "require": { "http_tokens": "required" }, "on_violation": "enforce",
        "rules": [
            { "name": "scanners", "when": { "tags": { "app": "scanner-*" } }, "action": "exempt" },
            { "name": "sandboxes", "when": { "tags": { "sandbox": "*" } }, "action": "terminate" }
        ],
        "new_instances": { "grace_seconds": 0 },
        "limits": { "disruptions_per_hour": TERMINATIONS },
        "existing": { "unknown": "enforce" }
    });
    Function::builder(binary("enforcer"))
        .fake(ec2)
        .policy(&policy.to_string())
        .start()
}
