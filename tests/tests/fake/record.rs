//! The record of calls.

use std::thread;
use std::time::{Duration, Instant};

use imds_tests::{CallOutcome, FakeAws, InjectedFault, launch, wait_until};

use crate::REGION;
use crate::client::{agent, ec2, sts};

#[test]
fn every_call_is_recorded_with_its_parameters() {
    let fake = FakeAws::start();
    let id = fake.launch(launch(REGION));
    let before = Instant::now();
    ec2(&fake, REGION)
        .modify(&id, &[("HttpTokens", "required")])
        .is_done();
    ec2(&fake, "us-east-1").modify(&id, &[("HttpTokens", "required")]);
    sts(&fake, REGION).call("GetCallerIdentity", &[]).is_done();
    let calls = fake.calls();
    assert_eq!(calls.len(), 3);
    let call = &calls[0];
    assert_eq!(
        (call.param("InstanceId"), call.param("HttpTokens")),
        (Some(&*id), Some("required"))
    );
    assert_eq!(
        (call.region.as_str(), call.service.as_str()),
        (REGION, "ec2")
    );
    assert_eq!(
        (call.access_key.as_str(), call.user_agent.as_str()),
        ("AKIDEXAMPLE", "self-test")
    );
    assert_eq!(call.outcome, CallOutcome::Ok);
    assert!(call.at >= before && call.at <= calls[1].at);
    assert_eq!(
        calls[1].outcome,
        CallOutcome::Err("InvalidInstanceID.NotFound".to_owned())
    );
    assert_eq!(calls[2].service, "sts");
}

#[test]
fn calls_are_counted_by_action() {
    let fake = FakeAws::start();
    let id = fake.launch(launch(REGION));
    let client = ec2(&fake, REGION);
    client.call("DescribeInstances", &[]).is_done();
    client.call("GetInstanceMetadataDefaults", &[]).is_done();
    client.with_ids("StopInstances", &["i-0123456789abcdef0"]);
    client.modify(&id, &[("HttpTokens", "required")]).is_done();
    assert_eq!(
        (
            fake.count("DescribeInstances"),
            fake.count("TerminateInstances")
        ),
        (1, 0)
    );
    let changing: Vec<_> = fake
        .changing_calls()
        .into_iter()
        .map(|call| call.action)
        .collect();
    assert_eq!(changing, ["StopInstances", "ModifyInstanceMetadataOptions"]);
    assert_eq!(fake.calls_to("StopInstances").len(), 1);
    fake.forget_calls();
    assert_eq!(fake.calls().len(), 0);
    client.call("DescribeInstances", &[]).is_done();
    assert_eq!(fake.calls()[0].outcome, CallOutcome::Ok);
}

#[test]
fn a_forgotten_call_that_is_answered_late_changes_no_other() {
    let fake = FakeAws::start();
    fake.fault(InjectedFault::delay(Duration::from_millis(800)).times(1));
    thread::scope(|scope| {
        scope.spawn(|| ec2(&fake, REGION).call("DescribeInstances", &[]).is_done());
        wait_until("the call", || fake.calls().len() == 1);
        fake.forget_calls();
        ec2(&fake, REGION).call("DescribeVolumes", &[]);
    });
    let outcomes: Vec<_> = fake.calls().into_iter().map(|call| call.outcome).collect();
    assert_eq!(outcomes, [CallOutcome::Err("InvalidAction".to_owned())]);
}

#[test]
fn connections_persist_and_are_counted() {
    let fake = FakeAws::start();
    let client = ec2(&fake, REGION);
    for _ in 0..5 {
        client.call("DescribeInstances", &[]).is_done();
    }
    assert_eq!((fake.connections(), fake.max_in_flight()), (1, 1));
    ec2(&fake, REGION).call("DescribeInstances", &[]).is_done();
    assert_eq!(fake.connections(), 2);
}

#[test]
fn the_most_concurrent_calls_are_known() {
    let fake = FakeAws::start();
    fake.set_latency(Duration::from_millis(300));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| ec2(&fake, REGION).call("DescribeInstances", &[]).is_done());
        }
    });
    assert_eq!(fake.max_in_flight(), 4);
    fake.forget_calls();
    assert_eq!(fake.max_in_flight(), 0);
}

#[track_caller]
fn check_rejected(authorization: Option<&str>, form: &[(&str, &str)], status: u16, code: &str) {
    let fake = FakeAws::start();
    let mut request = agent().post(fake.url());
    if let Some(authorization) = authorization {
        request = request.header("Authorization", authorization);
    }
    let mut response = request.send_form(form.iter().copied()).unwrap();
    let body = response.body_mut().read_to_string().unwrap();
    assert_eq!(response.status().as_u16(), status, "{body}");
    assert!(body.contains(&format!("<Code>{code}</Code>")), "{body}");
    assert_eq!(fake.calls()[0].outcome, CallOutcome::Err(code.to_owned()));
}

#[test]
fn malformed_calls_are_rejected_and_recorded() {
    let signed =
        Some("AWS4-HMAC-SHA256 Credential=A/20260101/eu-central-1/ec2/aws4_request, Signature=x");
    let describe = ("Action", "DescribeInstances");
    let version = ("Version", "2016-11-15");
    check_rejected(
        None,
        &[describe, version],
        403,
        "MissingAuthenticationToken",
    );
    check_rejected(
        Some("Basic YTpi"),
        &[describe, version],
        400,
        "IncompleteSignature",
    );
    check_rejected(signed, &[version], 400, "MissingAction");
    check_rejected(
        signed,
        &[("Action", "DescribeVolumes"), version],
        400,
        "InvalidAction",
    );
    check_rejected(
        signed,
        &[("Action", "GetCallerIdentity"), version],
        400,
        "InvalidAction",
    );
    check_rejected(signed, &[describe], 400, "NoSuchVersion");
    check_rejected(
        signed,
        &[describe, ("Version", "2010-08-01")],
        400,
        "NoSuchVersion",
    );
}

#[test]
fn fakes_share_nothing() {
    let (one, two) = (FakeAws::start(), FakeAws::start());
    let id = one.launch(launch(REGION));
    assert_ne!(one.url(), two.url());
    ec2(&two, REGION)
        .with_ids("DescribeInstances", &[&id])
        .is_rejected(400, "InvalidInstanceID.NotFound");
    assert_eq!(one.calls().len(), 0);
    let url = one.url().trim_start_matches("http://").to_owned();
    drop(one);
    assert!(std::net::TcpStream::connect(url).is_err());
}

#[test]
#[should_panic(expected = "nobody launched `i-1`")]
fn an_unknown_id_in_a_test_is_named() {
    let _ = FakeAws::start().instance("i-1");
}

/// A release build takes about a tenth of a second; the limit is for debug builds on busy machines.
#[test]
fn a_thousand_changes_are_fast() {
    let fake = FakeAws::start();
    let ids = fake.launch_many(launch(REGION), 1_000);
    let begun = Instant::now();
    thread::scope(|scope| {
        for some in ids.chunks(250) {
            let client = ec2(&fake, REGION);
            scope.spawn(move || {
                for id in some {
                    client.modify(id, &[("HttpTokens", "required")]).is_done();
                }
            });
        }
    });
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert_eq!(fake.count("ModifyInstanceMetadataOptions"), 1_000);
}
