//! `imdsctl defaults`: seen, planned, agreed to, recorded, looked at again, taken back.

use std::path::{Path, PathBuf};

use imds_tests::{Defaults, Fault, Imdsctl, Standin, launch};
use serde_json::Value;

const HERE: &str = "eu-central-1";
const THERE: &str = "us-east-1";

fn two_regions() -> Standin {
    let standin = Standin::start();
    standin.set_regions(&[HERE, THERE]);
    standin
}

fn run(standin: &Standin, arguments: &[&str]) -> Imdsctl {
    Imdsctl::against(standin).arg("defaults").args(arguments)
}

fn journals(home: &Path) -> Vec<PathBuf> {
    let folder = std::fs::read_dir(home.join(".local/state/imdsctl"));
    let entries = folder.into_iter().flatten();
    entries.map(|entry| entry.unwrap().path()).collect()
}

fn shown(standin: &Standin) -> Value {
    let ran = run(standin, &["show", "--json"]).run();
    serde_json::from_str(&ran.ended_with(0).stdout).unwrap()
}

fn tokens(standin: &Standin) -> Vec<Value> {
    let rows = shown(standin)["defaults"].as_array().unwrap().clone();
    rows.iter().map(|row| row["http_tokens"].clone()).collect()
}

#[test]
fn they_are_shown_by_region_and_none_is_no_preference() {
    let standin = two_regions();
    standin.set_defaults(
        THERE,
        Defaults {
            tokens: Some("required".to_owned()),
            hop_limit: Some(2),
            tokens_enforced: Some("enabled".to_owned()),
            managed_by: Some("declarative-policy".to_owned()),
            ..Defaults::default()
        },
    );
    let ran = run(&standin, &["show"]).run();
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
    let told = shown(&standin);
    assert_eq!(told["account"], "111122223333");
    assert_eq!(told["defaults"][0]["http_tokens"], Value::Null);
    assert_eq!(told["defaults"][1]["hop_limit"], 2);
    assert!(standin.changing_calls().is_empty());
}

#[test]
fn a_region_that_cannot_be_seen_is_told() {
    let standin = two_regions();
    standin.fault(
        Fault::unauthorised()
            .action("GetInstanceMetadataDefaults")
            .region(HERE),
    );
    let ran = run(&standin, &["show"]).run();
    let told = &ran.ended_with(3).stdout;
    assert!(
        told.contains("\nNot seen\neu-central-1: could not call GetInstanceMeta"),
        "{told}"
    );
    assert!(told.contains("us-east-1  no preference"), "{told}");
    let json = run(&standin, &["show", "--json"]).run();
    let told: Value = serde_json::from_str(&json.ended_with(3).stdout).unwrap();
    assert_eq!(told["unseen"][0]["region"], HERE);
}

#[test]
fn a_dry_run_shows_the_plan_and_makes_no_changing_call() {
    let standin = two_regions();
    let home = tempfile::tempdir().unwrap();
    let wish = [
        "set",
        "--http-tokens",
        "required",
        "--hop-limit",
        "2",
        "--dry-run",
    ];
    let ran = run(&standin, &wish).home(home.path()).run();
    let told = &ran.ended_with(1).stdout;
    assert!(
        told.starts_with("planned: eu-central-1 http_tokens: no preference → required, hop_limit: no preference → 2\n"),
        "{told}"
    );
    assert!(told.ends_with("\n2 regions: 2 planned\n"), "{told}");
    assert!(standin.changing_calls().is_empty());
    assert!(journals(home.path()).is_empty());
}

#[test]
fn they_are_set_recorded_and_taken_back() {
    let standin = two_regions();
    let home = tempfile::tempdir().unwrap();
    let wish = [
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
    let ran = run(&standin, &wish).home(home.path()).run();
    let told = &ran.ended_with(0).stdout;
    assert!(
        told.contains("set: us-east-1 http_tokens: no preference → required"),
        "{told}"
    );
    assert!(told.ends_with("\n2 regions: 2 set\n"), "{told}");
    let row = shown(&standin)["defaults"][0].clone();
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
        ran.stderr.contains(&format!("undo this with: {back}\n")),
        "{}",
        ran.stderr
    );
    let words: Vec<&str> = back.split(' ').skip(1).collect();
    let undone = Imdsctl::against(&standin)
        .args(words)
        .arg("--yes")
        .home(home.path())
        .run();
    undone.ended_with(0);
    assert_eq!(tokens(&standin), [Value::Null, Value::Null]);
    assert_eq!(shown(&standin)["defaults"][0]["hop_limit"], Value::Null);
}

#[test]
fn no_preference_takes_a_default_away_and_leaves_the_others() {
    let standin = two_regions();
    let defaults = || Defaults {
        tokens: Some("required".to_owned()),
        hop_limit: Some(3),
        ..Defaults::default()
    };
    standin.set_defaults(HERE, defaults());
    let wish = [
        "set",
        "--yes",
        "--http-tokens",
        "no-preference",
        "--region",
        HERE,
    ];
    run(&standin, &wish).run().ended_with(0);
    let row = &shown(&standin)["defaults"][0];
    assert_eq!(
        (&row["http_tokens"], row["hop_limit"].as_u64()),
        (&Value::Null, Some(3))
    );
    let calls = standin.calls_to("ModifyInstanceMetadataDefaults");
    assert_eq!(calls[0].param("HttpPutResponseHopLimit"), None);
}

#[test]
fn what_is_so_already_costs_no_call_and_no_journal() {
    let standin = two_regions();
    let home = tempfile::tempdir().unwrap();
    let wish = ["set", "--yes", "--http-tokens", "required"];
    run(&standin, &wish).home(home.path()).run().ended_with(0);
    standin.forget_calls();
    let ran = run(&standin, &wish).home(home.path()).run();
    assert!(
        ran.ended_with(0)
            .stdout
            .ends_with("\n2 regions: 2 unchanged\n"),
        "{}",
        ran.stdout
    );
    assert!(standin.changing_calls().is_empty());
    assert_eq!(journals(home.path()).len(), 1);
}

#[test]
fn a_declarative_policy_is_told_and_keeps_no_other_region() {
    let standin = two_regions();
    standin.set_defaults(
        HERE,
        Defaults {
            managed_by: Some("declarative-policy".to_owned()),
            ..Defaults::default()
        },
    );
    let ran = run(&standin, &["set", "--yes", "--http-tokens", "required"]).run();
    let told = &ran.ended_with(3).stdout;
    assert!(
        told.contains("failed: eu-central-1 ") && told.contains("DeclarativePolicyViolation"),
        "{told}"
    );
    assert!(told.contains("only it can change them"), "{told}");
    assert!(
        told.contains("set: us-east-1 ") && told.ends_with("1 set, 1 failed\n"),
        "{told}"
    );
}

#[test]
fn what_ec2_takes_and_does_not_do_is_not_taken_for_done() {
    let standin = two_regions();
    standin.fault(
        Fault::unauthorised()
            .action("GetInstanceMetadataDefaults")
            .region(HERE)
            .after(1),
    );
    let ran = run(&standin, &["set", "--yes", "--http-tokens", "required"]).run();
    let told = &ran.ended_with(3).stdout;
    assert!(
        told.contains("failed: eu-central-1 ") && told.contains("does not show it"),
        "{told}"
    );
}

#[test]
fn a_region_that_cannot_be_seen_is_not_set() {
    let standin = two_regions();
    standin.fault(
        Fault::unauthorised()
            .action("GetInstanceMetadataDefaults")
            .region(HERE),
    );
    let ran = run(
        &standin,
        &["set", "--yes", "--json", "--http-tokens", "required"],
    )
    .run();
    let told: Value = serde_json::from_str(&ran.ended_with(3).stdout).unwrap();
    assert_eq!(told["unseen"][0]["region"], HERE);
    assert_eq!(told["regions"][0]["outcome"], "set");
    assert_eq!(told["regions"][0]["before"]["http_tokens"], Value::Null);
    assert_eq!(told["regions"][0]["after"]["http_tokens"], "required");
    assert!(
        told["journal"]
            .as_str()
            .unwrap()
            .ends_with("-111122223333-defaults.jsonl")
    );
    let calls = standin.changing_calls();
    assert!(calls.len() == 1 && calls[0].region == THERE, "{calls:?}");
}

#[test]
fn enforced_tokens_are_warned_of_before_anything_is_done() {
    let standin = two_regions();
    standin.enforce_tokens(HERE);
    let wish = ["set", "--http-tokens-enforced", "enabled"];
    let ran = run(&standin, &wish).arg("--dry-run").run();
    let told = &ran.ended_with(1).stderr;
    assert!(
        told.contains("launches that allow IMDSv1 fail in us-east-1, and"),
        "{told}"
    );
    assert!(
        told.contains("check first: imdsctl scan --region us-east-1 --templates"),
        "{told}"
    );
    let off = run(
        &standin,
        &["set", "--http-tokens-enforced", "disabled", "--dry-run"],
    )
    .run();
    assert_eq!(off.ended_with(1).stderr, "");
}

#[test]
fn enforced_tokens_are_set_and_a_launch_fails_no_more_once_they_are_taken_away() {
    let standin = two_regions();
    let id = standin.launch(launch(HERE));
    run(
        &standin,
        &["set", "--yes", "--http-tokens-enforced", "enabled"],
    )
    .run()
    .ended_with(0);
    assert_eq!(
        shown(&standin)["defaults"][0]["http_tokens_enforced"],
        "enabled"
    );
    assert_eq!(standin.instance(&id).options.tokens, "optional");
    run(
        &standin,
        &["set", "--yes", "--http-tokens-enforced", "no-preference"],
    )
    .run()
    .ended_with(0);
    assert_eq!(
        shown(&standin)["defaults"][0]["http_tokens_enforced"],
        Value::Null
    );
}

#[test]
fn without_a_terminal_it_is_refused_without_yes() {
    let standin = two_regions();
    let ran = run(&standin, &["set", "--http-tokens", "required"]).run();
    assert!(
        ran.ended_with(2).stderr.contains("say `--yes`"),
        "{}",
        ran.stderr
    );
    assert!(ran.stdout.contains("planned: us-east-1"), "{}", ran.stdout);
    assert!(standin.changing_calls().is_empty());
}

#[test]
fn on_a_terminal_only_yes_in_full_will_do() {
    let standin = two_regions();
    for (answer, code, calls) in [("y", 1, 0), ("yes", 0, 2)] {
        let mut terminal =
            run(&standin, &["set", "--http-tokens", "required"]).on_terminal(100, 30);
        terminal.wait_for("Set the metadata defaults of 2 regions in account 111122223333?");
        assert!(standin.changing_calls().is_empty());
        terminal.type_text(&format!("{answer}\r"));
        let closed = terminal.wait();
        closed.ended_with(code);
        assert_eq!(standin.changing_calls().len(), calls, "{answer}");
        assert_eq!(closed.screen.contains("nothing was changed"), code == 1);
    }
}

#[test]
fn a_journal_that_exists_is_refused_before_anything_is_changed() {
    let standin = two_regions();
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("taken");
    std::fs::write(&path, "mine").unwrap();
    let wish = ["set", "--yes", "--http-tokens", "required", "--journal"];
    let ran = run(&standin, &wish).arg(&path).run();
    assert!(
        ran.ended_with(2)
            .stderr
            .contains("exists and is not overwritten"),
        "{}",
        ran.stderr
    );
    assert!(standin.changing_calls().is_empty());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
}

#[test]
fn bad_wishes_are_wrong_usage() {
    let standin = two_regions();
    for (wish, expected) in [
        (&["set"][..], "required arguments"),
        (
            &["set", "--http-tokens", "v2"],
            "expected optional, required or no-preference",
        ),
        (
            &["set", "--hop-limit", "65"],
            "expected 1 to 64 or no-preference",
        ),
        (
            &["set", "--http-endpoint", "on"],
            "expected enabled, disabled or no-preference",
        ),
    ] {
        let ran = run(&standin, wish).run();
        assert!(
            ran.ended_with(2).stderr.contains(expected),
            "{}",
            ran.stderr
        );
    }
    assert!(standin.calls().is_empty());
}

#[test]
fn ctrl_c_finishes_the_calls_under_way_and_leaves_the_rest() {
    let standin = two_regions();
    let home = tempfile::tempdir().unwrap();
    let slow = Fault::delay(std::time::Duration::from_secs(1));
    standin.fault(slow.action("ModifyInstanceMetadataDefaults"));
    let wish = ["set", "--yes", "--sequential", "--http-tokens", "required"];
    let mut running = run(&standin, &wish).home(home.path()).start();
    running.wait_until(|_| standin.count("ModifyInstanceMetadataDefaults") == 1);
    running.interrupt();
    let ran = running.wait();
    ran.ended_with(3);
    assert_eq!(standin.count("ModifyInstanceMetadataDefaults"), 1);
    assert_eq!(tokens(&standin), [Value::from("required"), Value::Null]);
    assert!(
        ran.stdout
            .contains("us-east-1 http_tokens: no preference → required; failed: interrupted"),
        "{}",
        ran.stdout
    );
    let [journal] = journals(home.path()).try_into().unwrap();
    let written = std::fs::read_to_string(journal).unwrap();
    assert!(written.contains("\"how\":\"interrupted\""), "{written}");
    assert!(!written.contains(THERE), "{written}");
}
