//! Who launched an instance, as the state table remembers it where a rule by `principals` decided.

use imds_tests::{FakeAws, InjectedFault, Invocation, launch};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::*;
use crate::support_state::*;

/// Who launches in events.
const ADA: &str = "arn:aws:iam::111122223333:user/ada";

const UNKNOWN: [&str; 3] = ["reported", "enforce", "launcher_unknown"];

/// A rule about what ada launches, with these fields.
fn ada(on_violation: &str, rule: Value) -> String {
    let mut whole = json!({ "name": "ada", "when": { "principals": [ADA] } });
    for (name, value) in rule.as_object().unwrap() {
        whole[name] = value.clone();
    }
    json!({
        "version": 1, "require": { "http_tokens": "required" }, "on_violation": on_violation,
        "new_instances": { "grace_seconds": 0 }, "existing": { "unknown": "enforce" },
        "rules": [whole]
    })
    .to_string()
}

fn exempting() -> String {
    ada("enforce", json!({ "action": "exempt" }))
}

fn launcher(id: &str) -> String {
    format!("launcher#{id}")
}

/// An old instance, and who launched it, where it is remembered.
fn old(ec2: &FakeAws, item: Option<Value>) -> String {
    let id = ec2.launch(launch(REGION).launched(seconds(90 * DAY)));
    if let Some(item) = item {
        ec2.put_item(&launcher(&id), item);
    }
    id
}

/// Mallory opens it, and a sweep finds it.
fn drift_and_sweep(ec2: &FakeAws, policy: &str, id: &str) -> [Invocation; 2] {
    let function = function(ec2, policy);
    let event = modified(id, "mallory", &json!({ "HttpTokens": "optional" }));
    ec2.set_options(id, |options| options.tokens = "optional".to_owned());
    let drift = function.invoke(&event);
    ec2.set_options(id, |options| options.tokens = "optional".to_owned());
    [drift, function.invoke(&sweep_here())]
}

/// The event's record shows that the rule exempts, and no other call is made.
#[test]
fn a_launch_that_a_rule_by_principals_decided_is_remembered_by_the_record_alone() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION));
    let run = function(&ec2, &exempting()).invoke(&launched_one(&ec2, &id));
    assert_eq!(outcome(report(&run), &id), "exempt");
    let item = ec2.item(&launcher(&id)).unwrap();
    assert_eq!(item["principals"], json!([ADA]));
    let expires = Timestamp::from_second(item["expires_at"].as_i64().unwrap()).unwrap();
    assert!(expires > ahead(4 * 365 * DAY), "{expires}");
    assert_eq!((ec2.calls().len(), ec2.table_calls().len()), (1, 1));
    for run in drift_and_sweep(&ec2, &exempting(), &id) {
        assert_eq!(outcome(report(&run), &id), "exempt");
        assert_eq!(entry(report(&run), &id)["rule"], "ada");
        assert_eq!(metric(&run, "LauncherUnknown"), [] as [Value; 0]);
    }
    assert_eq!(ec2.instance(&id).options.tokens, "optional");
}

#[test]
fn a_launch_that_was_described_is_remembered_too() {
    let ec2 = FakeAws::start();
    let policy = ada("enforce", json!({ "action": "terminate" }));
    let recorded = ec2.launch(launch(REGION));
    let found = ec2.launch(launch(REGION).launched(seconds(1)).client_token("t"));
    let function = function(&ec2, &policy);
    for (event, id) in [
        (launched_one(&ec2, &recorded), &recorded),
        (cut(REGION, Some("t"), 1), &found),
    ] {
        let run = function.invoke(&event);
        assert_eq!(outcome(report(&run), id), "terminated");
        assert_eq!(ec2.item(&launcher(id)).unwrap()["principals"], json!([ADA]));
    }
}

#[test]
fn only_what_a_rule_by_principals_decided_is_remembered() {
    let ec2 = FakeAws::start();
    let mut policy: Value = serde_json::from_str(&exempting()).unwrap();
    let first = json!({ "name": "web", "when": { "tags": { "app": "web" } }, "action": "enforce" });
    policy["rules"].as_array_mut().unwrap().insert(0, first);
    let function = function(&ec2, &policy.to_string());
    let web = ec2.launch(launch(REGION).tag("app", "web"));
    function.invoke(&launched_one(&ec2, &web));
    let of_other = ec2.launch(launch(REGION));
    let mut event = launched_one(&ec2, &of_other);
    event["detail"]["userIdentity"]["arn"] = json!("arn:aws:iam::111122223333:user/bob");
    function.invoke(&event);
    for id in [&web, &of_other] {
        assert_eq!(ec2.instance(id).options.tokens, "required");
    }
    assert_eq!(ec2.items().len(), 0);
}

#[test]
fn where_the_launcher_is_not_known_an_instance_is_reported_and_counted() {
    let items = [
        None,
        Some(json!({})),
        Some(json!({ "principals": ADA })),
        Some(json!({ "principals": [ADA, 7] })),
        Some(json!({ "principals": null })),
        Some(json!({ "principals": [] })),
    ];
    for item in items {
        let ec2 = FakeAws::start();
        let id = old(&ec2, item.clone());
        for run in drift_and_sweep(&ec2, &exempting(), &id) {
            assert_eq!(done(report(&run), &id), UNKNOWN, "{item:?}");
            let why = reason(report(&run), &id);
            assert!(why.contains("rule `ada` may match"), "{why}");
            assert_eq!(metric(&run, "LauncherUnknown"), [1]);
        }
        assert_eq!(ec2.changing_calls_of_ec2(), 0);
    }
}

#[test]
fn a_known_launcher_that_no_rule_names_decides_nothing() {
    let ec2 = FakeAws::start();
    let bob = json!({ "principals": ["arn:aws:iam::111122223333:user/bob"] });
    let id = old(&ec2, Some(bob));
    for run in drift_and_sweep(&ec2, &exempting(), &id) {
        assert_eq!(done(report(&run), &id), ["enforced", "", ""]);
        assert_eq!(entry(report(&run), &id)["rule"], Value::Null);
    }
}

#[test]
fn whoever_changes_or_starts_an_instance_did_not_launch_it() {
    let ec2 = FakeAws::start();
    let id = old(&ec2, None);
    let mut event = modified(&id, "mallory", &json!({ "HttpTokens": "optional" }));
    event["detail"]["userIdentity"]["arn"] = json!(ADA);
    let function = function(&ec2, &exempting());
    for event in [event, started(&[&id])] {
        let run = function.invoke(&event);
        assert_eq!(done(report(&run), &id), UNKNOWN);
    }
    assert_eq!(ec2.items().len(), 0);
}

#[test]
fn a_launch_that_cannot_be_remembered_fails_and_its_retry_remembers_it() {
    for rule in ["exempt", "enforce"] {
        let ec2 = FakeAws::start();
        let id = ec2.launch(launch(REGION));
        let other = ec2.launch(launch(REGION));
        let event = launched_ids(&ec2, &[id.clone(), other.clone()]);
        let fault = InjectedFault::unauthorized().action("UpdateItem");
        ec2.fault(fault.instance(&id));
        let function = function(&ec2, &ada("enforce", json!({ "action": rule })));
        let run = function.invoke(&event);
        assert!(failure(&run).contains("who launched it could not be remembered"));
        let logged = logged_report(&run);
        let entry = entry(&logged, &id);
        assert_eq!(
            (&entry["outcome"], &entry["because"]),
            (&json!("failed"), &json!("state_unavailable"))
        );
        assert_ne!(outcome(&logged, &other), "failed");
        assert!(ec2.item(&launcher(&other)).is_some());
        ec2.clear_faults();
        let run = function.invoke(&event);
        assert_eq!(report(&run)["summary"]["failed"], 0);
        assert_eq!(
            ec2.item(&launcher(&id)).unwrap()["principals"],
            json!([ADA])
        );
    }
}

/// The rule asks for more than `on_violation`, which alone would leave the instance open.
#[test]
fn a_stricter_rule_by_principals_decides_drift_and_sweeps_too() {
    let ec2 = FakeAws::start();
    let policy = ada("report", json!({ "action": "enforce" }));
    let id = ec2.launch(launch(REGION));
    let run = function(&ec2, &policy).invoke(&launched_one(&ec2, &id));
    assert_eq!(outcome(report(&run), &id), "enforced");
    for run in drift_and_sweep(&ec2, &policy, &id) {
        assert_eq!(done(report(&run), &id), ["enforced", "", ""]);
        assert_eq!(entry(report(&run), &id)["rule"], "ada");
    }
}

/// What the rule requires was violated, and only the launcher tells so.
#[test]
fn what_a_rule_by_principals_requires_is_required_after_drift_too() {
    let ec2 = FakeAws::start();
    let own = json!({ "require": { "hop_limit": { "at_most": 1 } } });
    let policy = ada("enforce", own);
    let id = ec2.launch(launch(REGION).hop_limit(3));
    let run = function(&ec2, &policy).invoke(&launched_one(&ec2, &id));
    assert_eq!(outcome(report(&run), &id), "enforced");
    assert_eq!(ec2.instance(&id).options.hop_limit, 1);
    ec2.set_options(&id, |options| options.hop_limit = 3);
    let set = json!({ "HttpPutResponseHopLimit": 3 });
    let run = function(&ec2, &policy).invoke(&modified(&id, "mallory", &set));
    assert_eq!(done(report(&run), &id), ["enforced", "", ""]);
    assert_eq!(ec2.instance(&id).options.hop_limit, 1);
}

/// It is enforced with and without the rule, and nothing is unknown.
#[test]
fn a_launcher_that_is_known_is_not_counted_as_unknown() {
    let ec2 = FakeAws::start();
    let policy = ada("terminate", json!({ "action": "enforce" }));
    let id = old(&ec2, Some(json!({ "principals": [ADA] })));
    for run in drift_and_sweep(&ec2, &policy, &id) {
        assert_eq!(done(report(&run), &id), ["enforced", "", ""]);
        assert_eq!(entry(report(&run), &id)["rule"], "ada");
        assert_eq!(metric(&run, "LauncherUnknown"), [] as [Value; 0]);
    }
}
