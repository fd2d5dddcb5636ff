//! What the stand-in notes of the calls that come.

use std::thread;
use std::time::{Duration, Instant};

use imds_tests::{Fault, Outcome, Standin, launch};

use crate::REGION;
use crate::client::{agent, ec2, sts};

#[test]
fn every_call_is_noted_with_its_parameters() {
    let standin = Standin::start();
    let id = standin.launch(launch(REGION));
    let before = Instant::now();
    ec2(&standin, REGION)
        .modify(&id, &[("HttpTokens", "required")])
        .is_done();
    ec2(&standin, "us-east-1").modify(&id, &[("HttpTokens", "required")]);
    sts(&standin, REGION)
        .call("GetCallerIdentity", &[])
        .is_done();
    let calls = standin.calls();
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
    assert_eq!(call.outcome, Outcome::Ok);
    assert!(call.at >= before && call.at <= calls[1].at);
    assert_eq!(
        calls[1].outcome,
        Outcome::Err("InvalidInstanceID.NotFound".to_owned())
    );
    assert_eq!(calls[2].service, "sts");
}

#[test]
fn calls_are_counted_and_told_apart() {
    let standin = Standin::start();
    let id = standin.launch(launch(REGION));
    let client = ec2(&standin, REGION);
    client.call("DescribeInstances", &[]).is_done();
    client.call("GetInstanceMetadataDefaults", &[]).is_done();
    client.with_ids("StopInstances", &["i-0123456789abcdef0"]);
    client.modify(&id, &[("HttpTokens", "required")]).is_done();
    assert_eq!(
        (
            standin.count("DescribeInstances"),
            standin.count("TerminateInstances")
        ),
        (1, 0)
    );
    let changing: Vec<_> = standin
        .changing_calls()
        .into_iter()
        .map(|call| call.action)
        .collect();
    assert_eq!(changing, ["StopInstances", "ModifyInstanceMetadataOptions"]);
    assert_eq!(standin.calls_to("StopInstances").len(), 1);
    standin.forget_calls();
    assert_eq!(standin.calls().len(), 0);
    client.call("DescribeInstances", &[]).is_done();
    assert_eq!(standin.calls()[0].outcome, Outcome::Ok);
}

#[test]
fn a_forgotten_call_that_is_answered_late_changes_no_other() {
    let standin = Standin::start();
    standin.fault(Fault::delay(Duration::from_millis(800)).times(1));
    thread::scope(|scope| {
        scope.spawn(|| {
            ec2(&standin, REGION)
                .call("DescribeInstances", &[])
                .is_done()
        });
        thread::sleep(Duration::from_millis(250));
        standin.forget_calls();
        ec2(&standin, REGION).call("DescribeVolumes", &[]);
    });
    let outcomes: Vec<_> = standin
        .calls()
        .into_iter()
        .map(|call| call.outcome)
        .collect();
    assert_eq!(outcomes, [Outcome::Err("InvalidAction".to_owned())]);
}

#[test]
fn connections_are_kept_and_counted() {
    let standin = Standin::start();
    let client = ec2(&standin, REGION);
    for _ in 0..5 {
        client.call("DescribeInstances", &[]).is_done();
    }
    assert_eq!((standin.connections(), standin.max_in_flight()), (1, 1));
    ec2(&standin, REGION)
        .call("DescribeInstances", &[])
        .is_done();
    assert_eq!(standin.connections(), 2);
}

#[test]
fn the_most_calls_at_once_are_known() {
    let standin = Standin::start();
    standin.set_latency(Duration::from_millis(300));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                ec2(&standin, REGION)
                    .call("DescribeInstances", &[])
                    .is_done()
            });
        }
    });
    assert_eq!(standin.max_in_flight(), 4);
    standin.forget_calls();
    assert_eq!(standin.max_in_flight(), 0);
}

#[track_caller]
fn check_refused(authorization: Option<&str>, form: &[(&str, &str)], status: u16, code: &str) {
    let standin = Standin::start();
    let mut request = agent().post(standin.url());
    if let Some(authorization) = authorization {
        request = request.header("Authorization", authorization);
    }
    let mut response = request.send_form(form.iter().copied()).unwrap();
    let body = response.body_mut().read_to_string().unwrap();
    assert_eq!(response.status().as_u16(), status, "{body}");
    assert!(body.contains(&format!("<Code>{code}</Code>")), "{body}");
    assert_eq!(standin.calls()[0].outcome, Outcome::Err(code.to_owned()));
}

#[test]
fn calls_that_are_none_are_refused_and_noted() {
    let signed =
        Some("AWS4-HMAC-SHA256 Credential=A/20260101/eu-central-1/ec2/aws4_request, Signature=x");
    let describe = ("Action", "DescribeInstances");
    let version = ("Version", "2016-11-15");
    check_refused(
        None,
        &[describe, version],
        403,
        "MissingAuthenticationToken",
    );
    check_refused(
        Some("Basic YTpi"),
        &[describe, version],
        400,
        "IncompleteSignature",
    );
    check_refused(signed, &[version], 400, "MissingAction");
    check_refused(
        signed,
        &[("Action", "DescribeVolumes"), version],
        400,
        "InvalidAction",
    );
    check_refused(
        signed,
        &[("Action", "GetCallerIdentity"), version],
        400,
        "InvalidAction",
    );
    check_refused(signed, &[describe], 400, "NoSuchVersion");
    check_refused(
        signed,
        &[describe, ("Version", "2010-08-01")],
        400,
        "NoSuchVersion",
    );
}

#[test]
fn stand_ins_share_nothing() {
    let (one, two) = (Standin::start(), Standin::start());
    let id = one.launch(launch(REGION));
    assert_ne!(one.url(), two.url());
    ec2(&two, REGION)
        .with_ids("DescribeInstances", &[&id])
        .is_refused(400, "InvalidInstanceID.NotFound");
    assert_eq!(one.calls().len(), 0);
    let url = one.url().trim_start_matches("http://").to_owned();
    drop(one);
    assert!(std::net::TcpStream::connect(url).is_err());
}

#[test]
#[should_panic(expected = "nobody launched `i-1`")]
fn a_mistaken_id_in_a_test_is_named() {
    let _ = Standin::start().instance("i-1");
}

/// A release build takes about a tenth of a second; this bound is for debug builds on busy machines.
#[test]
fn a_thousand_changes_take_no_time() {
    let standin = Standin::start();
    let ids = standin.launch_many(launch(REGION), 1_000);
    let begun = Instant::now();
    thread::scope(|scope| {
        for some in ids.chunks(250) {
            let client = ec2(&standin, REGION);
            scope.spawn(move || {
                for id in some {
                    client.modify(id, &[("HttpTokens", "required")]).is_done();
                }
            });
        }
    });
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert_eq!(standin.count("ModifyInstanceMetadataOptions"), 1_000);
}
