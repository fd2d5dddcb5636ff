//! `imdsctl defaults set`: errors, warnings, confirmation and interruption.

use imds_tests::{Defaults, InjectedFault, launch};
use serde_json::Value;

use crate::defaults::*;
use crate::reading::{HERE, THERE, journals, two_regions};

#[test]
fn a_declarative_policy_is_reported_and_does_not_affect_other_regions() {
    let fake = two_regions();
    fake.set_defaults(
        HERE,
        Defaults {
            managed_by: Some("declarative-policy".to_owned()),
            ..Defaults::default()
        },
    );
    let ran = run(&fake, &["set", "--yes", "--http-tokens", "required"]).run();
    let output = &ran.ended_with(3).stdout;
    assert!(
        output.contains("failed: eu-central-1 ") && output.contains("DeclarativePolicyViolation"),
        "{output}"
    );
    assert!(
        output.contains("set: us-east-1 ") && output.ends_with("1 set, 1 failed\n"),
        "{output}"
    );
}

#[test]
fn a_change_that_ec2_does_not_show_is_a_failure() {
    let fake = two_regions();
    fake.fault(
        InjectedFault::unauthorized()
            .action("GetInstanceMetadataDefaults")
            .region(HERE)
            .after(1),
    );
    let ran = run(&fake, &["set", "--yes", "--http-tokens", "required"]).run();
    let output = &ran.ended_with(3).stdout;
    assert!(
        output.contains("failed: eu-central-1 ")
            && output.contains("EC2 accepted it, but does not"),
        "{output}"
    );
}

#[test]
fn an_unreachable_region_is_not_changed() {
    let fake = two_regions();
    fake.fault(
        InjectedFault::unauthorized()
            .action("GetInstanceMetadataDefaults")
            .region(HERE),
    );
    let ran = run(
        &fake,
        &["set", "--yes", "--json", "--http-tokens", "required"],
    )
    .run();
    let output: Value = serde_json::from_str(&ran.ended_with(3).stdout).unwrap();
    assert_eq!(output["unreachable"][0]["region"], HERE);
    assert_eq!(output["regions"][0]["outcome"], "set");
    assert_eq!(output["regions"][0]["before"]["http_tokens"], Value::Null);
    assert_eq!(output["regions"][0]["after"]["http_tokens"], "required");
    assert!(
        output["journal"]
            .as_str()
            .unwrap()
            .ends_with("-111122223333-defaults.jsonl")
    );
    let calls = fake.changing_calls();
    assert!(calls.len() == 1 && calls[0].region == THERE, "{calls:?}");
}

#[test]
fn a_warning_precedes_the_enforcement_of_tokens() {
    let fake = two_regions();
    fake.enforce_tokens(HERE);
    let arguments = ["set", "--http-tokens-enforced", "enabled"];
    let ran = run(&fake, &arguments).arg("--dry-run").run();
    let output = &ran.ended_with(1).stderr;
    assert!(
        output.contains("us-east-1") && !output.contains(HERE),
        "{output}"
    );
    assert!(
        output.contains("imdsctl scan --region us-east-1 --templates"),
        "{output}"
    );
    let off = run(
        &fake,
        &["set", "--http-tokens-enforced", "disabled", "--dry-run"],
    )
    .run();
    assert_eq!(off.ended_with(1).stderr, "");
}

#[test]
fn the_enforcement_of_tokens_can_be_turned_on_and_off() {
    let fake = two_regions();
    let id = fake.launch(launch(HERE));
    run(
        &fake,
        &["set", "--yes", "--http-tokens-enforced", "enabled"],
    )
    .run()
    .ended_with(0);
    assert_eq!(
        shown(&fake)["defaults"][0]["http_tokens_enforced"],
        "enabled"
    );
    assert_eq!(fake.instance(&id).options.tokens, "optional");
    run(
        &fake,
        &["set", "--yes", "--http-tokens-enforced", "no-preference"],
    )
    .run()
    .ended_with(0);
    assert_eq!(
        shown(&fake)["defaults"][0]["http_tokens_enforced"],
        Value::Null
    );
}

#[test]
fn without_a_terminal_yes_is_required() {
    let fake = two_regions();
    let ran = run(&fake, &["set", "--http-tokens", "required"]).run();
    assert!(
        ran.ended_with(2).stderr.contains("`--yes`"),
        "{}",
        ran.stderr
    );
    assert!(ran.stdout.contains("planned: us-east-1"), "{}", ran.stdout);
    assert!(fake.changing_calls().is_empty());
}

#[test]
fn only_the_full_word_yes_confirms() {
    let fake = two_regions();
    for (answer, code, calls) in [("y", 1, 0), ("yes", 0, 2)] {
        let mut terminal = run(&fake, &["set", "--http-tokens", "required"]).on_terminal(100, 30);
        let screen = terminal.wait_for("Type yes");
        assert!(screen.contains("111122223333"), "{screen}");
        assert!(fake.changing_calls().is_empty());
        terminal.type_text(&format!("{answer}\r"));
        let closed = terminal.wait();
        closed.ended_with(code);
        assert_eq!(fake.changing_calls().len(), calls, "{answer}");
        assert_eq!(closed.screen.contains("nothing was changed"), code == 1);
    }
}

#[test]
fn an_existing_journal_is_rejected_before_any_change() {
    let fake = two_regions();
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("taken");
    std::fs::write(&path, "mine").unwrap();
    let arguments = ["set", "--yes", "--http-tokens", "required", "--journal"];
    let ran = run(&fake, &arguments).arg(&path).run();
    assert!(
        ran.ended_with(2).stderr.contains("not overwritten"),
        "{}",
        ran.stderr
    );
    assert!(fake.changing_calls().is_empty());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
}

#[test]
fn invalid_defaults_are_a_usage_error() {
    let fake = two_regions();
    for (arguments, expected) in [
        (&["set"][..], "required arguments"),
        (
            &["set", "--http-tokens", "v2"],
            "optional, required or no-preference",
        ),
        (&["set", "--hop-limit", "65"], "1 to 64 or no-preference"),
        (
            &["set", "--http-endpoint", "on"],
            "enabled, disabled or no-preference",
        ),
    ] {
        let ran = run(&fake, arguments).run();
        assert!(
            ran.ended_with(2).stderr.contains(expected),
            "{}",
            ran.stderr
        );
    }
    assert!(fake.calls().is_empty());
}

#[test]
fn ctrl_c_completes_the_calls_in_flight_and_leaves_the_rest() {
    let fake = two_regions();
    let home = tempfile::tempdir().unwrap();
    let slow = InjectedFault::delay(std::time::Duration::from_secs(1));
    fake.fault(slow.action("ModifyInstanceMetadataDefaults"));
    let arguments = ["set", "--yes", "--sequential", "--http-tokens", "required"];
    let mut running = run(&fake, &arguments).home(home.path()).start();
    running.wait_until(|_| fake.count("ModifyInstanceMetadataDefaults") == 1);
    running.interrupt();
    let ran = running.wait();
    ran.ended_with(3);
    assert_eq!(fake.count("ModifyInstanceMetadataDefaults"), 1);
    assert_eq!(tokens(&fake), [Value::from("required"), Value::Null]);
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
