//! The journal: no change without its intent on disk, however the command ends.

use std::path::Path;
use std::time::{Duration, Instant};

use imds_tests::{FakeAws, Imdsctl, InjectedFault, Settle, launch, wait_until};
use serde_json::json;

use crate::reading::*;

#[test]
fn every_change_has_an_intent_and_an_answer_in_the_state_folder() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION).hop_limit(3));
    let managed = ec2.launch(launch(REGION).refuses_changes());
    let place = TestFolder::new();
    let ran = imdsctl(&ec2, "enforce --yes")
        .home(place.folder.path())
        .run();
    let folder = place.path(".local/state/imdsctl");
    let mut files = std::fs::read_dir(&folder)
        .unwrap()
        .map(|file| file.unwrap().path());
    let journal = files.next().unwrap();
    assert_eq!(files.next(), None);
    says(
        &ran.ended_with(3).stderr,
        &[&format!("journal: {}", journal.display())],
    );
    let name = journal.file_name().unwrap().to_str().unwrap();
    assert!(name.ends_with("-111122223333-enforce.jsonl"), "{name}");

    let lines = lines(&journal);
    assert_eq!(
        (&lines[0]["line"], &lines[0]["account"]),
        (&json!("journal"), &json!("111122223333"))
    );
    assert_eq!(sorted(named(&lines, "intent")), sorted([&id, &managed]));
    let line = |kind: &str, id: &str| {
        let mut found = lines
            .iter()
            .filter(|it| it["line"] == kind && it["instance_id"] == id);
        found.next().unwrap().clone()
    };
    let intent = line("intent", &id);
    assert_eq!(intent["before"]["http_tokens"], "optional");
    assert_eq!(intent["before"]["hop_limit"], 3);
    assert_eq!(intent["send"]["http_tokens"], "required");
    assert_eq!(
        line("answer", &id)["answer"]["after"]["http_tokens"],
        "required"
    );
    says(
        &line("answer", &managed)["answer"]["error"].to_string(),
        &["OperationNotPermitted"],
    );
    let last = lines.last().unwrap();
    assert_eq!(
        (&last["line"], &last["how"]),
        (&json!("end"), &json!("done"))
    );
}

#[test]
fn an_existing_journal_is_not_overwritten_and_nothing_is_changed() {
    let ec2 = FakeAws::start();
    ec2.launch(launch(REGION));
    let place = TestFolder::new();
    let journal = place.file("journal", "precious");
    for path in [journal.as_path(), Path::new("/dev/full")] {
        let ran = imdsctl(&ec2, "enforce --yes --journal").arg(path).run();
        says(
            &ran.ended_with(2).stderr,
            &["exists and is not overwritten; name a new file"],
        );
    }
    assert_eq!(std::fs::read_to_string(journal).unwrap(), "precious");
    assert_eq!(ec2.changing_calls().len(), 0);
}

#[test]
fn nothing_is_changed_without_a_journal() {
    let ec2 = FakeAws::start();
    ec2.launch(launch(REGION));
    let place = TestFolder::new();
    let ran = imdsctl(&ec2, "enforce --yes --journal")
        .arg(place.path("missing/journal"))
        .run();
    says(
        &ran.ended_with(2).stderr,
        &["could not create journal", "missing/journal"],
    );
    let home = place.file("home", "a file where a folder should be");
    let ran = imdsctl(&ec2, "enforce --yes")
        .home(&home)
        .current_dir(place.folder.path())
        .run();
    says(&ran.ended_with(2).stderr, &["journal"]);
    assert_eq!(ec2.changing_calls().len(), 0);
}

/// An enforcement of 200 instances, and its journal.
struct SlowEnforcement {
    ec2: FakeAws,
    ids: Vec<String>,
    place: TestFolder,
}

impl SlowEnforcement {
    fn new(latency: Duration) -> Self {
        let ec2 = FakeAws::start();
        let ids = ec2.launch_many(launch(REGION), 200);
        ec2.fault(InjectedFault::delay(latency).action(MODIFY));
        SlowEnforcement {
            ec2,
            ids,
            place: TestFolder::new(),
        }
    }

    fn command(&self) -> Imdsctl {
        imdsctl(
            &self.ec2,
            &format!("enforce --yes --region {REGION} --format json --journal"),
        )
        .arg(self.place.path("journal"))
    }

    fn enforced(&self) -> usize {
        self.ids
            .iter()
            .filter(|id| tokens(&self.ec2, id) == "required")
            .count()
    }

    /// Asserts that calls in flight were completed and recorded, and that none was made after the interrupt.
    #[track_caller]
    fn is_whole(&self, interrupted: Instant, grace: Duration) -> usize {
        let lines = lines(&self.place.path("journal"));
        let (intents, answers) = (named(&lines, "intent"), named(&lines, "answer"));
        assert_eq!(
            sorted(intents),
            sorted(answers),
            "every intent has its answer"
        );
        assert_eq!(lines.last().unwrap()["how"], "interrupted");
        let enforced = self.enforced();
        let done = lines
            .iter()
            .filter(|line| line["answer"]["after"]["http_tokens"] == "required");
        assert_eq!(done.count(), enforced, "the journal has every change");
        assert!((1..200).contains(&enforced), "{enforced} were enforced");
        let late = self
            .ec2
            .calls()
            .into_iter()
            .filter(|call| call.at > interrupted + grace);
        assert_eq!(late.count(), 0, "calls after the interrupt");
        enforced
    }
}

#[test]
fn ctrl_c_completes_the_calls_in_flight_and_reports_what_was_done() {
    let run = SlowEnforcement::new(Duration::from_millis(800));
    let mut running = run.command().start();
    running.wait_until(|_| run.ec2.count(MODIFY) > 40);
    let interrupted = Instant::now();
    running.interrupt();
    let ran = running.wait();
    let report = json(ran.ended_with(3));
    let enforced = run.is_whole(interrupted, Duration::from_millis(700));
    let left = 200 - enforced;
    says(
        &ran.stderr,
        &[
            &format!("interrupted: {enforced} instances changed, {left} not changed; "),
            "roll back with: imdsctl rollback",
        ],
    );
    assert_eq!(
        (&report["summary"]["enforced"], &report["summary"]["failed"]),
        (&json!(enforced), &json!(left))
    );
    for id in &run.ids {
        let outcome = entry(&report, id)["outcome"].as_str().unwrap();
        assert_eq!(
            outcome == "enforced",
            tokens(&run.ec2, id) == "required",
            "{id} {outcome}"
        );
    }
    // The same command then changes what was left and nothing else.
    run.ec2.clear_faults();
    run.ec2.forget_calls();
    imdsctl(&run.ec2, "enforce --yes").run().ended_with(0);
    assert_eq!(modified(&run.ec2).len(), left);
}

#[test]
fn a_sigterm_is_an_interrupt() {
    let run = SlowEnforcement::new(Duration::from_millis(800));
    let mut running = run.command().start();
    running.wait_until(|_| run.ec2.count(MODIFY) > 40);
    let interrupted = Instant::now();
    running.terminate();
    running.wait().ended_with(3);
    run.is_whole(interrupted, Duration::from_millis(700));
}

#[test]
fn ctrl_c_on_a_terminal_shows_what_happens() {
    let run = SlowEnforcement::new(Duration::from_millis(800));
    let mut terminal = run.command().on_terminal(120, 30);
    wait_until("40 changes", || run.ec2.count(MODIFY) > 40);
    let interrupted = Instant::now();
    terminal.interrupt();
    terminal.wait_for("interrupted: finishing the calls in flight");
    let closed = terminal.wait();
    closed.ended_with(3);
    run.is_whole(interrupted, Duration::from_millis(700));
}

#[test]
fn a_second_ctrl_c_exits_immediately_and_leaves_intents_without_answers() {
    let run = SlowEnforcement::new(Duration::from_secs(20));
    let mut running = run.command().start();
    running.wait_until(|_| run.ec2.count(MODIFY) > 20);
    running.interrupt();
    running.wait_until(|running| running.stderr().contains("press Ctrl-C again"));
    running.interrupt();
    assert_eq!(running.wait().code, Some(130));
    let lines = lines(&run.place.path("journal"));
    assert!(named(&lines, "intent").len() > 20);
    assert_eq!(named(&lines, "answer").len(), 0);
    assert!(lines.iter().all(|line| line["line"] != "end"));
}

#[test]
fn ctrl_c_ends_the_wait_for_applied_options() {
    let ec2 = FakeAws::start();
    ec2.launch_many(launch(REGION), 2);
    ec2.set_applied(Settle::Never);
    let place = TestFolder::new();
    let mut running = imdsctl(&ec2, "enforce --yes --region eu-central-1 --journal")
        .arg(place.path("journal"))
        .start();
    running.wait_until(|_| ec2.count("DescribeInstances") > 2);
    running.interrupt();
    let ran = running.wait();
    says(
        &ran.ended_with(3).stderr,
        &["EC2 has not applied 2 changes yet"],
    );
    let lines = lines(&place.path("journal"));
    assert_eq!(named(&lines, "answer").len(), 2);
    assert_eq!(lines.last().unwrap()["how"], "interrupted");
}

#[test]
fn output_that_cannot_be_written_does_not_hide_the_journal() {
    let ec2 = FakeAws::start();
    ec2.launch(launch(REGION));
    let place = TestFolder::new();
    let journal = place.path("journal");
    let ran = imdsctl(&ec2, "enforce --yes --format html --output")
        .arg(place.path("missing/fleet.html"))
        .arg("--journal")
        .arg(&journal)
        .run();
    says(
        &ran.ended_with(3).stderr,
        &["could not write", "roll back with: imdsctl rollback"],
    );
    assert_eq!(lines(&journal).last().unwrap()["how"], "done");
}

#[test]
fn no_secret_is_ever_written() {
    let ec2 = FakeAws::start();
    ec2.launch(launch(REGION));
    ec2.launch(launch(REGION).refuses_changes());
    let place = TestFolder::new();
    let (journal, plan) = (place.path("journal"), place.path("plan"));
    let run = |arguments: &str| {
        imdsctl(&ec2, arguments)
            .env("AWS_ACCESS_KEY_ID", "AKIAKEYKEYKEYKEYKEYK")
            .env("AWS_SECRET_ACCESS_KEY", "SecretSecretSecret")
            .env("AWS_SESSION_TOKEN", "TokenTokenToken")
            .env("RUST_LOG", "trace")
    };
    let runs = [
        run("enforce --plan-out").arg(&plan).run(),
        run("enforce --yes --journal").arg(&journal).run(),
        run("scan --format json").run(),
        run("scan --format html").run(),
        run("rollback --dry-run").arg(&journal).run(),
    ];
    assert_eq!(
        runs.each_ref().map(|ran| ran.code),
        [Some(1), Some(3), Some(1), Some(1), Some(1)]
    );
    ec2.fault(InjectedFault::error("UnrecognizedClientException", 403));
    let rejected = run("scan").run();
    rejected.ended_with(2);
    let texts = runs
        .iter()
        .chain([&rejected])
        .flat_map(|ran| [ran.stdout.clone(), ran.stderr.clone()]);
    let files = [journal, plan].map(|path| std::fs::read_to_string(path).unwrap());
    for text in texts.chain(files) {
        for secret in ["SecretSecret", "TokenToken", "AKIAKEY"] {
            assert!(!text.contains(secret), "{secret} is in:\n{text}");
        }
    }
}
