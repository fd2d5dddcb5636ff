//! The log keeps the whole entry of everything that was done, because nothing else does.

use std::thread::scope;

use imds_tests::{FakeAws, Function, InjectedFault, Invocation, binary, launch, wait_until};
use serde_json::{Value, json};

use crate::support::*;

const LEVELS: [&str; 2] = ["INFO", "ERROR"];

fn logging(ec2: &FakeAws, policy: &str, level: &str) -> Function {
    Function::builder(binary("enforcer"))
        .fake(ec2)
        .policy(policy)
        .env("AWS_LAMBDA_LOG_LEVEL", level)
        .start()
}

/// The entries in the log of an invocation.
fn records(run: &Invocation) -> Vec<Value> {
    let lines = run.stdout.iter();
    let lines = lines.map(|line| serde_json::from_str::<Value>(line).unwrap());
    let entries = lines.filter_map(|line| line["entry"].as_str().map(str::to_owned));
    entries
        .map(|entry| serde_json::from_str(&entry).unwrap())
        .collect()
}

/// Exactly these instances are recorded, each with its entry in the report.
#[track_caller]
fn records_are(run: &Invocation, report: &Value, ids: &[&String]) {
    let mut expected: Vec<Value> = ids.iter().map(|id| entry(report, id).clone()).collect();
    let mut found = records(run);
    let key = |entry: &Value| entry["instance_id"].as_str().unwrap().to_owned();
    expected.sort_by_key(key);
    found.sort_by_key(key);
    assert_eq!(found, expected);
}

/// Terminates sandboxes, stops labs, exempts scanners, reports guests and enforces all others.
fn policy() -> String {
    let rule = |app: &str, action: &str| json!({ "name": app, "when": { "tags": { "app": app } }, "action": action });
    json!({
        "version": 1, "on_violation": "enforce", "new_instances": { "grace_seconds": 0 },
        "require": { "http_tokens": "required", "instance_metadata_tags": "enabled" },
        "rules": [rule("sandbox", "terminate"), rule("lab", "stop"), rule("scanner", "exempt"),
            rule("guest", "report")]
    })
    .to_string()
}

/// One instance for each outcome: those that are recorded, and those that are not.
struct Fleet {
    recorded: Vec<String>,
    others: Vec<String>,
}

impl Fleet {
    fn launch(ec2: &FakeAws) -> Self {
        let app = |app: &str| ec2.launch(launch(REGION).tag("app", app));
        let failing = app("web");
        let unauthorized = InjectedFault::unauthorized();
        let modify = unauthorized.action("ModifyInstanceMetadataOptions");
        ec2.fault(modify.instance(&failing));
        let refused = launch(REGION).tag("team/owner", "web");
        let only_refused = refused.clone().tokens("required");
        let compliant = launch(REGION).tokens("required").metadata_tags("enabled");
        Fleet {
            recorded: vec![
                app("web"),
                app("sandbox"),
                app("lab"),
                failing,
                ec2.launch(refused),
                ec2.launch(only_refused),
            ],
            others: vec![app("scanner"), app("guest"), ec2.launch(compliant)],
        }
    }

    /// The outcomes of those that are recorded.
    fn outcomes(&self, report: &Value) -> Vec<String> {
        let outcomes = self.recorded.iter().map(|id| outcome(report, id));
        outcomes.map(str::to_owned).collect()
    }
}

const OUTCOMES: [&str; 6] = [
    "enforced",
    "terminated",
    "stopped",
    "failed",
    "enforced",
    "reported",
];

#[test]
fn everything_that_was_done_or_refused_is_recorded_whatever_the_log_level() {
    for level in LEVELS {
        let ec2 = FakeAws::start();
        let fleet = Fleet::launch(&ec2);
        let all = [fleet.recorded.clone(), fleet.others.clone()].concat();
        let run = logging(&ec2, &policy(), level).invoke(&launched_ids(&ec2, &all));
        let report = logged_report(&run);
        assert_eq!(fleet.outcomes(&report), OUTCOMES);
        records_are(&run, &report, &fleet.recorded.iter().collect::<Vec<_>>());
    }
}

#[test]
fn everything_that_a_sweep_did_is_recorded_whatever_the_log_level() {
    for level in LEVELS {
        let ec2 = FakeAws::start();
        let fleet = Fleet::launch(&ec2);
        let run = logging(&ec2, &policy(), level).invoke(&sweep(&[REGION]));
        let report = logged_report(&run);
        assert_eq!(fleet.outcomes(&report), OUTCOMES);
        records_are(&run, &report, &fleet.recorded.iter().collect::<Vec<_>>());
    }
}

#[test]
fn what_went_well_is_recorded_with_all_options_before_and_after() {
    for (level, event) in LEVELS.into_iter().zip([0, 1]) {
        let ec2 = FakeAws::start();
        let id = ec2.launch(launch(REGION).hop_limit(7));
        let event = [launched_one(&ec2, &id), sweep(&[REGION])][event].clone();
        let run = logging(&ec2, ENFORCE, level).invoke(&event);
        records_are(&run, report(&run), &[&id]);
        let record = &records(&run)[0];
        let options = |tokens: &str| {
            json!({ "http_tokens": tokens, "http_endpoint": "enabled", "hop_limit": 7,
                "http_protocol_ipv6": "disabled", "instance_metadata_tags": "disabled" })
        };
        assert_eq!(record["before"], options("optional"));
        assert_eq!(record["after"], options("required"));
        assert!(record["first_launched_at"].is_string() && record["changed_at"].is_string());
    }
}

#[test]
fn what_a_managing_service_refuses_is_recorded_whatever_the_log_level() {
    for level in LEVELS {
        let ec2 = FakeAws::start();
        let node = launch(REGION).managed_by("eks.amazonaws.com");
        let id = ec2.launch(node.denies_changes());
        let function = logging(&ec2, ENFORCE, level);
        for event in [launched_one(&ec2, &id), sweep(&[REGION])] {
            let run = function.invoke(&event);
            assert_eq!(outcome(report(&run), &id), "reported");
            records_are(&run, report(&run), &[&id]);
        }
    }
}

#[test]
fn drift_after_rejected_calls_is_recorded_whatever_the_log_level() {
    for level in LEVELS {
        let ec2 = FakeAws::start();
        let id = ec2.launch(launch(REGION).launched(seconds(90 * DAY)));
        ec2.datapoint(&id, "MetadataNoTokenRejected", ago(3 * HOUR), 12.0);
        let event = modified(&id, "mallory", &json!({ "HttpTokens": "optional" }));
        let run = logging(&ec2, ENFORCE, level).invoke(&event);
        assert_eq!(outcome(report(&run), &id), "reported");
        records_are(&run, report(&run), &[&id]);
    }
}

/// EC2 refuses the first call because of the protected one, but terminates those of other zones.
#[test]
fn a_termination_whose_call_was_refused_for_another_instance_is_recorded() {
    let ec2 = FakeAws::start();
    let protected = ec2.launch(launch(REGION).protected().az("a"));
    let other_zone = ec2.launch(launch(REGION).az("b"));
    let event = launched_ids(&ec2, &[protected.clone(), other_zone.clone()]);
    let run = logging(&ec2, &without_grace("terminate"), "ERROR").invoke(&event);
    assert_eq!(done(report(&run), &other_zone), ["terminated", "", ""]);
    records_are(&run, report(&run), &[&protected, &other_zone]);
}

#[test]
fn a_disruption_whose_answer_is_lost_is_the_function_s_own_and_recorded() {
    for (on_violation, action, expected) in [
        ("terminate", "TerminateInstances", "terminated"),
        ("stop", "StopInstances", "stopped"),
    ] {
        let ec2 = FakeAws::start();
        let id = ec2.launch(launch(REGION));
        ec2.fault(InjectedFault::reset_after().action(action).times(1));
        let run =
            logging(&ec2, &without_grace(on_violation), "INFO").invoke(&launched_one(&ec2, &id));
        assert_eq!(ec2.disruptions().len(), 1);
        assert_eq!(done(report(&run), &id), [expected, "", ""]);
        records_are(&run, report(&run), &[&id]);
    }
}

#[test]
fn an_instance_that_somebody_else_has_terminated_meanwhile_is_gone() {
    let ec2 = FakeAws::start();
    let (ended, own) = (ec2.launch(launch(REGION)), ec2.launch(launch(REGION)));
    let event = launched_ids(&ec2, &[ended.clone(), own.clone()]);
    ec2.fault(InjectedFault::delay(seconds(1)).action("UpdateItem"));
    let function = logging(&ec2, &without_grace("terminate"), "INFO");
    let run = scope(|scope| {
        let run = scope.spawn(|| function.invoke(&event));
        wait_until("the count of disruptions", || ec2.count("UpdateItem") > 0);
        ec2.terminate(&ended);
        run.join().unwrap()
    });
    assert_eq!(outcome(report(&run), &ended), "gone");
    assert_eq!(outcome(report(&run), &own), "terminated");
    assert_eq!(ec2.disruptions().len(), 1);
    records_are(&run, report(&run), &[&own]);
}
