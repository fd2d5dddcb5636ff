//! Faults: what goes wrong when the test wishes it.

use std::time::{Duration, Instant};

use imds_tests::{Fault, Outcome, Standin, launch};

use crate::REGION;
use crate::client::{ec2, sts};
use crate::cloudwatch::{cloudwatch, map};

const REQUIRE: &[(&str, &str)] = &[("HttpTokens", "required")];

#[test]
fn every_fault_has_its_code_and_status() {
    let standin = Standin::start();
    let client = ec2(&standin, REGION);
    let faults = [
        (Fault::throttle(), 503, "RequestLimitExceeded"),
        (Fault::unavailable(), 503, "Unavailable"),
        (Fault::status(500), 500, "InternalError"),
        (Fault::unauthorised(), 403, "UnauthorizedOperation"),
        (Fault::expired(), 400, "RequestExpired"),
        (Fault::not_found(), 400, "InvalidInstanceID.NotFound"),
        (Fault::error("ExpiredToken", 403), 403, "ExpiredToken"),
    ];
    for (fault, status, code) in faults {
        standin.fault(fault.times(1));
        client
            .call("DescribeInstances", &[])
            .is_refused(status, code);
        client.call("DescribeInstances", &[]).is_done();
        assert_eq!(
            standin.calls().iter().rev().nth(1).unwrap().outcome,
            Outcome::Err(code.to_owned())
        );
    }
}

#[test]
fn a_gateway_answers_without_xml() {
    let standin = Standin::start();
    standin.fault(Fault::status(502));
    let answer = ec2(&standin, REGION).call("DescribeInstances", &[]);
    assert_eq!(
        (answer.status, answer.body.starts_with("<html>")),
        (502, true)
    );
    assert_eq!(standin.calls()[0].outcome, Outcome::Err("502".to_owned()));
}

#[test]
fn other_services_throttle_in_their_own_words() {
    let standin = Standin::start();
    standin.fault(Fault::throttle());
    let answer = sts(&standin, REGION).call("GetCallerIdentity", &[]);
    answer.is_refused(400, "Throttling");
    assert!(
        answer
            .body
            .contains("<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error>")
    );
    let answer = cloudwatch(&standin, REGION).get_metric_data(&map([]));
    answer.is_refused(400, "Throttling");
    assert_eq!(
        answer.error_type(),
        "com.amazon.coral.availability#ThrottlingException"
    );
    let calls = standin.calls_to("GetMetricData");
    assert_eq!(calls[0].outcome, Outcome::Err("Throttling".to_owned()));
}

#[test]
fn a_fault_hits_only_what_it_names() {
    let standin = Standin::start();
    let ids = standin.launch_many(launch(REGION), 2);
    let other = standin.launch(launch("us-east-1"));
    standin.fault(
        Fault::throttle()
            .action("ModifyInstanceMetadataOptions")
            .region(REGION)
            .instance(&ids[0]),
    );
    let client = ec2(&standin, REGION);
    client.modify(&ids[1], REQUIRE).is_done();
    client.with_ids("DescribeInstances", &[&ids[0]]).is_done();
    ec2(&standin, "us-east-1").modify(&other, REQUIRE).is_done();
    client
        .modify(&ids[0], REQUIRE)
        .is_refused(503, "RequestLimitExceeded");
    client
        .modify(&ids[0], REQUIRE)
        .is_refused(503, "RequestLimitExceeded");
    standin.clear_faults();
    client.modify(&ids[0], REQUIRE).is_done();
}

#[test]
fn a_fault_finds_an_instance_in_lists_and_filters_and_by_region() {
    let standin = Standin::start();
    let ids = standin.launch_many(launch(REGION), 2);
    let client = ec2(&standin, REGION);
    standin.fault(Fault::throttle().instance(&ids[1]));
    client
        .with_ids("DescribeInstances", &[&ids[0], &ids[1]])
        .is_refused(503, "RequestLimitExceeded");
    client
        .filtered("instance-id", &[&ids[0], &ids[1]])
        .is_refused(503, "RequestLimitExceeded");
    client.filtered("instance-id", &[&ids[0]]).is_done();
    standin.clear_faults();
    standin.fault(Fault::throttle().region("us-east-1"));
    client.call("DescribeInstances", &[]).is_done();
    ec2(&standin, "us-east-1")
        .call("DescribeInstances", &[])
        .is_refused(503, "RequestLimitExceeded");
}

#[test]
fn a_fault_may_begin_late_and_end_soon() {
    let standin = Standin::start();
    standin.fault(Fault::throttle().after(2).times(2));
    let client = ec2(&standin, REGION);
    let statuses: Vec<_> = (0..5)
        .map(|_| client.call("DescribeInstances", &[]).status)
        .collect();
    assert_eq!(statuses, [200, 200, 503, 503, 200]);
}

#[test]
fn faults_come_one_after_the_other() {
    let standin = Standin::start();
    standin.fault(Fault::throttle().times(1));
    standin.fault(Fault::status(500).times(1));
    let client = ec2(&standin, REGION);
    let statuses: Vec<_> = (0..3)
        .map(|_| client.call("DescribeInstances", &[]).status)
        .collect();
    assert_eq!(statuses, [503, 500, 200]);
}

#[test]
fn a_reset_leaves_nothing_done() {
    let standin = Standin::start();
    let id = standin.launch(launch(REGION));
    standin.fault(Fault::reset().times(1));
    let client = ec2(&standin, REGION);
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
    assert_eq!(standin.instance(&id).options.tokens, "optional");
    assert_eq!(standin.calls()[0].outcome, Outcome::Reset);
    client.modify(&id, REQUIRE).is_done();
    assert_eq!(standin.connections(), 2);
}

#[test]
fn a_reset_may_come_after_the_change() {
    let standin = Standin::start();
    let id = standin.launch(launch(REGION));
    standin.fault(Fault::reset_after());
    let client = ec2(&standin, REGION);
    let params = [("InstanceId", id.as_str()), ("HttpTokens", "required")];
    client
        .try_call("ModifyInstanceMetadataOptions", &params)
        .unwrap_err();
    assert_eq!(standin.instance(&id).options.tokens, "required");
    assert_eq!(standin.calls()[0].outcome, Outcome::Reset);
}

#[test]
fn a_malformed_answer_ends_in_the_middle() {
    let standin = Standin::start();
    let id = standin.launch(launch(REGION).tag("ü", "üüü"));
    standin.fault(Fault::malformed().times(2));
    let client = ec2(&standin, REGION);
    let answer = client.with_ids("DescribeInstances", &[&id]);
    assert_eq!(answer.status, 200);
    assert!(roxmltree::Document::parse(&answer.body).is_err());
    client.modify(&id, REQUIRE);
    assert_eq!(standin.instance(&id).options.tokens, "required");
}

#[test]
fn what_is_garbled_of_an_instance_is_seen_in_every_look_at_it_alone() {
    let standin = Standin::start();
    let ids = standin.launch_many(launch(REGION), 2);
    standin.garble(&ids[0], "HopLimit>1<", "HopLimit>many<");
    standin.garble(&ids[0], "<launchTime>", "<launchTime>around ");
    let client = ec2(&standin, REGION);
    for _ in 0..2 {
        let answer = client.call("DescribeInstances", &[]);
        assert_eq!(answer.ids(), ids);
        assert_eq!(answer.texts("httpPutResponseHopLimit"), ["many", "1"]);
        let times = answer.texts("launchTime");
        assert_eq!(times[0], format!("around {}", times[1]));
    }
    let named = client.with_ids("DescribeInstances", &[&ids[0]]);
    assert_eq!(named.texts("httpPutResponseHopLimit"), ["many"]);
    assert_eq!(standin.instance(&ids[0]).options.hop_limit, 1);
}

#[test]
#[should_panic(expected = "has no `<httpTokens>required<`")]
fn what_an_instance_does_not_say_cannot_be_garbled() {
    let standin = Standin::start();
    let id = standin.launch(launch(REGION));
    standin.garble(&id, "<httpTokens>required<", "<httpTokens><");
}

#[test]
fn delays_add_up_and_other_faults_still_hold() {
    let standin = Standin::start();
    standin.set_latency(Duration::from_millis(30));
    standin.fault(Fault::delay(Duration::from_millis(40)));
    standin.fault(Fault::throttle().times(1));
    standin.fault(Fault::delay(Duration::from_millis(500)).times(1));
    let client = ec2(&standin, REGION);
    let begun = Instant::now();
    client
        .call("DescribeInstances", &[])
        .is_refused(503, "RequestLimitExceeded");
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
fn a_delayed_change_is_made_though_the_client_has_gone() {
    let standin = Standin::start();
    let id = standin.launch(launch(REGION));
    standin.fault(Fault::delay(Duration::from_millis(500)));
    let body = format!(
        "Action=ModifyInstanceMetadataOptions&Version=2016-11-15&InstanceId={id}&HttpTokens=required"
    );
    let mut stream =
        std::net::TcpStream::connect(standin.url().trim_start_matches("http://")).unwrap();
    let head = format!(
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential=A/20260101/{REGION}/ec2/aws4_request\r\n\r\n",
        body.len()
    );
    std::io::Write::write_all(&mut stream, (head + &body).as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(100));
    drop(stream);
    assert_eq!(standin.instance(&id).options.tokens, "optional");
    std::thread::sleep(Duration::from_millis(600));
    assert_eq!(standin.instance(&id).options.tokens, "required");
    assert_eq!(standin.calls()[0].outcome, Outcome::Ok);
}
