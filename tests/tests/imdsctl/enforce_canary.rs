//! `imdsctl enforce --canary`.

use imds_tests::{FakeAws, Imdsctl, InjectedFault, Running, launch};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::reading::*;

/// Two regions with old instances; canaries are taken from both.
struct Fleet {
    ec2: FakeAws,
    ids: Vec<String>,
    place: TestFolder,
}

impl Fleet {
    fn new() -> Self {
        let ec2 = two_regions();
        let ids = [HERE, HERE, HERE, THERE, THERE].map(|region| {
            let old = launch(region).launched(DAY * 100);
            ec2.launch(old.in_group(&format!("web-{region}")))
        });
        Fleet {
            ec2,
            ids: ids.to_vec(),
            place: TestFolder::new(),
        }
    }

    fn command(&self, pause: &str) -> Imdsctl {
        let command = format!("enforce --ignore-usage --canary 2 --pause {pause}");
        let command = imdsctl(&self.ec2, &command).arg("--journal");
        command.arg(self.place.path("journal"))
    }

    /// Starts the command and waits until the canaries are enforced; returns their ids.
    fn started(&self, pause: &str) -> (Running, [String; 2]) {
        let mut running = self
            .command(pause)
            .args(["--yes", "--format", "json"])
            .start();
        running.wait_until(|_| self.enforced().len() == 2);
        let canaries = self.enforced().try_into().unwrap();
        (running, canaries)
    }

    /// The instances with required tokens, in the order of their launch.
    fn enforced(&self) -> Vec<String> {
        let ids = self.ids.iter();
        let ids = ids.filter(|id| tokens(&self.ec2, id) == "required");
        ids.cloned().collect()
    }

    /// CloudWatch shows that both canaries run, and no accepted call.
    fn observed(&self, canaries: &[String; 2]) {
        for id in canaries {
            self.ec2
                .datapoint(id, "MetadataNoToken", Timestamp::now(), 0.0);
        }
    }

    /// Asserts that only the canaries are enforced, and the others left with this reason.
    #[track_caller]
    fn left(&self, report: &Value, canaries: &[String; 2], why: &str) {
        assert_eq!(self.enforced(), canaries);
        let summary = &report["summary"];
        let counts = ["enforced", "reported", "failed"].map(|outcome| &summary[outcome]);
        assert_eq!(counts, [2, 3, 0]);
        for id in self.ids.iter().filter(|id| !canaries.contains(id)) {
            let instance = entry(report, id);
            let found = (&instance["outcome"], &instance["decision"]);
            assert_eq!(found, (&json!("reported"), &json!("report")));
            says(
                instance["reason"].as_str().unwrap(),
                &["left as it is because", why],
            );
        }
        let recorded = named(&lines(&self.place.path("journal")), "intent");
        assert_eq!(sorted(recorded), sorted(canaries));
    }
}

#[test]
fn the_others_follow_if_no_call_was_rejected_on_the_canaries() {
    let fleet = Fleet::new();
    let (running, canaries) = fleet.started("2s");
    assert_eq!(
        canaries,
        [&fleet.ids[0], &fleet.ids[3]].map(Clone::clone),
        "of each group one"
    );
    fleet.observed(&canaries);
    let ran = running.wait();
    let report = json(ran.ended_with(0));
    assert_eq!(report["summary"]["enforced"], 5);
    says(
        &ran.stderr,
        &["observing 2 canary instances for 2s: 3 other instances will follow"],
    );
    let changes = fleet.ec2.calls().into_iter();
    let order: Vec<String> = changes
        .map(|call| call.action)
        .filter(|action| action == MODIFY || action == "GetMetricData")
        .collect();
    let asked = "GetMetricData".to_owned();
    let modify = || MODIFY.to_owned();
    let first = [modify(), modify(), asked.clone(), asked];
    assert_eq!(
        order,
        [&first[..], &[modify(), modify(), modify()]].concat()
    );
    let recorded = named(&lines(&fleet.place.path("journal")), "intent");
    assert_eq!(sorted(recorded), sorted(&fleet.ids), "one journal has all");
}

#[test]
fn a_rejected_call_on_a_canary_keeps_the_others_as_they_are() {
    let fleet = Fleet::new();
    let (running, canaries) = fleet.started("2s");
    fleet.observed(&canaries);
    let now = Timestamp::now();
    fleet
        .ec2
        .datapoint(&canaries[1], "MetadataNoTokenRejected", now, 4.0);
    let ran = running.wait();
    let report = json(ran.ended_with(1));
    let why = format!(
        "4 calls without a token were rejected on canary {}",
        canaries[1]
    );
    fleet.left(&report, &canaries, &why);
    says(
        &ran.stderr,
        &[
            "3 instances left unchanged",
            &why,
            "roll back with: imdsctl rollback",
        ],
    );
}

#[test]
fn without_data_of_every_canary_it_does_not_go_on() {
    let fleet = Fleet::new();
    let (running, canaries) = fleet.started("1s");
    let now = Timestamp::now();
    fleet
        .ec2
        .datapoint(&canaries[0], "MetadataNoToken", now, 0.0);
    let report = json(running.wait().ended_with(3));
    let why = "it is not known whether calls are rejected on the canaries";
    fleet.left(&report, &canaries, why);
    let [error] = list(&report, "unreachable") else {
        panic!("one canary is not known: {report:#}")
    };
    assert_eq!(error["region"], THERE);
    says(
        &error["error"].to_string(),
        &[&canaries[1], "CloudWatch has no data", "`--pause`"],
    );
}

#[test]
fn where_cloudwatch_cannot_be_asked_it_does_not_go_on() {
    let fleet = Fleet::new();
    let denied = InjectedFault::error("AccessDenied", 403);
    fleet
        .ec2
        .fault(denied.action("GetMetricData").region(THERE));
    let (running, canaries) = fleet.started("1s");
    fleet.observed(&canaries);
    let report = json(running.wait().ended_with(3));
    let why = "it is not known whether calls are rejected on the canaries";
    fleet.left(&report, &canaries, why);
    let [error] = list(&report, "unreachable") else {
        panic!("one error of the region: {report:#}")
    };
    assert_eq!(error["region"], THERE);
    says(
        &error["error"].to_string(),
        &["AccessDenied", "allow cloudwatch:GetMetricData"],
    );
}

#[test]
fn an_interruption_while_the_canaries_are_observed_leaves_the_others() {
    let fleet = Fleet::new();
    let (mut running, canaries) = fleet.started("1h");
    running.wait_until(|running| running.stderr().contains("observing 2 canary instances"));
    running.interrupt();
    let ran = running.wait();
    let report = json(ran.ended_with(3));
    fleet.left(
        &report,
        &canaries,
        "the command was interrupted while the canaries were observed",
    );
    says(
        &ran.stderr,
        &[
            "interrupted: 2 instances changed, 3 not",
            "roll back with: ",
        ],
    );
    assert_eq!(
        lines(&fleet.place.path("journal")).last().unwrap()["how"],
        "interrupted"
    );
    assert_eq!(fleet.ec2.count("GetMetricData"), 0);
}

#[test]
fn a_canary_that_fails_or_none_that_runs_keeps_the_others_as_they_are() {
    let fleet = Fleet::new();
    fleet
        .ec2
        .fault(InjectedFault::unauthorized().action(MODIFY).region(HERE));
    let ran = fleet
        .command("1h")
        .args(["--yes", "--format", "json"])
        .run();
    let report = json(ran.ended_with(3));
    assert_eq!(fleet.enforced(), [fleet.ids[3].clone()]);
    let reason = entry(&report, &fleet.ids[4])["reason"].as_str().unwrap();
    says(reason, &["because not all canaries were enforced"]);

    let fleet = Fleet::new();
    for id in &fleet.ids {
        fleet.ec2.set_state(id, "stopped");
    }
    let ran = fleet
        .command("1h")
        .args(["--yes", "--format", "json"])
        .run();
    let report = json(ran.ended_with(3));
    assert_eq!(fleet.enforced().len(), 2);
    says(
        &report["unreachable"].to_string(),
        &["no canary was enforced and runs"],
    );
}

#[test]
fn a_plan_of_canaries_alone_is_not_observed() {
    let fleet = Fleet::new();
    let ids = fleet.ids[..2].join(",");
    let command = fleet.command("1h").args(["--yes", "--instance", &ids]);
    let ran = command.run();
    assert!(
        !ran.ended_with(0).stderr.contains("observing"),
        "{}",
        ran.stderr
    );
    assert_eq!(fleet.enforced().len(), 2);
}

#[test]
fn a_terminal_shows_how_long_the_pause_still_is() {
    let fleet = Fleet::new();
    let mut terminal = fleet.command("1h").on_terminal(160, 30);
    terminal.wait_for("Type yes");
    terminal.type_text("yes\r");
    terminal.wait_for("going on in 59:");
    terminal.interrupt();
    terminal.wait().ended_with(3);
    assert_eq!(fleet.enforced().len(), 2);
}

#[test]
fn a_pause_needs_canaries_and_a_unit() {
    let ec2 = FakeAws::start();
    for (arguments, words) in [
        ("--pause 15m", &["--canary"][..]),
        ("--canary 2 --pause 15", &["with its unit", "5m"]),
        ("--canary 0", &["--canary", "0"]),
    ] {
        let ran = imdsctl(&ec2, &format!("enforce {arguments}")).run();
        says(&ran.ended_with(2).stderr, words);
    }
    assert_eq!(ec2.calls().len(), 0);
}
