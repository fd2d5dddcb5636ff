//! `imdsctl exempt`: what it writes holds for the function and for the command.

use std::path::Path;

use imds_tests::{FakeAws, Function, Imdsctl, InjectedFault, Invocation, Settle, binary, launch};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::reading::*;

/// The access key of a person, who may write into the table.
pub(crate) const PERSON: &str = "AKIAPERSON";

/// The table of the function, which is in another region than the command's.
pub(crate) const TABLE: &str = "arn:aws:dynamodb:eu-central-1:111122223333:table/imds-enforcer";

const REQUIRED: &str =
    r#"{ "version": 1, "require": { "http_tokens": "required" }, "on_violation": "enforce" }"#;

/// A fake in which the person may write into the table.
pub(crate) fn with_people() -> FakeAws {
    let ec2 = FakeAws::start();
    ec2.allow_people(PERSON);
    ec2.set_written(Settle::Describes(3));
    ec2
}

/// The command as the person runs it, with the table.
pub(crate) fn by_person(ec2: &FakeAws, arguments: &str) -> Imdsctl {
    imdsctl(ec2, arguments)
        .env("AWS_ACCESS_KEY_ID", PERSON)
        .env("IMDS_STATE_TABLE", TABLE)
}

/// The function, as it hears that somebody has made tokens optional on an instance.
pub(crate) fn function_hears(ec2: &FakeAws, id: &str) -> Invocation {
    let function = Function::builder(binary("enforcer")).fake(ec2);
    let function = function.policy(REQUIRED).start();
    let time = Timestamp::now().to_string();
    function.invoke(&json!({
        "detail-type": "AWS API Call via CloudTrail", "source": "aws.ec2", "account": "111122223333",
        "region": REGION, "time": time,
        "detail": { "eventSource": "ec2.amazonaws.com", "eventName": "ModifyInstanceMetadataOptions",
            "awsRegion": REGION, "eventTime": time,
            "userIdentity": { "type": "AssumedRole",
                "arn": "arn:aws:sts::111122223333:assumed-role/Role/mallory" },
            "requestParameters": { "ModifyInstanceMetadataOptionsRequest": {
                "InstanceId": id, "HttpTokens": "optional" } },
            "responseElements": { "ModifyInstanceMetadataOptionsResponse": { "instanceId": id } } }
    }))
}

/// What it reports on the instance then.
pub(crate) fn reported_by_function(ec2: &FakeAws, id: &str) -> Value {
    let report = function_hears(ec2, id).result;
    let report = report.unwrap_or_else(|error| panic!("{error:?}"));
    entry(&report, id).clone()
}

/// How long it is until then.
pub(crate) fn until_then(time: &Value) -> SignedDuration {
    let then: Timestamp = time.as_str().unwrap().parse().unwrap();
    then.duration_since(Timestamp::now())
}

/// Whether a time is as long from now as expected, give or take a minute.
pub(crate) fn is_about(time: &Value, expected: SignedDuration) -> bool {
    let apart = (until_then(time) - expected).abs();
    apart < SignedDuration::from_mins(1)
}

#[test]
fn the_function_holds_to_what_the_command_writes() {
    let ec2 = with_people();
    let id = ec2.launch(launch(REGION));
    let command = format!("exempt {id} --days 30 --yes --json --reason");
    let ran = by_person(&ec2, &command).arg("vendor ticket 4711").run();
    let written = json(ran.ended_with(0));
    let row = &list(&written, "entries")[0];
    assert_eq!(
        (&row["instance_id"], &row["outcome"]),
        (&json!(id), &json!("written"))
    );
    assert_eq!(row["reason"], "vendor ticket 4711");
    assert_eq!(
        row["by"],
        "arn:aws:sts::111122223333:assumed-role/enforcer/session"
    );
    assert!(
        is_about(&row["until"], SignedDuration::from_hours(720)),
        "{row}"
    );
    says(written["state_table"].as_str().unwrap(), &[TABLE, REGION]);
    let item = ec2.item(&format!("exempt#{id}")).unwrap();
    let ends: Timestamp = item["until"].as_str().unwrap().parse().unwrap();
    assert!(item["expires_at"].as_i64().unwrap() > ends.as_second());
    let entry = reported_by_function(&ec2, &id);
    assert_eq!(entry["outcome"], "exempt", "{entry}");
    let until = row["until"].as_str().unwrap();
    says(
        entry["reason"].as_str().unwrap(),
        &[until, "assumed-role/enforcer/session", "vendor ticket 4711"],
    );
    assert_eq!(tokens(&ec2, &id), "optional");
    let removed = by_person(&ec2, &format!("exempt remove {id} --yes")).run();
    says(
        &removed.ended_with(0).stdout,
        &[&id, "removed", "vendor ticket 4711"],
    );
    assert_eq!(reported_by_function(&ec2, &id)["outcome"], "enforced");
}

#[test]
fn scan_and_enforce_leave_an_exempt_instance_alone_and_say_until_when_and_why() {
    let ec2 = with_people();
    let (exempt, other) = (ec2.launch(launch(REGION)), ec2.launch(launch(REGION)));
    let command = format!("exempt {exempt} --days 1 --yes --reason incident");
    by_person(&ec2, &command).run().ended_with(0);
    let report = json(by_person(&ec2, "scan --format json").run().ended_with(1));
    let row = entry(&report, &exempt);
    assert_eq!(
        (&row["outcome"], &row["decision"]),
        (&json!("exempt"), &json!("exempt"))
    );
    says(
        row["reason"].as_str().unwrap(),
        &["exempt until 2", "(incident)"],
    );
    assert_eq!(
        (&report["summary"]["exempt"], &report["summary"]["reported"]),
        (&json!(1), &json!(1))
    );
    let regions = list(&report, "regions");
    let here = regions.iter().find(|it| it["region"] == REGION).unwrap();
    assert_eq!(here["summary"], report["summary"]);
    let shown = by_person(&ec2, "scan --only violations --format json").run();
    assert_eq!(
        ids(&json(shown.ended_with(1))),
        std::slice::from_ref(&other)
    );
    let planned = TestFolder::new();
    let plan = planned.path("plan");
    imdsctl(&ec2, "enforce --plan-out")
        .arg(&plan)
        .run()
        .ended_with(1);
    let enforced = by_person(&ec2, "enforce --yes --format json --plan")
        .arg(&plan)
        .run();
    let report = json(enforced.ended_with(0));
    assert_eq!(entry(&report, &exempt)["outcome"], "exempt");
    assert_eq!(
        (tokens(&ec2, &exempt), tokens(&ec2, &other)),
        ("optional".into(), "required".into())
    );
    let enforced = by_person(&ec2, "enforce --yes").run();
    says(&enforced.ended_with(0).stderr, &["nothing to do"]);
    assert_eq!(tokens(&ec2, &exempt), "optional");
    // Without a table, nothing is read.
    imdsctl(&ec2, "enforce --yes").run().ended_with(0);
    assert_eq!(tokens(&ec2, &exempt), "required");
}

#[test]
fn a_table_that_cannot_be_read_is_an_error_and_nothing_is_changed() {
    let ec2 = with_people();
    let id = ec2.launch(launch(REGION));
    ec2.fault(InjectedFault::unauthorized().action("BatchGetItem"));
    for command in ["scan", "enforce --yes", "enforce --dry-run"] {
        let ran = by_person(&ec2, command).run();
        let stderr = &ran.ended_with(3).stderr;
        says(
            stderr,
            &[
                "state table",
                "dynamodb:BatchGetItem",
                "AccessDeniedException",
            ],
        );
    }
    assert_eq!(tokens(&ec2, &id), "optional");
    ec2.clear_faults();
    let wrong = by_person(&ec2, "scan --state-table a:b").run();
    says(&wrong.ended_with(2).stderr, &["--state-table", "`a:b`"]);
    // A name is that of a table in the configured region, whatever is scanned.
    let missing = by_person(&ec2, "scan --region eu-central-1 --state-table another").run();
    let words = ["`another` in us-east-1", "ResourceNotFoundException"];
    says(&missing.ended_with(3).stderr, &words);
    assert!(!missing.stderr.contains("dynamodb:"), "no permission helps");
}

#[test]
fn the_list_has_what_holds_by_pages_and_what_cannot_be_read() {
    let ec2 = with_people();
    ec2.set_scan_page(2);
    let none = by_person(&ec2, "exempt list").run();
    says(&none.ended_with(0).stderr, &["none in the state table"]);
    for n in 1..=5 {
        let command = format!("exempt i-0000000000000000{n} --days {n} --yes --reason because");
        by_person(&ec2, &command).run().ended_with(0);
    }
    let ended = json!({ "until": ago(DAY).to_string(), "reason": "over" });
    ec2.put_item("exempt#i-00000000000000006", ended);
    ec2.put_item("exempt#i-00000000000000007", json!({ "until": "for ever" }));
    ec2.put_item("watch#i-00000000000000008", json!({}));
    let listed = json(by_person(&ec2, "exempt list --json").run().ended_with(0));
    let rows = list(&listed, "entries");
    let listed: Vec<_> = rows
        .iter()
        .map(|row| row["instance_id"].as_str().unwrap())
        .collect();
    let expected = [1, 2, 3, 4, 5, 7].map(|n| format!("i-0000000000000000{n}"));
    assert_eq!(listed, expected);
    says(rows[5]["error"].as_str().unwrap(), &["until"]);
    let shown = by_person(&ec2, "exempt list").run();
    says(
        &shown.ended_with(0).stdout,
        &["exempt until 2", "(because)", "cannot be read"],
    );
    ec2.fault(InjectedFault::unauthorized().action("Scan"));
    let denied = by_person(&ec2, "exempt list").run();
    says(
        &denied.ended_with(3).stderr,
        &["dynamodb:Scan", "imds-enforcer"],
    );
}

#[test]
fn it_asks_before_it_writes_and_says_what_it_replaces() {
    let ec2 = with_people();
    let id = "i-0e3a5b1c9d8f70642";
    let command = format!("exempt {id} --days 2 --reason again");
    let pipe = by_person(&ec2, &command).stdin("yes\n").run();
    says(&pipe.ended_with(2).stderr, &["--yes"]);
    ec2.put_item(
        &format!("exempt#{id}"),
        json!({ "until": "2999-01-01T00:00:00Z", "by": "ada" }),
    );
    for (answer, reason) in [("no", Value::Null), ("yes", json!("again"))] {
        let mut terminal = by_person(&ec2, &command).on_terminal(200, 40);
        let screen = terminal.wait_for("Type yes");
        says(
            &screen,
            &[
                "2999-01-01T00:00:00Z by ada",
                "this is replaced",
                "1 instance until 2",
            ],
        );
        terminal.type_text(&format!("{answer}\r"));
        terminal.wait().ended_with(i32::from(answer == "no"));
        assert_eq!(ec2.item(&format!("exempt#{id}")).unwrap()["reason"], reason);
    }
}

#[test]
fn what_may_not_be_written_is_a_failure_with_the_permission() {
    let ec2 = FakeAws::start();
    let id = "i-0e3a5b1c9d8f70642";
    let write = by_person(&ec2, &format!("exempt {id} --days 2 --yes --reason why")).run();
    says(
        &write.ended_with(3).stdout,
        &[id, "failed", "dynamodb:UpdateItem"],
    );
    let remove = by_person(&ec2, &format!("exempt remove {id} --yes --json")).run();
    let removed = json(remove.ended_with(3));
    let row = &list(&removed, "entries")[0];
    assert_eq!(row["outcome"], "failed");
    says(row["error"].as_str().unwrap(), &["dynamodb:DeleteItem"]);
    assert_eq!(ec2.items().len(), 0);
}

#[test]
fn an_exemption_that_cannot_be_read_back_is_no_success() {
    let ec2 = with_people();
    let id = "i-0e3a5b1c9d8f70642";
    // The first read is of what is replaced.
    let denied = InjectedFault::unauthorized().action("BatchGetItem");
    ec2.fault(denied.after(1));
    let ran = by_person(&ec2, &format!("exempt {id} --days 2 --yes --reason why")).run();
    says(&ran.ended_with(3).stdout, &["failed", "not read back"]);
    assert!(ec2.item(&format!("exempt#{id}")).is_some());
}

#[test]
fn the_names_of_instances_and_of_commands_do_not_clash() {
    let home = Path::new("/");
    for (arguments, says_this) in [
        ("exempt", "INSTANCE"),
        ("exempt i-0e3a5b1c9d8f70642", "--days"),
        ("exempt i-0e3a5b1c9d8f70642 --days 2", "--reason"),
        ("exempt lists --days 2 --reason why", "expected an id"),
        (
            "exempt i-0e3a5b1c9d8f70642 --days 0 --reason why",
            "1..=3650",
        ),
        ("exempt remove", "INSTANCE"),
        ("exempt list i-0e3a5b1c9d8f70642", "unexpected argument"),
        ("pause", "--hours"),
        ("pause --hours 2", "--reason"),
    ] {
        let words = arguments.split_whitespace();
        let ran = Imdsctl::offline().current_dir(home).args(words).run();
        says(&ran.ended_with(2).stderr, &[says_this]);
    }
    let ec2 = with_people();
    let list = by_person(&ec2, "exempt --endpoint-url")
        .arg(ec2.url())
        .arg("list");
    list.run().ended_with(0);
    let none = by_person(&ec2, "exempt list")
        .without_env("IMDS_STATE_TABLE")
        .run();
    says(
        &none.ended_with(2).stderr,
        &["--state-table", "IMDS_STATE_TABLE"],
    );
}

#[test]
fn entries_that_no_instance_needs_are_listed_by_a_scan() {
    let ec2 = with_people();
    let [open, compliant, gone] = [
        launch(REGION),
        launch(REGION).tokens("required"),
        launch(REGION).state("terminated"),
    ]
    .map(|launch| ec2.launch(launch));
    for id in [&open, &compliant, &gone] {
        let command = by_person(&ec2, "exempt --days 3 --yes --reason ticket-4711");
        command.arg(id).run().ended_with(0);
    }
    let ran = by_person(&ec2, "scan --format json").run();
    let report = json(ran.ended_with(0));
    assert_eq!(entry(&report, &open)["outcome"], "exempt");
    let unneeded = list(&report, "unneeded_exemptions").iter();
    let unneeded = unneeded.map(|it| {
        assert!(
            is_about(&it["until"], SignedDuration::from_hours(72)),
            "{it}"
        );
        assert_eq!(it["reason"], "ticket-4711");
        it["instance_id"].as_str().unwrap()
    });
    assert_eq!(sorted(unneeded), sorted([compliant.clone(), gone]));
    let table = by_person(&ec2, "scan").run();
    says(
        &table.ended_with(0).stdout,
        &[&format!("the entry of {compliant} (ticket-4711)")],
    );

    ec2.fault(InjectedFault::error("AccessDeniedException", 400).action("Scan"));
    let ran = by_person(&ec2, "scan --format json").run();
    assert_eq!(json(ran.ended_with(0))["unneeded_exemptions"], Value::Null);
    says(&ran.stderr, &["dynamodb:Scan"]);
}
