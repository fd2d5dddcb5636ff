//! Changes as reports tell of them.

use jiff::Timestamp;

use super::*;

fn change(at: Option<&str>, from: MetadataOptions, to: MetadataOptions) -> ReportedOptions {
    ReportedChange {
        key: key(),
        before: from,
        after: to,
        at: at.map(|at| at.parse::<Timestamp>().unwrap()),
    }
}

const FIRST: Option<&str> = Some("2026-03-01T10:00:00Z");
const SECOND: Option<&str> = Some("2026-03-01T11:00:00Z");

#[track_caller]
fn recorded(changes: Vec<ReportedOptions>) -> InstanceRecord {
    let mut records = RecordedChanges::reported(changes, Vec::new()).instances;
    assert_eq!(records.len(), 1);
    records.remove(0)
}

#[test]
fn the_oldest_is_restored_and_the_newest_is_expected_in_whatever_order_they_come() {
    let reopened = hops(before(), 5);
    let again = hops(after(), 5);
    let (first, second) = (
        change(FIRST, before(), after()),
        change(SECOND, reopened, again),
    );
    for changes in [
        vec![first.clone(), second.clone()],
        vec![second.clone(), first.clone()],
        vec![second.clone(), first.clone(), second.clone()],
    ] {
        let record = recorded(changes);
        assert_eq!((record.before, record.calls.len()), (before(), 2));
        let last = record.calls[1].answer.clone();
        assert_eq!(last, Some(AnswerRecord::After(again)));
    }
}

#[test]
fn without_times_the_order_is_that_of_the_reports() {
    let changes = vec![
        change(None, before(), after()),
        change(SECOND, hops(before(), 5), hops(after(), 5)),
    ];
    assert_eq!(recorded(changes.clone()).before, before());
    let reversed = changes.into_iter().rev().collect();
    assert_eq!(recorded(reversed).before, hops(before(), 5));
}

#[test]
fn only_what_was_changed_counts_as_sent() {
    let record = recorded(vec![change(FIRST, before(), after())]);
    assert_eq!(record.calls[0].sent, required());
    let unknown = MetadataOptions {
        hop_limit: None,
        ..before()
    };
    let record = recorded(vec![change(FIRST, unknown, after())]);
    assert_eq!(record.calls[0].sent.hop_limit, after().hop_limit);
}
