//! `imdsctl scan`: its formats and where they are written.

use std::collections::BTreeMap;

use imds_tests::{FakeAws, Imdsctl, binary, launch};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::reading::*;
use crate::scan::three_regions;

const HOSTILE: &str = "=cmd|' /C calc'!A0\u{1b}[2J\u{202e}<script>alert(1)</script>,\"\n";

#[test]
fn the_report_has_the_format_of_the_functions_answer() {
    let ec2 = FakeAws::start();
    let template = ec2.template(REGION, "web");
    let launched = launch(REGION)
        .tag("Name", "web-1")
        .from_template(&template, "3")
        .in_group("web");
    let id = ec2.launch(launched.hop_limit(2));
    let report = scanned(&ec2, "", 1);
    let keys: Vec<&String> = report.as_object().unwrap().keys().collect();
    for key in [
        "version",
        "trigger",
        "account",
        "region",
        "summary",
        "instances",
        "unreachable",
    ] {
        assert!(
            keys.contains(&&key.to_owned()),
            "{key} is missing in {keys:?}"
        );
    }
    assert_eq!(report["version"], 1);
    assert_eq!(report["trigger"], "scan");
    assert_eq!(report["account"], "111122223333");
    assert_eq!(report["region"], Value::Null);
    let instance = entry(&report, &id);
    assert_eq!(
        instance["before"],
        json!({ "http_tokens": "optional", "http_endpoint": "enabled", "hop_limit": 2,
                "http_protocol_ipv6": "disabled", "instance_metadata_tags": "disabled" })
    );
    for (field, value) in [
        ("region", json!(REGION)),
        ("outcome", json!("reported")),
        ("rule", Value::Null),
        ("violations", json!(["http_tokens"])),
        ("after", Value::Null),
        ("account", json!("111122223333")),
        ("name", json!("web-1")),
        ("state", json!("running")),
        ("decision", json!("enforce")),
        ("auto_scaling_group", json!("web")),
        ("launch_template", json!({ "id": template, "version": "3" })),
    ] {
        assert_eq!(instance[field], value, "{field}");
    }
    says(
        instance["reason"].as_str().unwrap(),
        &["http_tokens is optional"],
    );
}

#[test]
fn an_instance_has_its_tags_role_image_type_addresses_and_age_in_json_and_csv() {
    let ec2 = FakeAws::start();
    let launched = launch(REGION)
        .tag("Name", "web-1")
        .tag("team", "payments")
        .image("ami-0123456789abcdef0")
        .instance_type("m7g.large")
        .instance_profile("web")
        .public_ip("203.0.113.25")
        .ipv6_address("2001:db8::1")
        .ipv6_address("fd00::1")
        .launched(DAY * 100)
        .started(DAY);
    let id = ec2.launch(launched);
    let bare = ec2.launch(launch(REGION).tokens("required"));
    let report = scanned(&ec2, "", 1);
    let instance = entry(&report, &id);
    let profile = "arn:aws:iam::111122223333:instance-profile/apps/web";
    for (field, value) in [
        ("tags", json!({ "Name": "web-1", "team": "payments" })),
        ("image", json!("ami-0123456789abcdef0")),
        ("instance_type", json!("m7g.large")),
        ("instance_profile", json!(profile)),
        // A unique local address is not public.
        ("public_addresses", json!(["203.0.113.25", "2001:db8::1"])),
    ] {
        assert_eq!(instance[field], value, "{field}");
    }
    let time = |field: &str| instance[field].as_str().unwrap().parse::<Timestamp>();
    let started = time("started_at").unwrap();
    let first = time("first_launched_at").unwrap();
    assert_eq!(started.duration_since(first).as_hours(), 99 * 24);
    let (other, none) = (entry(&report, &bare), Value::Null);
    assert_eq!(
        (
            &other["tags"],
            &other["instance_profile"],
            &other["public_addresses"]
        ),
        (&json!({}), &none, &json!([]))
    );

    let ran = imdsctl(&ec2, "scan --instance")
        .arg(&id)
        .args(["--format", "csv"])
        .run();
    let mut reader = csv::Reader::from_reader(ran.ended_with(1).stdout.as_bytes());
    let row: BTreeMap<String, String> = reader.deserialize().next().unwrap().unwrap();
    for (column, value) in [
        ("tags", "Name: web-1, team: payments"),
        ("image", "ami-0123456789abcdef0"),
        ("instance_type", "m7g.large"),
        ("instance_profile", profile),
        ("public_addresses", "203.0.113.25; 2001:db8::1"),
        ("age_days", "100"),
        ("started_at", instance["started_at"].as_str().unwrap()),
    ] {
        assert_eq!(row[column], value, "{column}");
    }
}

#[test]
fn csv_can_be_read_back_whatever_the_names() {
    let (ec2, all) = three_regions();
    let hostile = ec2.launch(launch(REGION).tag("Name", HOSTILE).tokens("required"));
    let ran = imdsctl(&ec2, "scan --format csv").run();
    let mut reader = csv::Reader::from_reader(ran.ended_with(1).stdout.as_bytes());
    let rows: Vec<BTreeMap<String, String>> = reader.deserialize().map(Result::unwrap).collect();
    let found = rows.iter().map(|row| row["instance_id"].clone());
    assert_eq!(
        sorted(found),
        sorted(all.into_iter().chain([hostile.clone()]))
    );
    let row = rows
        .iter()
        .find(|row| row["instance_id"] == hostile)
        .unwrap();
    assert_eq!(row["decision"], "compliant");
    assert_eq!(row["http_tokens_before"], "required");
    assert!(
        row["name"].starts_with("'="),
        "a spreadsheet must not take it as a formula"
    );
    assert_eq!(ran.stdout.lines().count(), 5, "{}", ran.stdout);
    assert!(!ran.stdout.contains('\u{1b}'));
}

#[test]
fn a_hostile_name_cannot_forge_lines_of_the_table() {
    let ec2 = FakeAws::start();
    let forged = "x\neu-west-1       i-0123456789abcdef0  compliant\u{1b}[2J\r";
    ec2.launch(launch(REGION).tag("Name", forged));
    let ran = imdsctl(&ec2, "scan").run();
    let stdout = &ran.ended_with(1).stdout;
    assert!(
        stdout.lines().all(|line| !line.starts_with("eu-west-1")),
        "{stdout}"
    );
    assert!(!stdout.contains(['\u{1b}', '\r']), "{stdout}");
}

#[test]
fn html_is_one_file_without_external_resources() {
    let (ec2, all) = three_regions();
    ec2.launch(launch(REGION).tag("Name", HOSTILE));
    let place = TestFolder::new();
    let path = place.path("fleet.html");
    let ran = imdsctl(&ec2, "scan --format html --output")
        .arg(&path)
        .run();
    assert_eq!(ran.ended_with(1).stdout, "");
    let page = std::fs::read_to_string(&path).unwrap();
    assert!(page.to_lowercase().starts_with("<!doctype html>"));
    says(&page, &all.each_ref().map(String::as_str));
    says(&page, &["111122223333", "</html>"]);
    assert!(!page.contains("<script>alert(1)"), "a name became markup");
    for outside in ["src=\"http", "href=\"http", "url(http", "@import"] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert_eq!(std::fs::read_dir(place.folder.path()).unwrap().count(), 1);
    let mode = std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o644, "others may read it");
}

#[test]
fn output_to_a_device_or_a_link_does_not_replace_it() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION));
    let ran = imdsctl(&ec2, "scan --format table --output /dev/stdout").run();
    assert!(ran.ended_with(1).stdout.contains(&id), "{}", ran.stdout);

    let folder = tempfile::tempdir().unwrap();
    let (link, target) = (folder.path().join("link"), folder.path().join("target"));
    std::fs::write(&target, "before").unwrap();
    std::os::unix::fs::symlink(&target, &link).unwrap();
    let ran = imdsctl(&ec2, "scan --format table --output")
        .arg(&link)
        .run();
    ran.ended_with(1);
    assert!(link.is_symlink());
    assert!(std::fs::read_to_string(&target).unwrap().contains(&id));
}

#[test]
fn output_that_cannot_be_written_is_a_failure_that_names_the_file() {
    let (ec2, _) = three_regions();
    let place = TestFolder::new();
    let path = place.path("missing/fleet.html");
    let ran = imdsctl(&ec2, "scan --format html --output")
        .arg(&path)
        .run();
    says(
        &ran.ended_with(3).stderr,
        &["could not write", "missing/fleet.html"],
    );
}

#[test]
fn a_closed_pipe_is_not_an_error() {
    let ec2 = FakeAws::start();
    ec2.launch_many(launch(REGION).tag("Name", &"long".repeat(60)), 2000);
    let program = binary("imdsctl").display().to_string();
    for (command, code) in [("scan", 1), ("usage", 0)] {
        let script = format!("{program} {command} --format csv | head -1; exit ${{PIPESTATUS[0]}}");
        let ran = Imdsctl::with_program("/bin/bash")
            .args(["-c", &script])
            .fake(&ec2)
            .run();
        assert_eq!(ran.ended_with(code).stdout.lines().count(), 1);
        assert_eq!(ran.stderr, "");
    }
}

#[test]
fn the_table_ends_with_a_summary() {
    let (ec2, _) = three_regions();
    ec2.launch(launch(REGION).tokens("required"));
    ec2.launch(launch(REGION).state("terminated"));
    let ran = imdsctl(&ec2, "scan").run();
    let last = ran.ended_with(1).stdout.lines().last().unwrap();
    says(
        last,
        &[
            "3 regions",
            "5 instances",
            "1 compliant",
            "0 exempt",
            " 3 to ",
            "1 gone",
            "0 failed",
            "0 errors",
        ],
    );
    assert_eq!(ran.stderr, "");
}

#[test]
fn the_source_of_non_compliant_launches_is_named() {
    let ec2 = FakeAws::start();
    let template = ec2.template(REGION, "web");
    ec2.launch(launch(REGION).from_template(&template, "7"));
    ec2.launch(launch(REGION).in_group("workers"));
    let ran = imdsctl(&ec2, "scan").run();
    says(
        &ran.ended_with(1).stdout,
        &[
            &format!("{template} version 7"),
            "Auto Scaling group workers",
        ],
    );
}

#[test]
fn a_file_of_csv_opens_in_a_spreadsheet_with_its_letters_right() {
    let fake = FakeAws::start();
    let name = "Prüfung \u{1f469}\u{200d}\u{1f4bb} \u{645}\u{6cc}\u{200c}\u{62e}\u{648}\u{627}";
    let id = fake.launch(launch(REGION).tag("Name", name));
    fake.datapoint(&id, "MetadataNoToken", ago(DAY), 1.0);
    let folder = TestFolder::new();
    for command in ["scan", "usage"] {
        let arguments = format!("{command} --region {REGION} --format csv");
        let printed = imdsctl(&fake, &arguments).run();
        // Programs read standard output, to which the mark would be a part of the first header.
        let printed = &printed.ended_with(1).stdout;
        assert!(
            printed.starts_with("account,") && printed.contains(name),
            "{printed}"
        );
        let file = folder.path(command);
        let run = imdsctl(&fake, &arguments).arg("--output").arg(&file);
        run.run().ended_with(1);
        let written = std::fs::read_to_string(file).unwrap();
        let text = written.strip_prefix('\u{feff}').unwrap();
        assert_eq!(text.lines().next(), printed.lines().next());
        let mut rows = csv::Reader::from_reader(written.as_bytes());
        assert_eq!(rows.headers().unwrap().get(0), Some("account"));
        assert!(text.contains(name));
    }
}

#[test]
fn names_with_joiners_stay_whole_and_misleading_ones_do_not() {
    let fake = FakeAws::start();
    let whole = "\u{1f469}\u{200d}\u{1f4bb}";
    for name in [whole, "web\u{200d}1"] {
        fake.launch(launch(REGION).tag("Name", name));
    }
    let arguments = format!("scan --region {REGION}");
    let ran = imdsctl(&fake, &arguments).run();
    says(&ran.ended_with(1).stdout, &[whole, "web\u{fffd}1"]);
    let page = imdsctl(&fake, &format!("{arguments} --format html")).run();
    says(&page.ended_with(1).stdout, &[whole, "web\u{fffd}1"]);
}
