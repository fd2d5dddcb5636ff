//! The limit of disruptions, judged by the times at which EC2 stopped and terminated.

use std::thread::scope;

use imds_tests::{FakeAws, InjectedFault, launch, wait_until};
use serde_json::{Value, json};

use crate::support::*;
use crate::support_state::*;

const LIMITED: [&str; 3] = ["enforced", "terminate", "disruption_limit"];
const UNAVAILABLE: [&str; 3] = ["enforced", "terminate", "state_unavailable"];

/// Terminates at most this many, and tells of each launch of one instance what was done about it.
fn launches(ec2: &FakeAws, limit: u32, count: usize) -> Vec<[String; 3]> {
    let function = function(ec2, &limited("terminate", limit));
    let launches = (0..count).map(|_| {
        let id = ec2.launch(launch(REGION));
        let run = function.invoke(&launched_one(ec2, &id));
        done(report(&run), &id).map(str::to_owned)
    });
    launches.collect()
}

/// Each launch has an instance to stop and one to terminate, and an invocation counts both in one write, so
/// that ten permits go to five launches.
#[test]
fn twenty_functions_at_once_disrupt_no_more_than_the_limit() {
    let ec2 = FakeAws::start();
    let policy = limited("terminate", 10);
    scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| {
                let function = builder(&ec2, &policy).timeout(seconds(60)).start();
                for _ in 0..3 {
                    let stop = ec2.launch(launch(REGION).tag("stop", "yes"));
                    let terminate = ec2.launch(launch(REGION));
                    let run = function.invoke(&launched_ids(&ec2, &[stop, terminate]));
                    assert_eq!(report(&run)["summary"]["failed"], 0);
                }
            });
        }
    });
    assert_eq!(most_in_an_hour(&ec2), 10);
    let stopped = ec2.disruptions().into_iter();
    let stopped = stopped.filter(|it| it.action == "StopInstances").count();
    assert_eq!((stopped, ec2.disruptions().len()), (5, 10));
    let left = ec2.instances(REGION).into_iter();
    let left: Vec<_> = left.filter(|it| it.state == "running").collect();
    assert_eq!(left.len(), 110);
    assert!(left.iter().all(|it| it.options.tokens == "required"));
}

#[test]
fn calls_that_wait_for_ec2_s_rate_stay_within_the_limit_and_within_their_minute() {
    let ec2 = FakeAws::start();
    ec2.set_rate("TerminateInstances", 1.0, 0.25);
    let policy = limited("terminate", 4);
    scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                let id = ec2.launch(launch(REGION));
                let function = builder(&ec2, &policy).timeout(seconds(90)).start();
                let run = function.invoke(&launched_one(&ec2, &id));
                assert_eq!(report(&run)["summary"]["failed"], 0);
            });
        }
    });
    assert_eq!(most_in_an_hour(&ec2), 4);
    assert!(ec2.count("TerminateInstances") > 4, "none was throttled");
    let entries = entries(&ec2, LIMIT);
    for disruption in ec2.disruptions() {
        let entry = entries.iter().find(|(id, _)| *id == disruption.id);
        let after = apart(disruption.at, entry.unwrap().1);
        assert!(after < seconds(60), "{after:?}");
    }
}

/// Others have used up the limit meanwhile, and the entries of this function are no longer in the item.
#[test]
fn a_call_whose_permit_is_a_minute_old_is_not_made() {
    let ec2 = FakeAws::start();
    ec2.fault(InjectedFault::throttle().action("TerminateInstances"));
    let id = ec2.launch(launch(REGION));
    let event = launched_one(&ec2, &id);
    let policy = limited("terminate", 1);
    let function = builder(&ec2, &policy).timeout(seconds(150)).start();
    let run = scope(|scope| {
        let run = scope.spawn(|| function.invoke(&event));
        wait_until("the permit", || is_written(&ec2, LIMIT));
        ec2.put_item(LIMIT, counted(&[("i-other", ahead(1))]));
        run.join().unwrap()
    });
    assert_eq!(done(report(&run), &id), LIMITED);
    assert_eq!(ec2.instance(&id).options.tokens, "required");
    assert_eq!(ec2.disruptions(), []);
    let calls = ec2.calls_to("TerminateInstances");
    let (first, last) = (calls[0].at, calls[calls.len() - 1].at);
    let tried = last.duration_since(first);
    assert!((seconds(40)..seconds(61)).contains(&tried), "{tried:?}");
}

#[test]
fn a_write_whose_answer_is_lost_counts_once() {
    let ec2 = FakeAws::start();
    ec2.fault(InjectedFault::reset_after().action("UpdateItem").times(2));
    let ids = ec2.launch_many(launch(REGION), 3);
    let function = function(&ec2, &limited("terminate", 3));
    let run = function.invoke(&launched_ids(&ec2, &ids));
    assert_eq!(report(&run)["summary"]["terminated"], 3);
    let counted: Vec<String> = entries(&ec2, LIMIT).into_iter().map(|it| it.0).collect();
    assert_eq!(counted, disrupted(&ec2));
    let id = ec2.launch(launch(REGION));
    let run = function.invoke(&launched_one(&ec2, &id));
    assert_eq!(done(report(&run), &id), LIMITED);
    assert_eq!(most_in_an_hour(&ec2), 3);
}

#[test]
fn a_write_that_is_never_answered_disrupts_nothing_and_is_not_given_back() {
    let ec2 = FakeAws::start();
    ec2.fault(InjectedFault::reset_after().action("UpdateItem"));
    assert_eq!(launches(&ec2, 1, 1), [UNAVAILABLE]);
    ec2.clear_faults();
    assert_eq!(launches(&ec2, 1, 1), [LIMITED]);
    assert_eq!(entries(&ec2, LIMIT).len(), 1);
    assert_eq!(ec2.disruptions(), []);
}

/// The first attempt is given up after two seconds.
#[test]
fn an_answer_that_comes_after_its_attempt_counts_once() {
    let ec2 = FakeAws::start();
    let late = InjectedFault::delay_answer(seconds(3));
    ec2.fault(late.action("UpdateItem").times(1));
    assert_eq!(launches(&ec2, 1, 2), [["terminated", "", ""], LIMITED]);
    assert_eq!(ec2.item(LIMIT).unwrap()["version"], 1);
    assert_eq!(most_in_an_hour(&ec2), 1);
}

#[test]
fn a_write_that_takes_effect_after_its_attempt_changes_nothing() {
    let ec2 = FakeAws::start();
    let late = InjectedFault::delay(seconds(3));
    ec2.fault(late.action("UpdateItem").times(1));
    assert_eq!(launches(&ec2, 1, 2), [["terminated", "", ""], LIMITED]);
    wait_until("the late write", || {
        let writes = calls_for(&ec2, LIMIT).into_iter();
        writes.filter(|call| call.condition == Some(false)).count() > 0
    });
    assert_eq!(entries(&ec2, LIMIT).len(), 1);
    assert_eq!(ec2.item(LIMIT).unwrap()["version"], 1);
    assert_eq!(most_in_an_hour(&ec2), 1);
}

#[test]
fn answers_that_come_after_five_seconds_disrupt_nothing() {
    let ec2 = FakeAws::start();
    let late = InjectedFault::delay_answer(seconds(9));
    ec2.fault(late.action("UpdateItem"));
    let id = ec2.launch(launch(REGION));
    let run = function(&ec2, &limited("terminate", 1)).invoke(&launched_one(&ec2, &id));
    assert_eq!(done(report(&run), &id), UNAVAILABLE);
    assert!(run.duration < seconds(15), "{:?}", run.duration);
    ec2.clear_faults();
    assert_eq!(launches(&ec2, 1, 1), [LIMITED]);
    assert_eq!(ec2.disruptions(), []);
}

/// The write is done when the function has given it up, and others count it.
#[test]
fn a_write_that_takes_effect_after_five_seconds_counts() {
    let ec2 = FakeAws::start();
    let late = InjectedFault::delay(seconds(9));
    ec2.fault(late.action("UpdateItem"));
    assert_eq!(launches(&ec2, 1, 1), [UNAVAILABLE]);
    ec2.clear_faults();
    wait_until("the late write", || is_written(&ec2, LIMIT));
    assert_eq!(launches(&ec2, 1, 1), [LIMITED]);
    assert_eq!(ec2.disruptions(), []);
}

/// One waits for EC2's rate, the other sets the options before the stop.
#[test]
fn a_function_that_is_killed_after_its_permit_gives_none_back() {
    let waits = [
        ("TerminateInstances", "terminate", InjectedFault::throttle()),
        (
            "ModifyInstanceMetadataOptions",
            "stop",
            InjectedFault::delay(seconds(60)),
        ),
    ];
    for (action, on_violation, fault) in waits {
        let ec2 = FakeAws::start();
        let policy = limited(on_violation, 3);
        ec2.fault(fault.action(action));
        for permits in 1..=3 {
            let id = ec2.launch(launch(REGION));
            let event = launched_one(&ec2, &id);
            let function = function(&ec2, &policy);
            assert_eq!(function.init_error(), None);
            let process = function.process_id();
            scope(|scope| {
                let run = scope.spawn(|| function.invoke(&event));
                wait_until("the permit", || entries(&ec2, LIMIT).len() == permits);
                kill(process);
                assert!(run.join().unwrap().result.is_err());
            });
        }
        ec2.clear_faults();
        let id = ec2.launch(launch(REGION));
        let run = function(&ec2, &policy).invoke(&launched_one(&ec2, &id));
        assert_eq!(
            done(report(&run), &id),
            ["enforced", on_violation, "disruption_limit"]
        );
        assert_eq!(ec2.disruptions(), []);
    }
}

#[test]
fn two_events_of_one_launch_count_its_instances_once() {
    let ec2 = FakeAws::start();
    ec2.fault(InjectedFault::delay(seconds(1)).action("UpdateItem"));
    let ids = ec2.launch_many(launch(REGION), 2);
    let event = launched_ids(&ec2, &ids);
    let policy = limited("terminate", 2);
    let functions = [(); 2].map(|()| function(&ec2, &policy));
    for function in &functions {
        assert_eq!(function.init_error(), None);
    }
    scope(|scope| {
        for function in &functions {
            scope.spawn(|| {
                let run = function.invoke(&event);
                let summary = &report(&run)["summary"];
                let ended = ["terminated", "gone"].map(|it| summary[it].as_u64().unwrap());
                assert_eq!(ended.iter().sum::<u64>(), 2, "{summary}");
            });
        }
    });
    let writes = calls_for(&ec2, LIMIT).into_iter();
    let writes: Vec<_> = writes.filter(|call| call.action == "UpdateItem").collect();
    let failed = writes.iter().filter(|call| call.condition == Some(false));
    assert!(
        failed.count() > 0,
        "they were not handled at once: {writes:?}"
    );
    assert_eq!(entries(&ec2, LIMIT).len(), 2);
    ec2.clear_faults();
    assert_eq!(launches(&ec2, 2, 1), [LIMITED]);
    assert_eq!(most_in_an_hour(&ec2), 2);
}

#[test]
fn a_failed_termination_is_not_given_back() {
    let ec2 = FakeAws::start();
    let function = function(&ec2, &limited("terminate", 1));
    let protected = ec2.launch(launch(REGION).protected());
    let run = function.invoke(&launched_one(&ec2, &protected));
    assert_eq!(
        done(report(&run), &protected),
        ["enforced", "terminate", "refused"]
    );
    assert_eq!(launches(&ec2, 1, 1), [LIMITED]);
    assert_eq!(metric(&run, "DisruptionLimitReached"), [] as [Value; 0]);
}

#[test]
fn a_stop_counts_as_a_termination_does() {
    let ec2 = FakeAws::start();
    let function = function(&ec2, &limited("terminate", 1));
    let stop = ec2.launch(launch(REGION).tag("stop", "yes"));
    let run = function.invoke(&launched_one(&ec2, &stop));
    assert_eq!(done(report(&run), &stop), ["stopped", "", ""]);
    let id = ec2.launch(launch(REGION));
    let run = function.invoke(&launched_one(&ec2, &id));
    assert_eq!(done(report(&run), &id), LIMITED);
    assert_eq!(metric(&run, "DisruptionLimitReached"), [json!(1)]);
    assert_eq!(most_in_an_hour(&ec2), 1);
}
