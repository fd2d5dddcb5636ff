//! `imdsctl usage`: who used IMDSv1, whose calls are refused, and the way back.

use std::path::{Path, PathBuf};

use imds_tests::{Fault, Imdsctl, Ran, Standin, launch};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

const HERE: &str = "eu-central-1";
const THERE: &str = "us-east-1";
const USED: &str = "MetadataNoToken";
const REFUSED: &str = "MetadataNoTokenRejected";

fn ago(hours: i64) -> Timestamp {
    Timestamp::now() - SignedDuration::from_hours(hours)
}

fn two_regions() -> Standin {
    let standin = Standin::start();
    standin.set_regions(&[HERE, THERE]);
    standin
}

/// It has been there for longer than any window.
fn old(standin: &Standin, region: &str, name: &str) -> String {
    standin.launch(launch(region).tag("Name", name).launched_at(ago(24 * 100)))
}

/// A datapoint in the middle of every day of the window that has one; the latest day last.
fn by_day(standin: &Standin, id: &str, metric: &str, days: &[Option<u32>]) {
    for (n, calls) in days.iter().rev().enumerate() {
        if let Some(calls) = calls {
            let hours = 24 * i64::try_from(n).unwrap() + 12;
            standin.datapoint(id, metric, ago(hours), f64::from(*calls));
        }
    }
}

fn usage(standin: &Standin, more: &[&str]) -> Ran {
    Imdsctl::against(standin).arg("usage").args(more).run()
}

fn json_of(standin: &Standin, code: i32, more: &[&str]) -> Value {
    let ran = usage(standin, &[&["--format", "json"], more].concat());
    serde_json::from_str(&ran.ended_with(code).stdout).unwrap()
}

/// The last columns, whatever their widths.
#[track_caller]
fn ends(told: &str, id: &str, columns: &str) {
    let words: Vec<&str> = line_of(told, id).split_whitespace().collect();
    let line = words.join(" ");
    assert!(line.ends_with(columns), "{told}");
}

#[track_caller]
fn line_of<'a>(told: &'a str, id: &str) -> &'a str {
    told.lines()
        .find(|line| line.contains(id))
        .unwrap_or_else(|| panic!("{id} in:\n{told}"))
}

#[test]
fn no_datapoints_is_unknown_and_a_gap_is_never_zero() {
    let standin = two_regions();
    let used = old(&standin, HERE, "used");
    by_day(&standin, &used, USED, &[Some(0), None, Some(10), Some(80)]);
    let unused = old(&standin, HERE, "unused");
    by_day(&standin, &unused, USED, &[Some(0); 4]);
    let gaps = old(&standin, THERE, "gaps");
    by_day(&standin, &gaps, USED, &[Some(0), None, None, Some(0)]);
    let silent = old(&standin, THERE, "silent");

    let told = json_of(&standin, 1, &["--days", "4"]);
    assert_eq!(
        told["summary"],
        json!({ "in_use": 1, "unused": 2, "unknown": 1, "closed": 0 })
    );
    let of = |id: &str| {
        let mut found = told["instances"].as_array().unwrap().iter();
        found.find(|row| row["instance_id"] == id).unwrap().clone()
    };
    let seen = |id: &str| {
        let row = of(id);
        (
            row["usage"]["verdict"].clone(),
            row["calls"].clone(),
            row["days"].clone(),
        )
    };
    assert_eq!(
        seen(&used),
        (json!("in_use"), json!(90), json!([0, null, 10, 80]))
    );
    assert_eq!(
        seen(&unused),
        (json!("unused"), json!(0), json!([0, 0, 0, 0]))
    );
    assert_eq!(
        seen(&gaps),
        (json!("unused"), json!(0), json!([0, null, null, 0]))
    );
    assert_eq!(
        seen(&silent),
        (
            json!("unknown"),
            Value::Null,
            json!([null, null, null, null])
        )
    );
    assert_eq!(of(&silent)["usage"]["because"], "no_data");

    let ran = usage(&standin, &["--days", "4"]);
    let told = &ran.ended_with(1).stdout;
    ends(told, &used, "·?▁█ in use");
    ends(told, &unused, "0 ···· unused");
    ends(told, &gaps, "·??· unused: no data of 2 days");
    ends(told, &silent, "???? unknown: no data");
    assert!(
        told.ends_with("\n4 days, 4 instances: 1 in use, 2 unused, 1 unknown, 0 errors\n"),
        "{told}"
    );
    assert!(standin.changing_calls().is_empty());
}

#[test]
fn what_started_in_the_window_or_stands_still_is_unknown() {
    let standin = two_regions();
    let young = standin.launch(launch(HERE).launched_at(ago(30)));
    by_day(&standin, &young, USED, &[Some(0)]);
    let stopped = standin.launch(launch(HERE).state("stopped").launched_at(ago(24 * 100)));
    by_day(&standin, &stopped, USED, &[Some(0)]);
    let ended = standin.launch(launch(HERE).state("terminated"));
    let ran = usage(&standin, &[]);
    let told = &ran.ended_with(0).stdout;
    ends(told, &young, "unknown: started since");
    ends(told, &stopped, "unknown: stopped");
    assert!(!told.contains(&ended), "{told}");
    assert!(
        told.contains("2 instances: 0 in use, 0 unused, 2 unknown"),
        "{told}"
    );
}

#[test]
fn most_calls_come_first_then_what_is_unknown() {
    let standin = two_regions();
    let few = old(&standin, HERE, "few");
    by_day(&standin, &few, USED, &[Some(3)]);
    let none = old(&standin, HERE, "none");
    by_day(&standin, &none, USED, &[Some(0)]);
    let many = old(&standin, THERE, "many");
    by_day(&standin, &many, USED, &[Some(30)]);
    let silent = old(&standin, THERE, "silent");
    let told = json_of(&standin, 1, &[]);
    let ids: Vec<&Value> = told["instances"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["instance_id"])
        .collect();
    assert_eq!(ids, [&many, &few, &silent, &none]);
}

#[test]
fn the_window_is_as_long_as_it_is_asked_for() {
    let standin = two_regions();
    let id = old(&standin, HERE, "monthly");
    standin.datapoint(&id, USED, ago(24 * 20), 5.0);
    standin.datapoint(&id, USED, ago(12), 0.0);
    usage(&standin, &[]).ended_with(0);
    let ran = usage(&standin, &["--days", "30"]);
    let day = ago(24 * 20).to_string()[..10].to_owned();
    assert!(
        line_of(&ran.ended_with(1).stdout, &id).contains(&day),
        "{}",
        ran.stdout
    );
    let told = json_of(&standin, 1, &["--days", "63"]);
    assert_eq!(told["instances"][0]["days"].as_array().unwrap().len(), 63);
    usage(&standin, &["--days", "64"]).ended_with(2);
}

#[test]
fn instances_that_require_tokens_now_are_asked_too() {
    let standin = two_regions();
    let mended = standin.launch(launch(HERE).tokens("required").launched_at(ago(24 * 100)));
    by_day(&standin, &mended, USED, &[Some(7), Some(0)]);
    let ran = usage(&standin, &[]);
    let line = line_of(&ran.ended_with(1).stdout, &mended);
    assert!(
        line.contains("  required  ") && line.ends_with("in use"),
        "{line}"
    );
}

#[test]
fn instances_with_imdsv1_off_are_counted_and_take_a_line_only_where_there_were_calls() {
    let standin = two_regions();
    let closed = standin.launch(launch(HERE).tokens("required").launched_at(ago(24 * 100)));
    let off = standin.launch(launch(HERE).endpoint("disabled").launched_at(ago(24 * 100)));
    let told = usage(&standin, &[]).ended_with(0).stdout.clone();
    assert!(!told.contains(&closed) && !told.contains(&off), "{told}");
    assert!(
        told.contains("0 in use, 0 unused, 0 unknown, 2 with IMDSv1 off, 0 errors"),
        "{told}"
    );
    let asked = usage(&standin, &["--instance", &closed])
        .ended_with(0)
        .stdout
        .clone();
    assert!(asked.contains(&closed), "{asked}");
}

#[test]
fn where_cloudwatch_cannot_be_asked_nothing_is_known_and_that_is_an_error() {
    let standin = two_regions();
    let blind = old(&standin, HERE, "blind");
    by_day(&standin, &blind, USED, &[Some(9)]);
    let used = old(&standin, THERE, "used");
    by_day(&standin, &used, USED, &[Some(9)]);
    standin.fault(
        Fault::error("AccessDenied", 403)
            .action("GetMetricData")
            .region(HERE),
    );
    let ran = usage(&standin, &[]);
    let told = &ran.ended_with(3).stdout;
    ends(told, &blind, "unknown: not readable");
    ends(told, &used, "in use");
    assert!(
        told.contains(
            "\nNot seen\neu-central-1: could not call GetMetricData in eu-central-1: AccessDenied"
        ),
        "{told}"
    );
    let csv = usage(&standin, &["--format", "csv"]);
    let told = &csv.ended_with(3).stderr;
    assert!(
        told.contains("not seen: eu-central-1: could not call GetMetricData"),
        "{told}"
    );
}

#[test]
fn a_region_that_cannot_be_seen_keeps_none_of_the_others() {
    let standin = two_regions();
    let used = old(&standin, THERE, "used");
    by_day(&standin, &used, USED, &[Some(9)]);
    standin.fault(
        Fault::unauthorised()
            .action("DescribeInstances")
            .region(HERE),
    );
    let told = json_of(&standin, 3, &[]);
    assert_eq!(told["unseen"][0]["region"], HERE);
    assert_eq!(told["instances"][0]["instance_id"], used.as_str());
    let told = json_of(&standin, 1, &["--exclude-region", HERE]);
    assert_eq!(told["unseen"], json!([]));
}

#[test]
fn instances_are_chosen_as_in_a_scan() {
    let standin = two_regions();
    let web = standin.launch(launch(HERE).tag("app", "web-1"));
    let api = standin.launch(launch(HERE).tag("app", "api").state("stopped"));
    let ids = |more: &[&str], code| {
        let told = json_of(&standin, code, more);
        let rows = told["instances"].as_array().unwrap().clone();
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
fn csv_has_a_line_for_each_and_goes_into_a_file() {
    let standin = two_regions();
    let id = old(&standin, HERE, "=1+1");
    by_day(&standin, &id, USED, &[None, Some(0), Some(4)]);
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("usage.csv");
    let ran = Imdsctl::against(&standin)
        .args(["usage", "--days", "3", "--format", "csv", "--output"])
        .arg(&path)
        .run();
    assert_eq!(ran.ended_with(1).stdout, "");
    let written = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = written.lines().collect();
    assert_eq!(lines.len(), 2);
    assert!(
        lines[0].starts_with("account,region,instance_id,name,"),
        "{written}"
    );
    let begin = format!("111122223333,{HERE},{id},'=1+1,running,optional,4,");
    assert!(
        lines[1].starts_with(&begin) && lines[1].ends_with(",in_use,,? 0 4,"),
        "{written}"
    );
}

#[test]
fn html_is_refused_before_any_call() {
    let standin = two_regions();
    let ran = usage(&standin, &["--format", "html"]);
    assert!(
        ran.ended_with(2)
            .stderr
            .contains("imdsctl scan --usage --format html"),
        "{}",
        ran.stderr
    );
    assert!(standin.calls().is_empty());
}

#[test]
fn a_name_can_neither_forge_a_line_nor_colour_the_terminal() {
    let standin = two_regions();
    old(&standin, HERE, "web\nforged\u{1b}[31m");
    for format in ["table", "csv", "json"] {
        let ran = usage(&standin, &["--format", format]);
        let told = &ran.ended_with(0).stdout;
        assert!(!told.contains('\u{1b}'), "{told}");
        assert!(
            !told.lines().any(|line| line.starts_with("forged")),
            "{told}"
        );
    }
}

#[test]
fn a_narrow_terminal_loses_columns_and_says_so() {
    let standin = two_regions();
    let id = old(&standin, HERE, "a-rather-long-name-of-a-server");
    by_day(&standin, &id, USED, &[Some(1)]);
    let closed = Imdsctl::against(&standin)
        .arg("usage")
        .on_terminal(72, 30)
        .wait();
    closed.ended_with(1);
    assert!(
        closed.screen.contains("(Left out for want of width: "),
        "{}",
        closed.screen
    );
    assert!(closed.screen.contains(&id) && closed.screen.contains("in use"));
}

/// Enforces in a home of its own, and gives the journal.
fn enforce(standin: &Standin, home: &Path) -> PathBuf {
    let before = journals(home);
    let ran = Imdsctl::against(standin)
        .args(["enforce", "--yes"])
        .home(home)
        .run();
    ran.ended_with(0);
    let mut new = journals(home);
    new.retain(|path| !before.contains(path));
    new.remove(0)
}

fn journals(home: &Path) -> Vec<PathBuf> {
    let folder = std::fs::read_dir(home.join(".local/state/imdsctl"));
    let entries = folder.into_iter().flatten();
    entries.map(|entry| entry.unwrap().path()).collect()
}

fn rejected(standin: &Standin, home: &Path) -> Ran {
    let of = Imdsctl::against(standin).args(["usage", "--rejected", "--days", "2"]);
    of.home(home).run()
}

#[test]
fn refused_calls_come_with_the_command_that_takes_it_back() {
    let standin = two_regions();
    let home = tempfile::tempdir().unwrap();
    let few = old(&standin, HERE, "few");
    let many = old(&standin, THERE, "many");
    let quiet = old(&standin, HERE, "quiet");
    let silent = old(&standin, HERE, "silent");
    let journal = enforce(&standin, home.path());
    by_day(&standin, &few, REFUSED, &[Some(4)]);
    by_day(&standin, &many, REFUSED, &[None, Some(400)]);
    by_day(&standin, &quiet, REFUSED, &[Some(0)]);

    let ran = rejected(&standin, home.path());
    let told = &ran.ended_with(1).stdout;
    ends(told, &many, "?█ refused");
    assert!(
        told.find(&many).unwrap() < told.find(&few).unwrap(),
        "{told}"
    );
    assert!(!told.contains(&quiet) && !told.contains(&silent), "{told}");
    assert!(
        told.ends_with(
            "2 days, 4 instances: 2 refused, 1 without refused calls, 1 unknown, 0 errors\n"
        ),
        "{told}"
    );

    let command = format!("imdsctl rollback {} --instance {many}", journal.display());
    assert!(told.lines().any(|line| line == command), "{told}");
    let words = command.split(' ').skip(1);
    let back = Imdsctl::against(&standin)
        .args(words)
        .arg("--yes")
        .home(home.path())
        .run();
    back.ended_with(0);
    assert_eq!(standin.instance(&many).options.tokens, "optional");
    assert_eq!(standin.instance(&few).options.tokens, "required");

    let again = rejected(&standin, home.path());
    let told = &again.ended_with(1).stdout;
    assert!(
        told.contains(&format!("# {many}: tokens are optional again\n")),
        "{told}"
    );
    assert!(!told.contains(&command), "{told}");
}

#[test]
fn the_newest_enforcement_of_the_instance_is_named() {
    let standin = two_regions();
    let home = tempfile::tempdir().unwrap();
    let id = old(&standin, HERE, "twice");
    let first = enforce(&standin, home.path());
    standin.set_options(&id, |options| "optional".clone_into(&mut options.tokens));
    let second = enforce(&standin, home.path());
    old(&standin, HERE, "another");
    let third = enforce(&standin, home.path());
    by_day(&standin, &id, REFUSED, &[Some(4)]);
    let ran = rejected(&standin, home.path());
    let told = &ran.ended_with(1).stdout;
    assert!(told.contains(&second.display().to_string()), "{told}");
    let others = [first, third].map(|path| told.contains(&path.display().to_string()));
    assert_eq!(others, [false, false], "{told}");
}

#[test]
fn without_a_journal_the_command_is_that_of_the_aws_cli() {
    let standin = two_regions();
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join(".local/state/imdsctl");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("torn.jsonl"), "{}").unwrap();
    std::fs::write(folder.join("notes.txt"), "not a journal").unwrap();
    let id = standin.launch(launch(HERE).tokens("required"));
    by_day(&standin, &id, REFUSED, &[Some(4)]);
    let ran = rejected(&standin, home.path());
    let told = &ran.ended_with(1).stdout;
    assert!(
        told.contains(&format!(
            "# {id}: no journal in {} holds it",
            folder.display()
        )),
        "{told}"
    );
    let command = format!(
        "aws ec2 modify-instance-metadata-options --region {HERE} --instance-id {id} --http-tokens optional --http-endpoint enabled"
    );
    assert!(told.lines().any(|line| line == command), "{told}");
    assert!(
        ran.stderr
            .contains("torn.jsonl` does not begin as a journal"),
        "{}",
        ran.stderr
    );
    assert!(!ran.stderr.contains("notes.txt"), "{}", ran.stderr);
    assert!(standin.changing_calls().is_empty());
}

#[test]
fn no_refused_calls_is_fine_and_no_data_is_no_proof() {
    let standin = two_regions();
    old(&standin, HERE, "silent");
    let told = json_of(&standin, 0, &["--rejected"]);
    assert_eq!(told["metric"], REFUSED);
    assert_eq!(
        told["summary"],
        json!({ "refused": 0, "none": 0, "unknown": 1, "closed": 0 })
    );
    assert_eq!(told["instances"], json!([]));
}

#[test]
fn the_command_to_paste_names_the_endpoint_that_was_used() {
    let standin = two_regions();
    let id = standin.launch(launch(HERE).tokens("required"));
    by_day(&standin, &id, REFUSED, &[Some(4)]);
    let url = standin.url();
    let told = json_of(&standin, 1, &["--rejected", "--endpoint-url", url]);
    let command = told["instances"][0]["way_back"]["command"]
        .as_str()
        .unwrap();
    assert!(
        command.ends_with(&format!(" --endpoint-url {url}")),
        "{command}"
    );
}
