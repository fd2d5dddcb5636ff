//! `imdsctl enforce --policy`: while calls are rejected on an instance that the function watches, existing
//! instances are left alone, as sweeps leave them.

use imds_tests::{FakeAws, launch};
use serde_json::{Value, json};

use crate::enforce::policy;
use crate::enforce_policy::enforcing;
use crate::exempt::{TABLE, by_person, with_people};
use crate::reading::*;

/// A fleet in which a sweep has enforced an instance of another region, whose software fails since.
struct Failing {
    ec2: FakeAws,
    watched: String,
    existing: String,
    new: String,
}

impl Failing {
    fn new() -> Self {
        let ec2 = with_people();
        ec2.set_regions(&[HERE, THERE]);
        let watched = ec2.launch(launch(THERE).launched(DAY * 90).tokens("required"));
        let item = json!({ "enforced_at": ago(DAY).to_string(), "before": "{}" });
        ec2.put_item(&format!("watch#{watched}"), item);
        ec2.datapoint(&watched, "MetadataNoTokenRejected", ago(DAY / 24), 17.0);
        let existing = ec2.launch(launch(HERE).launched(DAY * 90));
        let new = ec2.launch(launch(HERE));
        Failing {
            ec2,
            watched,
            existing,
            new,
        }
    }

    fn tokens(&self) -> [String; 2] {
        [&self.existing, &self.new].map(|id| tokens(&self.ec2, id))
    }
}

fn watching(more: Value) -> Value {
    let mut existing = json!({ "unknown": "enforce", "watch_days": 7 });
    for (name, value) in more.as_object().unwrap() {
        existing[name] = value.clone();
    }
    enforcing(existing)
}

#[test]
fn rejected_calls_on_a_watched_instance_keep_existing_instances_from_being_enforced() {
    let fleet = Failing::new();
    let (_place, argument) = policy(watching(json!({})));
    let command = format!("enforce --yes --format json {argument}");
    let ran = by_person(&fleet.ec2, &command).run();
    let report = json(ran.ended_with(1));
    let row = entry(&report, &fleet.existing);
    assert_eq!(
        [
            &row["outcome"],
            &row["decision"],
            &row["instead_of"],
            &row["because"]
        ],
        ["reported", "report", "enforce", "rejected_calls"]
    );
    let why = format!("rejected on {} since", fleet.watched);
    says(row["reason"].as_str().unwrap(), &[&why]);
    says(
        &ran.stderr,
        &["1 existing instance not in the plan because", &why],
    );
    assert_eq!(fleet.tokens(), ["optional", "required"]);
    assert_eq!(
        fleet.ec2.items().len(),
        1,
        "the command watches nothing itself"
    );
}

#[test]
fn a_selection_of_instances_does_not_hide_the_watched_ones() {
    let fleet = Failing::new();
    fleet.ec2.put_item(
        &format!("watch#{}", fleet.new),
        json!({ "enforced_at": ago(DAY).to_string(), "before": "{}" }),
    );
    let (_place, argument) = policy(watching(json!({})));
    let command = format!("enforce --yes --instance {} {argument}", fleet.existing);
    by_person(&fleet.ec2, &command).run().ended_with(1);
    assert_eq!(fleet.tokens(), ["optional", "optional"]);
}

#[test]
fn existing_instances_are_enforced_where_usage_is_ignored_or_the_policy_does_not_stop() {
    for (existing, more) in [
        (json!({}), "--ignore-usage"),
        (json!({ "stop_when_rejected": false }), ""),
        (json!({ "watch_days": 0 }), ""),
    ] {
        let fleet = Failing::new();
        let (_place, argument) = policy(watching(existing));
        let command = format!("enforce --yes {more} {argument}");
        by_person(&fleet.ec2, &command).run().ended_with(0);
        assert_eq!(fleet.tokens(), ["required", "required"], "{argument}");
    }
}

#[test]
fn a_reviewed_plan_is_not_applied_to_existing_instances_once_calls_are_rejected() {
    let fleet = Failing::new();
    let (place, argument) = policy(watching(json!({})));
    fleet.ec2.remove_item(&format!("watch#{}", fleet.watched));
    let plan = place.path("plan.json");
    let command = format!("enforce {argument} --plan-out {}", plan.display());
    by_person(&fleet.ec2, &command).run().ended_with(1);
    let item = json!({ "enforced_at": ago(DAY).to_string(), "before": "{}" });
    fleet
        .ec2
        .put_item(&format!("watch#{}", fleet.watched), item);
    let command = format!("enforce --yes --plan {}", plan.display());
    by_person(&fleet.ec2, &command).run().ended_with(1);
    assert_eq!(fleet.tokens(), ["optional", "required"]);
}

#[test]
fn an_unreadable_item_of_a_watched_instance_keeps_existing_instances_from_being_enforced() {
    let fleet = Failing::new();
    let key = format!("watch#{}", fleet.watched);
    fleet.ec2.put_item(&key, json!({ "enforced_at": 1 }));
    let (_place, argument) = policy(watching(json!({})));
    let command = format!("enforce --yes --format json {argument}");
    let report = json(by_person(&fleet.ec2, &command).run().ended_with(3));
    let row = entry(&report, &fleet.existing);
    assert_eq!(row["because"], "rejected_calls");
    says(row["reason"].as_str().unwrap(), &["not known", &key]);
    let error = &list(&report, "unreachable")[0];
    assert_eq!(error["region"], THERE);
    says(error["error"].as_str().unwrap(), &["watched", &key]);
    assert_eq!(fleet.tokens(), ["optional", "required"]);
}

#[test]
fn without_a_table_a_note_says_that_watched_instances_are_not_known() {
    let note = "the instances that the function watches is not known";
    for (existing, table, notes) in [
        (json!({}), "", 1),
        (json!({}), TABLE, 0),
        (json!({ "stop_when_rejected": false }), "", 0),
        (json!({ "watch_days": 0 }), "", 0),
    ] {
        let fleet = Failing::new();
        let (_place, argument) = policy(watching(existing));
        let command = format!("enforce --dry-run {argument}");
        let ran = by_person(&fleet.ec2, &command).env("IMDS_STATE_TABLE", table);
        let ran = ran.run();
        assert_eq!(
            ran.ended_with(1).stderr.matches(note).count(),
            notes,
            "{}",
            ran.stderr
        );
    }
}
