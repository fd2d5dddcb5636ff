//! Injected faults.

use std::time::{Duration, Instant};

use imds_tests::{CallOutcome, FakeAws, InjectedFault, launch, wait_until};

use crate::REGION;
use crate::client::{ec2, sts};
use crate::cloudwatch::{cloudwatch, map};

const REQUIRE: &[(&str, &str)] = &[("HttpTokens", "required")];

#[test]
fn every_fault_has_its_code_and_status() {
    let fake = FakeAws::start();
    let client = ec2(&fake, REGION);
    let faults = [
        (InjectedFault::throttle(), 503, "RequestLimitExceeded"),
        (InjectedFault::unavailable(), 503, "Unavailable"),
        (InjectedFault::status(500), 500, "InternalError"),
        (InjectedFault::unauthorized(), 403, "UnauthorizedOperation"),
        (InjectedFault::expired(), 400, "RequestExpired"),
        (
            InjectedFault::not_found(),
            400,
            "InvalidInstanceID.NotFound",
        ),
        (
            InjectedFault::error("ExpiredToken", 403),
            403,
            "ExpiredToken",
        ),
    ];
    for (fault, status, code) in faults {
        fake.fault(fault.times(1));
        client
            .call("DescribeInstances", &[])
            .is_rejected(status, code);
        client.call("DescribeInstances", &[]).is_done();
        assert_eq!(
            fake.calls().iter().rev().nth(1).unwrap().outcome,
            CallOutcome::Err(code.to_owned())
        );
    }
}

#[test]
fn a_gateway_answers_without_xml() {
    let fake = FakeAws::start();
    fake.fault(InjectedFault::status(502));
    let answer = ec2(&fake, REGION).call("DescribeInstances", &[]);
    assert_eq!(
        (answer.status, answer.body.starts_with("<html>")),
        (502, true)
    );
    assert_eq!(fake.calls()[0].outcome, CallOutcome::Err("502".to_owned()));
}

#[test]
fn other_services_throttle_with_their_own_codes() {
    let fake = FakeAws::start();
    fake.fault(InjectedFault::throttle());
    let answer = sts(&fake, REGION).call("GetCallerIdentity", &[]);
    answer.is_rejected(400, "Throttling");
    assert!(
        answer
            .body
            .contains("<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error>")
    );
    let answer = cloudwatch(&fake, REGION).get_metric_data(&map([]));
    answer.is_rejected(400, "Throttling");
    assert_eq!(
        answer.error_type(),
        "com.amazon.coral.availability#ThrottlingException"
    );
    let calls = fake.calls_to("GetMetricData");
    assert_eq!(calls[0].outcome, CallOutcome::Err("Throttling".to_owned()));
}

#[test]
fn a_fault_hits_only_the_calls_that_it_names() {
    let fake = FakeAws::start();
    let ids = fake.launch_many(launch(REGION), 2);
    let other = fake.launch(launch("us-east-1"));
    fake.fault(
        InjectedFault::throttle()
            .action("ModifyInstanceMetadataOptions")
            .region(REGION)
            .instance(&ids[0]),
    );
    let client = ec2(&fake, REGION);
    client.modify(&ids[1], REQUIRE).is_done();
    client.with_ids("DescribeInstances", &[&ids[0]]).is_done();
    ec2(&fake, "us-east-1").modify(&other, REQUIRE).is_done();
    client
        .modify(&ids[0], REQUIRE)
        .is_rejected(503, "RequestLimitExceeded");
    client
        .modify(&ids[0], REQUIRE)
        .is_rejected(503, "RequestLimitExceeded");
    fake.clear_faults();
    client.modify(&ids[0], REQUIRE).is_done();
}

#[test]
fn a_fault_finds_an_instance_in_lists_and_filters_and_by_region() {
    let fake = FakeAws::start();
    let ids = fake.launch_many(launch(REGION), 2);
    let client = ec2(&fake, REGION);
    fake.fault(InjectedFault::throttle().instance(&ids[1]));
    client
        .with_ids("DescribeInstances", &[&ids[0], &ids[1]])
        .is_rejected(503, "RequestLimitExceeded");
    client
        .filtered("instance-id", &[&ids[0], &ids[1]])
        .is_rejected(503, "RequestLimitExceeded");
    client.filtered("instance-id", &[&ids[0]]).is_done();
    fake.clear_faults();
    fake.fault(InjectedFault::throttle().region("us-east-1"));
    client.call("DescribeInstances", &[]).is_done();
    ec2(&fake, "us-east-1")
        .call("DescribeInstances", &[])
        .is_rejected(503, "RequestLimitExceeded");
}

#[test]
fn a_fault_may_begin_late_and_end_soon() {
    let fake = FakeAws::start();
    fake.fault(InjectedFault::throttle().after(2).times(2));
    let client = ec2(&fake, REGION);
    let statuses: Vec<_> = (0..5)
        .map(|_| client.call("DescribeInstances", &[]).status)
        .collect();
    assert_eq!(statuses, [200, 200, 503, 503, 200]);
}

#[test]
fn faults_are_tried_in_order() {
    let fake = FakeAws::start();
    fake.fault(InjectedFault::throttle().times(1));
    fake.fault(InjectedFault::status(500).times(1));
    let client = ec2(&fake, REGION);
    let statuses: Vec<_> = (0..3)
        .map(|_| client.call("DescribeInstances", &[]).status)
        .collect();
    assert_eq!(statuses, [503, 500, 200]);
}

#[test]
fn a_reset_leaves_nothing_done() {
    let fake = FakeAws::start();
    let id = fake.launch(launch(REGION));
    fake.fault(InjectedFault::reset().times(1));
    let client = ec2(&fake, REGION);
    let error = client
        .try_call(
            "ModifyInstanceMetadataOptions",
            &[("InstanceId", &id), ("HttpTokens", "required")],
        )
        .unwrap_err();
    let ureq::Error::Io(error) = error else {
        panic!("{error}")
    };
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}");
    assert_eq!(fake.instance(&id).options.tokens, "optional");
    assert_eq!(fake.calls()[0].outcome, CallOutcome::Reset);
    client.modify(&id, REQUIRE).is_done();
    assert_eq!(fake.connections(), 2);
}

#[test]
fn a_reset_may_come_after_the_change() {
    let fake = FakeAws::start();
    let id = fake.launch(launch(REGION));
    fake.fault(InjectedFault::reset_after());
    let client = ec2(&fake, REGION);
    let params = [("InstanceId", id.as_str()), ("HttpTokens", "required")];
    client
        .try_call("ModifyInstanceMetadataOptions", &params)
        .unwrap_err();
    assert_eq!(fake.instance(&id).options.tokens, "required");
    assert_eq!(fake.calls()[0].outcome, CallOutcome::Reset);
}

#[test]
fn a_malformed_answer_ends_in_the_middle() {
    let fake = FakeAws::start();
    let id = fake.launch(launch(REGION).tag("ü", "üüü"));
    fake.fault(InjectedFault::malformed().times(2));
    let client = ec2(&fake, REGION);
    let answer = client.with_ids("DescribeInstances", &[&id]);
    assert_eq!(answer.status, 200);
    assert!(roxmltree::Document::parse(&answer.body).is_err());
    client.modify(&id, REQUIRE);
    assert_eq!(fake.instance(&id).options.tokens, "required");
}

#[test]
fn a_replacement_in_the_xml_of_an_instance_appears_in_every_describe_of_it() {
    let fake = FakeAws::start();
    let ids = fake.launch_many(launch(REGION), 2);
    fake.garble(&ids[0], "HopLimit>1<", "HopLimit>many<");
    fake.garble(&ids[0], "<launchTime>", "<launchTime>around ");
    let client = ec2(&fake, REGION);
    for _ in 0..2 {
        let answer = client.call("DescribeInstances", &[]);
        assert_eq!(answer.ids(), ids);
        assert_eq!(answer.texts("httpPutResponseHopLimit"), ["many", "1"]);
        let times = answer.texts("launchTime");
        assert_eq!(times[0], format!("around {}", times[1]));
    }
    let named = client.with_ids("DescribeInstances", &[&ids[0]]);
    assert_eq!(named.texts("httpPutResponseHopLimit"), ["many"]);
    assert_eq!(fake.instance(&ids[0]).options.hop_limit, 1);
}

#[test]
#[should_panic(expected = "has no `<httpTokens>required<`")]
fn text_that_the_xml_does_not_contain_cannot_be_replaced() {
    let fake = FakeAws::start();
    let id = fake.launch(launch(REGION));
    fake.garble(&id, "<httpTokens>required<", "<httpTokens><");
}

#[test]
fn delays_add_up_and_other_faults_still_hold() {
    let fake = FakeAws::start();
    fake.set_latency(Duration::from_millis(30));
    fake.fault(InjectedFault::delay(Duration::from_millis(40)));
    fake.fault(InjectedFault::throttle().times(1));
    fake.fault(InjectedFault::delay(Duration::from_millis(500)).times(1));
    let client = ec2(&fake, REGION);
    let begun = Instant::now();
    client
        .call("DescribeInstances", &[])
        .is_rejected(503, "RequestLimitExceeded");
    assert!(
        begun.elapsed() >= Duration::from_millis(570),
        "{:?}",
        begun.elapsed()
    );
    let begun = Instant::now();
    client.call("DescribeInstances", &[]).is_done();
    assert!(
        (70..500).contains(&begun.elapsed().as_millis()),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn a_delayed_change_takes_effect_although_the_client_has_disconnected() {
    let fake = FakeAws::start();
    let id = fake.launch(launch(REGION));
    fake.fault(InjectedFault::delay(Duration::from_millis(500)));
    let body = format!(
        "Action=ModifyInstanceMetadataOptions&Version=2016-11-15&InstanceId={id}&HttpTokens=required"
    );
    let mut stream =
        std::net::TcpStream::connect(fake.url().trim_start_matches("http://")).unwrap();
    let head = format!(
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential=A/20260101/{REGION}/ec2/aws4_request\r\n\r\n",
        body.len()
    );
    std::io::Write::write_all(&mut stream, (head + &body).as_bytes()).unwrap();
    wait_until("the call", || fake.calls().len() == 1);
    drop(stream);
    assert_eq!(fake.instance(&id).options.tokens, "optional");
    wait_until("the answer", || fake.calls()[0].outcome == CallOutcome::Ok);
    assert_eq!(fake.instance(&id).options.tokens, "required");
}
