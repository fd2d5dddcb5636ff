use super::*;
use crate::output::sample;

fn styled(document: &Document, colour: bool, width: Option<u16>) -> String {
    let mut out = Vec::new();
    write(document, &Style { colour, width }, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn written(document: &Document, width: Option<u16>) -> String {
    styled(document, false, width)
}

/// Names without wide characters, so that a character is a column.
fn narrow_names(mut instances: Vec<ScannedInstance>) -> Document {
    for instance in &mut instances {
        instance.name = instance.name.take().filter(|name| name.is_ascii());
    }
    sample::document(instances)
}

#[test]
fn a_wide_terminal_shows_every_column() {
    insta::assert_snapshot!(written(&sample::fleet(12), Some(240)));
}

#[test]
fn eighty_columns_show_what_matters_and_evidence_breaks_between_words() {
    insta::assert_snapshot!(written(&sample::fleet(12), Some(80)));
}

#[test]
fn an_enforcement_shows_outcomes_and_failures() {
    insta::assert_snapshot!(written(&sample::enforced(24), Some(120)));
}

#[test]
fn no_row_is_wider_than_the_terminal() {
    for width in [60, 80, 100, 120, 200] {
        let text = written(&narrow_names(sample::instances(300)), Some(width));
        let mut rows = text.lines().take(301);
        assert!(rows.all(|row| row.chars().count() <= usize::from(width)));
    }
}

#[test]
fn columns_are_aligned_in_every_chunk() {
    let mut instances = sample::instances(700);
    instances[690].name = Some("the widest name is in the last chunk".to_owned());
    let text = written(&narrow_names(instances), None);
    let mut lines = text.lines();
    let header = lines.next().unwrap();
    let place = |title| header.find(title).unwrap();
    for line in lines.take(700) {
        let place_of_id = line.find(" i-").map(|at| at + 1);
        assert_eq!(place_of_id, Some(place("INSTANCE")), "{line}");
        let state: String = line.chars().skip(place("STATE")).collect();
        let begins = |word| state.starts_with(word);
        assert!(["running", "stopped", "terminated"].into_iter().any(begins));
    }
    assert_eq!(text.matches("INSTANCE ").count(), 1);
}

#[test]
fn without_a_terminal_nothing_is_shortened() {
    let mut instance = sample::non_compliant(1);
    instance.name = Some("n".repeat(150));
    instance.auto_scaling_group = Some("g".repeat(150));
    let text = written(&sample::document(vec![instance]), None);
    assert!(text.contains(&"n".repeat(150)) && text.contains(&"g".repeat(150)));
}

#[test]
fn colours_change_no_word() {
    let (document, width) = (sample::enforced(24), Some(100));
    let coloured = styled(&document, true, width);
    assert!(coloured.contains("\u{1b}[1m"));
    let mut pieces = coloured.split('\u{1b}');
    let mut plain = pieces.next().unwrap().to_owned();
    for piece in pieces {
        plain.push_str(piece.split_once('m').unwrap().1);
    }
    let lines: Vec<&str> = plain.lines().map(str::trim_end).collect();
    let written = written(&document, width);
    assert!(!written.contains('\u{1b}'));
    assert_eq!(lines, written.lines().collect::<Vec<_>>());
}

#[test]
fn hostile_names_forge_no_line_and_send_no_escape() {
    let text = written(&sample::fleet(300), Some(200));
    assert!(!text.contains(|it| it != '\n' && imds_core::plain::misleads(it)));
    let rows = text
        .lines()
        .skip(1)
        .take_while(|line| !line.starts_with('('));
    assert_eq!(rows.filter(|row| !row.starts_with(' ')).count(), 300);
}

#[test]
fn accounts_are_shown_if_there_are_several() {
    let mut instances = sample::instances(6);
    assert!(!written(&sample::document(instances.clone()), None).contains("ACCOUNT"));
    instances[3].report.account = Some("444455556666".to_owned());
    let text = written(&sample::document(instances), None);
    assert!(text.contains("ACCOUNT") && text.contains("444455556666"));
}

#[test]
fn instances_that_are_counted_but_not_shown_are_mentioned() {
    let mut document = sample::document(sample::instances(10));
    document.regions[0].summary.compliant += 1_000;
    let text = written(&document, None);
    assert!(text.trim_end().ends_with("10 shown"), "{text}");
    let text = written(&sample::document(vec![]), Some(80));
    assert!(text.starts_with("No instances to show.\n"), "{text}");
}
