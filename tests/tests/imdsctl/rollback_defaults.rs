//! `imdsctl rollback` of account defaults, alone and together with instances.

use imds_tests::{Defaults, FakeAws, InjectedFault, Ran};
use serde_json::{Value, json};

use crate::reading::*;
use crate::rollback::{EnforcedFleet, rollback};

const REGIONS: [&str; 3] = ["eu-central-1", "us-east-1", "us-west-2"];
const MODIFY_DEFAULTS: &str = "ModifyInstanceMetadataDefaults";

fn enforced(tokens_enforced: &str) -> Defaults {
    Defaults {
        tokens_enforced: Some(tokens_enforced.to_owned()),
        ..Defaults::default()
    }
}

/// The enforcement of tokens, turned on in three regions.
struct TokensEnforced {
    ec2: FakeAws,
    place: TestFolder,
}

impl TokensEnforced {
    fn new() -> Self {
        let ec2 = FakeAws::start();
        ec2.set_regions(&REGIONS);
        let place = TestFolder::new();
        enforce_tokens(&ec2, &place);
        TokensEnforced { ec2, place }
    }

    /// Rolls back a journal and records that in another.
    fn rollback(&self, journal: &str, own: &str) -> Ran {
        let arguments = format!("--yes --json --journal {}", self.place.path(own).display());
        rollback(&self.ec2, &self.place.path(journal), &arguments).run()
    }

    fn shown(&self) -> [Value; 3] {
        let ran = imdsctl(&self.ec2, "defaults show --json").run();
        let shown = json(ran.ended_with(0));
        [0, 1, 2].map(|n| shown["defaults"][n]["http_tokens_enforced"].clone())
    }
}

/// Turns the enforcement of tokens on and records it in `defaults`.
fn enforce_tokens(ec2: &FakeAws, place: &TestFolder) {
    imdsctl(
        ec2,
        "defaults set --yes --http-tokens-enforced enabled --journal",
    )
    .arg(place.path("defaults"))
    .run()
    .ended_with(0);
    ec2.forget_calls();
}

fn outcomes(report: &Value) -> Vec<Value> {
    let rows = list(report, "defaults").iter();
    rows.map(|row| row["outcome"].clone()).collect()
}

#[test]
fn defaults_are_rolled_back_region_by_region_unless_they_were_changed_since() {
    let run = TokensEnforced::new();
    let order: Vec<Value> = lines(&run.place.path("defaults"))
        .iter()
        .filter(|line| line["line"] == "defaults-intent")
        .map(|line| line["region"].clone())
        .collect();
    assert_eq!(order.len(), 3);
    run.ec2.set_defaults("us-west-2", enforced("disabled"));
    let report = json(run.rollback("defaults", "second").ended_with(1));
    assert_eq!(
        report["summary"],
        json!({ "restored": 2, "unchanged": 0, "skipped": 1, "gone": 0, "failed": 0 })
    );
    for (row, region) in list(&report, "defaults").iter().zip(order) {
        assert_eq!(row["region"], region, "in the order of the journal");
        let changed = row["region"] == "us-west-2";
        assert_eq!(row["outcome"], if changed { "skipped" } else { "restored" });
        says(
            row["reason"].as_str().unwrap(),
            &[if changed {
                "changed since"
            } else {
                "as before"
            }],
        );
    }
    assert_eq!(run.shown(), [Value::Null, Value::Null, json!("disabled")]);

    let report = json(run.rollback("second", "third").ended_with(0));
    assert_eq!(outcomes(&report), ["restored"; 2]);
    assert_eq!(run.shown(), ["enabled", "enabled", "disabled"]);
}

#[test]
fn defaults_that_change_while_the_plan_is_shown_are_left_as_they_are() {
    let run = TokensEnforced::new();
    let journal = run.place.path("defaults");
    let mut terminal = rollback(&run.ec2, &journal, "").on_terminal(160, 40);
    terminal.wait_for("Type yes");
    let others = Defaults {
        hop_limit: Some(64),
        ..enforced("enabled")
    };
    run.ec2.set_defaults("us-east-1", others);
    terminal.type_text("yes\r");
    let closed = terminal.wait();
    says(
        &closed.ended_with(1).screen,
        &[
            "us-east-1 account defaults skipped: they were changed while the plan was shown",
            "2 restored, 0 unchanged, 1 skipped, 0 gone, 0 failed",
        ],
    );
    assert_eq!(run.shown(), [Value::Null, json!("enabled"), Value::Null]);
    let calls = run.ec2.changing_calls();
    assert_eq!(calls.len(), 2);
    assert!(calls.iter().all(|call| call.region != "us-east-1"));
}

#[test]
fn defaults_that_cannot_be_described_are_noted_and_the_instances_rolled_back() {
    let run = EnforcedFleet::new(&["eu-central-1", "us-east-1"]);
    run.ec2.fault(
        InjectedFault::unauthorized()
            .action("GetInstanceMetadataDefaults")
            .region("us-east-1"),
    );
    let ran = run.rollback("--dry-run");
    let plan = &ran.ended_with(1).stdout;
    let note = "note: the account defaults of us-east-1 could not be described: ";
    assert!(plan.starts_with(note), "{plan}");
    says(plan, &["UnauthorizedOperation", "32 of 32 to restore"]);
    assert_eq!(plan.matches("note: ").count(), 1, "{plan}");
    let ran = run.rollback("--yes");
    says(&ran.ended_with(0).stderr, &[note]);
    run.are_as_before(&run.ids);
}

/// An enforcement, and the enforcement of tokens in the same journal.
fn instances_and_defaults() -> EnforcedFleet {
    let run = EnforcedFleet::new(&REGIONS[..2]);
    run.ec2.set_regions(&REGIONS);
    enforce_tokens(&run.ec2, &run.place);
    let instances = std::fs::read_to_string(run.journal()).unwrap();
    let defaults = std::fs::read_to_string(run.place.path("defaults")).unwrap();
    let lines = instances
        .lines()
        .filter(|line| !line.contains("\"line\":\"end\""));
    let both: Vec<&str> = lines.chain(defaults.lines().skip(1)).collect();
    run.place.file("journal", &(both.join("\n") + "\n"));
    run
}

#[test]
fn defaults_are_rolled_back_before_instances_because_they_could_prevent_it() {
    let run = instances_and_defaults();
    let report = json(run.recorded_rollback().ended_with(0));
    assert_eq!(report["summary"]["restored"], 32 + 3);
    assert_eq!(outcomes(&report), ["restored"; 3]);
    run.are_as_before(&run.ids);
    let calls = run.ec2.changing_calls();
    let actions: Vec<&str> = calls.iter().map(|call| call.action.as_str()).collect();
    assert_eq!(actions[..3], [MODIFY_DEFAULTS; 3]);
    assert_eq!(actions[3..], [MODIFY; 32]);
}

#[test]
fn with_instances_named_no_defaults_are_rolled_back() {
    let run = instances_and_defaults();
    // The fifth had required tokens before; the first had not, which needs the defaults.
    let (optional, required) = (&run.ids[0], &run.ids[4]);
    let report = json(
        run.rollback(&format!(
            "--yes --json --instance {optional} --instance {required}"
        ))
        .ended_with(1),
    );
    assert_eq!(outcomes(&report), [] as [Value; 0]);
    let skipped = entry(&report, optional);
    assert_eq!(skipped["outcome"], "skipped");
    says(
        skipped["reason"].as_str().unwrap(),
        &["`HttpTokensEnforced` is on in the region"],
    );
    assert_eq!(entry(&report, required)["outcome"], "restored");
    run.are_as_before(&run.ids[4..5]);
    let calls = run.ec2.changing_calls();
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].action, MODIFY);
}

/// Turns the enforcement of tokens on, and returns the command's report.
fn reported(ec2: &FakeAws, code: i32) -> Value {
    let set = "defaults set --yes --json --http-tokens-enforced enabled";
    json(imdsctl(ec2, set).run().ended_with(code))
}

/// Rolls back a report of the command.
fn rollback_of(ec2: &FakeAws, report: &Value) -> Ran {
    let place = TestFolder::new();
    let file = place.file("report", &report.to_string());
    rollback(ec2, &file, "--yes --json").run()
}

fn enforcement(ec2: &FakeAws) -> Vec<Value> {
    let shown = json(imdsctl(ec2, "defaults show --json").run().ended_with(0));
    let regions = list(&shown, "defaults").iter();
    regions
        .map(|region| region["http_tokens_enforced"].clone())
        .collect()
}

#[test]
fn the_report_of_defaults_set_is_rolled_back_and_so_is_the_report_of_that() {
    let ec2 = two_regions();
    let set = reported(&ec2, 0);
    assert_eq!(enforcement(&ec2), ["enabled"; 2]);
    let back = json(rollback_of(&ec2, &set).ended_with(0));
    assert_eq!(outcomes(&back), ["restored"; 2]);
    assert_eq!(enforcement(&ec2), [Value::Null, Value::Null]);
    let again = json(rollback_of(&ec2, &back).ended_with(0));
    assert_eq!(outcomes(&again), ["restored"; 2]);
    assert_eq!(enforcement(&ec2), ["enabled"; 2]);

    ec2.set_defaults(THERE, enforced("disabled"));
    let back = json(rollback_of(&ec2, &set).ended_with(1));
    assert_eq!(back["summary"]["skipped"], 1);
    assert_eq!(enforcement(&ec2), [Value::Null, json!("disabled")]);
}

#[test]
fn reported_defaults_of_another_account_are_refused() {
    let ec2 = two_regions();
    let mut report = reported(&ec2, 0);
    report["account"] = json!("444455556666");
    let ran = rollback_of(&ec2, &report);
    says(&ran.ended_with(2).stderr, &["444455556666", "--profile"]);
    assert_eq!(enforcement(&ec2), ["enabled"; 2]);
}

#[test]
fn reported_defaults_that_were_not_set_are_left_and_unreadable_ones_are_an_error() {
    let ec2 = two_regions();
    let fault = InjectedFault::unauthorized().action(MODIFY_DEFAULTS);
    ec2.fault(fault.region(THERE));
    let mut report = reported(&ec2, 3);
    let ran = rollback_of(&ec2, &report);
    let left = "the account defaults of us-east-1 left, because changing them failed";
    says(&ran.ended_with(0).stderr, &[left]);
    assert_eq!(outcomes(&json(&ran)), ["restored"]);
    report["regions"][0]["before"]["http_tokens_enforced"] = json!("perhaps");
    let ran = rollback_of(&ec2, &report);
    let place = "account defaults of eu-central-1: before.http_tokens_enforced";
    says(&ran.ended_with(3).stderr, &["could not be read", place]);
}
