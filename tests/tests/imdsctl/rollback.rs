//! `imdsctl rollback`: exactly what was there, only where nothing else changed since.

use std::path::{Path, PathBuf};
use std::time::Duration;

use imds_tests::{Fault, Imdsctl, Options, Ran, Standin, launch};
use serde_json::{Value, json};

use crate::reading::*;

/// What an enforcement left behind.
struct Enforced {
    ec2: Standin,
    ids: Vec<String>,
    place: Place,
}

impl Enforced {
    /// Wrong instances, of which no two need have the same options, and what an enforcement of
    /// tokens and a hop limit of 2 made of them.
    fn new(regions: &[&str]) -> Self {
        let ec2 = Standin::start();
        let ids = varied(&ec2, regions);
        let place = Place::new();
        let ran = imdsctl(&ec2, "enforce --yes --hop-limit 2 --journal")
            .arg(place.path("journal"))
            .run();
        ran.ended_with(0);
        Enforced { ec2, ids, place }
    }

    fn journal(&self) -> PathBuf {
        self.place.path("journal")
    }

    fn rollback(&self, arguments: &str) -> Ran {
        rollback(&self.ec2, &self.journal(), arguments).run()
    }
}

/// All mixtures of the options in each region.
fn varied(ec2: &Standin, regions: &[&str]) -> Vec<String> {
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

fn rollback(ec2: &Standin, journal: &Path, arguments: &str) -> Imdsctl {
    imdsctl(ec2, &format!("rollback {arguments}")).arg(journal)
}

#[test]
fn every_instance_gets_back_exactly_what_it_had() {
    let regions = ["eu-central-1", "us-east-1"];
    let ec2 = Standin::start();
    varied(&ec2, &regions);
    let before = options(&ec2, &regions);
    let place = Place::new();
    let journal = place.path("journal");
    imdsctl(&ec2, "enforce --yes --hop-limit 2 --journal")
        .arg(&journal)
        .run()
        .ended_with(0);
    let mended = options(&ec2, &regions);
    assert!(
        mended
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
        &["journal: ", "undo this with: imdsctl rollback "],
    );
    // Once more there is nothing left to do, and nobody to ask.
    ec2.forget_calls();
    let again = rollback(&ec2, &journal, "").run();
    assert_eq!(again.code, Some(2), "who could be asked is known before");
    let again = rollback(&ec2, &journal, "--yes").run();
    says(&again.ended_with(0).stdout, &["0 restored, 32 unchanged"]);
    assert_eq!(ec2.changing_calls().len(), 0);
}

#[test]
fn what_was_disabled_or_right_before_is_not_touched() {
    let ec2 = Standin::start();
    let wrong = ec2.launch(launch(REGION));
    ec2.launch(launch(REGION).endpoint("disabled"));
    ec2.launch(launch(REGION).tokens("required"));
    let before = options(&ec2, &[REGION]);
    let place = Place::new();
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
    assert_eq!(named, [wrong]);
}

#[test]
fn it_is_a_rollback_of_an_endpoint_that_a_policy_disabled_too() {
    let ec2 = Standin::start();
    ec2.launch(launch(REGION).hop_limit(3));
    let before = options(&ec2, &[REGION]);
    let place = Place::new();
    let policy = place.file(
        "policy.json",
        r#"{ "require": { "http_endpoint": "disabled" }, "on_violation": "enforce" }"#,
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
    let run = Enforced::new(&[REGION]);
    run.ec2
        .set_options(&run.ids[0], |options| options.hop_limit = 7);
    run.ec2.forget_calls();
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
fn it_asks_and_takes_only_yes_for_yes() {
    let run = Enforced::new(&[REGION]);
    let mended = options(&run.ec2, &[REGION]);
    let ran = run.rollback("");
    says(&ran.ended_with(2).stderr, &["--yes", "terminal"]);
    for answer in ["y", "no", ""] {
        let mut terminal = rollback(&run.ec2, &run.journal(), "").on_terminal(160, 60);
        terminal.wait_for("Type yes to go on:");
        terminal.type_text(&format!("{answer}\r"));
        let closed = terminal.wait();
        says(&closed.ended_with(1).screen, &["nothing was changed"]);
        assert_eq!(options(&run.ec2, &[REGION]), mended);
    }
    let mut terminal = rollback(&run.ec2, &run.journal(), "").on_terminal(160, 60);
    let screen = terminal.wait_for("Type yes to go on:");
    says(&screen, &["Restore 16 of account 111122223333"]);
    terminal.type_text("yes\r");
    terminal.wait().ended_with(0);
    assert_eq!(run.ec2.instance(&run.ids[0]).options.hop_limit, 1);
}

#[test]
fn one_instance_alone_can_be_restored() {
    let run = Enforced::new(&[REGION]);
    run.ec2.forget_calls();
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
        &["i-0123456789abcdef0", "not in the journal"],
    );
}

#[test]
fn what_was_changed_since_is_left_unless_forced() {
    let ec2 = Standin::start();
    varied(&ec2, &[REGION]);
    let before = options(&ec2, &[REGION]);
    let place = Place::new();
    let journal = place.path("journal");
    imdsctl(&ec2, "enforce --yes --hop-limit 2 --journal")
        .arg(&journal)
        .run()
        .ended_with(0);
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
        of(&report, &changed)["reason"].as_str().unwrap(),
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
fn where_tokens_are_enforced_it_says_so_beforehand_and_restores_the_others() {
    let regions = ["eu-central-1", "us-east-1"];
    let run = Enforced::new(&regions);
    let mended = options(&run.ec2, &regions);
    run.ec2.enforce_tokens("us-east-1");
    run.ec2.forget_calls();
    let ran = run.rollback("--dry-run");
    says(
        &ran.ended_with(1).stdout,
        &[
            "us-east-1",
            "`HttpTokensEnforced` is on",
            "24 of 32 to restore",
        ],
    );
    let ran = run.rollback("--yes --json");
    let report = json(ran.ended_with(1));
    assert_eq!(
        report["summary"],
        json!({ "restored": 24, "unchanged": 0, "skipped": 8, "gone": 0, "failed": 0 })
    );
    for instance in list(&report, "instances") {
        let id = instance["instance_id"].as_str().unwrap();
        if instance["outcome"] == "skipped" {
            assert_eq!(instance["region"], "us-east-1");
            let now = Options {
                state: String::new(),
                ..run.ec2.instance(id).options
            };
            assert_eq!(now, mended[id]);
        }
    }
    let refused = run.ec2.calls_to(MODIFY);
    let asks = |call: &imds_tests::Call| {
        call.region == "us-east-1" && call.param("HttpTokens") == Some("optional")
    };
    assert!(!refused.iter().any(asks), "what cannot work is not tried");
}

#[test]
fn a_rollback_can_itself_be_taken_back() {
    let run = Enforced::new(&[REGION]);
    let mended = options(&run.ec2, &[REGION]);
    let second = run.place.path("second");
    run.rollback(&format!("--yes --journal {}", second.display()))
        .ended_with(0);
    assert_ne!(options(&run.ec2, &[REGION]), mended);
    assert_eq!(lines(&second)[0]["act"], "rollback");
    rollback(&run.ec2, &second, "--yes").run().ended_with(0);
    assert_eq!(options(&run.ec2, &[REGION]), mended);
}

#[test]
fn another_accounts_journal_is_refused() {
    let run = Enforced::new(&[REGION]);
    run.ec2.set_account("444455556666");
    run.ec2.forget_calls();
    let ran = run.rollback("--yes");
    says(&ran.ended_with(2).stderr, &["111122223333", "444455556666"]);
    assert_eq!(run.ec2.changing_calls().len(), 0);
}

#[test]
fn what_ended_in_between_is_gone() {
    let run = Enforced::new(&[REGION]);
    run.ec2.set_state(&run.ids[0], "terminated");
    run.ec2.forget(&run.ids[1]);
    let ran = run.rollback("--yes --json");
    let report = json(ran.ended_with(0));
    assert_eq!(
        (&report["summary"]["restored"], &report["summary"]["gone"]),
        (&json!(14), &json!(2))
    );
    for id in &run.ids[..2] {
        assert_eq!(of(&report, id)["outcome"], "gone");
    }
}

#[test]
fn what_is_refused_keeps_no_other_from_being_restored() {
    let regions = ["eu-central-1", "us-east-1"];
    let run = Enforced::new(&regions);
    run.ec2
        .fault(Fault::unauthorised().action(MODIFY).region("us-east-1"));
    let ran = run.rollback("--yes --json");
    let report = json(ran.ended_with(3));
    assert_eq!(
        (&report["summary"]["restored"], &report["summary"]["failed"]),
        (&json!(16), &json!(16))
    );
    says(&report.to_string(), &["UnauthorizedOperation"]);
    run.ec2.clear_faults();
    run.ec2.fault(
        Fault::unauthorised()
            .action("DescribeInstances")
            .region("us-east-1"),
    );
    let report = json(run.rollback("--yes --json").ended_with(3));
    assert_eq!(
        (
            &report["summary"]["unchanged"],
            &report["summary"]["failed"]
        ),
        (&json!(16), &json!(16))
    );
    run.ec2.clear_faults();
    run.ec2.fault(Fault::throttle().action(MODIFY).times(5));
    let report = json(run.rollback("--yes --json").ended_with(0));
    assert_eq!(
        (
            &report["summary"]["unchanged"],
            &report["summary"]["restored"]
        ),
        (&json!(16), &json!(16))
    );
}

#[test]
fn an_ec2_that_wants_the_endpoint_named_is_satisfied() {
    let regions = [REGION];
    let ec2 = Standin::start();
    ec2.demand_endpoint();
    varied(&ec2, &regions);
    let before = options(&ec2, &regions);
    let place = Place::new();
    let journal = place.path("journal");
    imdsctl(&ec2, "enforce --yes --journal")
        .arg(&journal)
        .run()
        .ended_with(0);
    rollback(&ec2, &journal, "--yes").run().ended_with(0);
    assert_eq!(options(&ec2, &regions), before);
}

#[test]
fn what_is_no_journal_is_refused_with_the_file_and_the_line() {
    let run = Enforced::new(&[REGION]);
    let text = std::fs::read_to_string(run.journal()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let with = |n: usize, line: &str| {
        let mut lines = lines.clone();
        lines[n] = line;
        format!("{}\n", lines.join("\n"))
    };
    let newer = lines[0].replace("\"version\":1", "\"version\":2");
    let edited = lines[4].replace("optional", "optionally");
    for (text, words) in [
        (String::new(), ["broken`", "does not begin as a journal"]),
        (
            "remember the milk\n".to_owned(),
            ["broken`", "does not begin as a journal"],
        ),
        (
            with(4, "remember the milk"),
            ["broken`, line 5", "expected"],
        ),
        (with(4, &edited), ["broken`, line 5", "optional"]),
        (with(0, &newer), ["version 2", "expected 1"]),
    ] {
        let broken = run.place.file("broken", &text);
        run.ec2.forget_calls();
        let ran = rollback(&run.ec2, &broken, "--yes").run();
        says(&ran.ended_with(2).stderr, &words);
        assert_eq!(run.ec2.changing_calls().len(), 0);
    }
    let ran = rollback(&run.ec2, &run.place.path("missing"), "--yes").run();
    says(
        &ran.ended_with(2).stderr,
        &["could not read journal", "missing"],
    );
}

/// 200 instances, as they are before and under way to tokens and a hop limit of 2.
struct UnderWay {
    ec2: Standin,
    before: std::collections::BTreeMap<String, Options>,
    place: Place,
}

impl UnderWay {
    fn new() -> Self {
        let ec2 = Standin::start();
        let regions = ["eu-central-1"];
        for n in 0..13 {
            varied(&ec2, if n == 12 { &[] } else { &regions });
        }
        ec2.launch_many(launch(REGION).hop_limit(5), 8);
        let before = options(&ec2, &regions);
        assert_eq!(before.len(), 200);
        ec2.set_latency(Duration::from_millis(50));
        UnderWay {
            ec2,
            before,
            place: Place::new(),
        }
    }

    fn journal(&self) -> PathBuf {
        self.place.path("journal")
    }

    fn enforce(&self) -> Imdsctl {
        imdsctl(
            &self.ec2,
            &format!("enforce --yes --region {REGION} --hop-limit 2 --journal"),
        )
        .arg(self.journal())
    }

    /// Killed once so many changes have arrived; those under way take effect all the same.
    fn killed_after(&self, changes: usize) {
        let mut running = self.enforce().start();
        running.wait_until(|_| self.ec2.count(MODIFY) >= changes);
        running.kill();
        assert_eq!(running.wait().signal, Some(9));
        self.settle();
    }

    fn settle(&self) {
        let under_way = || {
            self.ec2
                .calls()
                .iter()
                .any(|call| call.outcome == imds_tests::Outcome::Reset)
        };
        let until = std::time::Instant::now() + Duration::from_secs(5);
        while under_way() && std::time::Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// How many are not as they were.
    fn changed(&self) -> usize {
        let now = options(&self.ec2, &[REGION]);
        now.iter()
            .filter(|(id, options)| self.before[*id] != **options)
            .count()
    }

    #[track_caller]
    fn is_as_before(&self) {
        assert_eq!(options(&self.ec2, &[REGION]), self.before);
    }
}

#[test]
fn after_a_kill_in_the_middle_every_instance_is_as_before() {
    for changes in [1, 60, 150] {
        let run = UnderWay::new();
        run.killed_after(changes);
        let changed = run.changed();
        assert!((1..200).contains(&changed), "{changed} were changed");
        let ran = rollback(&run.ec2, &run.journal(), "--yes").run();
        ran.ended_with(0);
        run.is_as_before();
        let ran = rollback(&run.ec2, &run.journal(), "--dry-run").run();
        says(&ran.ended_with(0).stderr, &["killed before its end"]);
    }
}

#[test]
fn a_last_line_that_is_cut_off_is_no_obstacle() {
    let run = UnderWay::new();
    run.killed_after(60);
    let text = std::fs::read_to_string(run.journal()).unwrap();
    let whole: Vec<Value> = text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let known = named(&whole, "intent");
    // As when it is killed while it writes: the call of this intent was never made.
    let next = run.before.keys().find(|id| !known.contains(id)).unwrap();
    let intent = whole
        .iter()
        .find(|line| line["line"] == "intent")
        .unwrap()
        .to_string();
    let intent = intent.replace(intent_id(&intent), next);
    let end = text.rfind('\n').unwrap() + 1;
    for length in [1, intent.len() / 2, intent.len() - 1] {
        let torn = run
            .place
            .file("torn", &format!("{}{}", &text[..end], &intent[..length]));
        let ran = rollback(&run.ec2, &torn, "--dry-run").run();
        says(
            &ran.ended_with(1).stdout,
            &["the last line is cut off", "killed before its end"],
        );
    }
    rollback(&run.ec2, &run.place.path("torn"), "--yes")
        .run()
        .ended_with(0);
    run.is_as_before();
}

fn intent_id(line: &str) -> &str {
    let (_, rest) = line.split_once("\"instance_id\":\"").unwrap();
    rest.split_once('"').unwrap().0
}

#[test]
fn an_answer_that_is_cut_off_is_no_obstacle() {
    let run = UnderWay::new();
    run.enforce().run().ended_with(0);
    let text = std::fs::read_to_string(run.journal()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let last = lines
        .iter()
        .rposition(|line| line.contains("\"line\":\"answer\""))
        .unwrap();
    let half = &lines[last][..lines[last].len() / 2];
    let torn = run
        .place
        .file("torn", &format!("{}\n{half}", lines[..last].join("\n")));
    let ran = rollback(&run.ec2, &torn, "--yes").run();
    says(&ran.ended_with(0).stdout, &["200 restored"]);
    run.is_as_before();
}

#[test]
fn a_rollback_that_is_killed_or_interrupted_is_done_again() {
    for kill in [true, false] {
        let run = UnderWay::new();
        run.enforce().run().ended_with(0);
        run.ec2.forget_calls();
        let second = run.place.path("second");
        let arguments = format!("--yes --journal {}", second.display());
        let mut running = rollback(&run.ec2, &run.journal(), &arguments).start();
        running.wait_until(|_| run.ec2.count(MODIFY) >= 50);
        if kill {
            running.kill();
            assert_eq!(running.wait().signal, Some(9));
        } else {
            running.interrupt();
            let ran = running.wait();
            says(&ran.ended_with(3).stderr, &["interrupted"]);
            assert_eq!(lines(&second).last().unwrap()["how"], "interrupted");
        }
        run.settle();
        let changed = run.changed();
        assert!((1..200).contains(&changed), "{changed} are left");
        rollback(&run.ec2, &run.journal(), "--yes")
            .run()
            .ended_with(0);
        run.is_as_before();
    }
}

#[test]
fn a_journal_that_is_still_being_written_is_left_alone() {
    let run = UnderWay::new();
    run.ec2
        .fault(Fault::delay(Duration::from_secs(1)).action(MODIFY));
    let mut running = run.enforce().start();
    running.wait_until(|_| run.ec2.count(MODIFY) > 5);
    let ran = rollback(&run.ec2, &run.journal(), "--yes").run();
    says(&ran.ended_with(2).stderr, &["still being written"]);
    running.kill();
    assert_eq!(running.wait().signal, Some(9));
}

#[test]
fn a_hostile_journal_forges_nothing_on_the_screen() {
    let run = Enforced::new(&[REGION]);
    let text = std::fs::read_to_string(run.journal()).unwrap();
    let forged = text.replace("eu-central-1", "eu-west-1\\u001b[2J\\nforged");
    let hostile = run.place.file("hostile", &forged);
    run.ec2.forget_calls();
    let ran = rollback(&run.ec2, &hostile, "--yes").run();
    assert_ne!(ran.code, Some(0));
    for text in [&ran.stdout, &ran.stderr] {
        assert!(
            !text.contains('\u{1b}') && text.lines().all(|line| !line.starts_with("forged")),
            "{text}"
        );
    }
    assert_eq!(run.ec2.changing_calls().len(), 0);
}
