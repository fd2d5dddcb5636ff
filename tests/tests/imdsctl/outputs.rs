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
        ("d.csv", "account,region,instance_id"),
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

#[test]
fn findings_have_stable_ids_and_what_is_not_known_never_passes() {
    let ec2 = two_regions();
    let place = TestFolder::new();
    let policy = json!({ "version": 1, "require": { "http_tokens": "required", "hop_limit": { "at_most": 2 } },
        "on_violation": "report",
        "rules": [{ "name": "scanner", "when": { "tags": { "app": "scanner" } }, "action": "exempt" }] });
    let policy = place.file("policy.json", &policy.to_string());
    let passed = ec2.launch(launch(HERE).tokens("required"));
    let failed = ec2.launch(launch(HERE));
    let hops = ec2.launch(launch(HERE).tokens("required").hop_limit(3));
    let unknown = ec2.launch(launch(HERE).no_metadata_options());
    let exempt = ec2.launch(launch(HERE).tag("app", "scanner"));
    let gone = ec2.launch(launch(HERE).state("terminated"));
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
    let (findings, events) = scan();
    let arn = |id: &str| format!("arn:aws:ec2:{HERE}:111122223333:instance/{id}");
    let (here, there) = (
        format!("111122223333/{HERE}"),
        format!("111122223333/{THERE}"),
    );
    for (control, resource, [asff_status, ocsf_status, severity], [state, activity]) in [
        (
            "IMDS.1",
            arn(&passed),
            ["PASSED", "Pass", "Informational"],
            ["ACTIVE", "Update"],
        ),
        (
            "IMDS.1",
            arn(&failed),
            ["FAILED", "Fail", "High"],
            ["ACTIVE", "Update"],
        ),
        (
            "IMDS.1",
            arn(&hops),
            ["FAILED", "Fail", "Medium"],
            ["ACTIVE", "Update"],
        ),
        (
            "IMDS.1",
            arn(&unknown),
            ["FAILED", "Fail", "High"],
            ["ACTIVE", "Update"],
        ),
        (
            "IMDS.1",
            arn(&exempt),
            ["WARNING", "Warning", "Low"],
            ["ACTIVE", "Update"],
        ),
        (
            "IMDS.1",
            arn(&gone),
            ["NOT_AVAILABLE", "Unknown", "Informational"],
            ["ARCHIVED", "Close"],
        ),
        (
            "IMDS.2",
            here,
            ["PASSED", "Pass", "Informational"],
            ["ACTIVE", "Update"],
        ),
        (
            "IMDS.2",
            there,
            ["NOT_AVAILABLE", "Unknown", "Medium"],
            ["ACTIVE", "Update"],
        ),
    ] {
        let id = format!("imds-enforcer/{control}/{resource}");
        let upper = severity.to_uppercase();
        assert_eq!(
            asff(&findings, &resource),
            [id.as_str(), asff_status, &upper, state]
        );
        assert_eq!(
            ocsf(&events, &resource),
            [id.as_str(), ocsf_status, severity, activity]
        );
    }
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
