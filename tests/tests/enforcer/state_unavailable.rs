//! What is done while the state table cannot be read or written.

use std::thread::scope;

use imds_tests::{FakeAws, InjectedFault, launch};
use serde_json::{Value, json};

use crate::support::*;
use crate::support_state::*;

const ENFORCED: [&str; 3] = ["enforced", "terminate", "state_unavailable"];

/// An instance that may be enforced, and the event that tells of it.
type Told = fn(&FakeAws) -> (String, Value);

/// Whatever tells of an instance that is not a new launch.
const NOT_NEW: [(&str, Told); 4] = [
    ("drift", |ec2| {
        let id = ec2.launch(launch(REGION).launched(seconds(90 * DAY)));
        let event = modified(&id, "mallory", &json!({ "HttpTokens": "optional" }));
        (id, event)
    }),
    ("start of a new instance", |ec2| {
        let id = ec2.launch(launch(REGION));
        let event = state_changed(&id, "running");
        (id, event)
    }),
    ("start", |ec2| {
        let id = ec2.launch(launch(REGION).launched(seconds(90 * DAY)));
        unused(ec2, &id);
        let event = started(&[&id]);
        (id, event)
    }),
    ("late launch", |ec2| {
        let id = ec2.launch(launch(REGION).launched(seconds(20 * MINUTE)));
        unused(ec2, &id);
        let event = launched_one(ec2, &id);
        (id, event)
    }),
];

#[test]
fn a_new_launch_is_enforced_and_not_disrupted() {
    while_unavailable(|name, ec2| {
        let ids = ec2.launch_many(launch(REGION), 2);
        let stop = ec2.launch(launch(REGION).tag("stop", "yes"));
        let all = [ids, vec![stop.clone()]].concat();
        let run = function(ec2, &limited("terminate", 10)).invoke(&launched_ids(ec2, &all));
        assert_eq!(done(report(&run), &all[0]), ENFORCED, "{name}");
        let stopped = ["enforced", "stop", "state_unavailable"];
        assert_eq!(done(report(&run), &stop), stopped, "{name}");
        let why = reason(report(&run), &all[0]);
        assert!(why.contains("the state table is not available: "), "{why}");
        let mut options = all.iter().map(|id| ec2.instance(id).options);
        assert!(options.all(|it| it.tokens == "required"));
        assert_eq!(ec2.disruptions(), [], "{name}");
        assert_eq!(metric(&run, "StateUnavailable"), [3], "{name}");
        assert_eq!(metric(&run, "Failed"), [] as [Value; 0]);
    });
}

#[test]
fn a_new_launch_does_not_wait_long_for_the_table() {
    while_unavailable(|name, ec2| {
        let id = ec2.launch(launch(REGION));
        let event = launched_one(ec2, &id);
        let function = builder(ec2, &limited("terminate", 10)).timeout(seconds(60));
        let run = function.start().invoke(&event);
        assert_eq!(done(report(&run), &id), ENFORCED, "{name}");
        let took = run.duration;
        assert!(took < seconds(10), "{name}: {took:?}");
    });
}

/// DynamoDB throttles a key for a second, or a partition moves: within five seconds the call is repeated.
#[test]
fn a_table_that_fails_for_a_moment_is_tried_again() {
    for action in ["BatchGetItem", "GetItem", "UpdateItem"] {
        for fault in [InjectedFault::throttle(), InjectedFault::status(500)] {
            let ec2 = FakeAws::start();
            ec2.fault(fault.action(action).times(5));
            let id = ec2.launch(launch(REGION));
            let run = function(&ec2, &limited("terminate", 1)).invoke(&launched_one(&ec2, &id));
            assert_eq!(done(report(&run), &id), ["terminated", "", ""], "{action}");
            assert!(run.duration < seconds(8), "{:?}", run.duration);
        }
    }
}

#[test]
fn a_disruption_that_cannot_be_counted_is_not_done() {
    for action in ["GetItem", "UpdateItem"] {
        for (fault, name) in [
            (InjectedFault::unauthorized(), "AccessDeniedException"),
            (InjectedFault::status(500), "InternalServerError"),
        ] {
            let ec2 = FakeAws::start();
            ec2.fault(fault.action(action));
            let id = ec2.launch(launch(REGION));
            let run = function(&ec2, &limited("terminate", 10)).invoke(&launched_one(&ec2, &id));
            assert_eq!(done(report(&run), &id), ENFORCED, "{action} {name}");
            let why = reason(report(&run), &id);
            assert!(why.contains(name), "{why}");
            assert_eq!(ec2.disruptions(), []);
        }
    }
}

#[test]
fn nothing_is_changed_on_any_other_instance_and_the_event_fails() {
    while_unavailable(|name, ec2| {
        scope(|scope| {
            for (case, (what, told)) in NOT_NEW.into_iter().enumerate() {
                let on_violation = ["enforce", "terminate"][case % 2];
                let (id, event) = told(ec2);
                let function = function(ec2, &limited(on_violation, 10));
                scope.spawn(move || {
                    let run = function.invoke(&event);
                    assert!(failure(&run).contains("the state table is not available"));
                    let expected = ["failed", on_violation, "state_unavailable"];
                    assert_eq!(done(&logged_report(&run), &id), expected, "{what}, {name}");
                    assert_eq!(ec2.instance(&id).options.tokens, "optional");
                    assert_eq!(metric(&run, "Failed"), [1]);
                    assert_eq!(metric(&run, "StateUnavailable"), [1]);
                });
            }
        });
        assert_eq!(ec2.changing_calls_of_ec2(), 0);
    });
}

#[test]
fn the_retry_does_what_was_left_undone() {
    for (what, told) in NOT_NEW {
        let ec2 = FakeAws::start();
        ec2.fault(
            InjectedFault::unauthorized()
                .action("BatchGetItem")
                .times(1),
        );
        let (id, event) = told(&ec2);
        let function = function(&ec2, ENFORCE);
        assert!(function.invoke(&event).result.is_err(), "{what}");
        let run = function.invoke(&event);
        assert_eq!(done(report(&run), &id), ["enforced", "", ""], "{what}");
    }
}

#[test]
fn what_is_counted_hourly_is_not_done_where_it_cannot_be_written() {
    for (what, told, key) in [
        ("drift", NOT_NEW[0].1, "drift#"),
        ("start", NOT_NEW[2].1, "existing#"),
    ] {
        let ec2 = FakeAws::start();
        ec2.fault(InjectedFault::unauthorized().action("UpdateItem"));
        let (id, event) = told(&ec2);
        let run = function(&ec2, ENFORCE).invoke(&event);
        let expected = ["failed", "enforce", "state_unavailable"];
        assert_eq!(done(&logged_report(&run), &id), expected, "{what}");
        assert_eq!(ec2.instance(&id).options.tokens, "optional");
        assert!(!calls_for(&ec2, key).is_empty());
    }
}

#[test]
fn a_sweep_changes_nothing_and_succeeds_with_gauges_of_what_is_left() {
    while_unavailable(|name, ec2| {
        let old = ec2.launch_many(launch(REGION).launched(seconds(90 * DAY)), 2);
        let new = ec2.launch(launch(REGION));
        old.iter().for_each(|id| unused(ec2, id));
        let function = builder(ec2, &limited("terminate", 10)).timeout(seconds(120));
        let run = function.start().invoke(&sweep_here());
        for id in old.iter().chain([&new]) {
            let expected = ["failed", "terminate", "state_unavailable"];
            assert_eq!(done(report(&run), id), expected, "{name}");
            assert_eq!(ec2.instance(id).options.tokens, "optional");
        }
        assert_eq!(ec2.disruptions(), []);
        for gauge in ["SweepIncomplete", "NonCompliant", "StateUnavailable"] {
            assert_eq!(metric(&run, gauge), [3], "{name}, {gauge}");
        }
        assert_eq!(report(&run)["first_of_day"], Value::Null);
    });
}

/// The whole time of a sweep must not go by while it waits for its lease.
#[test]
fn a_sweep_does_not_wait_long_for_the_table() {
    while_unavailable(|name, ec2| {
        ec2.launch(launch(REGION).tokens("required"));
        let run = function(ec2, ENFORCE).invoke(&sweep_here());
        assert_eq!(report(&run)["unreachable"], json!([]), "{name}");
        assert_eq!(report(&run)["summary"]["compliant"], 1, "{name}");
        let took = run.duration;
        assert!(took < seconds(15), "{name}: {took:?}");
    });
}

#[test]
fn a_new_launch_that_is_only_enforced_makes_no_call_to_the_table() {
    for happened_ago in [0, 3 * HOUR] {
        let ec2 = FakeAws::start();
        for (_, faults) in unavailable() {
            inject(&ec2, faults);
        }
        let id = ec2.launch(launch(REGION));
        let event = happened(launched_one(&ec2, &id), ago(happened_ago));
        let run = function(&ec2, ENFORCE).invoke(&event);
        assert_eq!(outcome(report(&run), &id), "enforced");
        assert_eq!(ec2.table_calls().len(), 0);
    }
}

#[test]
fn where_nothing_would_be_done_the_table_is_not_called() {
    let ec2 = FakeAws::start();
    let compliant = ec2.launch(launch(REGION).tokens("required"));
    let function = function(&ec2, &limited("terminate", 10));
    let events = [
        launched_one(&ec2, &compliant),
        started(&[&compliant]),
        happened(
            modified(&compliant, "ada", &json!({ "HttpTokens": "required" })),
            ago(HOUR),
        ),
    ];
    for event in events {
        let run = function.invoke(&event);
        assert_eq!(outcome(report(&run), &compliant), "compliant");
    }
    let open = ec2.launch(launch(REGION).launched(seconds(90 * DAY)));
    let reporting = crate::support::function(&ec2, &without_grace("report"));
    for event in [started(&[&open]), launched_one(&ec2, &open)] {
        let run = reporting.invoke(&event);
        assert_eq!(outcome(report(&run), &open), "reported");
    }
    assert_eq!(ec2.table_calls().len(), 0);
}
