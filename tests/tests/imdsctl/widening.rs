//! No command but `rollback` asks EC2 for an enabled endpoint or for optional tokens, not even in a dry run.

use imds_tests::{FakeAws, launch};

use crate::reading::*;
use crate::rollback::rollback;

/// An account in which every command has something to do.
fn account() -> FakeAws {
    let ec2 = two_regions();
    for region in [HERE, THERE] {
        ec2.launch(launch(region).hop_limit(3));
        ec2.launch(launch(region).endpoint("disabled"));
        let required = ec2.launch(launch(region).tokens("required"));
        ec2.datapoint(&required, "MetadataNoTokenRejected", ago(DAY / 2), 4.0);
        let unused = ec2.launch(launch(region).launched(DAY * 100));
        ran_without_calls(&ec2, &unused, DAY * 3, 48);
    }
    ec2
}

#[test]
fn no_command_but_rollback_asks_for_less_protection() {
    let ec2 = account();
    let place = TestFolder::new();
    let [plan, journal, event, policy] =
        ["plan", "journal", "event", "policy"].map(|it| place.path(it));
    std::fs::write(
        &policy,
        r#"{ "require": { "http_tokens": "required" }, "on_violation": "terminate" }"#,
    )
    .unwrap();
    std::fs::write(
        &event,
        r#"{ "source": "imds-enforcer", "detail-type": "Sweep", "detail": {} }"#,
    )
    .unwrap();
    let (plan, policy, event) = (plan.display(), policy.display(), event.display());
    let commands = [
        ("doctor", 0),
        ("scan --usage --templates --defaults --user-data", 1),
        ("usage", 1),
        ("usage --rejected", 1),
        ("defaults show", 0),
        ("defaults set --http-tokens required --yes", 0),
        (&format!("policy check {policy}"), 0),
        (&format!("explain {event} --policy {policy}"), 0),
        ("enforce --dry-run", 1),
        (
            &format!("enforce --unused-only --policy {policy} --plan-out {plan}"),
            1,
        ),
        (&format!("enforce --plan {plan} --yes"), 0),
        ("enforce --hop-limit 1 --yes --journal", 0),
    ];
    for (arguments, code) in commands {
        let mut command = imdsctl(&ec2, arguments);
        if arguments.ends_with("--journal") {
            command = command.arg(&journal);
        }
        command.run().ended_with(code);
        let asked = ec2.widening_calls();
        assert!(asked.is_empty(), "{arguments}: {asked:?}");
    }
    rollback(&ec2, &journal, "--yes").run().ended_with(0);
    let asked = ec2.widening_calls();
    assert!(!asked.is_empty());
    for call in asked {
        assert_eq!(call.param("HttpEndpoint"), None);
        assert_eq!(call.param("HttpTokens"), Some("optional"));
    }
}

#[test]
fn the_dry_run_of_doctor_asks_for_required_tokens_and_nothing_else() {
    let ec2 = account();
    imdsctl(&ec2, "doctor").run().ended_with(0);
    let tried = modified(&ec2);
    assert_eq!(tried.len(), 2);
    for call in tried {
        let names: Vec<&str> = call.keys().map(String::as_str).collect();
        assert_eq!(names, ["DryRun", "HttpTokens", "InstanceId"]);
        assert_eq!(call["HttpTokens"], "required");
    }
    assert!(ec2.changing_calls().is_empty());
}
