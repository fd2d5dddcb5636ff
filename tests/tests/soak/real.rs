//! A smaller soak of the real function against the stand-in.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fastrand::Rng;
use imds_tests::{Call, Fault, Function, Outcome, Standin, binary, launch};
use serde_json::{Value, json};

use crate::support::{REGION, cut, launched_ids};

const CALLS: usize = 400;
const FUNCTIONS: usize = 8;
const TERMINATIONS: usize = 5;

#[test]
fn the_real_function_converges_under_faults_and_does_nothing_forbidden() {
    let mut rng = Rng::with_seed(11);
    let ec2 = Standin::start();
    let mut events = Vec::new();
    let mut untouchable = BTreeSet::new();
    let mut all = Vec::new();
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
            untouchable.extend(ids.iter().cloned());
        }
        let event = match rng.u8(0..20) {
            0 => cut(REGION, Some(&token), count),
            _ => launched_ids(&ec2, &ids),
        };
        // Some are lost, and some come twice.
        for _ in 0..[0, 1, 1, 1, 1, 1, 1, 1, 1, 2][rng.usize(0..10)] {
            events.push(event.clone());
        }
        all.extend(ids);
    }
    rng.shuffle(&mut events);
    // One call in twenty.
    for n in 0..200 {
        let fault = match n % 5 {
            0 => Fault::throttle(),
            1 => Fault::status(500),
            2 => Fault::reset(),
            3 => Fault::reset_after(),
            _ => Fault::unauthorised(),
        };
        ec2.fault(fault.after(20 * n).times(1));
    }
    let failed: usize = std::thread::scope(|scope| {
        let (ec2, runs) = (&ec2, events.chunks(events.len().div_ceil(FUNCTIONS)));
        let runs: Vec<_> = runs
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
    });
    ec2.clear_faults();
    let sweep = json!({ "source": "imds-enforcer", "detail-type": "Sweep", "detail": { "regions": [REGION] } });
    let swept = function(&ec2).invoke_with_timeout(&sweep, Duration::from_secs(60));
    assert!(swept.result.is_ok(), "{swept:?}");

    println!(
        "{} instances, {} events, {failed} failed for good; calls:",
        all.len(),
        events.len()
    );
    let mut ledger: BTreeMap<(String, String), usize> = BTreeMap::new();
    for Call {
        action, outcome, ..
    } in ec2.calls()
    {
        *ledger.entry((action, format!("{outcome:?}"))).or_default() += 1;
    }
    for ((action, outcome), count) in &ledger {
        println!("{count:6}  {action}: {outcome}");
    }
    for call in ec2.changing_calls() {
        let named = call
            .params
            .values()
            .find(|value| untouchable.contains(*value));
        assert_eq!(named, None, "{call:?}");
        assert_eq!(call.param("HttpPutResponseHopLimit"), None, "{call:?}");
    }
    let mut ended = 0;
    for id in &all {
        let instance = ec2.instance(id);
        let lives = instance.state == "running";
        ended += usize::from(!lives);
        assert!(
            lives || instance.tags.contains_key("sandbox"),
            "{instance:?}"
        );
        assert!(lives || !instance.tags.contains_key("aws:autoscaling:groupName"));
        let right = untouchable.contains(id) || instance.options.tokens == "required";
        assert!(right || !lives, "{instance:?}");
    }
    assert!(ended <= TERMINATIONS, "{ended}");
    let refused = |call: &Call| matches!(&call.outcome, Outcome::Err(code) if code != "IncorrectInstanceState");
    assert!(ec2.calls().iter().filter(|call| refused(call)).count() >= 20);
}

fn function(ec2: &Standin) -> Function {
    let policy = json!({
        "require": { "http_tokens": "required" }, "on_violation": "enforce",
        "rules": [
            { "name": "scanners", "when": { "tags": { "app": "scanner-*" } }, "then": "exempt" },
            { "name": "sandboxes", "when": { "tags": { "sandbox": "*" } }, "then": "terminate" }
        ],
        "limits": { "grace_seconds": 0, "terminations_per_hour": TERMINATIONS },
        "existing": { "unknown": "enforce" }
    });
    Function::of(binary("enforcer"))
        .standin(ec2)
        .policy(&policy.to_string())
        .start()
}
