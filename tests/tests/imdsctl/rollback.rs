//! `imdsctl rollback`: it restores the previous options, unless they were changed since.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use imds_tests::{FakeAws, Imdsctl, Options, Ran, launch};
use serde_json::json;

use crate::reading::*;

/// The option of a policy in this folder that requires tokens and a hop limit of 2, no more and no less.
pub(crate) fn two_hops(place: &TestFolder) -> String {
    let policy = json!({
        "version": 1, "on_violation": "enforce",
        "require": { "http_tokens": "required", "hop_limit": { "at_least": 2, "at_most": 2 } }
    });
    let path = place.file("policy.json", &policy.to_string());
    format!("--policy {}", path.display())
}

/// Enforces the policy of [`two_hops`], and returns the journal.
fn enforce_two_hops(ec2: &FakeAws, place: &TestFolder) -> PathBuf {
    let journal = place.path("journal");
    let words = format!("enforce --yes {} --journal", two_hops(place));
    imdsctl(ec2, &words).arg(&journal).run().ended_with(0);
    journal
}

/// A fleet after an enforcement.
pub(crate) struct EnforcedFleet {
    pub(crate) ec2: FakeAws,
    pub(crate) ids: Vec<String>,
    /// The options before the enforcement.
    before: BTreeMap<String, Options>,
    pub(crate) place: TestFolder,
}

impl EnforcedFleet {
    /// Launches instances with different options and enforces tokens and a hop limit of 2.
    pub(crate) fn new(regions: &[&str]) -> Self {
        let ec2 = FakeAws::start();
        let ids = varied(&ec2, regions);
        let before = options(&ec2, regions);
        let place = TestFolder::new();
        enforce_two_hops(&ec2, &place);
        ec2.forget_calls();
        EnforcedFleet {
            ec2,
            ids,
            before,
            place,
        }
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.place.path("journal")
    }

    /// The journal of the rollback itself, where its arguments name it.
    pub(crate) fn second(&self) -> PathBuf {
        self.place.path("second")
    }

    pub(crate) fn rollback(&self, arguments: &str) -> Ran {
        rollback(&self.ec2, &self.journal(), arguments).run()
    }

    /// Rolls back with a journal of its own.
    pub(crate) fn recorded_rollback(&self) -> Ran {
        self.rollback(&format!(
            "--yes --json --journal {}",
            self.second().display()
        ))
    }

    /// Asserts that the instances have the options from before the enforcement.
    #[track_caller]
    pub(crate) fn are_as_before(&self, ids: &[String]) {
        for id in ids {
            let now = self.ec2.instance(id).options;
            assert_eq!(without_state(now), self.before[id], "{id}");
        }
    }
}

/// Launches an instance with each combination of options in each region.
pub(crate) fn varied(ec2: &FakeAws, regions: &[&str]) -> Vec<String> {
    let mut ids = Vec::new();
    for region in regions {
        for n in 0..16_u8 {
            let on = |bit: u8| if n & bit == 0 { "disabled" } else { "enabled" };
            let tokens = if n & 4 == 0 { "optional" } else { "required" };
            let hops = if n & 8 == 0 { 1 } else { 64 };
            let launch = launch(region)
                .ipv6(on(1))
                .metadata_tags(on(2))
                .tokens(tokens)
                .hop_limit(hops);
            ids.push(ec2.launch(launch));
        }
    }
    ids
}

pub(crate) fn rollback(ec2: &FakeAws, journal: &Path, arguments: &str) -> Imdsctl {
    imdsctl(ec2, &format!("rollback {arguments}")).arg(journal)
}

#[test]
fn every_instance_gets_its_previous_options_back() {
    let regions = ["eu-central-1", "us-east-1"];
    let ec2 = FakeAws::start();
    varied(&ec2, &regions);
    let before = options(&ec2, &regions);
    let place = TestFolder::new();
    let journal = enforce_two_hops(&ec2, &place);
    let enforced = options(&ec2, &regions);
    assert!(
        enforced
            .values()
            .all(|options| options.tokens == "required" && options.hop_limit == 2)
    );
    let ran = rollback(&ec2, &journal, "--yes --json").run();
    let report = json(ran.ended_with(0));
    assert_eq!(options(&ec2, &regions), before);
    assert_eq!(report["trigger"], "rollback");
    assert_eq!(
        report["summary"],
        json!({ "restored": 32, "unchanged": 0, "skipped": 0, "gone": 0, "failed": 0 })
    );
    says(
        &ran.stderr,
        &["journal: ", "roll back with: imdsctl rollback "],
    );
    // A second rollback has nothing to do.
    ec2.forget_calls();
    let again = rollback(&ec2, &journal, "").run();
    assert_eq!(again.code, Some(2), "there is no terminal for the question");
    let again = rollback(&ec2, &journal, "--yes").run();
    says(&again.ended_with(0).stdout, &["0 restored, 32 unchanged"]);
    assert_eq!(ec2.changing_calls().len(), 0);
}

#[test]
fn instances_that_were_not_enforced_are_not_changed() {
    let ec2 = FakeAws::start();
    let non_compliant = ec2.launch(launch(REGION));
    ec2.launch(launch(REGION).endpoint("disabled"));
    ec2.launch(launch(REGION).tokens("required"));
    let before = options(&ec2, &[REGION]);
    let place = TestFolder::new();
    let journal = place.path("journal");
    imdsctl(&ec2, "enforce --yes --journal")
        .arg(&journal)
        .run()
        .ended_with(0);
    ec2.forget_calls();
    rollback(&ec2, &journal, "--yes").run().ended_with(0);
    assert_eq!(options(&ec2, &[REGION]), before);
    let named: Vec<String> = modified(&ec2)
        .into_iter()
        .map(|call| call["InstanceId"].clone())
        .collect();
    assert_eq!(named, [non_compliant]);
}

#[test]
fn an_endpoint_that_a_policy_disabled_is_rolled_back() {
    let ec2 = FakeAws::start();
    ec2.launch(launch(REGION).hop_limit(3));
    let before = options(&ec2, &[REGION]);
    let place = TestFolder::new();
    let policy = place.file(
        "policy.json",
        r#"{ "version": 1, "require": { "http_endpoint": "disabled" }, "on_violation": "enforce" }"#,
    );
    let journal = place.path("journal");
    let ran = imdsctl(&ec2, "enforce --yes --policy")
        .arg(policy)
        .arg("--journal")
        .arg(&journal)
        .run();
    ran.ended_with(0);
    assert_eq!(ec2.instances(REGION)[0].options.endpoint, "disabled");
    rollback(&ec2, &journal, "--yes").run().ended_with(0);
    assert_eq!(options(&ec2, &[REGION]), before);
}

#[test]
fn a_dry_run_names_every_step_and_changes_nothing() {
    let run = EnforcedFleet::new(&[REGION]);
    run.ec2
        .set_options(&run.ids[0], |options| options.hop_limit = 7);
    let ran = run.rollback("--dry-run");
    let stdout = &ran.ended_with(1).stdout;
    for id in &run.ids {
        says(stdout, &[id]);
    }
    says(
        stdout,
        &[
            "set ",
            "http_tokens=optional",
            "changed since",
            "15 of 16 to restore",
            "--force",
        ],
    );
    assert_eq!(run.ec2.changing_calls().len(), 0);
}

#[test]
fn only_the_full_word_yes_confirms() {
    let run = EnforcedFleet::new(&[REGION]);
    let enforced = options(&run.ec2, &[REGION]);
    let ran = run.rollback("");
    says(&ran.ended_with(2).stderr, &["--yes", "terminal"]);
    for answer in ["y", "no", ""] {
        let mut terminal = rollback(&run.ec2, &run.journal(), "").on_terminal(160, 60);
        terminal.wait_for("Type yes");
        terminal.type_text(&format!("{answer}\r"));
        let closed = terminal.wait();
        says(&closed.ended_with(1).screen, &["nothing was changed"]);
        assert_eq!(options(&run.ec2, &[REGION]), enforced);
    }
    let mut terminal = rollback(&run.ec2, &run.journal(), "").on_terminal(160, 60);
    let screen = terminal.wait_for("Type yes");
    says(&screen, &["16", "111122223333"]);
    terminal.type_text("yes\r");
    terminal.wait().ended_with(0);
    assert_eq!(run.ec2.instance(&run.ids[0]).options.hop_limit, 1);
}

#[test]
fn a_single_instance_can_be_rolled_back() {
    let run = EnforcedFleet::new(&[REGION]);
    run.rollback(&format!("--yes --instance {}", run.ids[3]))
        .ended_with(0);
    assert_eq!(tokens(&run.ec2, &run.ids[3]), "optional");
    assert!(
        modified(&run.ec2)
            .iter()
            .all(|call| call["InstanceId"] == run.ids[3])
    );
    let ran = run.rollback("--yes --instance i-0123456789abcdef0");
    says(
        &ran.ended_with(2).stderr,
        &["i-0123456789abcdef0", "journal"],
    );
}

#[test]
fn an_instance_that_was_changed_since_is_skipped_without_force() {
    let ec2 = FakeAws::start();
    varied(&ec2, &[REGION]);
    let before = options(&ec2, &[REGION]);
    let place = TestFolder::new();
    let journal = enforce_two_hops(&ec2, &place);
    let changed = before.keys().next().unwrap().clone();
    ec2.set_options(&changed, |options| options.hop_limit = 9);
    let ran = rollback(&ec2, &journal, "--yes --json").run();
    let report = json(ran.ended_with(1));
    assert_eq!(
        (
            &report["summary"]["restored"],
            &report["summary"]["skipped"]
        ),
        (&json!(15), &json!(1))
    );
    says(
        entry(&report, &changed)["reason"].as_str().unwrap(),
        &["changed since", "hop_limit=2", "hop_limit=9"],
    );
    let now = options(&ec2, &[REGION]);
    assert_eq!(now[&changed].hop_limit, 9);
    assert!(
        before
            .iter()
            .all(|(id, options)| *id == changed || now[id] == *options)
    );
    rollback(&ec2, &journal, "--yes --force")
        .run()
        .ended_with(0);
    assert_eq!(options(&ec2, &[REGION]), before);
}

#[test]
fn a_rollback_can_be_rolled_back() {
    let run = EnforcedFleet::new(&[REGION]);
    let enforced = options(&run.ec2, &[REGION]);
    let second = run.place.path("second");
    run.rollback(&format!("--yes --journal {}", second.display()))
        .ended_with(0);
    assert_ne!(options(&run.ec2, &[REGION]), enforced);
    assert_eq!(lines(&second)[0]["act"], "rollback");
    rollback(&run.ec2, &second, "--yes").run().ended_with(0);
    assert_eq!(options(&run.ec2, &[REGION]), enforced);
}

#[test]
fn terminated_instances_are_gone() {
    let run = EnforcedFleet::new(&[REGION]);
    run.ec2.set_state(&run.ids[0], "terminated");
    run.ec2.forget(&run.ids[1]);
    let ran = run.rollback("--yes --json");
    let report = json(ran.ended_with(0));
    assert_eq!(
        (&report["summary"]["restored"], &report["summary"]["gone"]),
        (&json!(14), &json!(2))
    );
    for id in &run.ids[..2] {
        assert_eq!(entry(&report, id)["outcome"], "gone");
    }
}

#[test]
fn an_endpoint_is_not_enabled_because_ec2_demands_it() {
    let run = EnforcedFleet::new(&[REGION]);
    run.ec2.demand_endpoint();
    let report = json(run.rollback("--yes --json").ended_with(3));
    assert_eq!(report["summary"]["failed"], run.ids.len());
    for call in modified(&run.ec2) {
        assert_eq!(call.get("HttpEndpoint"), None, "{call:?}");
    }
}
