//! `--format` and `--output`: several files, each in the format of its ending.

use imds_tests::{FakeAws, InjectedFault, launch};
use serde_json::{Value, json};

use crate::reading::*;
use crate::report_schema;

fn read(place: &TestFolder, name: &str) -> Value {
    let text = std::fs::read_to_string(place.path(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The result of a control for a resource, in ASFF: its id, status, severity and state.
fn asff(findings: &Value, resource: &str) -> [String; 4] {
    let findings = list(findings, "Findings").iter();
    let mut found = findings.filter(|it| it["Id"].as_str().unwrap().ends_with(resource));
    let finding = found
        .next()
        .unwrap_or_else(|| panic!("nothing of {resource}"));
    assert!(found.next().is_none(), "{resource} is twice in it");
    let fields = [
        "/Id",
        "/Compliance/Status",
        "/Severity/Label",
        "/RecordState",
    ];
    fields.map(|it| finding.pointer(it).unwrap().as_str().unwrap().to_owned())
}

/// The same in OCSF: its id, status, severity and activity.
fn ocsf(events: &Value, resource: &str) -> [String; 4] {
    let mut events = events.as_array().unwrap().iter();
    let event = events.find(|it| {
        it["finding_info"]["uid"]
            .as_str()
            .unwrap()
            .ends_with(resource)
    });
    let fields = [
        "/finding_info/uid",
        "/compliance/status",
        "/severity",
        "/activity_name",
    ];
    fields.map(|it| {
        event
            .unwrap()
            .pointer(it)
            .unwrap()
            .as_str()
            .unwrap()
            .to_owned()
    })
}

#[test]
fn each_output_has_the_format_of_its_ending_and_all_are_of_one_scan() {
    let ec2 = two_regions();
    let id = ec2.launch(launch(HERE).tag("Name", "web-1"));
    let place = TestFolder::new();
    let names = [
        "a.json",
        "B.HTML",
        "c.md",
        "d.csv",
        "e.txt",
        "f.asff.json",
        "g.ocsf.json",
    ];
    let mut command = imdsctl(&ec2, "scan");
    for name in names {
        command = command.arg("--output").arg(place.path(name));
    }
    let ran = command.run();
    assert_eq!(ran.ended_with(1).stdout, "");
    assert_eq!(ec2.count("DescribeRegions"), 1);
    let report = read(&place, "a.json");
    report_schema::check(&report);
    assert_eq!(entry(&report, &id)["name"], "web-1");
    for (name, begin) in [
        ("B.HTML", "<!DOCTYPE html>"),
        ("c.md", "## IMDSv1 in account `111122223333`"),
        ("d.csv", "\u{feff}account,region,instance_id"),
        ("e.txt", "REGION"),
        ("f.asff.json", "{\n  \"Findings\": ["),
        ("g.ocsf.json", "[\n  {"),
    ] {
        let text = std::fs::read_to_string(place.path(name)).unwrap();
        assert!(text.starts_with(begin), "{name}: {text}");
        says(&text, &[&id]);
    }
}

#[test]
fn a_format_counts_before_the_ending_of_one_file() {
    let ec2 = FakeAws::start();
    ec2.launch(launch(REGION));
    let place = TestFolder::new();
    let ran = imdsctl(&ec2, "scan --format json --output")
        .arg(place.path("report.html"))
        .run();
    ran.ended_with(1);
    assert_eq!(read(&place, "report.html")["trigger"], "scan");
    let ran = imdsctl(&ec2, "scan --format markdown").run();
    assert!(ran.ended_with(1).stdout.starts_with("## IMDSv1 in account"));
}

#[test]
fn outputs_without_a_known_format_are_refused_before_any_call() {
    let ec2 = FakeAws::start();
    for (arguments, words) in [
        (
            "--output report.pdf",
            ["--output report.pdf", ".asff.json", "--format"],
        ),
        ("--output report", ["--output report:", ".md", "--format"]),
        (
            "--output a.json --output b.xml",
            ["--output b.xml", ".html", "--format"],
        ),
        (
            "--format json --output a.json --output b.html",
            ["--format", "one output", "endings"],
        ),
    ] {
        for command in ["scan", "enforce --dry-run"] {
            let ran = imdsctl(&ec2, &format!("{command} {arguments}")).run();
            says(&ran.ended_with(2).stderr, &words);
            assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
        }
    }
    assert_eq!(ec2.calls().len(), 0);
}

#[test]
fn one_output_that_cannot_be_written_does_not_keep_the_others_from_being_written() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION));
    let place = TestFolder::new();
    let command = imdsctl(&ec2, "scan --output").arg(place.path("missing/a.json"));
    let ran = command.arg("--output").arg(place.path("b.json")).run();
    says(
        &ran.ended_with(3).stderr,
        &["could not write", "missing/a.json"],
    );
    assert_eq!(ids(&read(&place, "b.json")), [id]);
}

#[test]
fn an_enforcement_writes_all_instances_to_files_and_only_the_changed_ones_to_tables() {
    let ec2 = FakeAws::start();
    let compliant = ec2.launch(launch(REGION).tokens("required"));
    let open = ec2.launch(launch(REGION));
    let place = TestFolder::new();
    let command = imdsctl(&ec2, "enforce --yes --output").arg(place.path("a.json"));
    let ran = command.arg("--output").arg(place.path("b.txt")).run();
    ran.ended_with(0);
    let report = read(&place, "a.json");
    assert_eq!(ids(&report), sorted([compliant.clone(), open.clone()]));
    assert_eq!(entry(&report, &open)["outcome"], "enforced");
    let table = std::fs::read_to_string(place.path("b.txt")).unwrap();
    assert!(
        table.contains(&open) && !table.contains(&compliant),
        "{table}"
    );
}

/// Instances in a region: compliant, non-compliant, with too many hops, of unknown options, exempt by the
/// tag `app`, and terminated.
fn of_every_kind(ec2: &FakeAws, region: &str) -> [String; 6] {
    [
        launch(region).tokens("required"),
        launch(region),
        launch(region).tokens("required").hop_limit(3),
        launch(region).no_metadata_options(),
        launch(region).tag("app", "scanner"),
        launch(region).state("terminated"),
    ]
    .map(|launch| ec2.launch(launch))
}

/// Asserts the status of a finding in ASFF and in OCSF, its severity, its state, and its activity.
#[track_caller]
fn assert_finding((findings, events): &(Value, Value), id: &str, expected: [&str; 5]) {
    let [in_asff, in_ocsf, severity, state, activity] = expected;
    let resource = id.splitn(3, '/').last().unwrap();
    let upper = severity.to_uppercase();
    assert_eq!(
        asff(findings, resource),
        [id, in_asff, upper.as_str(), state]
    );
    assert_eq!(ocsf(events, resource), [id, in_ocsf, severity, activity]);
}

#[test]
fn findings_have_stable_ids_and_what_is_not_known_never_passes() {
    let ec2 = two_regions();
    let place = TestFolder::new();
    let policy = json!({ "version": 1, "require": { "http_tokens": "required", "hop_limit": { "at_most": 2 } },
        "on_violation": "report",
        "rules": [{ "name": "scanner", "when": { "tags": { "app": "scanner" } }, "action": "exempt" }] });
    let policy = place.file("policy.json", &policy.to_string());
    let ids = of_every_kind(&ec2, HERE);
    ec2.fault(
        InjectedFault::unauthorized()
            .action("DescribeInstances")
            .region(THERE),
    );
    let scan = || {
        let command = imdsctl(&ec2, "scan --policy").arg(&policy);
        let command = command.arg("--output").arg(place.path("a.asff.json"));
        command
            .arg("--output")
            .arg(place.path("b.ocsf.json"))
            .run()
            .ended_with(3);
        (read(&place, "a.asff.json"), read(&place, "b.ocsf.json"))
    };
    let written = scan();
    let arn = |id| format!("imds-enforcer/IMDS.1/arn:aws:ec2:{HERE}:111122223333:instance/{id}");
    let regions = [HERE, THERE].map(|it| format!("imds-enforcer/IMDS.2/111122223333/{it}"));
    let expected = [
        ["PASSED", "Pass", "Informational", "ACTIVE", "Update"],
        ["FAILED", "Fail", "High", "ACTIVE", "Update"],
        ["FAILED", "Fail", "Medium", "ACTIVE", "Update"],
        ["FAILED", "Fail", "High", "ACTIVE", "Update"],
        ["WARNING", "Warning", "Low", "ACTIVE", "Update"],
        [
            "NOT_AVAILABLE",
            "Unknown",
            "Informational",
            "ARCHIVED",
            "Close",
        ],
        ["PASSED", "Pass", "Informational", "ACTIVE", "Update"],
        ["NOT_AVAILABLE", "Unknown", "Medium", "ACTIVE", "Update"],
    ];
    for (id, expected) in ids.map(arn).into_iter().chain(regions).zip(expected) {
        assert_finding(&written, &id, expected);
    }
    let (findings, events) = written;
    assert_eq!(list(&findings, "Findings").len(), 8);
    assert_eq!(events.as_array().unwrap().len(), 8);
    let ids = |findings: &Value| {
        let all = list(findings, "Findings").iter();
        all.map(|it| it["Id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(
        ids(&scan().0),
        ids(&findings),
        "an import replaces the findings"
    );
}
