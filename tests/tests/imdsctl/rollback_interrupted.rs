//! `imdsctl rollback` after an enforcement or a rollback that was killed or interrupted.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use imds_tests::{CallOutcome, FakeAws, Imdsctl, InjectedFault, Options, launch, wait_until};
use serde_json::Value;

use crate::reading::*;
use crate::rollback::{rollback, two_hops, varied};

/// An enforcement of tokens and a hop limit of 2 on 200 instances, and their options before it.
struct InterruptedRun {
    ec2: FakeAws,
    before: BTreeMap<String, Options>,
    place: TestFolder,
}

impl InterruptedRun {
    fn new() -> Self {
        let ec2 = FakeAws::start();
        let regions = ["eu-central-1"];
        for _ in 0..12 {
            varied(&ec2, &regions);
        }
        ec2.launch_many(launch(REGION).hop_limit(5), 8);
        let before = options(&ec2, &regions);
        assert_eq!(before.len(), 200);
        ec2.set_latency(Duration::from_millis(50));
        InterruptedRun {
            ec2,
            before,
            place: TestFolder::new(),
        }
    }

    fn journal(&self) -> PathBuf {
        self.place.path("journal")
    }

    fn enforce(&self) -> Imdsctl {
        imdsctl(
            &self.ec2,
            &format!(
                "enforce --yes --region {REGION} {} --journal",
                two_hops(&self.place)
            ),
        )
        .arg(self.journal())
    }

    /// Kills the enforcement after so many changes; calls in flight still take effect.
    fn killed_after(&self, changes: usize) {
        let mut running = self.enforce().start();
        running.wait_until(|_| self.ec2.count(MODIFY) >= changes);
        running.kill();
        assert_eq!(running.wait().signal, Some(9));
        self.settle();
    }

    /// Waits for the calls in flight.
    fn settle(&self) {
        wait_until("the calls in flight", || {
            let calls = self.ec2.calls();
            !calls.iter().any(|call| call.outcome == CallOutcome::Reset)
        });
    }

    /// How many instances differ from before.
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
fn a_killed_enforcement_can_be_rolled_back() {
    for changes in [1, 60, 150] {
        let run = InterruptedRun::new();
        run.killed_after(changes);
        let changed = run.changed();
        assert!((1..200).contains(&changed), "{changed} were changed");
        let ran = rollback(&run.ec2, &run.journal(), "--yes").run();
        ran.ended_with(0);
        run.is_as_before();
        let ran = rollback(&run.ec2, &run.journal(), "--dry-run").run();
        says(&ran.ended_with(0).stderr, &["killed"]);
    }
}

#[test]
fn a_truncated_last_line_does_not_prevent_the_rollback() {
    let run = InterruptedRun::new();
    run.killed_after(60);
    let text = std::fs::read_to_string(run.journal()).unwrap();
    let whole: Vec<Value> = text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let known = named(&whole, "intent");
    // As after a kill during the write: the call of this intent was never made.
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
        says(&ran.ended_with(1).stdout, &["last line", "killed"]);
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
fn a_truncated_answer_does_not_prevent_the_rollback() {
    let run = InterruptedRun::new();
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
fn a_killed_or_interrupted_rollback_can_be_repeated() {
    for kill in [true, false] {
        let run = InterruptedRun::new();
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
fn a_journal_that_is_still_being_written_is_rejected() {
    let run = InterruptedRun::new();
    run.ec2
        .fault(InjectedFault::delay(Duration::from_secs(1)).action(MODIFY));
    let mut running = run.enforce().start();
    running.wait_until(|_| run.ec2.count(MODIFY) > 5);
    let ran = rollback(&run.ec2, &run.journal(), "--yes").run();
    says(&ran.ended_with(2).stderr, &["still being written"]);
    running.kill();
    assert_eq!(running.wait().signal, Some(9));
}
