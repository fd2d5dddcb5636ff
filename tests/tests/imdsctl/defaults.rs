//! `imdsctl defaults`: shown, planned, set, recorded and rolled back.

use imds_tests::{Defaults, FakeAws, Imdsctl, InjectedFault};
use serde_json::Value;

use crate::reading::*;

pub(crate) fn run(fake: &FakeAws, arguments: &[&str]) -> Imdsctl {
    Imdsctl::against(fake).arg("defaults").args(arguments)
}

pub(crate) fn shown(fake: &FakeAws) -> Value {
    let ran = run(fake, &["show", "--json"]).run();
    serde_json::from_str(&ran.ended_with(0).stdout).unwrap()
}

pub(crate) fn tokens(fake: &FakeAws) -> Vec<Value> {
    let rows = shown(fake)["defaults"].as_array().unwrap().clone();
    rows.iter().map(|row| row["http_tokens"].clone()).collect()
}

#[test]
fn defaults_are_shown_by_region() {
    let fake = two_regions();
    fake.set_defaults(
        THERE,
        Defaults {
            tokens: Some("required".to_owned()),
            hop_limit: Some(2),
            tokens_enforced: Some("enabled".to_owned()),
            managed_by: Some("declarative-policy".to_owned()),
            ..Defaults::default()
        },
    );
    let ran = run(&fake, &["show"]).run();
    let lines: Vec<Vec<&str>> = ran
        .ended_with(0)
        .stdout
        .lines()
        .map(|line| {
            line.split("  ")
                .map(str::trim)
                .filter(|word| !word.is_empty())
                .collect()
        })
        .collect();
    let none = "no preference";
    assert_eq!(lines[1], [HERE, none, none, none, none, none, "account"]);
    assert_eq!(
        lines[2],
        [
            THERE,
            "required",
            "2",
            none,
            none,
            "enabled",
            "declarative-policy"
        ]
    );
    let output = shown(&fake);
    assert_eq!(output["account"], "111122223333");
    assert_eq!(output["defaults"][0]["http_tokens"], Value::Null);
    assert_eq!(output["defaults"][1]["hop_limit"], 2);
    assert!(fake.changing_calls().is_empty());
}

#[test]
fn an_unreachable_region_is_reported() {
    let fake = two_regions();
    fake.fault(
        InjectedFault::unauthorized()
            .action("GetInstanceMetadataDefaults")
            .region(HERE),
    );
    let ran = run(&fake, &["show"]).run();
    let output = &ran.ended_with(3).stdout;
    assert!(
        output.contains("\nCould not be described\neu-central-1: could not call GetInstanceMeta"),
        "{output}"
    );
    assert!(output.contains("us-east-1  no preference"), "{output}");
    let json = run(&fake, &["show", "--json"]).run();
    let output: Value = serde_json::from_str(&json.ended_with(3).stdout).unwrap();
    assert_eq!(output["unreachable"][0]["region"], HERE);
}

#[test]
fn a_dry_run_shows_the_plan_and_makes_no_changing_call() {
    let fake = two_regions();
    let home = tempfile::tempdir().unwrap();
    let arguments = [
        "set",
        "--http-tokens",
        "required",
        "--hop-limit",
        "2",
        "--dry-run",
    ];
    let ran = run(&fake, &arguments).home(home.path()).run();
    let output = &ran.ended_with(1).stdout;
    assert!(
        output.starts_with("planned: eu-central-1 http_tokens: no preference → required, hop_limit: no preference → 2\n"),
        "{output}"
    );
    assert!(output.ends_with("\n2 regions: 2 planned\n"), "{output}");
    assert!(fake.changing_calls().is_empty());
    assert!(journals(home.path()).is_empty());
}

#[test]
fn defaults_are_set_recorded_and_rolled_back() {
    let fake = two_regions();
    let home = tempfile::tempdir().unwrap();
    let arguments = [
        "set",
        "--yes",
        "--http-tokens",
        "required",
        "--hop-limit",
        "2",
        "--http-endpoint",
        "enabled",
        "--instance-metadata-tags",
        "disabled",
    ];
    let ran = run(&fake, &arguments).home(home.path()).run();
    let output = &ran.ended_with(0).stdout;
    assert!(
        output.contains("set: us-east-1 http_tokens: no preference → required"),
        "{output}"
    );
    assert!(output.ends_with("\n2 regions: 2 set\n"), "{output}");
    let row = shown(&fake)["defaults"][0].clone();
    let row = [
        "http_tokens",
        "hop_limit",
        "http_endpoint",
        "instance_metadata_tags",
    ]
    .map(|name| row[name].to_string());
    assert_eq!(row, ["\"required\"", "2", "\"enabled\"", "\"disabled\""]);

    let [journal] = journals(home.path()).try_into().unwrap();
    let back = format!("imdsctl rollback {}", journal.display());
    assert!(
        ran.stderr.contains(&format!("roll back with: {back}\n")),
        "{}",
        ran.stderr
    );
    let words: Vec<&str> = back.split(' ').skip(1).collect();
    let undone = Imdsctl::against(&fake)
        .args(words)
        .arg("--yes")
        .home(home.path())
        .run();
    undone.ended_with(0);
    assert_eq!(tokens(&fake), [Value::Null, Value::Null]);
    assert_eq!(shown(&fake)["defaults"][0]["hop_limit"], Value::Null);
}

#[test]
fn no_preference_removes_a_default_and_leaves_the_others() {
    let fake = two_regions();
    let defaults = || Defaults {
        tokens: Some("required".to_owned()),
        hop_limit: Some(3),
        ..Defaults::default()
    };
    fake.set_defaults(HERE, defaults());
    let arguments = [
        "set",
        "--yes",
        "--http-tokens",
        "no-preference",
        "--region",
        HERE,
    ];
    run(&fake, &arguments).run().ended_with(0);
    let row = &shown(&fake)["defaults"][0];
    assert_eq!(
        (&row["http_tokens"], row["hop_limit"].as_u64()),
        (&Value::Null, Some(3))
    );
    let calls = fake.calls_to("ModifyInstanceMetadataDefaults");
    assert_eq!(calls[0].param("HttpPutResponseHopLimit"), None);
}

#[test]
fn unchanged_defaults_cause_no_change_and_no_journal() {
    let fake = two_regions();
    let home = tempfile::tempdir().unwrap();
    let arguments = ["set", "--yes", "--http-tokens", "required"];
    run(&fake, &arguments).home(home.path()).run().ended_with(0);
    fake.forget_calls();
    let ran = run(&fake, &arguments).home(home.path()).run();
    assert!(
        ran.ended_with(0)
            .stdout
            .ends_with("\n2 regions: 2 unchanged\n"),
        "{}",
        ran.stdout
    );
    assert!(fake.changing_calls().is_empty());
    assert_eq!(journals(home.path()).len(), 1);
}
