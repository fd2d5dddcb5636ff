//! Progress, colours and widths on a terminal.

use std::collections::BTreeSet;
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
    says(&screen, &["regions", " instances", "1 call throttled"]);
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

/// The parameters of the escape sequences that colour: `ESC [ … m`.
fn colours(output: &str) -> BTreeSet<&str> {
    let sequences = output.split("\u{1b}[").skip(1);
    let parameters = sequences.filter_map(|rest| {
        let end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != ';')?;
        let (parameters, rest) = rest.split_at(end);
        rest.starts_with('m').then_some(parameters)
    });
    parameters.collect()
}

#[test]
fn colours_appear_only_on_terminals_that_allow_them() {
    let ec2 = fleet();
    assert!(!colours(&on_terminal(&ec2, "NO_COLOR", "").output).is_empty());
    assert!(colours(&on_terminal(&ec2, "NO_COLOR", "1").output).is_empty());
    assert!(!on_terminal(&ec2, "TERM", "dumb").output.contains('\u{1b}'));
}

/// Bold, underlined, the two colours whose contrast a unit test measures, and what ends them. Themes
/// change the first 16 colours, and yellow and dim text cannot be read on white.
const READABLE: [&str; 6] = ["0", "1", "4", "39", "38;5;28", "38;5;130"];

#[test]
fn every_colour_can_be_read_on_white_and_on_black() {
    let ec2 = fleet();
    let mut found = BTreeSet::new();
    for (command, code) in [
        ("scan --usage --templates --defaults", 1),
        ("usage", 1),
        ("doctor", 0),
        ("enforce --yes --ignore-usage --region eu-central-1", 0),
        ("scan --state nowhere", 2),
        ("--help", 0),
    ] {
        let closed = imdsctl(&ec2, command).on_terminal(120, 300).wait();
        let output = closed.ended_with(code).output.clone();
        found.extend(colours(&output).into_iter().map(str::to_owned));
    }
    let readable = BTreeSet::from(READABLE.map(str::to_owned));
    assert_eq!(found, readable);
}

#[test]
fn no_line_is_longer_than_the_screen() {
    let ec2 = fleet();
    ec2.fault(
        InjectedFault::unauthorized()
            .action("DescribeInstances")
            .region("us-east-2"),
    );
    let policies = concat!(env!("CARGO_MANIFEST_DIR"), "/../policies");
    for columns in [80, 100, 160] {
        for (command, code) in [
            ("scan --usage --templates --defaults", 3),
            ("enforce --dry-run --limit 1", 3),
            ("usage", 3),
            ("usage --rejected", 3),
            ("doctor", 3),
            ("defaults show", 0),
            ("defaults set --http-tokens-enforced enabled --dry-run", 1),
            (
                "scan --region us-east-2 --format table --output /dev/null",
                3,
            ),
            ("scan --policy a/policy/that/does/not/exist.json", 2),
            ("policy check observe.json", 0),
        ] {
            let closed = imdsctl(&ec2, command)
                .current_dir(policies)
                .on_terminal(columns, 500)
                .wait();
            closed.ended_with(code);
            // Read from the output, because a terminal wraps lines that are too long.
            for line in plain(&closed.output).lines() {
                let width = line.chars().count();
                let words = line.trim_start();
                let is_command = words.starts_with("imdsctl ") || words.starts_with("aws ");
                assert!(
                    width <= usize::from(columns) || is_command,
                    "{columns}: {line}"
                );
            }
        }
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
