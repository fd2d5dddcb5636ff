//! Faults, delays and the clock of the fake's DynamoDB.

use std::thread;
use std::time::{Duration, Instant};

use imds_tests::{CallOutcome, FakeAws, InjectedFault, wait_until};
use jiff::{SignedDuration, Timestamp, fmt::rfc2822};
use serde_json::{Value, json};

use crate::REGION;
use crate::client::{agent, authorization};
use crate::dynamodb_client::{dynamodb, named};
use crate::metrics::ago;

const KEY: &str = "limit#1";

fn set() -> Value {
    json!({"UpdateExpression": "SET a = :v", "ConditionExpression": "attribute_not_exists(a)",
        "ExpressionAttributeValues": {":v": {"N": "1"}}})
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn a_reset_writes_nothing_and_a_late_one_writes() {
    let fake = FakeAws::start();
    let client = dynamodb(&fake, REGION);
    fake.fault(InjectedFault::reset().action("UpdateItem").times(1));
    fake.fault(InjectedFault::reset_after().action("UpdateItem").times(1));
    let attempt = || {
        client
            .try_call("UpdateItem", &named(KEY, set()))
            .unwrap_err()
    };
    attempt();
    assert_eq!(fake.item(KEY), None);
    attempt();
    assert_eq!(fake.item(KEY), Some(json!({"a": 1})));
    client
        .update(KEY, set())
        .is_rejected(400, "ConditionalCheckFailedException", "");
    let calls = fake.table_calls();
    let told: Vec<_> = calls
        .iter()
        .map(|call| (call.condition, call.outcome.clone()))
        .collect();
    let failed = CallOutcome::Err("ConditionalCheckFailedException".to_owned());
    assert_eq!(
        told,
        [
            (None, CallOutcome::Reset),
            (Some(true), CallOutcome::Reset),
            (Some(false), failed)
        ]
    );
    assert_eq!(calls[0].took_effect, None);
    assert!(calls[1].took_effect.is_some());
}

#[test]
fn faults_have_the_names_that_dynamodb_gives_them() {
    let fake = FakeAws::start();
    let client = dynamodb(&fake, REGION);
    for (fault, status, code) in [
        (InjectedFault::throttle(), 400, "ThrottlingException"),
        (
            InjectedFault::error("ProvisionedThroughputExceededException", 400),
            400,
            "ProvisionedThroughputExceededException",
        ),
        (InjectedFault::unauthorized(), 400, "AccessDeniedException"),
        (
            InjectedFault::error("AccessDeniedException", 400),
            400,
            "AccessDeniedException",
        ),
        (InjectedFault::expired(), 400, "InvalidSignatureException"),
        (InjectedFault::status(500), 500, "InternalServerError"),
        (InjectedFault::unavailable(), 503, "ServiceUnavailable"),
    ] {
        fake.fault(fault.times(2));
        client.get("pause#1").is_rejected(status, code, "");
        client.update(KEY, set()).is_rejected(status, code, "");
        let call = fake.table_calls().pop().unwrap();
        assert_eq!(call.outcome, CallOutcome::Err(code.to_owned()));
        assert_eq!((call.took_effect, call.condition), (None, None));
    }
    assert_eq!(fake.item(KEY), None);
    fake.set_rate("BatchGetItem", 1.0, 0.001);
    client.batch(&["a"]).is_done();
    client
        .batch(&["a"])
        .is_rejected(400, "ThrottlingException", "");
}

#[test]
fn a_gateway_answers_html_and_a_malformed_answer_ends_in_the_middle() {
    let fake = FakeAws::start();
    let agent = agent();
    let text = |fault: InjectedFault| {
        fake.fault(fault.times(1));
        let mut answer = agent
            .post(fake.url())
            .header("Authorization", authorization(REGION, "dynamodb"))
            .header("Content-Type", "application/x-amz-json-1.0")
            .header("X-Amz-Target", "DynamoDB_20120810.UpdateItem")
            .send(named(KEY, set()).to_string())
            .unwrap();
        (
            answer.status().as_u16(),
            answer.body_mut().read_to_string().unwrap(),
        )
    };
    let (status, body) = text(InjectedFault::status(502));
    assert!(
        status == 502 && body.starts_with("<html>"),
        "{status} {body}"
    );
    assert_eq!(fake.item(KEY), None);
    let (status, body) = text(InjectedFault::malformed());
    assert!(
        status == 200 && serde_json::from_str::<Value>(&body).is_err(),
        "{status} {body}"
    );
    assert_eq!(fake.item(KEY), Some(json!({"a": 1})));
}

#[test]
fn a_fault_can_be_for_the_items_of_one_instance() {
    let fake = FakeAws::start();
    let client = dynamodb(&fake, REGION);
    fake.fault(InjectedFault::throttle().instance("i-1"));
    client
        .get("watch#i-1")
        .is_rejected(400, "ThrottlingException", "");
    client
        .batch(&["exempt#i-2", "exempt#i-1"])
        .is_rejected(400, "ThrottlingException", "");
    client.get("watch#i-12").is_done();
    client.get("pause#111122223333#i").is_done();
}

#[test]
fn a_delayed_effect_comes_although_the_client_has_given_up() {
    let fake = FakeAws::start();
    fake.fault(InjectedFault::delay(millis(400)).action("UpdateItem"));
    thread::scope(|scope| {
        let client = dynamodb(&fake, REGION);
        let impatient = client.impatient(millis(100));
        scope.spawn(move || {
            impatient
                .try_call("UpdateItem", &named(KEY, set()))
                .unwrap_err()
        });
        wait_until("the call", || fake.count("UpdateItem") == 1);
    });
    assert_eq!(fake.item(KEY), None);
    wait_until("the write", || fake.item(KEY).is_some());
    let call = &fake.table_calls()[0];
    assert!(call.took_effect.unwrap() - call.at >= millis(400));
    assert_eq!(call.condition, Some(true));
}

#[test]
fn a_delayed_answer_comes_after_its_effect() {
    let fake = FakeAws::start();
    fake.fault(
        InjectedFault::delay_answer(millis(500))
            .action("UpdateItem")
            .times(1),
    );
    let begun = Instant::now();
    thread::scope(|scope| {
        let client = dynamodb(&fake, REGION);
        let late = scope.spawn(move || client.update(KEY, set()));
        wait_until("the write", || fake.item(KEY).is_some());
        assert!(begun.elapsed() < millis(400), "{:?}", begun.elapsed());
        assert_eq!(fake.table_calls()[0].outcome, CallOutcome::Reset);
        assert_eq!(fake.table_calls()[0].condition, Some(true));
        dynamodb(&fake, REGION).update(KEY, set()).is_rejected(
            400,
            "ConditionalCheckFailedException",
            "",
        );
        late.join().unwrap().is_done();
    });
    assert!(begun.elapsed() >= millis(500), "{:?}", begun.elapsed());
    let call = &fake.table_calls()[0];
    assert_eq!(call.outcome, CallOutcome::Ok);
    assert!(call.took_effect.unwrap() - call.at < millis(400));
}

#[test]
fn one_of_many_writers_meets_the_condition() {
    let fake = FakeAws::start();
    fake.set_latency(millis(20));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| dynamodb(&fake, REGION).update(KEY, set()));
        }
    });
    let held = fake
        .table_calls()
        .into_iter()
        .filter(|call| call.condition == Some(true));
    assert_eq!(held.count(), 1);
    assert_eq!(fake.count("UpdateItem"), 8);
}

#[test]
fn every_answer_has_a_date_that_a_test_can_shift() {
    let fake = FakeAws::start();
    let client = dynamodb(&fake, REGION);
    let now = || ago(0);
    let shown = |date: &str| rfc2822::parse(date).unwrap().timestamp();
    let near = |date: &str, expected: Timestamp| {
        let apart = shown(date).duration_since(expected).abs();
        assert!(
            apart <= SignedDuration::from_secs(5),
            "{date} and {expected}"
        );
    };
    near(&client.get(KEY).date, now());
    let hour = SignedDuration::from_hours(1);
    fake.set_clock_skew(hour);
    near(&client.get(KEY).date, now() + hour);
    fake.set_clock_skew(-hour);
    near(&client.update(KEY, set()).date, now() - hour);
    fake.fault(InjectedFault::status(502).times(1));
    for expected in [502, 403] {
        let answer = agent().post(fake.url()).send_form([("a", "b")]).unwrap();
        assert_eq!(answer.status(), expected);
        let date = answer.headers()["date"].to_str().unwrap();
        near(date, now() - hour);
    }
    fake.set_clock_skew(SignedDuration::ZERO);
    near(&client.get(KEY).date, now());
}
