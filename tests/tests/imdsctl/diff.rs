//! `imdsctl diff`: what changed between two reports.

use imds_tests::{FakeAws, Imdsctl, InjectedFault, Ran, launch};
use serde_json::{Value, json};

use crate::reading::*;

const POLICY: &str = r#"{
  "version": 1, "require": { "http_tokens": "required", "hop_limit": { "at_most": 2 } }, "on_violation": "enforce",
  "rules": [{ "name": "legacy", "when": { "tags": { "legacy": "1" } }, "action": "exempt" }]
}"#;

/// A folder with a policy, and a report that is written by `scan` whenever a test asks for it.
pub(crate) struct Reports {
    pub(crate) folder: TestFolder,
}

impl Reports {
    pub(crate) fn new() -> Self {
        let folder = TestFolder::new();
        folder.file("policy.json", POLICY);
        Reports { folder }
    }

    /// Scans with more arguments, and writes the report to a file of this name.
    #[track_caller]
    pub(crate) fn scan(&self, ec2: &FakeAws, name: &str, arguments: &str) {
        let scan = imdsctl(ec2, &format!("scan --format json {arguments}"));
        let scan = scan.arg("--output").arg(self.folder.path(name));
        let ran = scan.current_dir(self.folder.folder.path()).run();
        assert!(self.folder.path(name).exists(), "{ran:?}");
    }

    pub(crate) fn diff(&self, arguments: &[&str]) -> Ran {
        let diff = Imdsctl::offline().arg("diff").args(arguments);
        diff.current_dir(self.folder.folder.path()).run()
    }

    /// The comparison of `old.json` and `new.json`.
    #[track_caller]
    fn compared(&self, code: i32) -> Value {
        json(
            self.diff(&["old.json", "new.json", "--format", "json"])
                .ended_with(code),
        )
    }

    /// Changes a report in its file.
    pub(crate) fn edit(&self, name: &str, change: impl FnOnce(&mut Value)) {
        let text = std::fs::read_to_string(self.folder.path(name)).unwrap();
        let mut report = serde_json::from_str(&text).unwrap();
        change(&mut report);
        self.folder.file(name, &report.to_string());
    }
}

/// The change of an instance, if it is listed.
pub(crate) fn change<'r>(compared: &'r Value, id: &str) -> Option<&'r str> {
    let mut changes = list(compared, "changes").iter();
    let change = changes.find(|change| change["instance_id"] == id)?;
    change["change"].as_str()
}

fn require_tokens(ec2: &FakeAws, id: &str) {
    ec2.set_options(id, |options| options.tokens = "required".to_owned());
}

fn open(ec2: &FakeAws, id: &str) {
    ec2.set_options(id, |options| options.tokens = "optional".to_owned());
}

#[test]
fn every_instance_is_new_reopened_remediated_exempt_gone_or_unchanged() {
    let ec2 = FakeAws::start();
    let emptied = "us-west-2";
    ec2.set_regions(&[HERE, THERE, emptied]);
    let [reopened, compliant, gone_compliant] =
        [(); 3].map(|()| ec2.launch(launch(HERE).tokens("required").tag("Name", "web")));
    let [remediated, still, worse, gone] = [(); 4].map(|()| ec2.launch(launch(HERE)));
    let forgotten = ec2.launch(launch(emptied));
    let [exempt, ended, begun] = [true, true, false].map(|is_exempt| {
        let launch = launch(THERE);
        ec2.launch(if is_exempt {
            launch.tag("legacy", "1")
        } else {
            launch
        })
    });
    let reports = Reports::new();
    reports.scan(&ec2, "old.json", "--policy policy.json");
    open(&ec2, &reopened);
    require_tokens(&ec2, &remediated);
    ec2.set_options(&worse, |options| options.hop_limit = 3);
    ec2.terminate(&gone);
    ec2.forget(&forgotten);
    ec2.forget(&gone_compliant);
    ec2.tag(&ended, "legacy", "0");
    ec2.tag(&begun, "legacy", "1");
    let new = ec2.launch(launch(THERE));
    ec2.launch(launch(THERE).tokens("required"));
    reports.scan(&ec2, "new.json", "--policy policy.json");
    let compared = reports.compared(1);
    for (id, expected) in [
        (&new, Some("new")),
        (&reopened, Some("reopened")),
        (&ended, Some("exemption_ended")),
        (&still, Some("still_non_compliant")),
        (&worse, Some("still_non_compliant")),
        (&remediated, Some("remediated")),
        (&begun, Some("exempted")),
        (&gone, Some("gone")),
        (&forgotten, Some("gone")),
        (&compliant, None),
        (&exempt, None),
        (&gone_compliant, None),
    ] {
        assert_eq!(change(&compared, id), expected, "{id} in {compared:#}");
    }
    assert_eq!(
        compared["summary"],
        json!({ "new": 1, "reopened": 1, "exemption_ended": 1, "unknown": 0, "still_non_compliant": 2,
                "exempted": 1, "remediated": 1, "gone": 2, "compliant": 1, "exempt": 1,
                "new_compliant": 1, "gone_compliant": 1, "not_listed": 0 })
    );
    assert_eq!(compared["differences"], json!([]));
    let mut changes = list(&compared, "changes").iter();
    let worse = changes.find(|it| it["instance_id"] == worse).unwrap();
    assert_eq!(
        worse["old"]["violations"],
        json!(["http_tokens is optional"])
    );
    assert_eq!(
        worse["new"]["violations"],
        json!(["http_tokens is optional", "hop_limit is 3"])
    );
}

#[test]
fn without_anything_newly_non_compliant_it_exits_with_0() {
    let ec2 = two_regions();
    let remediated = ec2.launch(launch(HERE));
    let still = ec2.launch(launch(HERE));
    let reports = Reports::new();
    reports.scan(&ec2, "old.json", "");
    require_tokens(&ec2, &remediated);
    reports.scan(&ec2, "new.json", "");
    let compared = reports.compared(0);
    assert_eq!(change(&compared, &remediated), Some("remediated"));
    assert_eq!(change(&compared, &still), Some("still_non_compliant"));
    let ran = reports.diff(&["new.json", "new.json"]);
    says(
        &ran.ended_with(0).stdout,
        &["0 new, 0 reopened", "1 still non-compliant"],
    );
}

#[test]
fn what_the_new_report_did_not_look_at_is_unknown_and_never_gone_or_remediated() {
    let ec2 = two_regions();
    let here = ec2.launch(launch(HERE).tag("app", "web"));
    let there = ec2.launch(launch(THERE));
    let compliant = ec2.launch(launch(THERE).tokens("required"));
    let reports = Reports::new();
    reports.scan(&ec2, "old.json", "");
    ec2.fault(
        InjectedFault::unauthorized()
            .action("DescribeInstances")
            .region(THERE),
    );
    reports.scan(&ec2, "unreachable.json", "");
    ec2.clear_faults();
    reports.scan(&ec2, "other-region.json", &format!("--region {HERE}"));
    require_tokens(&ec2, &here);
    require_tokens(&ec2, &there);
    reports.scan(&ec2, "filtered.json", "--tag app=web");
    reports.scan(&ec2, "violations.json", "--only violations");
    for (new, unknown, known, because) in [
        (
            "unreachable.json",
            vec![&there, &compliant],
            &here,
            "could not describe: ",
        ),
        (
            "other-region.json",
            vec![&there, &compliant],
            &here,
            "was not examined",
        ),
        (
            "filtered.json",
            vec![&there, &compliant],
            &here,
            "left out by --tag app=web",
        ),
    ] {
        let ran = reports.diff(&["old.json", new, "--format", "json"]);
        let compared = json(ran.ended_with(3));
        for id in unknown {
            assert_eq!(
                change(&compared, id),
                Some("unknown"),
                "{new}: {compared:#}"
            );
        }
        assert_ne!(change(&compared, known), Some("unknown"), "{new}");
        says(&compared["changes"].to_string(), &[because]);
    }
    let ran = reports.diff(&["old.json", "violations.json", "--format", "json"]);
    let compared = json(ran.ended_with(3));
    assert_eq!(change(&compared, &here), Some("unknown"));
    assert_eq!(change(&compared, &compliant), None);
    assert_eq!(compared["summary"]["not_listed"], 1);
}

#[test]
fn a_region_that_could_not_be_described_exits_with_3_even_if_it_had_no_instances() {
    let ec2 = two_regions();
    ec2.launch(launch(HERE));
    let reports = Reports::new();
    reports.scan(&ec2, "old.json", "");
    ec2.fault(
        InjectedFault::unauthorized()
            .action("DescribeInstances")
            .region(THERE),
    );
    reports.scan(&ec2, "new.json", "");
    let compared = reports.compared(3);
    assert_eq!(compared["summary"]["unknown"], 0);
    assert_eq!(compared["unreachable"][0]["region"], THERE);
    let table = reports.diff(&["old.json", "new.json"]);
    says(
        &table.ended_with(3).stdout,
        &["Could not be described", THERE],
    );
}

#[test]
fn an_option_whose_value_is_not_known_is_unknown_and_no_reopened_violation() {
    let ec2 = two_regions();
    let id = ec2.launch(launch(HERE).tokens("required"));
    let reports = Reports::new();
    reports.scan(&ec2, "old.json", "");
    reports.scan(&ec2, "new.json", "");
    reports.edit("new.json", |report| {
        let instance = &mut report["instances"][0];
        instance["outcome"] = json!("reported");
        instance["decision"] = json!("enforce");
        instance["violations"] = json!(["http_tokens"]);
        instance["before"]["http_tokens"] = Value::Null;
    });
    let compared = reports.compared(3);
    assert_eq!(change(&compared, &id), Some("unknown"));
}

#[test]
fn what_an_enforcement_changed_is_remediated_and_what_ec2_refused_is_not() {
    let ec2 = two_regions();
    ec2.refuse_metadata_tags(HERE);
    let enforced = ec2.launch(launch(THERE));
    let refused = ec2.launch(launch(HERE));
    let reports = Reports::new();
    let require = r#"{ "http_tokens": "required", "instance_metadata_tags": "enabled" }"#;
    let policy = format!(r#"{{ "version": 1, "require": {require}, "on_violation": "enforce" }}"#);
    reports.folder.file("tags.json", &policy);
    reports.scan(&ec2, "old.json", "--policy tags.json");
    let enforce = imdsctl(&ec2, "enforce --yes --format json --policy tags.json");
    let enforce = enforce.args(["--output", "new.json", "--journal", "journal"]);
    let ran = enforce.current_dir(reports.folder.folder.path()).run();
    assert_eq!(ran.code, Some(3), "{ran:?}");
    let compared = reports.compared(0);
    assert_eq!(change(&compared, &enforced), Some("remediated"));
    assert_eq!(change(&compared, &refused), Some("still_non_compliant"));
    let violations = &list(&compared, "changes")[0]["new"]["violations"];
    assert_eq!(*violations, json!(["instance_metadata_tags is disabled"]));
}

#[test]
fn where_the_reports_do_not_cover_the_same_is_said_at_the_top() {
    let ec2 = two_regions();
    ec2.launch(launch(HERE).tag("app", "web"));
    let reports = Reports::new();
    reports.scan(&ec2, "old.json", &format!("--region {HERE} --tag app=web"));
    ec2.set_account("444455556666");
    reports.scan(&ec2, "new.json", "--policy policy.json");
    let ran = reports.diff(&["old.json", "new.json"]);
    let top: Vec<&str> = ran.ended_with(0).stdout.lines().take(6).collect();
    assert!(top[0].starts_with("OLD  old.json: "), "{top:?}");
    assert!(top[1].starts_with("NEW  new.json: "), "{top:?}");
    assert_eq!(
        top[2],
        "Not the same accounts: OLD 111122223333, NEW 444455556666"
    );
    assert_eq!(
        top[3],
        format!("Not the same Regions only there: OLD none, NEW {THERE}")
    );
    says(
        top[4],
        &["policy: OLD http_tokens required, NEW ", "(SHA-256 "],
    );
    assert_eq!(top[5], "Not the same filters: OLD --tag app=web, NEW none");
}

#[test]
fn every_format_names_every_change_and_makes_hostile_names_harmless() {
    let ec2 = two_regions();
    let name = "=cmd|'/c calc'!A1 <script> | `x` \u{1b}[31m";
    let id = ec2.launch(launch(HERE).tag("Name", name));
    let reports = Reports::new();
    reports.scan(&ec2, "old.json", &format!("--region {THERE}"));
    reports.scan(&ec2, "new.json", "");
    for format in ["table", "json", "csv", "markdown"] {
        let ran = reports.diff(&["old.json", "new.json", "--format", format]);
        says(&ran.ended_with(1).stdout, &["new", &id]);
        assert!(!ran.stdout.contains('\u{1b}'), "{format}");
    }
    let csv = reports
        .diff(&["old.json", "new.json", "--format", "csv"])
        .stdout;
    assert!(csv.contains(",'=cmd"), "{csv}");
    let markdown = reports
        .diff(&["old.json", "new.json", "--format", "markdown"])
        .stdout;
    assert!(markdown.contains(r"\<script\> \| \`x\`"), "{markdown}");
    let row = markdown.lines().find(|line| line.contains(&id)).unwrap();
    assert_eq!(row.replace(r"\|", "").matches('|').count(), 8, "{row}");
    let to_file = [
        "old.json",
        "new.json",
        "--format",
        "csv",
        "--output",
        "changes.csv",
    ];
    assert_eq!(reports.diff(&to_file).ended_with(1).stdout, "");
    let written = std::fs::read_to_string(reports.folder.path("changes.csv")).unwrap();
    // Spreadsheets need the mark.
    assert_eq!(written, format!("\u{feff}{csv}"));
    let by_ending = ["old.json", "new.json", "--output", "changes.md"];
    assert_eq!(reports.diff(&by_ending).ended_with(1).stdout, "");
    let written = std::fs::read_to_string(reports.folder.path("changes.md")).unwrap();
    assert_eq!(written, markdown);
    let unknown = reports.diff(&["old.json", "new.json", "--output", "changes.html"]);
    says(
        &unknown.ended_with(2).stderr,
        &["changes.html", ".csv or .md"],
    );
}
