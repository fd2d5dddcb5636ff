//! Launches whose instances are not visible yet or whose calls fail.

use imds_tests::{FakeAws, InjectedFault, Settle, launch, wait_until};

use crate::support::*;

#[test]
fn an_instance_that_is_not_visible_yet_is_described_again_without_delaying_others() {
    let ec2 = FakeAws::start();
    let late = ec2.launch(launch(REGION).visible(Settle::Describes(3)));
    let known = ec2.launch(launch(REGION));
    let run = function(&ec2, ENFORCE).invoke(&launched_ids(&ec2, &[late.clone(), known.clone()]));
    assert_eq!(report(&run)["summary"]["enforced"], 2);
    assert_eq!(ec2.count("DescribeInstances"), 4);
    let first = &ec2.changing_calls()[0];
    assert_eq!(first.param("InstanceId"), Some(known.as_str()));
    let calls = ec2.calls();
    let changed = calls
        .iter()
        .position(|c| c.action.starts_with("Modify"))
        .unwrap();
    let describes_before = calls[..changed]
        .iter()
        .filter(|c| c.action == "DescribeInstances")
        .count();
    assert!(
        describes_before <= 2,
        "{describes_before} describes before the known instance was enforced"
    );
}

#[test]
fn an_instance_that_never_becomes_visible_fails_the_function_before_its_timeout() {
    let ec2 = FakeAws::start();
    let lost = ec2.launch(launch(REGION).visible(Settle::Never));
    let other = ec2.launch(launch(REGION));
    let event = launched_ids(&ec2, &[lost.clone(), other.clone()]);
    let run = function(&ec2, ENFORCE).invoke_with_timeout(&event, seconds(5));
    assert!(failure(&run).contains(&lost), "{}", failure(&run));
    assert!(!failure(&run).contains(&other));
    assert!(run.duration < seconds(4), "{:?}", run.duration);
    assert_eq!(ec2.instance(&other).options.tokens, "required");
    let logged = logged_report(&run);
    assert_eq!(
        (outcome(&logged, &lost), outcome(&logged, &other)),
        ("failed", "enforced")
    );
}

#[test]
fn an_unknown_instance_is_gone_if_its_launch_was_long_ago() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION).launched(seconds(HOUR)));
    let event = happened(launched_one(&ec2, &id), ago(HOUR));
    ec2.forget(&id);
    let run = function(&ec2, ENFORCE).invoke_with_timeout(&event, seconds(3));
    assert_eq!(outcome(report(&run), &id), "gone");
}

#[test]
fn terminated_instances_are_gone() {
    let ec2 = FakeAws::start();
    let function = function(&ec2, ENFORCE);
    for state in ["shutting-down", "terminated"] {
        let id = ec2.launch(launch(REGION));
        let event = launched_one(&ec2, &id);
        ec2.set_state(&id, state);
        assert_eq!(outcome(report(&function.invoke(&event)), &id), "gone");
    }
    assert_eq!(ec2.changing_calls().len(), 0);
}

#[test]
fn a_change_is_retried_while_the_state_does_not_allow_it() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION).state("pending").refuse_modify(2));
    let run = function(&ec2, ENFORCE).invoke(&launched_one(&ec2, &id));
    assert_eq!(outcome(report(&run), &id), "enforced");
    assert_eq!(ec2.count("ModifyInstanceMetadataOptions"), 3);
    assert_eq!(ec2.count("DescribeInstances"), 1);
}

#[test]
fn an_endpoint_that_is_disabled_between_two_attempts_stays_disabled() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION).refuse_modify(2));
    let event = launched_one(&ec2, &id);
    let function = function(&ec2, ENFORCE);
    std::thread::scope(|scope| {
        let run = scope.spawn(|| function.invoke(&event));
        wait_until("the first attempt", || {
            ec2.count("ModifyInstanceMetadataOptions") > 0
        });
        ec2.set_options(&id, |options| options.endpoint = "disabled".to_owned());
        run.join().unwrap()
    });
    assert_eq!(ec2.instance(&id).options.endpoint, "disabled");
    assert_eq!(ec2.instance(&id).options.tokens, "required");
}

#[test]
fn an_instance_that_terminates_during_its_enforcement_is_gone() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION));
    ec2.fault(
        InjectedFault::error("IncorrectInstanceState", 400).action("ModifyInstanceMetadataOptions"),
    );
    let event = launched_one(&ec2, &id);
    let function = function(&ec2, ENFORCE);
    let ended = std::thread::scope(|scope| {
        let run = scope.spawn(|| function.invoke(&event));
        wait_until("the first attempt", || {
            ec2.count("ModifyInstanceMetadataOptions") > 0
        });
        ec2.set_state(&id, "terminated");
        run.join().unwrap()
    });
    assert_eq!(outcome(report(&ended), &id), "gone");
}

#[test]
fn a_rejected_change_does_not_affect_the_other_instances() {
    let ec2 = FakeAws::start();
    let ids = ec2.launch_many(launch(REGION), 5);
    ec2.fault(
        InjectedFault::unauthorized()
            .action("ModifyInstanceMetadataOptions")
            .instance(&ids[2]),
    );
    let run = function(&ec2, ENFORCE).invoke(&launched_ids(&ec2, &ids));
    assert!(failure(&run).contains(&ids[2]) && failure(&run).contains("UnauthorizedOperation"));
    let logged = logged_report(&run);
    assert_eq!(logged["summary"]["enforced"], 4);
    assert_eq!(outcome(&logged, &ids[2]), "failed");
    // A permanent error is not retried.
    assert_eq!(ec2.count("ModifyInstanceMetadataOptions"), 5);
}

#[test]
fn a_rejected_describe_fails_the_function_and_names_every_instance() {
    let ec2 = FakeAws::start();
    let ids = ec2.launch_many(launch(REGION), 3);
    ec2.fault(InjectedFault::unauthorized().action("DescribeInstances"));
    let run = function(&ec2, ENFORCE).invoke(&launched_ids(&ec2, &ids));
    assert!(
        ids.iter().all(|id| failure(&run).contains(id)),
        "{}",
        failure(&run)
    );
    assert!(
        failure(&run)
            .contains("could not call DescribeInstances in eu-central-1: UnauthorizedOperation"),
        "{}",
        failure(&run)
    );
    assert_eq!(ec2.changing_calls().len(), 0);
}

#[test]
fn throttled_and_failing_calls_are_retried() {
    let faults: [fn() -> InjectedFault; 4] = [
        InjectedFault::throttle,
        || InjectedFault::status(500),
        InjectedFault::reset,
        InjectedFault::unavailable,
    ];
    for fault in faults {
        let ec2 = FakeAws::start();
        let ids = ec2.launch_many(launch(REGION), 2);
        ec2.fault(fault().action("DescribeInstances").times(2));
        ec2.fault(fault().action("ModifyInstanceMetadataOptions").times(2));
        let run = function(&ec2, ENFORCE).invoke(&launched_ids(&ec2, &ids));
        assert_eq!(report(&run)["summary"]["enforced"], 2);
        assert_eq!(ec2.count("DescribeInstances"), 3);
        assert_eq!(ec2.count("ModifyInstanceMetadataOptions"), 4);
    }
}

#[test]
fn a_change_whose_answer_is_lost_is_retried() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION));
    ec2.fault(
        InjectedFault::reset_after()
            .action("ModifyInstanceMetadataOptions")
            .times(1),
    );
    let run = function(&ec2, ENFORCE).invoke(&launched_one(&ec2, &id));
    assert_eq!(outcome(report(&run), &id), "enforced");
}

#[test]
fn an_instance_whose_answer_is_truncated_is_not_compliant() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION));
    ec2.fault(InjectedFault::malformed().action("DescribeInstances"));
    let run = function(&ec2, ENFORCE).invoke_with_timeout(&launched_one(&ec2, &id), seconds(4));
    assert!(failure(&run).contains(&id), "{}", failure(&run));
    assert_eq!(outcome(&logged_report(&run), &id), "failed");
}
