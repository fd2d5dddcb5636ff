//! `imdsctl enforce`: dry runs and confirmation.

use imds_tests::{FakeAws, launch};
use serde_json::Value;

use crate::reading::*;

#[test]
fn a_dry_run_shows_the_plan_and_makes_no_changing_call() {
    let ec2 = FakeAws::start();
    let non_compliant = ec2.launch(launch(REGION).tag("Name", "web-1"));
    let compliant = ec2.launch(launch(REGION).tokens("required"));
    let ran = imdsctl(&ec2, "enforce --dry-run").run();
    says(
        &ran.ended_with(1).stdout,
        &[
            &non_compliant,
            "web-1",
            "enforce: http_tokens optional → required",
            "1 to remediate",
        ],
    );
    assert!(
        !ran.stdout.contains(&compliant),
        "the plan has only what is to be changed"
    );
    let ran = imdsctl(&ec2, "enforce --dry-run --format json").run();
    let report = json(ran.ended_with(1));
    assert_eq!(entry(&report, &non_compliant)["decision"], "enforce");
    assert_eq!(entry(&report, &non_compliant)["after"], Value::Null);
    assert_eq!(ec2.changing_calls().len(), 0);
    assert_eq!(tokens(&ec2, &non_compliant), "optional");
}

#[test]
fn a_dry_run_without_violations_exits_with_0() {
    let ec2 = FakeAws::start();
    ec2.launch(launch(REGION).tokens("required"));
    imdsctl(&ec2, "enforce --dry-run").run().ended_with(0);
}

#[test]
fn without_a_terminal_or_yes_no_call_is_made() {
    let ec2 = FakeAws::start();
    ec2.launch(launch(REGION));
    // A `yes` from a pipe was given without seeing the plan.
    let ran = imdsctl(&ec2, "enforce").stdin("yes\n").run();
    says(&ran.ended_with(2).stderr, &["--yes", "terminal"]);
    assert_eq!(ran.stdout, "");
    assert_eq!(ec2.calls().len(), 0);
}

#[test]
fn only_the_full_word_yes_confirms() {
    for (answer, done) in [
        ("yes", true),
        ("y", false),
        ("no", false),
        ("", false),
        ("YES", false),
        ("yes please", false),
    ] {
        let ec2 = FakeAws::start();
        let id = ec2.launch(launch(REGION).launched(DAY * 9).tag("Name", "web-1"));
        let mut terminal = imdsctl(&ec2, "enforce").on_terminal(160, 40);
        let screen = terminal.wait_for("Type yes");
        says(
            &screen,
            &[
                &id,
                "http_tokens optional → required (1) on 1 instance",
                "eu-central-1 (1) in account 111122223333?",
                "on 1 instance of them was not asked",
                "--unused-only",
                "--policy",
                "--ignore-usage",
            ],
        );
        assert_eq!(ec2.changing_calls().len(), 0, "the question comes first");
        terminal.type_text(answer);
        terminal.type_text("\r");
        let closed = terminal.wait();
        closed.ended_with(if done { 0 } else { 1 });
        assert_eq!(tokens(&ec2, &id) == "required", done, "{answer:?}");
        assert_eq!(ec2.changing_calls().len(), usize::from(done), "{answer:?}");
        assert_eq!(
            closed.screen.contains("nothing was changed"),
            !done,
            "{answer:?}"
        );
    }
}

#[test]
fn ctrl_c_at_the_question_changes_nothing() {
    let ec2 = FakeAws::start();
    ec2.launch(launch(REGION));
    let mut terminal = imdsctl(&ec2, "enforce").on_terminal(120, 30);
    terminal.wait_for("Type yes");
    terminal.interrupt();
    let closed = terminal.wait();
    assert_ne!(closed.code, Some(0), "{}", closed.screen);
    assert_eq!(ec2.changing_calls().len(), 0);
}
