//! Progress, colours and widths on a terminal.

use std::time::Duration;

use imds_tests::{Closed, FakeAws, InjectedFault, launch};

use crate::reading::*;

/// A fleet with instances of every kind.
fn fleet() -> FakeAws {
    let ec2 = FakeAws::start();
    ec2.launch_fleet(150);
    ec2.launch(launch(REGION).tag("Name", &"a-very-long-name-".repeat(10)));
    ec2.set_latency(Duration::from_millis(300));
    ec2
}

#[test]
fn progress_is_shown_on_a_terminal_and_removed_at_the_end() {
    let ec2 = fleet();
    ec2.fault(
        InjectedFault::throttle()
            .action("DescribeInstances")
            .times(1),
    );
    ec2.fault(
        InjectedFault::delay(Duration::from_secs(2))
            .action("DescribeInstances")
            .region("us-west-2"),
    );
    let mut terminal = imdsctl(&ec2, "scan --only violations").on_terminal(120, 60);
    let screen = terminal.wait_for("16/17");
    says(&screen, &["regions", " instances", "1 calls throttled"]);
    let closed = terminal.wait();
    closed.ended_with(1);
    assert!(
        !closed.screen.contains("16/17") && !closed.screen.contains("/17"),
        "{}",
        closed.screen
    );
    says(&closed.screen, &["17 regions, 151 instances"]);
}

#[test]
fn progress_counts_changes() {
    let ec2 = FakeAws::start();
    ec2.launch_many(launch(REGION), 40);
    ec2.fault(InjectedFault::delay(Duration::from_millis(700)).action(MODIFY));
    let mut terminal = imdsctl(&ec2, "enforce --yes --region eu-central-1").on_terminal(120, 60);
    terminal.wait_for("instances 32/40");
    let closed = terminal.wait();
    assert!(
        !closed.ended_with(0).screen.contains("/40"),
        "{}",
        closed.screen
    );
}

#[test]
fn output_to_a_pipe_has_no_progress_and_no_escape_sequences() {
    let ec2 = fleet();
    for format in ["table", "json", "csv", "html"] {
        let ran = imdsctl(&ec2, &format!("scan --format {format}")).run();
        assert_eq!(ran.ended_with(1).stderr, "");
        assert!(!ran.stdout.contains('\u{1b}'), "{format}");
    }
    let ran = imdsctl(&ec2, "enforce --yes --region eu-central-1").run();
    assert!(!ran.stderr.contains(['\u{1b}', '\r']), "{}", ran.stderr);
}

fn on_terminal(ec2: &FakeAws, name: &str, value: &str) -> Closed {
    let closed = imdsctl(ec2, "scan")
        .env(name, value)
        .on_terminal(120, 300)
        .wait();
    closed.ended_with(1);
    closed
}

/// Escape sequences that colour: `ESC [ … m`.
fn colours(output: &str) -> usize {
    let sequences = output.split("\u{1b}[").skip(1);
    let ends = sequences.filter_map(|rest| {
        rest.chars()
            .find(|letter| !letter.is_ascii_digit() && *letter != ';')
    });
    ends.filter(|end| *end == 'm').count()
}

#[test]
fn colours_appear_only_on_terminals_that_allow_them() {
    let ec2 = fleet();
    assert!(colours(&on_terminal(&ec2, "NO_COLOR", "").output) > 0);
    assert_eq!(colours(&on_terminal(&ec2, "NO_COLOR", "1").output), 0);
    assert_eq!(colours(&on_terminal(&ec2, "TERM", "dumb").output), 0);
}

#[test]
fn no_line_is_longer_than_the_screen() {
    let ec2 = fleet();
    for columns in [80, 100, 132] {
        let terminal =
            imdsctl(&ec2, "scan --usage --templates --defaults").on_terminal(columns, 500);
        let closed = terminal.wait();
        closed.ended_with(1);
        // Read from the output, because a terminal wraps lines that are too long.
        let text = plain(&closed.output);
        for line in text.lines() {
            assert!(
                line.chars().count() <= usize::from(columns),
                "{columns}: {line}"
            );
        }
        says(
            &text,
            &[
                "Launch templates and configurations",
                "Defaults of the account",
            ],
        );
    }
}

/// The output without escape sequences, and with the last state of lines that were overwritten.
fn plain(output: &str) -> String {
    let mut pieces = output.split("\u{1b}[");
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let end = piece
            .find(|letter: char| letter.is_ascii_alphabetic())
            .map_or(0, |at| at + 1);
        text.push_str(&piece[end..]);
    }
    let lines = text.lines().map(|line| {
        line.trim_end_matches('\r')
            .rsplit('\r')
            .next()
            .unwrap_or_default()
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_file_has_no_colours() {
    let ec2 = fleet();
    let place = TestFolder::new();
    let path = place.path("fleet.txt");
    let closed = imdsctl(&ec2, "scan --output")
        .arg(&path)
        .on_terminal(80, 30)
        .wait();
    closed.ended_with(1);
    let text = std::fs::read_to_string(path).unwrap();
    assert!(!text.contains('\u{1b}'));
    says(&text, &["17 regions"]);
}
