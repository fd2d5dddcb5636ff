//! `imdsctl rollback` of reports, as the function, its log and AWS's services write them.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use imds_tests::{FakeAws, Imdsctl, Ran, launch};
use serde_json::{Value, json};

use crate::exempt::function_hears;
use crate::reading::*;

const OTHER: &str = "444455556666";

/// An instance that the function has enforced: its report, and the lines of its log.
struct Heard {
    ec2: FakeAws,
    id: String,
    report: Value,
    log: Vec<String>,
    place: TestFolder,
}

impl Heard {
    fn new() -> Self {
        let ec2 = FakeAws::start();
        let id = ec2.launch(launch(REGION).hop_limit(3));
        let run = function_hears(&ec2, &id);
        let report = run.result.unwrap_or_else(|error| panic!("{error:?}"));
        assert_eq!(entry(&report, &id)["outcome"], "enforced");
        ec2.forget_calls();
        Heard {
            ec2,
            id,
            report,
            log: run.stdout,
            place: TestFolder::new(),
        }
    }

    fn command(&self, bytes: impl AsRef<[u8]>, arguments: &str) -> Imdsctl {
        let file = self.place.path("input");
        std::fs::write(&file, bytes).unwrap();
        imdsctl(&self.ec2, &format!("rollback {arguments}")).arg(file)
    }

    fn rollback(&self, bytes: impl AsRef<[u8]>, arguments: &str) -> Ran {
        self.command(bytes, arguments).run()
    }

    /// The line of the log that has the entry.
    fn line(&self) -> &str {
        let mut lines = self.log.iter();
        lines.find(|line| line.contains("\"entry\"")).unwrap()
    }

    /// The report, with changes.
    fn edited(&self, edit: impl FnOnce(&mut Value)) -> Value {
        let mut report = self.report.clone();
        edit(&mut report);
        report
    }

    #[track_caller]
    fn is_restored_from(&self, what: &str, bytes: impl AsRef<[u8]>) {
        self.ec2
            .set_options(&self.id, |it| "required".clone_into(&mut it.tokens));
        let ran = self.rollback(bytes, "--yes");
        assert_eq!(ran.code, Some(0), "{what}: {} {}", ran.stdout, ran.stderr);
        says(
            &ran.stdout,
            &["1 restored, 0 unchanged, 0 skipped, 0 gone, 0 failed"],
        );
        let options = self.ec2.instance(&self.id).options;
        assert_eq!(
            (options.tokens.as_str(), options.hop_limit),
            ("optional", 3),
            "{what}"
        );
    }
}

fn utf_16(text: &str) -> Vec<u8> {
    let units = "\u{feff}".encode_utf16().chain(text.encode_utf16());
    units.flat_map(u16::to_le_bytes).collect()
}

fn gzip(text: &str) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(text.as_bytes()).unwrap();
    gzip.finish().unwrap()
}

#[test]
fn a_report_is_rolled_back_from_whatever_holds_it() {
    let heard = Heard::new();
    let (report, line) = (&heard.report, heard.line());
    let text = report.to_string();
    let pretty = serde_json::to_string_pretty(report).unwrap();
    let message = json!({ "timestamp": 1_772_359_200_000_u64, "message": line });
    let start =
        json!({ "timestamp": 1_772_359_199_000_u64, "message": "START RequestId: 1 Version: 2" });
    let result =
        json!({ "version": "1.0", "requestPayload": { "id": 1 }, "responsePayload": report });
    let event = json!({ "source": "lambda", "detail-type": "Lambda Function Invocation Result - Success",
        "account": "111122223333", "detail": result });
    let fields = json!([{ "field": "@timestamp", "value": "2026-03-01 10:00:00.000" },
        { "field": "@message", "value": format!("{line}\n") }, { "field": "@ptr", "value": "abc" }]);
    let queued = json!({ "Messages": [{ "Body": event.to_string(), "ReceiptHandle": "h" }] });
    let stream = "2026/03/01/[$LATEST]0123456789abcdef";
    let read: Value = serde_json::from_str(line).unwrap();
    let cases: [(&str, Vec<u8>); 16] = [
        ("the report", text.clone().into()),
        ("the report, on many lines", pretty.clone().into()),
        ("many reports", format!("{text}\n{text}\n").into()),
        ("a list of reports", json!([report, report]).to_string().into()),
        ("UTF-8 with a mark", format!("\u{feff}{pretty}").into()),
        ("UTF-16", utf_16(&pretty)),
        ("gzip", gzip(&text)),
        ("the log", heard.log.join("\n").into()),
        ("filter-log-events", json!({ "events": [start, message] }).to_string().into()),
        ("its messages as text", format!("START 1\t{line}\t{line}\n").into()),
        ("tail", format!("2026-03-01T10:00:00.1+00:00 {stream} START RequestId: 1\n2026-03-01T10:00:00.2+00:00 {stream} {line}\n").into()),
        ("tail --format json", format!("2026-03-01T10:00:00.2+00:00 {stream} {read:#}\n").into()),
        ("start-query", json!({ "status": "Complete", "results": [fields] }).to_string().into()),
        ("an export to S3", gzip(&format!("2026-03-01T10:00:00.000Z {line}\n"))),
        ("EventBridge", event.to_string().into()),
        ("a queue", queued.to_string().into()),
    ];
    for (what, bytes) in cases {
        heard.is_restored_from(what, bytes);
    }
    // The log has the whole report where something was left undone.
    let left = json!({ "level": "ERROR", "report": text, "message": "left undone" });
    heard.is_restored_from("a report in the log", left.to_string());
}

#[test]
fn a_report_of_the_command_is_rolled_back() {
    let ec2 = FakeAws::start();
    let ids = ec2.launch_many(launch(REGION), 3);
    let compliant = ec2.launch(launch(REGION).tokens("required"));
    let enforced = imdsctl(&ec2, "enforce --yes --format json").run();
    let enforced = &enforced.ended_with(0).stdout;
    let place = TestFolder::new();
    let rollback = |text: &str, arguments: &str| {
        let file = place.file("report", text);
        imdsctl(&ec2, &format!("rollback {arguments}"))
            .arg(file)
            .run()
    };
    let planned = rollback(enforced, "--dry-run");
    says(&planned.ended_with(1).stdout, &["3 of 3 to restore"]);
    let restored = rollback(enforced, "--yes --json");
    restored.ended_with(0);
    assert!(ids.iter().all(|id| tokens(&ec2, id) == "optional"));
    assert_eq!(tokens(&ec2, &compliant), "required");
    // The report of a rollback is one too.
    rollback(&restored.stdout, "--yes").ended_with(0);
    assert!(ids.iter().all(|id| tokens(&ec2, id) == "required"));
}

#[test]
fn of_several_records_the_oldest_is_restored_if_the_newest_is_still_there() {
    let heard = Heard::new();
    let first = heard.report.to_string();
    // Somebody opened it again, with another hop limit, and the function enforced it again.
    heard.ec2.set_options(&heard.id, |it| {
        "optional".clone_into(&mut it.tokens);
        it.hop_limit = 5;
    });
    let second = function_hears(&heard.ec2, &heard.id)
        .result
        .unwrap()
        .to_string();
    assert_ne!(first, second);
    let planned = heard.rollback(&first, "--dry-run");
    says(
        &planned.ended_with(1).stdout,
        &["changed since", "hop_limit=3", "hop_limit=5"],
    );
    for reports in [
        format!("{first}\n{second}"),
        format!("{second}\n{first}\n{second}"),
    ] {
        let ran = heard.rollback(&reports, "--dry-run");
        let set = "set http_tokens=optional hop_limit=3";
        says(&ran.ended_with(1).stdout, &[set, "1 of 1 to restore"]);
    }
    heard
        .rollback(format!("{second}\n{first}"), "--yes")
        .ended_with(0);
    let options = heard.ec2.instance(&heard.id).options;
    assert_eq!(
        (options.tokens.as_str(), options.hop_limit),
        ("optional", 3)
    );
}

#[test]
fn records_of_another_account_are_refused_by_name() {
    let heard = Heard::new();
    let of_other = |of: fn(&mut Value) -> &mut Value| {
        heard.edited(|report| {
            for place in ["account", "instances"] {
                let account = match place {
                    "account" => &mut report["account"],
                    _ => of(&mut report["instances"][0]),
                };
                *account = json!(OTHER);
            }
        })
    };
    let other = of_other(|entry| &mut entry["account"]).to_string();
    let both = format!("{}\n{other}", heard.report);
    for text in [&other, &both] {
        let ran = heard.rollback(text, "--yes");
        says(
            &ran.ended_with(2).stderr,
            &[OTHER, "111122223333", "--profile"],
        );
    }
    let nameless = heard.edited(|report| {
        report["account"] = Value::Null;
        report["instances"][0]["account"] = Value::Null;
    });
    let ran = heard.rollback(nameless.to_string(), "--yes");
    says(&ran.ended_with(2).stderr, &["an account that is not named"]);
    assert_eq!(heard.ec2.changing_calls().len(), 0);
}

#[test]
fn lines_without_a_report_are_counted_and_damaged_ones_are_named() {
    let heard = Heard::new();
    let line = heard.line();
    let cut = &line[..line.len() - 20];
    let wrong = heard.edited(|report| {
        report["instances"][0]["before"]["http_tokens"] = json!("perhaps");
    });
    let without = heard.edited(|report| report["instances"][0]["before"] = Value::Null);
    for (damage, words) in [
        (cut.to_owned(), vec!["line 3: its JSON is cut off"]),
        (
            wrong.to_string(),
            vec!["line 3", &heard.id, "before.http_tokens", "perhaps"],
        ),
        (without.to_string(), vec!["line 3", &heard.id, "`before`"]),
    ] {
        heard
            .ec2
            .set_options(&heard.id, |it| "required".clone_into(&mut it.tokens));
        let text = format!("START RequestId: 1\n\n{damage}\n{line}\nEND {{}}\n");
        let ran = heard.rollback(text, "--yes");
        says(&ran.ended_with(3).stderr, &words);
        says(&ran.stderr, &["2 lines without a report left out"]);
        assert_eq!(
            tokens(&heard.ec2, &heard.id),
            "optional",
            "the others are rolled back"
        );
    }
    let pretty = serde_json::to_string_pretty(&heard.report).unwrap();
    let half = &pretty[..pretty.find("after").unwrap()];
    let ran = heard.rollback(half, "--yes");
    says(&ran.ended_with(2).stderr, &["neither a journal", "line "]);
    let ran = heard.rollback("remember the milk", "--yes");
    says(
        &ran.ended_with(2).stderr,
        &["neither a journal of imdsctl nor has it a report"],
    );
}

#[test]
fn what_was_not_enforced_is_left() {
    let heard = Heard::new();
    let with = |outcome: &str, refused: Value| {
        let report = heard.edited(|report| {
            let entry = &mut report["instances"][0];
            entry["outcome"] = json!(outcome);
            entry["refused"] = refused;
        });
        heard.rollback(report.to_string(), "--yes")
    };
    let refused = json!([{ "option": "http_tokens", "error": "UnsupportedOperation" }]);
    for (outcome, refused, is_named) in [
        ("failed", json!([]), true),
        ("reported", refused, true),
        ("reported", json!([]), false),
        ("compliant", json!([]), false),
        ("exempt", json!([]), false),
        ("terminated", json!([]), false),
        ("gone", json!([]), false),
    ] {
        let ran = with(outcome, refused);
        let stderr = &ran.ended_with(0).stderr;
        says(stderr, &["nothing to roll back"]);
        assert_eq!(stderr.contains(&heard.id), is_named, "{outcome}: {stderr}");
    }
    assert_eq!(heard.ec2.calls().len(), 0);
}

#[test]
fn from_standard_input_it_asks_on_the_terminal_or_needs_yes() {
    let heard = Heard::new();
    let text = heard.report.to_string();
    let piped = |arguments: &str| imdsctl(&heard.ec2, arguments).stdin(&text).run();
    says(
        &piped("rollback - --dry-run").ended_with(1).stdout,
        &["1 of 1 to restore"],
    );
    let file = heard.place.file("report", &text);
    let binary = imds_tests::binary("imdsctl");
    for (answer, code, expected) in [("no", 1, "required"), ("yes", 0, "optional")] {
        let script = format!("exec {} rollback - < {}", binary.display(), file.display());
        let shell = Imdsctl::with_program("/bin/sh").fake(&heard.ec2);
        let mut terminal = shell.args(["-c", &script]).on_terminal(200, 40);
        terminal.wait_for("Type yes");
        terminal.type_text(&format!("{answer}\r"));
        terminal.wait().ended_with(code);
        assert_eq!(tokens(&heard.ec2, &heard.id), expected);
    }
    heard
        .ec2
        .set_options(&heard.id, |it| "required".clone_into(&mut it.tokens));
    says(
        &piped("rollback -").ended_with(2).stderr,
        &["--yes", "terminal"],
    );
    assert_eq!(tokens(&heard.ec2, &heard.id), "required");
    piped("rollback - --yes").ended_with(0);
    assert_eq!(tokens(&heard.ec2, &heard.id), "optional");
}
