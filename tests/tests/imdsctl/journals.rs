//! `imdsctl journals`: what was done from here, and whether it was rolled back.

use std::path::Path;

use imds_tests::{FakeAws, Imdsctl, InjectedFault, launch};
use serde_json::{Value, json};

use crate::reading::*;

const BY: &str = "arn:aws:sts::111122223333:assumed-role/enforcer/session";

/// A home in which journals are kept.
struct Home {
    ec2: FakeAws,
    ids: Vec<String>,
    place: TestFolder,
}

impl Home {
    fn new() -> Self {
        let ec2 = FakeAws::start();
        ec2.set_regions(&[HERE, THERE]);
        let ids = ec2.launch_many(launch(REGION), 2);
        let place = TestFolder::new();
        Home { ec2, ids, place }
    }

    fn command(&self, arguments: &str) -> Imdsctl {
        imdsctl(&self.ec2, arguments).home(self.place.folder.path())
    }

    /// Runs a command that makes changes, and returns the journal that its JSON names.
    #[track_caller]
    fn change(&self, arguments: &str, file: Option<&str>) -> String {
        let command = self.command(arguments);
        let report = json(command.args(file).run().ended_with(0));
        let journal = report["journal"].as_str().unwrap().to_owned();
        assert!(Path::new(&journal).is_file(), "{journal}");
        journal
    }

    #[track_caller]
    fn list(&self, code: i32) -> Value {
        json(self.command("journals --json").run().ended_with(code))
    }

    /// The commands, and whether they were rolled back; the newest first.
    #[track_caller]
    fn states(&self) -> Vec<(String, String)> {
        let found = self.list(0);
        let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
        let rows = list(&found, "journals").iter();
        rows.map(|row| (text(row, "act"), text(row, "rolled_back")))
            .collect()
    }
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(act, state): &(&str, &str)| ((*act).to_owned(), (*state).to_owned());
    expected.iter().map(owned).collect()
}

#[test]
fn the_list_says_what_was_done_when_by_whom_and_where() {
    let home = Home::new();
    let journal = home.change("enforce --yes --format json", None);
    let found = home.list(0);
    let row = &list(&found, "journals")[0];
    assert_eq!(
        (&row["path"], &row["act"], &row["account"], &row["by"]),
        (
            &json!(journal),
            &json!("enforce"),
            &json!("111122223333"),
            &json!(BY)
        )
    );
    assert_eq!(
        (
            &row["instances"],
            &row["defaults"],
            &row["end"],
            &row["rolled_back"]
        ),
        (&json!(2), &json!(0), &json!("done"), &json!("no"))
    );
    let recorded = &lines(Path::new(&journal))[0]["started_at"];
    let to_the_second = recorded.as_str().unwrap().split(['.', 'Z']).next();
    let started_at = format!("{}Z", to_the_second.unwrap());
    assert_eq!(row["started_at"], started_at);
    let shown = home.command("journals").run();
    let words = [
        &format!("{started_at} enforce in account"),
        "enforce in account 111122223333 by ",
        BY,
        "2 instances",
        "not rolled back",
        &journal,
    ];
    says(&shown.ended_with(0).stdout, &words);
    let one = home.command("journals").arg(&journal).run();
    assert_eq!(one.ended_with(0).stdout, shown.stdout);
    for (account, n) in [("111122223333", 1), ("444455556666", 0)] {
        let command = format!("journals --json --account {account}");
        let found = json(home.command(&command).run().ended_with(0));
        assert_eq!(list(&found, "journals").len(), n, "{account}");
    }
}

#[test]
fn a_rollback_and_its_rollback_are_seen_in_the_journals() {
    let home = Home::new();
    let enforced = home.change("enforce --yes --format json", None);
    let partly = format!("rollback --yes --json --instance {}", home.ids[0]);
    home.change(&partly, Some(&enforced));
    assert_eq!(
        home.states(),
        pairs(&[("rollback", "no"), ("enforce", "partly")])
    );
    let rest = home.change("rollback --yes --json", Some(&enforced));
    let expected = [("rollback", "no"), ("rollback", "no"), ("enforce", "fully")];
    assert_eq!(home.states(), pairs(&expected));
    home.change("rollback --yes --json", Some(&rest));
    let expected = [
        ("rollback", "no"),
        ("rollback", "fully"),
        ("rollback", "no"),
        ("enforce", "partly"),
    ];
    assert_eq!(home.states(), pairs(&expected));
    home.change("enforce --yes --format json", None);
    assert_eq!(
        home.states().last().unwrap(),
        &("enforce".to_owned(), "no".to_owned())
    );
    let defaults = home.change("defaults set --http-tokens required --yes --json", None);
    assert_eq!(home.states()[0], ("defaults".to_owned(), "no".to_owned()));
    home.change("rollback --yes --json", Some(&defaults));
    assert_eq!(
        home.states()[1],
        ("defaults".to_owned(), "fully".to_owned())
    );
}

#[test]
fn what_failed_is_not_rolled_back() {
    let home = Home::new();
    let enforced = home.change("enforce --yes --format json", None);
    home.ec2.fault(InjectedFault::unauthorized().action(MODIFY));
    let command = home.command("rollback --yes --json").arg(&enforced);
    command.run().ended_with(3);
    assert_eq!(home.states()[1], ("enforce".to_owned(), "no".to_owned()));
}

#[test]
fn a_damaged_journal_is_listed_with_its_error_and_an_older_one_is_read() {
    let home = Home::new();
    let journal = home.change("enforce --yes --format json", None);
    let text = std::fs::read_to_string(&journal).unwrap();
    let older = text.replace("\"version\":2", "\"version\":1");
    let older = older.replace(&format!("\"by\":\"{BY}\","), "");
    assert!(!older.contains(BY));
    let folder = Path::new(&journal).parent().unwrap();
    let put = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    put("older.jsonl", &older);
    let killed: Vec<&str> = text
        .lines()
        .filter(|line| !line.contains("\"end\""))
        .collect();
    put("killed.jsonl", &format!("{}\n", killed.join("\n")));
    let found = home.list(0);
    let rows = list(&found, "journals");
    let row = |name: &str| {
        rows.iter()
            .find(|row| row["path"].as_str().unwrap().ends_with(name))
            .unwrap()
    };
    assert_eq!(
        (&row("older.jsonl")["by"], &row("older.jsonl")["end"]),
        (&Value::Null, &json!("done"))
    );
    assert_eq!(
        (&row("killed.jsonl")["by"], &row("killed.jsonl")["end"]),
        (&json!(BY), &Value::Null)
    );
    put("damaged.jsonl", &text.replace("optional", "perhaps"));
    put("notes.txt", "remember the milk");
    let found = home.list(3);
    let unreadable = list(&found, "unreadable");
    assert_eq!(unreadable.len(), 1);
    says(unreadable[0]["path"].as_str().unwrap(), &["damaged.jsonl"]);
    says(
        unreadable[0]["error"].as_str().unwrap(),
        &["line 2", "perhaps"],
    );
    let shown = home.command("journals").run();
    says(
        &shown.ended_with(3).stdout,
        &["damaged.jsonl`, line 2", "not recorded", "killed"],
    );
}

#[test]
fn without_journals_it_says_so() {
    let home = Home::new();
    let ran = home.command("journals").run();
    says(&ran.ended_with(0).stderr, &["no journals"]);
    let missing = home.command("journals missing").run();
    says(&missing.ended_with(3).stdout, &["missing"]);
    assert_eq!(home.ec2.calls().len(), 0);
}
