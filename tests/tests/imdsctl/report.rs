//! `imdsctl report`: several reports joined into one.

use imds_tests::{FakeAws, Imdsctl, InjectedFault, Ran, launch, template_data};
use serde_json::{Value, json};

use crate::reading::*;

const OTHER: &str = "444455556666";
/// An instance of that account; the fake gives the same ids in both.
const ELSEWHERE: &str = "i-0fedcba9876543210";

/// Reports of two accounts, each with an instance in two regions.
struct Accounts {
    folder: TestFolder,
    ec2: FakeAws,
    other: FakeAws,
}

impl Accounts {
    fn new() -> Self {
        let (ec2, other) = (two_regions(), two_regions());
        other.set_account(OTHER);
        let folder = TestFolder::new();
        Accounts { folder, ec2, other }
    }

    #[track_caller]
    fn scan(&self, ec2: &FakeAws, name: &str, arguments: &str) -> Value {
        let scan = imdsctl(ec2, &format!("scan --format json {arguments}"));
        let ran = scan.run();
        self.folder.file(name, &ran.stdout);
        json(&ran)
    }

    fn report(&self, arguments: &[&str]) -> Ran {
        let report = Imdsctl::offline().arg("report").args(arguments);
        report.current_dir(self.folder.folder.path()).run()
    }

    #[track_caller]
    fn joined(&self, names: &[&str], code: i32) -> Value {
        let arguments = [names, &["--format", "json"]].concat();
        json(self.report(&arguments).ended_with(code))
    }
}

/// The values of a field, in the order of the list.
fn each<'r>(report: &'r Value, name: &str, field: &str) -> Vec<&'r Value> {
    list(report, name).iter().map(|it| &it[field]).collect()
}

#[test]
fn reports_of_two_accounts_become_one_that_keeps_them_apart() {
    let accounts = Accounts::new();
    for ec2 in [&accounts.ec2, &accounts.other] {
        ec2.launch(launch(HERE));
        ec2.launch(launch(THERE).tokens("required"));
        let template = ec2.template(HERE, "web");
        ec2.template_version(&template, template_data());
    }
    let broken = InjectedFault::unauthorized().action("DescribeLaunchTemplates");
    accounts.other.fault(broken.region(THERE));
    let one = accounts.scan(
        &accounts.ec2,
        "one.json",
        "--templates --defaults --usage 7",
    );
    let other = accounts.scan(
        &accounts.other,
        "other.json",
        "--templates --defaults --usage 7",
    );
    let joined = accounts.joined(&["one.json", "other.json"], 3);
    assert_eq!(joined["trigger"], "report");
    assert_eq!(joined["account"], Value::Null);
    assert_eq!(joined["finished_at"], other["finished_at"]);
    for name in [
        "instances",
        "regions",
        "templates",
        "defaults",
        "unreachable",
    ] {
        let both = [list(&one, name), list(&other, name)].concat();
        assert_eq!(*list(&joined, name), both, "{name}");
    }
    assert_eq!(joined["summary"]["reported"], 2);
    assert_eq!(joined["summary"]["compliant"], 2);
    assert_eq!(each(&joined, "sources", "file"), ["one.json", "other.json"]);
    assert_eq!(
        each(&joined, "sources", "account"),
        [&one["account"], &json!(OTHER)]
    );
    assert_eq!(joined["sources"][1]["scope"], other["scope"]);
    assert_eq!(joined["not_examined"], one["not_examined"]);
    for format in ["table", "html"] {
        let ran = accounts.report(&["one.json", "other.json", "--format", format]);
        let template = list(&joined, "templates")[0]["id"].as_str().unwrap();
        says(
            &ran.ended_with(3).stdout,
            &[
                "2 accounts, 2 regions",
                &format!("{THERE} of account {OTHER}"),
                "one.json: scan of account",
                template,
            ],
        );
    }
    let table = accounts.report(&["one.json", "other.json"]).stdout;
    for title in [
        "Launch templates and configurations",
        "Defaults of the account",
    ] {
        let section = table.split(title).nth(1).unwrap();
        let rows: Vec<&str> = section.trim_start().lines().take(5).collect();
        assert!(rows[0].starts_with("ACCOUNT "), "{section}");
        assert!(
            rows.iter().any(|row| row.starts_with("111122223333 ")),
            "{section}"
        );
        assert!(rows.iter().any(|row| row.starts_with(OTHER)), "{section}");
    }
    let ran = accounts.report(&["one.json", "other.json", "--format", "csv"]);
    assert_eq!(ran.ended_with(3).stdout.lines().count(), 5);
}

#[test]
fn of_a_region_that_two_reports_contain_the_newest_counts_and_this_is_said() {
    let accounts = Accounts::new();
    let ec2 = &accounts.ec2;
    let here = ec2.launch(launch(HERE));
    let there = ec2.launch(launch(THERE));
    accounts.scan(ec2, "both.json", "--defaults");
    ec2.set_options(&here, |options| options.tokens = "required".to_owned());
    accounts.scan(ec2, "here.json", &format!("--region {HERE}"));
    let other = accounts.other.launch(launch(HERE).id(ELSEWHERE));
    accounts.scan(&accounts.other, "other.json", "");
    for order in [["both.json", "here.json"], ["here.json", "both.json"]] {
        let joined = accounts.joined(&[order[0], order[1], "other.json"], 1);
        assert_eq!(entry(&joined, &here)["outcome"], "compliant", "{order:?}");
        assert_eq!(entry(&joined, &there)["outcome"], "reported");
        assert_eq!(entry(&joined, &other)["outcome"], "reported");
        assert_eq!(joined["summary"]["reported"], 2);
        assert_eq!(list(&joined, "regions").len(), 3);
        let empty = json!([{ "account": OTHER, "regions": [THERE] }]);
        assert_eq!(joined["empty_regions"], empty);
        // The newer report has no defaults of this region.
        assert_eq!(each(&joined, "defaults", "region"), [THERE]);
        let sources = list(&joined, "sources");
        let both = sources.iter().find(|it| it["file"] == "both.json").unwrap();
        assert_eq!(both["regions"], json!([THERE]));
        assert_eq!(both["superseded"], json!([HERE]));
    }
    let table = accounts.report(&["both.json", "here.json"]);
    let replaced = format!("newer reports replace {HERE}");
    says(&table.ended_with(1).stdout, &[replaced.as_str()]);
}

#[test]
fn what_only_some_reports_did_not_examine_names_them() {
    let accounts = Accounts::new();
    accounts.scan(&accounts.ec2, "one.json", "--usage --tag app=web");
    accounts.scan(&accounts.other, "other.json", "--user-data");
    let joined = accounts.joined(&["one.json", "other.json"], 0);
    let reasons: Vec<(&str, &str)> = list(&joined, "not_examined")
        .iter()
        .map(|it| (it["what"].as_str().unwrap(), it["reason"].as_str().unwrap()))
        .collect();
    assert_eq!(
        reasons[..3],
        [
            ("instances", "left out by --tag app=web, in one.json"),
            ("usage", "--usage was not given, in other.json"),
            ("user_data", "--user-data was not given, in one.json"),
        ]
    );
    assert!(reasons.contains(&("launch_templates", "--templates was not given")));
}

#[test]
fn joined_reports_are_joined_again_and_compared() {
    let accounts = Accounts::new();
    let remediated = accounts.ec2.launch(launch(HERE));
    let reopened = launch(HERE).tokens("required").id(ELSEWHERE);
    let reopened = accounts.other.launch(reopened);
    let join = |name: &str| {
        accounts.scan(&accounts.ec2, "one.json", "");
        accounts.scan(&accounts.other, "other.json", "");
        let joined = accounts.joined(&["one.json", "other.json"], 1);
        accounts.folder.file(name, &joined.to_string());
        joined
    };
    let old = join("old.json");
    let again = accounts.joined(&["old.json"], 1);
    assert_eq!(again["instances"], old["instances"]);
    assert_eq!(again["sources"], old["sources"]);
    let tokens = |ec2: &FakeAws, id: &str, tokens: &str| {
        ec2.set_options(id, |options| options.tokens = tokens.to_owned());
    };
    tokens(&accounts.ec2, &remediated, "required");
    tokens(&accounts.other, &reopened, "optional");
    join("new.json");
    let diff = Imdsctl::offline().args(["diff", "old.json", "new.json", "--format", "json"]);
    let ran = diff.current_dir(accounts.folder.folder.path()).run();
    let compared = json(ran.ended_with(1));
    assert_eq!(
        each(&compared, "changes", "instance_id"),
        [&reopened, &remediated]
    );
    assert_eq!(
        each(&compared, "changes", "change"),
        ["reopened", "remediated"]
    );
    assert_eq!(compared["differences"], json!([]));
    // Only one account was scanned this week: the other one is unknown, and not gone.
    let diff = Imdsctl::offline().args(["diff", "old.json", "one.json", "--format", "json"]);
    let ran = diff.current_dir(accounts.folder.folder.path()).run();
    let compared = json(ran.ended_with(3));
    assert_eq!(
        each(&compared, "changes", "change"),
        ["unknown", "remediated"]
    );
    assert_eq!(compared["differences"][0]["what"], "accounts");
}

#[test]
fn an_account_that_is_not_known_is_taken_from_the_instances() {
    let accounts = Accounts::new();
    accounts.ec2.launch(launch(HERE));
    let denied = InjectedFault::error("AccessDenied", 403).action("GetCallerIdentity");
    accounts.ec2.fault(denied);
    accounts.scan(&accounts.ec2, "old.json", "");
    accounts.ec2.clear_faults();
    accounts.scan(&accounts.ec2, "new.json", "");
    let joined = accounts.joined(&["old.json", "new.json"], 1);
    assert_eq!(list(&joined, "instances").len(), 1);
    assert_eq!(each(&joined, "regions", "region"), [HERE]);
    assert_eq!(joined["empty_regions"][0]["regions"], json!([THERE]));
}

#[test]
fn a_report_of_the_function_cannot_compete_with_another_of_its_region() {
    let accounts = Accounts::new();
    accounts.ec2.launch(launch(HERE));
    let scan = accounts.scan(&accounts.ec2, "scan.json", "");
    let mut swept = json!({ "trigger": "sweep" });
    for field in [
        "version",
        "account",
        "region",
        "summary",
        "instances",
        "unreachable",
    ] {
        swept[field] = scan[field].clone();
    }
    accounts.folder.file("sweep.json", &swept.to_string());
    let ran = accounts.report(&["scan.json", "sweep.json"]);
    let words = [
        "`scan.json` and `sweep.json` both contain eu-central-1 of account 111122223333",
        "`sweep.json` does not say when it finished",
    ];
    says(&ran.ended_with(2).stderr, &words);
    let alone = accounts.joined(&["sweep.json"], 1);
    assert_eq!(list(&alone, "instances").len(), 1);
    let reasons = each(&alone, "not_examined", "reason");
    assert!(
        reasons
            .iter()
            .all(|it| **it == "a report of the function does not contain it")
    );
}

#[test]
fn standard_input_is_a_report_once() {
    let accounts = Accounts::new();
    accounts.ec2.launch(launch(HERE));
    let scan = accounts.scan(&accounts.ec2, "scan.json", "");
    let piped = Imdsctl::offline()
        .args(["report", "-"])
        .stdin(scan.to_string());
    says(&piped.run().ended_with(1).stdout, &["1 to remediate"]);
    says(
        &accounts.report(&["-", "-"]).ended_with(2).stderr,
        &["named twice"],
    );
    says(&accounts.report(&[]).ended_with(2).stderr, &["REPORT.json"]);
}
