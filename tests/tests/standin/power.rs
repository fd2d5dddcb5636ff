//! TerminateInstances, StopInstances, StartInstances.

use imds_tests::{Settle, Standin, launch};

use crate::REGION;
use crate::client::ec2;

fn state(standin: &Standin, id: &str) -> String {
    standin.instance(id).state
}

#[test]
fn a_terminated_instance_shuts_down_first() {
    let standin = Standin::start();
    let id = standin.launch(launch(REGION));
    let client = ec2(&standin, REGION);
    let answer = client.with_ids("TerminateInstances", &[&id]);
    assert_eq!(answer.texts("name"), ["shutting-down", "running"]);
    assert_eq!(answer.texts("code"), ["32", "16"]);
    let seen = || client.filtered("instance-id", &[&id]).text("name");
    assert_eq!([seen(), seen()], ["shutting-down", "terminated"]);
}

#[test]
fn transitions_take_as_long_as_the_test_wants() {
    let standin = Standin::start();
    standin.set_transitions(Settle::Never);
    let id = standin.launch(launch(REGION));
    let client = ec2(&standin, REGION);
    client.with_ids("TerminateInstances", &[&id]).is_done();
    client.with_ids("DescribeInstances", &[&id]).is_done();
    client.with_ids("DescribeInstances", &[&id]).is_done();
    assert_eq!(state(&standin, &id), "shutting-down");
}

#[test]
fn one_unknown_id_and_none_is_terminated() {
    let standin = Standin::start();
    let id = standin.launch(launch(REGION));
    let client = ec2(&standin, REGION);
    client
        .with_ids("TerminateInstances", &[&id, "i-0123456789abcdef0"])
        .is_refused(400, "InvalidInstanceID.NotFound");
    client
        .with_ids("TerminateInstances", &[&id, "i-nonsense"])
        .is_refused(400, "InvalidInstanceID.Malformed");
    client
        .with_ids("TerminateInstances", &[])
        .is_refused(400, "MissingParameter");
    assert_eq!(state(&standin, &id), "running");
}

#[test]
fn a_protected_instance_shields_its_zone_while_the_others_go() {
    let standin = Standin::start();
    let protected = standin.launch(launch(REGION).az("a").protected());
    let beside = standin.launch(launch(REGION).az("a"));
    let elsewhere = standin.launch(launch(REGION).az("b"));
    let answer =
        ec2(&standin, REGION).with_ids("TerminateInstances", &[&elsewhere, &protected, &beside]);
    answer.is_refused(400, "OperationNotPermitted");
    assert!(answer.text("Message").contains(&protected));
    let states = [&protected, &beside, &elsewhere].map(|id| state(&standin, id));
    assert_eq!(states, ["running", "running", "shutting-down"]);
}

#[test]
fn terminating_twice_is_no_error() {
    let standin = Standin::start();
    let id = standin.launch(launch(REGION));
    let client = ec2(&standin, REGION);
    client.with_ids("TerminateInstances", &[&id]).is_done();
    let again = client.with_ids("TerminateInstances", &[&id]);
    assert_eq!(again.texts("name"), ["shutting-down", "shutting-down"]);
    client.with_ids("DescribeInstances", &[&id]).is_done();
    assert_eq!(
        client.with_ids("TerminateInstances", &[&id]).texts("name"),
        ["terminated", "terminated"]
    );
}

#[test]
fn an_instance_named_twice_is_terminated_once() {
    let standin = Standin::start();
    let id = standin.launch(launch(REGION));
    let answer = ec2(&standin, REGION).with_ids("TerminateInstances", &[&id, &id]);
    assert_eq!(answer.texts("instanceId"), [id]);
}

#[test]
fn a_thousand_instances_are_the_most() {
    let standin = Standin::start();
    let ids = standin.launch_many(launch(REGION), 1_001);
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    let client = ec2(&standin, REGION);
    client
        .with_ids("TerminateInstances", &ids)
        .is_refused(400, "InvalidParameterValue");
    assert_eq!(
        client
            .with_ids("TerminateInstances", &ids[..1_000])
            .texts("instanceId")
            .len(),
        1_000
    );
}

#[test]
fn a_group_replaces_what_is_terminated() {
    let standin = Standin::start();
    standin.replace_in_groups();
    let id = standin.launch(launch(REGION).in_group("web").tag("app", "x").hop_limit(4));
    let single = standin.launch(launch(REGION));
    let client = ec2(&standin, REGION);
    client
        .with_ids("TerminateInstances", &[&id, &single])
        .is_done();
    client
        .with_ids("TerminateInstances", &[&id, &single])
        .is_done();
    let instances = standin.instances(REGION);
    assert_eq!(instances.len(), 3);
    let replacement = &instances[2];
    assert_eq!(
        (replacement.state.as_str(), replacement.options.hop_limit),
        ("running", 4)
    );
    assert_eq!(replacement.tags, standin.instance(&id).tags);
    assert_ne!(replacement.id, id);
}

#[test]
fn a_stopped_instance_stops_first_and_starts_again() {
    let standin = Standin::start();
    let id = standin.launch(launch(REGION));
    let client = ec2(&standin, REGION);
    let seen = || client.filtered("instance-id", &[&id]).text("name");
    client.with_ids("StartInstances", &[&id]).is_done();
    assert_eq!(state(&standin, &id), "running");
    assert_eq!(
        client.with_ids("StopInstances", &[&id]).texts("name"),
        ["stopping", "running"]
    );
    client
        .with_ids("StartInstances", &[&id])
        .is_refused(400, "IncorrectInstanceState");
    assert_eq!([seen(), seen()], ["stopping", "stopped"]);
    client.with_ids("StopInstances", &[&id]).is_done();
    assert_eq!(seen(), "stopped");
    assert_eq!(
        client.with_ids("StartInstances", &[&id]).texts("name"),
        ["pending", "stopped"]
    );
    assert_eq!([seen(), seen()], ["pending", "running"]);
}

#[test]
fn some_instances_refuse_to_stop_and_then_none_stops() {
    let standin = Standin::start();
    let client = ec2(&standin, REGION);
    let fine = standin.launch(launch(REGION));
    let refusing = [
        (launch(REGION).instance_store(), "UnsupportedOperation"),
        (launch(REGION).spot(), "UnsupportedOperation"),
        (launch(REGION).stop_protected(), "OperationNotPermitted"),
        (launch(REGION).state("terminated"), "IncorrectInstanceState"),
        (launch(REGION).state("pending"), "IncorrectInstanceState"),
    ];
    for (launch, code) in refusing {
        let id = standin.launch(launch);
        client
            .with_ids("StopInstances", &[&fine, &id])
            .is_refused(400, code);
        assert_eq!(state(&standin, &fine), "running");
    }
    let protected = standin.launch(launch(REGION).protected());
    client
        .with_ids("StopInstances", &[&protected, &fine])
        .is_done();
}

#[test]
fn a_pending_instance_runs_in_time() {
    let standin = Standin::start();
    let id = standin.launch(launch(REGION).becomes_running(Settle::Describes(2)));
    let stays = standin.launch(launch(REGION).state("pending"));
    let client = ec2(&standin, REGION);
    let seen = || client.filtered("instance-id", &[&id]).text("name");
    assert_eq!([seen(), seen(), seen()], ["pending", "pending", "running"]);
    assert_eq!(state(&standin, &stays), "pending");
    standin.set_state(&stays, "stopped");
    assert_eq!(state(&standin, &stays), "stopped");
}
