//! `imdsctl doctor` with a state table.

use imds_tests::{FakeAws, Imdsctl, InjectedFault, launch};

use crate::doctor::doctor;
use crate::exempt::{PERSON, TABLE, with_people};
use crate::reading::*;

/// `imdsctl doctor` with the state table of the function.
fn with_table(fake: &FakeAws) -> Imdsctl {
    let command = Imdsctl::against(fake).arg("doctor");
    command.env("IMDS_STATE_TABLE", TABLE)
}

#[test]
fn the_permissions_to_read_the_state_table_are_tried_and_nothing_is_written() {
    let fake = with_people();
    fake.launch(launch(HERE));
    let ran = with_table(&fake).env("AWS_ACCESS_KEY_ID", PERSON).run();
    let output = &ran.ended_with(0).stdout;
    for line in [
        "✓ --state-table: dynamodb:BatchGetItem on `exempt#*` and `pause#*`",
        "✓ enforce --policy: dynamodb:BatchGetItem on `watch#*`",
        "✓ exempt list, pause list: dynamodb:Scan",
        "! exempt, pause: dynamodb:UpdateItem, dynamodb:DeleteItem: not tried: it would change the table",
    ] {
        assert!(
            output.lines().any(|shown| shown == line),
            "{line}: {output}"
        );
    }
    assert_eq!(fake.count("UpdateItem") + fake.count("DeleteItem"), 0);
    let read = fake.calls_to("BatchGetItem");
    let reads = |key: &str| read.iter().any(|call| format!("{call:?}").contains(key));
    for key in ["exempt#i-", "pause#111122223333", "watch#i-"] {
        assert!(reads(key), "{key}");
    }
}

#[test]
fn what_is_denied_on_the_state_table_is_missing_where_the_commands_work_without_it() {
    // Without a table the role of the function may not scan it, and nothing is said of it.
    let fake = FakeAws::start();
    fake.launch(launch(HERE));
    let ran = doctor(&fake, &[]);
    assert!(!ran.ended_with(0).stdout.contains("dynamodb"));
    assert_eq!(fake.count("BatchGetItem") + fake.count("Scan"), 0);
    let ran = with_table(&fake).run();
    let output = &ran.ended_with(0).stdout;
    says(
        output,
        &[
            "✓ --state-table: ",
            "\n- exempt list, pause list: dynamodb:Scan: denied because no identity-based policy allows",
            "\n  next: allow dynamodb:Scan\n",
        ],
    );
}

#[test]
fn a_state_table_that_cannot_be_read_is_a_problem_because_an_exemption_may_hold() {
    for (fault, table, next) in [
        (
            Some(InjectedFault::unauthorized().action("BatchGetItem")),
            TABLE.to_owned(),
            "allow dynamodb:BatchGetItem on `exempt#*` and `pause#*`",
        ),
        (
            None,
            format!("{TABLE}-of-another"),
            "check the name and the region of the table",
        ),
    ] {
        let fake = with_people();
        fake.launch(launch(HERE));
        fault.into_iter().for_each(|fault| fake.fault(fault));
        let command = with_table(&fake).env("AWS_ACCESS_KEY_ID", PERSON);
        let ran = command.env("IMDS_STATE_TABLE", &table).run();
        let output = &ran.ended_with(3).stdout;
        let next = format!("\n  next: {next}");
        says(output, &["✗ --state-table: dynamodb:BatchGetItem", &next]);
        assert!(!output.contains("enforce --policy"), "{output}");
        assert_eq!(fake.count("Scan"), 0);
    }
}
