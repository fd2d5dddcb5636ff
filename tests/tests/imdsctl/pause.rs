//! `imdsctl pause`: the function and the command report instead of acting, until it ends.

use imds_tests::launch;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::exempt::*;
use crate::reading::*;

#[test]
fn under_a_pause_the_function_and_the_command_only_report() {
    for (only, key) in [
        ("", "pause#111122223333"),
        (" --region eu-central-1", "pause#111122223333#eu-central-1"),
    ] {
        let ec2 = with_people();
        let id = ec2.launch(launch(REGION));
        let command = format!("pause --hours 8 --yes --json --reason incident{only}");
        let ran = by_person(&ec2, &command).run();
        let written = json(ran.ended_with(0));
        let row = &list(&written, "entries")[0];
        assert_eq!(
            (&row["account"], &row["outcome"]),
            (&json!("111122223333"), &json!("written"))
        );
        assert!(
            is_about(&row["until"], SignedDuration::from_hours(8)),
            "{row}"
        );
        says(&ran.stderr, &["new launches"]);
        assert!(ec2.item(key).is_some());
        let reported = reported_by_function(&ec2, &id);
        assert_eq!(
            (&reported["outcome"], &reported["because"]),
            (&json!("reported"), &json!("paused"))
        );
        let ran = by_person(&ec2, "enforce --yes --format json").run();
        let report = json(ran.ended_with(1));
        let row = entry(&report, &id);
        assert_eq!(
            (&row["outcome"], &row["instead_of"], &row["because"]),
            (&json!("reported"), &json!("enforce"), &json!("paused"))
        );
        says(
            row["reason"].as_str().unwrap(),
            &["paused until 2", "enforcer/session (incident)"],
        );
        let resume = format!("imdsctl pause resume{only}");
        says(&ran.stderr, &["paused until 2", "(incident)", &resume]);
        assert_eq!(tokens(&ec2, &id), "optional");
        let ran = by_person(&ec2, &format!("pause resume --yes{only}")).run();
        says(&ran.ended_with(0).stdout, &["removed", "(incident)"]);
        by_person(&ec2, "enforce --yes").run().ended_with(0);
        assert_eq!(tokens(&ec2, &id), "required");
    }
}

#[test]
fn a_pause_of_a_region_leaves_the_others_to_be_enforced() {
    let ec2 = with_people();
    let (here, there) = (ec2.launch(launch(HERE)), ec2.launch(launch(THERE)));
    let command = format!("pause --hours 1 --yes --reason why --region {HERE},{HERE}");
    by_person(&ec2, &command).run().ended_with(0);
    by_person(&ec2, "enforce --yes").run().ended_with(1);
    assert_eq!(
        (tokens(&ec2, &here), tokens(&ec2, &there)),
        ("optional".into(), "required".into())
    );
    // To end the pause of the account is to end no pause of a region.
    let ran = by_person(&ec2, "pause resume --yes --json").run();
    assert_eq!(
        list(&json(ran.ended_with(0)), "entries")[0]["outcome"],
        "absent"
    );
    let listed = json(by_person(&ec2, "pause list --json").run().ended_with(0));
    let rows = list(&listed, "entries");
    assert_eq!(rows.len(), 1);
    assert_eq!(
        (&rows[0]["region"], &rows[0]["outcome"]),
        (&json!(HERE), &json!("holds"))
    );
}

#[test]
fn a_pause_that_cannot_be_read_holds_and_one_that_has_ended_does_not() {
    let ec2 = with_people();
    let id = ec2.launch(launch(REGION));
    let key = "pause#111122223333";
    for (until, code) in [("for ever".to_owned(), 1), (ago(DAY).to_string(), 0)] {
        ec2.put_item(key, json!({ "until": until }));
        by_person(&ec2, "enforce --yes").run().ended_with(code);
        let listed = json(by_person(&ec2, "pause list --json").run().ended_with(0));
        assert_eq!(list(&listed, "entries").len() as i32, code);
    }
    assert_eq!(tokens(&ec2, &id), "required");
    let none: Vec<Value> = Vec::new();
    ec2.remove_item(key);
    let listed = json(by_person(&ec2, "pause list --json").run().ended_with(0));
    assert_eq!(list(&listed, "entries"), none);
}
