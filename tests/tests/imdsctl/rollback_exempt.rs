//! `imdsctl rollback`: what is rolled back is exempted first, so that the function does not enforce it again.

use std::path::PathBuf;

use imds_tests::{FakeAws, Imdsctl, InjectedFault, Ran, launch};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::exempt::*;
use crate::reading::*;

/// Two instances after an enforcement, and its journal.
struct Enforced {
    ec2: FakeAws,
    ids: Vec<String>,
    place: TestFolder,
}

impl Enforced {
    fn new() -> Self {
        let ec2 = with_people();
        let ids = ec2.launch_many(launch(REGION), 2);
        let place = TestFolder::new();
        let enforced = Enforced { ec2, ids, place };
        let ran = imdsctl(&enforced.ec2, "enforce --yes --journal");
        ran.arg(enforced.journal()).run().ended_with(0);
        enforced.ec2.forget_calls();
        enforced
    }

    fn journal(&self) -> PathBuf {
        self.place.path("journal")
    }

    fn command(&self, arguments: &str) -> Imdsctl {
        by_person(&self.ec2, &format!("rollback {arguments}")).arg(self.journal())
    }

    fn rollback(&self, arguments: &str) -> Ran {
        self.command(arguments).run()
    }

    fn exemption(&self, n: usize) -> Option<Value> {
        self.ec2.item(&format!("exempt#{}", self.ids[n]))
    }

    #[track_caller]
    fn have_tokens(&self, expected: &str) {
        for id in &self.ids {
            assert_eq!(tokens(&self.ec2, id), expected, "{id}");
        }
    }
}

#[test]
fn each_exemption_is_written_and_read_back_before_any_option_is_changed() {
    let run = Enforced::new();
    let ran = run.rollback("--yes --json --exempt-days 7");
    let report = json(ran.ended_with(0));
    run.have_tokens("optional");
    assert!(is_about(
        &report["exempt_until"],
        SignedDuration::from_hours(168)
    ));
    for n in 0..2 {
        let item = run.exemption(n).unwrap();
        assert_eq!(item["until"], report["exempt_until"]);
        assert_eq!(
            item["by"],
            "arn:aws:sts::111122223333:assumed-role/enforcer/session"
        );
        says(item["reason"].as_str().unwrap(), &["rolled back"]);
    }
    let calls = run.ec2.calls();
    let places = |action: &str| -> Vec<usize> {
        let calls = calls.iter().enumerate();
        calls
            .filter(|(_, call)| call.action == action)
            .map(|(n, _)| n)
            .collect()
    };
    let (written, read) = (places("UpdateItem"), places("BatchGetItem"));
    let changed = places(MODIFY);
    assert_eq!((written.len(), changed.len()), (2, 2));
    assert!(
        written.iter().max() < read.iter().max(),
        "{written:?} {read:?}"
    );
    assert!(
        read.iter().max() < changed.iter().min(),
        "{read:?} {changed:?}"
    );
    assert_eq!(
        reported_by_function(&run.ec2, &run.ids[0])["outcome"],
        "exempt"
    );
    run.have_tokens("optional");
}

#[test]
fn what_cannot_be_exempted_stays_as_it_is_and_failed() {
    let unauthorized = InjectedFault::unauthorized;
    let faults: [(InjectedFault, &str); 3] = [
        (unauthorized().action("UpdateItem"), "AccessDeniedException"),
        (
            unauthorized().action("BatchGetItem"),
            "AccessDeniedException",
        ),
        (
            unauthorized().action("BatchGetItem").after(1),
            "not read back",
        ),
    ];
    for (fault, why) in faults {
        let run = Enforced::new();
        run.ec2.fault(fault);
        let report = json(run.rollback("--yes --json --exempt-days 7").ended_with(3));
        assert_eq!(report["summary"]["failed"], 2);
        for id in &run.ids {
            let row = entry(&report, id);
            says(row["reason"].as_str().unwrap(), &["exemption", why]);
        }
        run.have_tokens("required");
        assert_eq!(run.ec2.calls_to(MODIFY).len(), 0);
    }
    let run = Enforced::new();
    let failing = unauthorized().action("UpdateItem").instance(&run.ids[0]);
    run.ec2.fault(failing);
    let ran = run.rollback("--yes --json --exempt-days 7");
    let report = json(ran.ended_with(3));
    assert_eq!(entry(&report, &run.ids[0])["outcome"], "failed");
    assert_eq!(entry(&report, &run.ids[1])["outcome"], "restored");
    let end = format!("imdsctl exempt remove {}", run.ids[0]);
    says(&ran.stderr, &[&end]);
    assert_eq!(tokens(&run.ec2, &run.ids[0]), "required");
}

#[test]
fn where_nobody_can_be_asked_the_exemption_is_chosen_or_declined() {
    let run = Enforced::new();
    let ran = run.rollback("--yes");
    says(
        &ran.ended_with(2).stderr,
        &["2 instances", "--exempt-days", "--no-exempt"],
    );
    let ran = run.rollback("--dry-run --exempt-days 3");
    says(
        &ran.ended_with(1).stderr,
        &["2 instances would be exempted first until 2"],
    );
    let both = run.rollback("--yes --exempt-days 3 --no-exempt");
    both.ended_with(2);
    let no_table = |arguments: &str| {
        let command = run.command(arguments);
        command.without_env("IMDS_STATE_TABLE").run()
    };
    says(
        &no_table("--yes --exempt-days 3").ended_with(2).stderr,
        &["--state-table"],
    );
    run.have_tokens("required");
    assert_eq!(run.ec2.changing_calls().len(), 0);
    says(
        &run.rollback("--yes --no-exempt").ended_with(0).stdout,
        &["2 restored"],
    );
    run.have_tokens("optional");
    assert_eq!(run.ec2.items().len(), 0);
}

#[test]
fn without_a_table_it_says_that_nothing_is_exempt() {
    let run = Enforced::new();
    let command = run.command("--yes").without_env("IMDS_STATE_TABLE");
    let ran = command.run();
    says(
        &ran.ended_with(0).stderr,
        &[
            "cannot be exempted first",
            "--state-table",
            "within seconds",
        ],
    );
    assert_eq!(run.ec2.table_calls().len(), 0);
    run.have_tokens("optional");
}

#[test]
fn on_a_terminal_it_asks_for_how_long() {
    for (days, code, tokens) in [
        ("5", 0, "optional"),
        ("0", 0, "optional"),
        ("-5", 2, "required"),
    ] {
        let run = Enforced::new();
        let mut terminal = run.command("").on_terminal(200, 40);
        terminal.wait_for("Exempt for how many days");
        terminal.type_text(&format!("{days}\r"));
        if code == 0 {
            terminal.wait_for("Type yes");
            assert_eq!(run.exemption(0), None, "nobody has agreed yet");
            terminal.type_text("yes\r");
        }
        terminal.wait().ended_with(code);
        run.have_tokens(tokens);
        assert_eq!(run.exemption(1).is_some(), days == "5");
    }
}

#[test]
fn an_exemption_that_holds_for_longer_is_kept() {
    let run = Enforced::new();
    let longer = json!({ "until": "2999-01-01T00:00:00Z", "reason": "for good", "by": "ada" });
    run.ec2
        .put_item(&format!("exempt#{}", run.ids[0]), longer.clone());
    let shorter = json!({ "until": ago(DAY).to_string() });
    run.ec2.put_item(&format!("exempt#{}", run.ids[1]), shorter);
    run.rollback("--yes --exempt-days 7").ended_with(0);
    assert_eq!(run.exemption(0), Some(longer));
    says(&run.exemption(1).unwrap().to_string(), &["rolled back"]);
    run.have_tokens("optional");
}

#[test]
fn what_is_enforced_again_by_a_rollback_needs_no_exemption() {
    let run = Enforced::new();
    let second = run.place.path("second");
    let command = run.command("--yes --no-exempt").arg("--journal");
    command.arg(&second).run().ended_with(0);
    run.have_tokens("optional");
    let ran = by_person(&run.ec2, "rollback --yes").arg(&second).run();
    ran.ended_with(0);
    run.have_tokens("required");
    assert_eq!(run.ec2.items().len(), 0);
}
