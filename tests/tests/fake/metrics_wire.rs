//! CloudWatch's protocol: Smithy RPC v2 with CBOR.

use ciborium::Value;
use imds_tests::{CallOutcome, FakeAws, InjectedFault, launch};

use crate::REGION;
use crate::client::{agent, authorization};
use crate::cloudwatch::{
    CborAnswer, OPERATIONS, at, bytes, cloudwatch, list, map, numbers, query, text, time,
};
use crate::metrics::ago;

const DAY: u64 = 86_400;

/// The body of a valid call.
fn asked(instance: &str) -> Value {
    let query = query("a", instance, "MetadataNoToken", "Sum", 300);
    map([
        ("MetricDataQueries", list([query])),
        ("StartTime", time(ago(DAY))),
        ("EndTime", time(ago(0))),
    ])
}

/// An instance with one datapoint.
fn used(fake: &FakeAws) -> String {
    let id = fake.launch(launch(REGION));
    fake.datapoint(&id, "MetadataNoToken", ago(3_600), 5.0);
    id
}

#[track_caller]
fn sums(answer: &CborAnswer) -> Vec<f64> {
    let results = answer.member("MetricDataResults").unwrap();
    numbers(&results.as_array().unwrap()[0], "Values")
}

#[test]
fn an_answer_is_marked_as_cbor() {
    let fake = FakeAws::start();
    let client = cloudwatch(&fake, REGION);
    let id = used(&fake);
    let marks = (Some("rpc-v2-cbor"), Some("application/cbor"));
    let answer = client.get_metric_data(&asked(&id));
    assert_eq!(sums(&answer), [5.0]);
    assert_eq!(
        (answer.protocol.as_deref(), answer.content_type.as_deref()),
        marks
    );
    assert_eq!(answer.query_error, None);
    let refused = client.get_metric_data(&map([]));
    assert_eq!(
        (refused.protocol.as_deref(), refused.content_type.as_deref()),
        marks
    );
}

#[test]
fn times_may_be_whole_or_fractional_seconds() {
    let fake = FakeAws::start();
    let id = used(&fake);
    let tagged = |seconds: Value| Value::Tag(1, Box::new(seconds));
    let from = ago(DAY).as_second();
    for seconds in [
        Value::from(from),
        (from as f64).into(),
        (from as f64 + 0.25).into(),
    ] {
        let mut body = asked(&id);
        *at(&mut body, "StartTime") = tagged(seconds);
        assert_eq!(
            sums(&cloudwatch(&fake, REGION).get_metric_data(&body)),
            [5.0]
        );
    }
    let calls = fake.calls_to("GetMetricData");
    let start_time = |index: usize| calls[index].param("StartTime").unwrap().to_owned();
    let whole = jiff::Timestamp::from_second(from).unwrap().to_string();
    assert_eq!(
        [start_time(0), start_time(1)],
        [whole.clone(), whole.clone()]
    );
    assert_eq!(start_time(2), whole.replace('Z', ".25Z"));
}

#[test]
fn a_structure_may_have_an_indefinite_length() {
    let fake = FakeAws::start();
    let id = used(&fake);
    let written = bytes(&asked(&id));
    // The header of a map with three members, or with an indefinite length.
    assert_eq!(written[0], 0xa3);
    let endless = [&[0xbf], &written[1..], &[0xff]].concat();
    let path = format!("{OPERATIONS}GetMetricData");
    let answer = cloudwatch(&fake, REGION).post(&path, &endless);
    assert_eq!(sums(&answer), [5.0]);
}

#[test]
fn members_of_the_wrong_type_are_rejected() {
    let fake = FakeAws::start();
    let id = used(&fake);
    let refused = |path: &str, value: Value| {
        let mut body = asked(&id);
        *at(&mut body, path) = value;
        cloudwatch(&fake, REGION)
            .get_metric_data(&body)
            .is_rejected(400, "SerializationException");
    };
    refused("StartTime", "yesterday".into());
    refused("StartTime", "2026-01-01T00:00:00Z".into());
    refused("StartTime", ago(DAY).as_second().into());
    refused("EndTime", Value::Tag(1, Box::new(f64::NAN.into())));
    refused("EndTime", Value::Tag(1, Box::new(1e300.into())));
    refused("MaxDatapoints", "5".into());
    refused("NextToken", Value::Null);
    refused("MetricDataQueries", map([]));
    refused("MetricDataQueries.0", "a".into());
    refused("MetricDataQueries.0.Id", 1.into());
    refused("MetricDataQueries.0.ReturnData", "true".into());
    refused("MetricDataQueries.0.MetricStat", list([]));
    refused("MetricDataQueries.0.MetricStat.Period", "300".into());
    refused("MetricDataQueries.0.MetricStat.Period", 300.0.into());
}

#[test]
fn a_body_that_is_not_cbor_is_rejected() {
    let fake = FakeAws::start();
    let id = used(&fake);
    let written = bytes(&asked(&id));
    let bodies = [
        &[][..],
        b"<?xml version=\"1.0\"?>",
        &written[..written.len() / 2],
        &[&written[..], &[0]].concat(),
        &bytes(&list([])),
    ];
    for body in bodies {
        cloudwatch(&fake, REGION)
            .post(&format!("{OPERATIONS}GetMetricData"), body)
            .is_rejected(400, "SerializationException");
    }
}

#[test]
fn an_error_has_its_type_and_the_code_of_the_query_protocol() {
    let fake = FakeAws::start();
    let client = cloudwatch(&fake, REGION);
    let cloudwatch_s = |name: &str| format!("com.amazonaws.cloudwatch.v2010_08_01#{name}");
    let missing = client.get_metric_data(&map([]));
    missing.is_rejected(400, "MissingParameter");
    assert_eq!(
        missing.error_type(),
        cloudwatch_s("MissingRequiredParameterException")
    );
    let faults = [
        (
            InjectedFault::error("AccessDenied", 403),
            (403, "AccessDenied"),
            "com.amazon.coral.service#AccessDeniedException".to_owned(),
        ),
        (
            InjectedFault::unauthorized(),
            (403, "UnauthorizedOperation"),
            cloudwatch_s("UnauthorizedOperation"),
        ),
        (
            InjectedFault::status(500),
            (500, "InternalError"),
            cloudwatch_s("InternalError"),
        ),
    ];
    for (fault, (status, code), name) in faults {
        fake.fault(fault.action("GetMetricData").times(1));
        let answer = client.get_metric_data(&map([]));
        answer.is_rejected(status, code);
        assert_eq!(answer.error_type(), name);
    }
    let answer = cloudwatch(&fake, REGION)
        .without("x-amzn-query-mode")
        .get_metric_data(&map([]));
    assert_eq!((answer.status, answer.query_error), (400, None));
}

#[test]
fn a_fault_matches_an_instance_and_may_truncate_the_answer() {
    let fake = FakeAws::start();
    let client = cloudwatch(&fake, REGION);
    let (id, other) = (used(&fake), used(&fake));
    fake.fault(InjectedFault::malformed().instance(&id));
    assert_eq!(sums(&client.get_metric_data(&asked(&other))), [5.0]);
    let answer = client.get_metric_data(&asked(&id));
    assert_eq!(answer.status, 200);
    assert!(answer.value().is_err());
    assert_eq!(fake.calls()[1].outcome, CallOutcome::Ok);
    fake.clear_faults();
    let whole = client.get_metric_data(&asked(&id));
    assert_eq!(whole.body[..whole.body.len() / 2], answer.body);
}

#[test]
fn a_gateway_answers_cloudwatch_without_cbor() {
    let fake = FakeAws::start();
    fake.fault(InjectedFault::status(502));
    let answer = cloudwatch(&fake, REGION).get_metric_data(&map([]));
    assert_eq!((answer.status, answer.protocol), (502, None));
    assert!(answer.body.starts_with(b"<html>"));
}

#[test]
fn an_unknown_operation_is_not_found() {
    let fake = FakeAws::start();
    let body = bytes(&map([]));
    for path in [
        format!("{OPERATIONS}ListMetrics"),
        format!("{OPERATIONS}DescribeInstances"),
        format!("{OPERATIONS}GetMetricData/"),
        "/service/Other/operation/GetMetricData".to_owned(),
        "/".to_owned(),
    ] {
        let answer = cloudwatch(&fake, REGION).post(&path, &body);
        answer.is_rejected(404, "UnknownOperationException");
        assert_eq!(
            answer.error_type(),
            "com.amazon.coral.service#UnknownOperationException"
        );
    }
    for header in ["smithy-protocol", "content-type"] {
        cloudwatch(&fake, REGION)
            .without(header)
            .get_metric_data(&map([]))
            .is_rejected(404, "UnknownOperationException");
    }
}

#[test]
fn a_call_without_a_signature_is_rejected_in_cbor() {
    let fake = FakeAws::start();
    let mut response = agent()
        .post(format!("{}{OPERATIONS}GetMetricData", fake.url()))
        .header("smithy-protocol", "rpc-v2-cbor")
        .header("content-type", "application/cbor")
        .send(bytes(&map([])))
        .unwrap();
    assert_eq!(response.status().as_u16(), 403);
    let body = response.body_mut().read_to_vec().unwrap();
    let error: Value = ciborium::from_reader(body.as_slice()).unwrap();
    assert_eq!(
        text(&error, "__type"),
        "com.amazon.coral.service#MissingAuthenticationTokenException"
    );
}

#[test]
fn the_query_protocol_is_rejected() {
    let fake = FakeAws::start();
    let mut response = agent()
        .post(fake.url())
        .header("Authorization", authorization(REGION, "monitoring"))
        .send_form([("Action", "GetMetricData"), ("Version", "2010-08-01")])
        .unwrap();
    assert_eq!(response.status().as_u16(), 404);
    let body = response.body_mut().read_to_vec().unwrap();
    let error: Value = ciborium::from_reader(body.as_slice()).unwrap();
    assert_eq!(
        text(&error, "__type"),
        "com.amazon.coral.service#UnknownOperationException"
    );
    let refused = CallOutcome::Err("UnknownOperationException".to_owned());
    assert_eq!(fake.calls_to("GetMetricData")[0].outcome, refused);
}

#[test]
fn a_call_is_recorded_like_a_form() {
    let fake = FakeAws::start();
    let id = fake.launch(launch(REGION));
    let mut body = asked(&id);
    *at(&mut body, "StartTime") = time("2026-01-01T00:00:00Z".parse().unwrap());
    *at(&mut body, "EndTime") = time("2026-01-15T00:00:00.5Z".parse().unwrap());
    *at(&mut body, "MaxDatapoints") = 500.into();
    *at(&mut body, "MetricDataQueries.0.ReturnData") = true.into();
    cloudwatch(&fake, REGION).get_metric_data(&body);
    let calls = fake.calls();
    let call = &calls[0];
    assert_eq!(
        (
            call.action.as_str(),
            call.service.as_str(),
            call.region.as_str()
        ),
        ("GetMetricData", "monitoring", REGION)
    );
    let query = "MetricDataQueries.member.1";
    let dimension = format!("{query}.MetricStat.Metric.Dimensions.member.1");
    let expected = [
        ("EndTime".to_owned(), "2026-01-15T00:00:00.5Z"),
        ("MaxDatapoints".to_owned(), "500"),
        (format!("{query}.Id"), "a"),
        (format!("{dimension}.Name"), "InstanceId"),
        (format!("{dimension}.Value"), id.as_str()),
        (
            format!("{query}.MetricStat.Metric.MetricName"),
            "MetadataNoToken",
        ),
        (format!("{query}.MetricStat.Metric.Namespace"), "AWS/EC2"),
        (format!("{query}.MetricStat.Period"), "300"),
        (format!("{query}.MetricStat.Stat"), "Sum"),
        (format!("{query}.ReturnData"), "true"),
        ("StartTime".to_owned(), "2026-01-01T00:00:00Z"),
    ];
    let noted: Vec<_> = call.params.iter().collect();
    let expected: Vec<_> = expected
        .map(|(name, value)| (name, value.to_owned()))
        .into();
    assert_eq!(
        noted,
        expected
            .iter()
            .map(|(name, value)| (name, value))
            .collect::<Vec<_>>()
    );
}
