//! `imdsctl usage`: which instances used IMDSv1.

use imds_tests::{FakeAws, Imdsctl, InjectedFault, Ran, launch};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::reading::*;

const USED: &str = "MetadataNoToken";

fn ago(hours: i64) -> Timestamp {
    Timestamp::now() - SignedDuration::from_hours(hours)
}

/// An instance that was launched before any window.
pub(crate) fn old(fake: &FakeAws, region: &str, name: &str) -> String {
    fake.launch(launch(region).tag("Name", name).launched_at(ago(24 * 100)))
}

/// Adds datapoints of 22 hours of each day that has some, with the calls in its middle; the last is today.
pub(crate) fn by_day(fake: &FakeAws, id: &str, metric: &str, days: &[Option<u32>]) {
    for (n, calls) in days.iter().rev().enumerate() {
        let Some(calls) = calls else { continue };
        for hour in 1..=22 {
            let calls = if hour == 12 { f64::from(*calls) } else { 0.0 };
            let hours = 24 * i64::try_from(n).unwrap() + hour;
            fake.datapoint(id, metric, ago(hours), calls);
        }
    }
}

fn usage(fake: &FakeAws, more: &[&str]) -> Ran {
    Imdsctl::against(fake).arg("usage").args(more).run()
}

pub(crate) fn json_of(fake: &FakeAws, code: i32, more: &[&str]) -> Value {
    let ran = usage(fake, &[&["--format", "json"], more].concat());
    serde_json::from_str(&ran.ended_with(code).stdout).unwrap()
}

/// Asserts the last columns of an instance's line, whatever their widths.
#[track_caller]
pub(crate) fn ends(output: &str, id: &str, columns: &str) {
    let words: Vec<&str> = line_of(output, id).split_whitespace().collect();
    let line = words.join(" ");
    assert!(line.ends_with(columns), "{output}");
}

#[track_caller]
pub(crate) fn line_of<'a>(output: &'a str, id: &str) -> &'a str {
    output
        .lines()
        .find(|line| line.contains(id))
        .unwrap_or_else(|| panic!("{id} in:\n{output}"))
}

#[test]
fn no_data_is_unknown_and_a_gap_is_not_zero() {
    let fake = two_regions();
    let used = old(&fake, HERE, "used");
    by_day(&fake, &used, USED, &[Some(0), None, Some(10), Some(80)]);
    let unused = old(&fake, HERE, "unused");
    by_day(&fake, &unused, USED, &[Some(0); 4]);
    let gaps = old(&fake, THERE, "gaps");
    by_day(&fake, &gaps, USED, &[Some(0), None, None, Some(0)]);
    let silent = old(&fake, THERE, "silent");

    let output = json_of(&fake, 1, &["--days", "4"]);
    assert_eq!(
        output["summary"],
        json!({ "in_use": 1, "unused": 2, "unknown": 1, "closed": 0 })
    );
    let row = |id: &str| {
        let mut found = output["instances"].as_array().unwrap().iter();
        found.find(|row| row["instance_id"] == id).unwrap().clone()
    };
    let shown = |id: &str| {
        let row = row(id);
        (
            row["usage"]["verdict"].clone(),
            row["calls"].clone(),
            row["days"].clone(),
        )
    };
    assert_eq!(
        shown(&used),
        (json!("in_use"), json!(90), json!([0, null, 10, 80]))
    );
    assert_eq!(
        shown(&unused),
        (json!("unused"), json!(0), json!([0, 0, 0, 0]))
    );
    assert_eq!(
        shown(&gaps),
        (json!("unused"), json!(0), json!([0, null, null, 0]))
    );
    assert_eq!(
        shown(&silent),
        (
            json!("unknown"),
            Value::Null,
            json!([null, null, null, null])
        )
    );
    assert_eq!(row(&silent)["usage"]["because"], "no_data");

    let ran = usage(&fake, &["--days", "4"]);
    let output = &ran.ended_with(1).stdout;
    ends(output, &used, "·?▁█ in use");
    ends(output, &unused, "0 ···· unused");
    ends(output, &gaps, "·??· unused: no data of 2 days");
    ends(output, &silent, "???? unknown: no data");
    assert!(
        output.ends_with("\n4 days, 4 instances: 1 in use, 2 unused, 1 unknown, 0 errors\n"),
        "{output}"
    );
    assert!(fake.changing_calls().is_empty());
}

#[test]
fn the_usage_of_instances_with_data_of_less_than_a_day_is_unknown() {
    let fake = two_regions();
    let young = fake.launch(launch(HERE).launched_at(ago(30)));
    by_day(&fake, &young, USED, &[Some(0)]);
    let stopped = fake.launch(launch(HERE).state("stopped").launched_at(ago(24 * 100)));
    by_day(&fake, &stopped, USED, &[Some(0), None, None]);
    let ended = fake.launch(launch(HERE).state("terminated"));
    let ran = usage(&fake, &[]);
    let output = &ran.ended_with(0).stdout;
    ends(output, &young, "unknown: too little data");
    ends(output, &stopped, "unknown: too little data");
    assert!(!output.contains(&ended), "{output}");
    assert!(
        output.contains("2 instances: 0 in use, 0 unused, 2 unknown"),
        "{output}"
    );
}

#[test]
fn instances_are_sorted_by_calls_then_unknown_then_unused() {
    let fake = two_regions();
    let few = old(&fake, HERE, "few");
    by_day(&fake, &few, USED, &[Some(3)]);
    let none = old(&fake, HERE, "none");
    by_day(&fake, &none, USED, &[Some(0), Some(0)]);
    let many = old(&fake, THERE, "many");
    by_day(&fake, &many, USED, &[Some(30)]);
    let silent = old(&fake, THERE, "silent");
    let output = json_of(&fake, 1, &[]);
    let ids: Vec<&Value> = output["instances"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["instance_id"])
        .collect();
    assert_eq!(ids, [&many, &few, &silent, &none]);
}

#[test]
fn the_window_is_set_in_days() {
    let fake = two_regions();
    let id = old(&fake, HERE, "monthly");
    fake.datapoint(&id, USED, ago(24 * 20), 5.0);
    fake.datapoint(&id, USED, ago(12), 0.0);
    usage(&fake, &[]).ended_with(0);
    let ran = usage(&fake, &["--days", "30"]);
    let day = ago(24 * 20).to_string()[..10].to_owned();
    assert!(
        line_of(&ran.ended_with(1).stdout, &id).contains(&day),
        "{}",
        ran.stdout
    );
    let output = json_of(&fake, 1, &["--days", "63"]);
    assert_eq!(output["instances"][0]["days"].as_array().unwrap().len(), 63);
    usage(&fake, &["--days", "64"]).ended_with(2);
}

#[test]
fn instances_that_require_tokens_now_are_included() {
    let fake = two_regions();
    let enforced = fake.launch(launch(HERE).tokens("required").launched_at(ago(24 * 100)));
    by_day(&fake, &enforced, USED, &[Some(7), Some(0)]);
    let ran = usage(&fake, &[]);
    let line = line_of(&ran.ended_with(1).stdout, &enforced);
    assert!(
        line.contains("  required  ") && line.ends_with("in use"),
        "{line}"
    );
}

#[test]
fn instances_without_imdsv1_are_counted_and_listed_only_if_they_had_calls() {
    let fake = two_regions();
    let closed = fake.launch(launch(HERE).tokens("required").launched_at(ago(24 * 100)));
    let off = fake.launch(launch(HERE).endpoint("disabled").launched_at(ago(24 * 100)));
    let output = usage(&fake, &[]).ended_with(0).stdout.clone();
    assert!(
        !output.contains(&closed) && !output.contains(&off),
        "{output}"
    );
    assert!(
        output.contains("0 in use, 0 unused, 0 unknown, 2 with IMDSv1 off, 0 errors"),
        "{output}"
    );
    let asked = usage(&fake, &["--instance", &closed])
        .ended_with(0)
        .stdout
        .clone();
    assert!(asked.contains(&closed), "{asked}");
}

#[test]
fn usage_that_cannot_be_read_is_unknown_and_an_error() {
    let fake = two_regions();
    let blind = old(&fake, HERE, "blind");
    by_day(&fake, &blind, USED, &[Some(9)]);
    let used = old(&fake, THERE, "used");
    by_day(&fake, &used, USED, &[Some(9)]);
    fake.fault(
        InjectedFault::error("AccessDenied", 403)
            .action("GetMetricData")
            .region(HERE),
    );
    let ran = usage(&fake, &[]);
    let output = &ran.ended_with(3).stdout;
    ends(output, &blind, "unknown: unreadable");
    ends(output, &used, "in use");
    assert!(
        [
            "\nCould not be described\neu-central-1: ",
            "GetMetricData",
            "AccessDenied"
        ]
        .iter()
        .all(|part| output.contains(part)),
        "{output}"
    );
    let csv = usage(&fake, &["--format", "csv"]);
    let output = &csv.ended_with(3).stderr;
    assert!(
        output.contains("eu-central-1") && output.contains("GetMetricData"),
        "{output}"
    );
}

#[test]
fn an_unreachable_region_does_not_affect_the_others() {
    let fake = two_regions();
    let used = old(&fake, THERE, "used");
    by_day(&fake, &used, USED, &[Some(9)]);
    fake.fault(
        InjectedFault::unauthorized()
            .action("DescribeInstances")
            .region(HERE),
    );
    let output = json_of(&fake, 3, &[]);
    assert_eq!(output["unreachable"][0]["region"], HERE);
    assert_eq!(output["instances"][0]["instance_id"], used.as_str());
    let output = json_of(&fake, 1, &["--exclude-region", HERE]);
    assert_eq!(output["unreachable"], json!([]));
}

#[test]
fn instances_are_filtered_as_in_a_scan() {
    let fake = two_regions();
    let web = fake.launch(launch(HERE).tag("app", "web-1"));
    let api = fake.launch(launch(HERE).tag("app", "api").state("stopped"));
    let ids = |more: &[&str], code| {
        let output = json_of(&fake, code, more);
        let rows = output["instances"].as_array().unwrap().clone();
        rows.iter()
            .map(|row| row["instance_id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(&["--tag", "app=web-*"], 0), [web.as_str()]);
    assert_eq!(ids(&["--state", "stopped"], 0), [api.as_str()]);
    assert_eq!(ids(&["--instance", &api], 0), [api]);
    assert_eq!(
        ids(&["--instance", &format!("{web},i-0123456789abcdef0")], 3),
        [web]
    );
    assert!(ids(&["--region", THERE], 0).is_empty());
}

#[test]
fn csv_has_a_line_for_each_instance_and_is_written_to_a_file() {
    let fake = two_regions();
    let id = old(&fake, HERE, "=1+1");
    by_day(&fake, &id, USED, &[None, Some(0), Some(4)]);
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("usage.csv");
    let ran = Imdsctl::against(&fake)
        .args(["usage", "--days", "3", "--format", "csv", "--output"])
        .arg(&path)
        .run();
    assert_eq!(ran.ended_with(1).stdout, "");
    let written = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = written.lines().collect();
    assert_eq!(lines.len(), 2);
    assert!(
        lines[0].starts_with("\u{feff}account,region,instance_id,name,"),
        "{written}"
    );
    let begin = format!("111122223333,{HERE},{id},'=1+1,running,optional,4,");
    assert!(
        lines[1].starts_with(&begin) && lines[1].ends_with(",in_use,,? 0 4,"),
        "{written}"
    );
}

#[test]
fn html_is_rejected_before_any_call() {
    let fake = two_regions();
    let ran = usage(&fake, &["--format", "html"]);
    assert!(
        ran.ended_with(2)
            .stderr
            .contains("use `imdsctl scan --usage 14` for others"),
        "{}",
        ran.stderr
    );
    assert!(fake.calls().is_empty());
}

#[test]
fn a_hostile_name_cannot_forge_lines_or_colours() {
    let fake = two_regions();
    old(&fake, HERE, "web\nforged\u{1b}[31m");
    for format in ["table", "csv", "json"] {
        let ran = usage(&fake, &["--format", format]);
        let output = &ran.ended_with(0).stdout;
        assert!(!output.contains('\u{1b}'), "{output}");
        assert!(
            !output.lines().any(|line| line.starts_with("forged")),
            "{output}"
        );
    }
}

#[test]
fn a_narrow_terminal_hides_columns_and_names_them() {
    let fake = two_regions();
    let id = old(&fake, HERE, "a-rather-long-name-of-a-server");
    by_day(&fake, &id, USED, &[Some(1)]);
    let closed = Imdsctl::against(&fake)
        .arg("usage")
        .on_terminal(72, 30)
        .wait();
    closed.ended_with(1);
    let screen = &closed.screen;
    let note = "(Columns that do not fit: tokens, last (utc), by day.";
    for text in [note, "--format json shows all.", &id, "in use"] {
        assert!(screen.contains(text), "{text}: {screen}");
    }
    assert!(!screen.contains("BY DAY"), "{screen}");
}
