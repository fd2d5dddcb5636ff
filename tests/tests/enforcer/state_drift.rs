//! The limit of enforcements after drift, which the state table counts for each instance.

use std::thread::scope;

use imds_tests::{FakeAws, launch};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::*;
use crate::support_state::*;

const ENFORCED: [&str; 3] = ["enforced", "", ""];
const LIMITED: [&str; 3] = ["reported", "enforce", "drift_limit"];
const MODIFY: &str = "ModifyInstanceMetadataOptions";

fn policy(enforcements_per_hour: u32) -> String {
    json!({
        "version": 1, "require": { "http_tokens": "required" }, "on_violation": "enforce",
        "limits": { "enforcements_per_hour": enforcements_per_hour }
    })
    .to_string()
}

fn old(ec2: &FakeAws) -> String {
    ec2.launch(launch(REGION).launched(seconds(90 * DAY)))
}

/// CloudTrail tells whole seconds.
fn whole(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap()
}

fn opened(id: &str, at: Timestamp) -> Value {
    let event = modified(id, "mallory", &json!({ "HttpTokens": "optional" }));
    happened(event, whole(at))
}

fn open_again(ec2: &FakeAws, id: &str) {
    ec2.set_options(id, |options| options.tokens = "optional".to_owned());
}

#[test]
fn the_changes_of_an_instance_are_counted_by_the_times_of_their_events() {
    let ec2 = FakeAws::start();
    let function = function(&ec2, &policy(3));
    let (id, other) = (old(&ec2), old(&ec2));
    let times = [50, 40, 30, 20, 10].map(|seconds| whole(ago(seconds)));
    let outcomes = times.map(|at| {
        open_again(&ec2, &id);
        let run = function.invoke(&opened(&id, at));
        let limited = metric(&run, "DriftLimitReached");
        let done = done(report(&run), &id).map(str::to_owned);
        assert_eq!(limited.len(), usize::from(done == LIMITED));
        done
    });
    assert_eq!(outcomes, [ENFORCED, ENFORCED, ENFORCED, LIMITED, LIMITED]);
    assert_eq!(ec2.count(MODIFY), 3);
    let key = format!("drift#{id}");
    let counted: Vec<String> = entries(&ec2, &key).into_iter().map(|it| it.0).collect();
    let expected = times[..3].iter().map(|at| at.as_millisecond().to_string());
    assert_eq!(counted, expected.collect::<Vec<_>>());
    for (_, at) in entries(&ec2, &key) {
        assert!(apart(at, Timestamp::now()) < seconds(30), "{at}");
    }
    let run = function.invoke(&opened(&other, times[3]));
    assert_eq!(done(report(&run), &other), ENFORCED);
}

#[test]
fn an_event_that_comes_twice_counts_once() {
    let ec2 = FakeAws::start();
    let function = function(&ec2, &policy(1));
    let id = old(&ec2);
    let event = opened(&id, ago(30));
    for _ in 0..3 {
        open_again(&ec2, &id);
        let run = function.invoke(&event);
        assert_eq!(done(report(&run), &id), ENFORCED);
    }
    assert_eq!(entries(&ec2, &format!("drift#{id}")).len(), 1);
    open_again(&ec2, &id);
    let run = function.invoke(&opened(&id, ago(20)));
    assert_eq!(done(report(&run), &id), LIMITED);
    assert_eq!(ec2.instance(&id).options.tokens, "optional");
}

/// EC2 answers each change and does not make it, so that every event finds the instance open.
#[test]
fn twenty_events_at_once_enforce_no_more_often_than_the_limit() {
    let ec2 = FakeAws::start();
    let id = old(&ec2);
    ec2.discard_changes(&id);
    let (policy, first) = (policy(6), ago(80));
    let outcomes: Vec<[String; 3]> = scope(|scope| {
        let runs = (0..20).map(|n| {
            let (ec2, id, policy) = (&ec2, &id, &policy);
            scope.spawn(move || {
                let function = builder(ec2, policy).timeout(seconds(60)).start();
                let run = function.invoke(&opened(id, first + seconds(n)));
                done(report(&run), id).map(str::to_owned)
            })
        });
        let runs: Vec<_> = runs.collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    let enforced = outcomes.iter().filter(|it| **it == ENFORCED).count();
    let limited = outcomes.iter().filter(|it| **it == LIMITED).count();
    assert_eq!((enforced, limited), (6, 14), "{outcomes:?}");
    assert_eq!(ec2.count(MODIFY), 6);
}

#[test]
fn an_enforcement_counts_for_62_minutes() {
    for (minutes, expected) in [(61, LIMITED), (63, ENFORCED)] {
        let ec2 = FakeAws::start();
        let id = old(&ec2);
        let key = format!("drift#{id}");
        ec2.put_item(&key, counted(&[("1772359200000", ago(minutes * MINUTE))]));
        let run = function(&ec2, &policy(1)).invoke(&opened(&id, ago(10)));
        assert_eq!(done(report(&run), &id), expected, "{minutes}");
    }
}

#[test]
fn drift_is_not_enforced_where_its_item_cannot_be_read() {
    let ec2 = FakeAws::start();
    let id = old(&ec2);
    let item = json!({ "version": 1, "entries": "none" });
    ec2.put_item(&format!("drift#{id}"), item.clone());
    let run = function(&ec2, &policy(6)).invoke(&opened(&id, ago(10)));
    let expected = ["failed", "enforce", "state_unavailable"];
    assert_eq!(done(&logged_report(&run), &id), expected);
    let why = reason(&logged_report(&run), &id).to_owned();
    assert!(why.contains("`entries`") && why.contains(&id), "{why}");
    assert_eq!(ec2.item(&format!("drift#{id}")), Some(item));
    assert_eq!(ec2.count(MODIFY), 0);
}

#[test]
fn only_the_item_of_the_changed_instance_is_written() {
    let ec2 = FakeAws::start();
    let id = old(&ec2);
    function(&ec2, &policy(6)).invoke(&opened(&id, ago(10)));
    let keys: Vec<String> = ec2.items().into_keys().collect();
    assert_eq!(keys, [format!("drift#{id}")]);
    let expires = ec2.items()[&keys[0]]["expires_at"].as_i64().unwrap();
    let expires = Timestamp::from_second(expires).unwrap();
    assert!(apart(expires, ahead(2 * HOUR)) < seconds(30), "{expires}");
}
