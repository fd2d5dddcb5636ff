use super::*;
use crate::output::sample;

fn written(document: &Document, width: Option<u16>, colour: bool) -> String {
    let mut out = Vec::new();
    write(document, &Style { colour, width }, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn widest(text: &str) -> usize {
    text.lines().map(|line| line.chars().count()).max().unwrap()
}

/// Names without double-width signs, so that a sign is a column.
fn narrow_signs(mut rows: Vec<Row>) -> Document {
    for row in &mut rows {
        row.name = row.name.take().filter(|name| name.is_ascii());
    }
    sample::document(&rows)
}

#[test]
fn a_wide_terminal_shows_every_column() {
    insta::assert_snapshot!(written(&sample::fleet(12), Some(240), false));
}

#[test]
fn eighty_columns_show_what_matters_on_one_line_each() {
    insta::assert_snapshot!(written(&sample::fleet(12), Some(80), false));
}

#[test]
fn an_enforcement_shows_outcomes_and_what_failed() {
    insta::assert_snapshot!(written(&sample::enforced(24), Some(120), false));
}

#[test]
fn no_row_is_wider_than_the_terminal() {
    for width in [60, 80, 100, 120, 200] {
        let text = written(&narrow_signs(sample::rows(300)), Some(width), false);
        let rows = text.lines().take(301).collect::<Vec<_>>().join("\n");
        assert!(widest(&rows) <= usize::from(width), "{width}");
    }
}

#[test]
fn columns_stand_where_they_stand_in_every_chunk() {
    let mut rows = sample::rows(700);
    rows[690].name = Some("the widest name stands in the last chunk".to_owned());
    let text = written(&narrow_signs(rows), None, false);
    let mut lines = text.lines();
    let header = lines.next().unwrap();
    let place = header.find("INSTANCE").unwrap();
    let state = header.find("STATE").unwrap();
    for line in lines.take(700) {
        assert_eq!(line.find(" i-").map(|at| at + 1), Some(place), "{line}");
        let state = line.chars().skip(state).collect::<String>();
        assert!(
            ["running", "stopped", "terminated"]
                .iter()
                .any(|s| state.starts_with(s)),
            "{line}"
        );
    }
    assert_eq!(text.matches("INSTANCE ").count(), 1);
}

#[test]
fn where_there_is_no_terminal_nothing_is_shortened() {
    let mut row = sample::row(1);
    row.name = Some("n".repeat(150));
    row.auto_scaling_group = Some("g".repeat(150));
    let text = written(&sample::document(&[row]), None, false);
    assert!(text.contains(&"n".repeat(150)));
    assert!(text.contains(&"g".repeat(150)));
}

#[test]
fn nothing_is_coloured_unless_asked() {
    assert!(!written(&sample::enforced(24), Some(120), false).contains('\u{1b}'));
    assert!(written(&sample::enforced(24), Some(120), true).contains("\u{1b}[1m"));
}

#[test]
fn colours_change_no_word() {
    let coloured = written(&sample::enforced(24), Some(100), true);
    let mut plain = String::new();
    let mut letters = coloured.chars();
    while let Some(letter) = letters.next() {
        if letter == '\u{1b}' {
            letters.by_ref().find(|letter| letter.is_ascii_alphabetic());
        } else {
            plain.push(letter);
        }
    }
    let trimmed = |text: &str| {
        text.lines()
            .map(str::trim_end)
            .collect::<Vec<_>>()
            .join("\n")
    };
    assert_eq!(
        trimmed(&plain),
        trimmed(&written(&sample::enforced(24), Some(100), false))
    );
}

#[test]
fn hostile_names_forge_no_line_and_send_no_escape() {
    let text = written(&sample::fleet(300), Some(200), false);
    let odd = |letter: char| letter != '\n' && imds_core::plain::misleads(letter);
    assert_eq!(text.chars().find(|letter| odd(*letter)), None);
    let rows = text.lines().skip(1).take_while(|line| !line.is_empty());
    assert_eq!(rows.count(), 300);
}

#[test]
fn accounts_are_shown_where_there_are_several() {
    let mut rows = sample::rows(6);
    assert!(!written(&sample::document(&rows), None, false).contains("ACCOUNT"));
    rows[3].account = Some("444455556666".to_owned());
    let text = written(&sample::document(&rows), None, false);
    assert!(text.contains("ACCOUNT") && text.contains("444455556666"));
}

#[test]
fn a_scan_that_found_nothing_says_so() {
    let text = written(&sample::document(&[]), Some(80), false);
    assert!(text.starts_with("No instances to show.\n"), "{text}");
    assert!(text.contains("0 instances"), "{text}");
}

#[test]
fn filtered_rows_are_told_from_those_that_were_counted() {
    let mut document = sample::document(&sample::rows(10));
    document.summary.compliant += 1_000;
    let text = written(&document, None, false);
    assert!(text.trim_end().ends_with("10 shown"), "{text}");
}
