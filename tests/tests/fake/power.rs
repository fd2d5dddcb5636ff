//! TerminateInstances, StopInstances, StartInstances.

use imds_tests::{FakeAws, Settle, launch};

use crate::REGION;
use crate::client::ec2;

fn state(fake: &FakeAws, id: &str) -> String {
    fake.instance(id).state
}

#[test]
fn a_terminated_instance_shuts_down_first() {
    let fake = FakeAws::start();
    let id = fake.launch(launch(REGION));
    let client = ec2(&fake, REGION);
    let answer = client.with_ids("TerminateInstances", &[&id]);
    assert_eq!(answer.texts("name"), ["shutting-down", "running"]);
    assert_eq!(answer.texts("code"), ["32", "16"]);
    let shown = || client.filtered("instance-id", &[&id]).text("name");
    assert_eq!([shown(), shown()], ["shutting-down", "terminated"]);
}

#[test]
fn transitions_take_as_long_as_the_test_sets() {
    let fake = FakeAws::start();
    fake.set_transitions(Settle::Never);
    let id = fake.launch(launch(REGION));
    let client = ec2(&fake, REGION);
    client.with_ids("TerminateInstances", &[&id]).is_done();
    client.with_ids("DescribeInstances", &[&id]).is_done();
    client.with_ids("DescribeInstances", &[&id]).is_done();
    assert_eq!(state(&fake, &id), "shutting-down");
}

#[test]
fn a_protected_instance_protects_its_zone_and_others_terminate() {
    let fake = FakeAws::start();
    let protected = fake.launch(launch(REGION).az("a").protected());
    let same_zone = fake.launch(launch(REGION).az("a"));
    let other_zone = fake.launch(launch(REGION).az("b"));
    let answer =
        ec2(&fake, REGION).with_ids("TerminateInstances", &[&other_zone, &protected, &same_zone]);
    answer.is_rejected(400, "OperationNotPermitted");
    assert!(answer.text("Message").contains(&protected));
    let states = [&protected, &same_zone, &other_zone].map(|id| state(&fake, id));
    assert_eq!(states, ["running", "running", "shutting-down"]);
}

#[test]
fn a_thousand_instances_are_the_most() {
    let fake = FakeAws::start();
    let ids = fake.launch_many(launch(REGION), 1_001);
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    let client = ec2(&fake, REGION);
    client
        .with_ids("TerminateInstances", &ids)
        .is_rejected(400, "InvalidParameterValue");
    assert_eq!(
        client
            .with_ids("TerminateInstances", &ids[..1_000])
            .texts("instanceId")
            .len(),
        1_000
    );
}

#[test]
fn a_group_replaces_terminated_instances() {
    let fake = FakeAws::start();
    fake.replace_in_groups();
    let id = fake.launch(launch(REGION).in_group("web").tag("app", "x").hop_limit(4));
    let single = fake.launch(launch(REGION));
    let client = ec2(&fake, REGION);
    client
        .with_ids("TerminateInstances", &[&id, &single])
        .is_done();
    client
        .with_ids("TerminateInstances", &[&id, &single])
        .is_done();
    let instances = fake.instances(REGION);
    assert_eq!(instances.len(), 3);
    let replacement = &instances[2];
    assert_eq!(
        (replacement.state.as_str(), replacement.options.hop_limit),
        ("running", 4)
    );
    assert_eq!(replacement.tags, fake.instance(&id).tags);
    assert_ne!(replacement.id, id);
}

#[test]
fn no_instance_stops_if_one_cannot_be_stopped() {
    let fake = FakeAws::start();
    let client = ec2(&fake, REGION);
    let fine = fake.launch(launch(REGION));
    let refusing = [
        (launch(REGION).instance_store(), "UnsupportedOperation"),
        (launch(REGION).spot(), "UnsupportedOperation"),
        (launch(REGION).stop_protected(), "OperationNotPermitted"),
        (launch(REGION).state("terminated"), "IncorrectInstanceState"),
        (launch(REGION).state("pending"), "IncorrectInstanceState"),
    ];
    for (launch, code) in refusing {
        let id = fake.launch(launch);
        client
            .with_ids("StopInstances", &[&fine, &id])
            .is_rejected(400, code);
        assert_eq!(state(&fake, &fine), "running");
    }
    let protected = fake.launch(launch(REGION).protected());
    client
        .with_ids("StopInstances", &[&protected, &fine])
        .is_done();
}

#[test]
fn a_pending_instance_becomes_running() {
    let fake = FakeAws::start();
    let id = fake.launch(launch(REGION).becomes_running(Settle::Describes(2)));
    let stays = fake.launch(launch(REGION).state("pending"));
    let client = ec2(&fake, REGION);
    let shown = || client.filtered("instance-id", &[&id]).text("name");
    assert_eq!(
        [shown(), shown(), shown()],
        ["pending", "pending", "running"]
    );
    assert_eq!(state(&fake, &stays), "pending");
    fake.set_state(&stays, "stopped");
    assert_eq!(state(&fake, &stays), "stopped");
}

#[test]
fn an_instance_that_never_ran_cannot_be_stopped() {
    let fake = FakeAws::start();
    fake.set_transitions(Settle::Never);
    let id = fake.launch(launch(REGION).becomes_running(Settle::Describes(2)));
    let restarted = fake.launch(launch(REGION).state("stopped"));
    let client = ec2(&fake, REGION);
    let stop = |id: &str| client.with_ids("StopInstances", &[id]);
    let answer = stop(&id);
    answer.is_rejected(400, "IncorrectInstanceState");
    assert_eq!(
        answer.text("Message"),
        format!("The instance '{id}' has never reached the 'running' state and cannot be stopped")
    );
    client.with_ids("StartInstances", &[&restarted]).is_done();
    let answer = stop(&restarted);
    answer.is_rejected(400, "IncorrectInstanceState");
    assert!(!answer.text("Message").contains("never"));
    for _ in 0..2 {
        client.with_ids("DescribeInstances", &[&id]).is_done();
    }
    stop(&id).is_done();
}

#[test]
fn somebody_else_can_terminate_an_instance() {
    let fake = FakeAws::start();
    let id = fake.launch(launch(REGION).in_group("web"));
    fake.terminate(&id);
    let client = ec2(&fake, REGION);
    assert!(fake.calls().is_empty());
    let shown = || client.filtered("instance-id", &[&id]).text("name");
    assert_eq!([shown(), shown()], ["shutting-down", "terminated"]);
    fake.terminate(&id);
    assert_eq!(state(&fake, &id), "terminated");
    assert_eq!(fake.instances(REGION).len(), 1);
}

#[test]
fn a_group_replaces_what_somebody_else_terminates() {
    let fake = FakeAws::start();
    fake.replace_in_groups();
    let id = fake.launch(launch(REGION).in_group("web"));
    fake.terminate(&id);
    fake.terminate(&id);
    let instances = fake.instances(REGION);
    assert_eq!(instances.len(), 2);
    assert_eq!(instances[1].state, "running");
    assert!(instances[1].first_launched > instances[0].first_launched);
    assert_eq!(instances[1].first_launched, instances[1].started);
}
