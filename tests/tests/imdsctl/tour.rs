//! The tour in README.md shows what the commands print.

use imds_tests::FakeAws;

use crate::reading::*;

/// The fleet of the tour.
fn fleet() -> FakeAws {
    let ec2 = FakeAws::start();
    ec2.set_regions(&["eu-central-1", "us-west-2"]);
    ec2.launch_fleet(400);
    ec2
}

/// The commands of the tour, each with the lines that it shows.
fn examples() -> Vec<(String, Vec<String>)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
    let readme = std::fs::read_to_string(path).unwrap();
    let tour = readme.split_once("\n### Migrate a fleet").unwrap().1;
    let tour = tour.split_once("\n### ").unwrap().0;
    let blocks = tour.split("```console\n$ imdsctl ").skip(1);
    let examples = blocks.map(|block| {
        let (command, lines) = block.split_once('\n').unwrap();
        let lines = lines.split_once("```").unwrap().0;
        let shown = lines.lines().filter(|line| *line != "…");
        (command.to_owned(), shown.map(str::to_owned).collect())
    });
    examples.collect()
}

/// What is the same in every run: without days, times and folders.
fn lasting(line: &str) -> String {
    let words = line.split_whitespace().map(|word| {
        let is_time =
            word.len() > 4 && word.contains([':', '-']) && !word.contains(char::is_alphabetic);
        match word {
            _ if word.contains("/imdsctl/") => "JOURNAL",
            _ if is_time => "TIME",
            _ => word,
        }
    });
    let words: Vec<&str> = words.collect();
    let text = words.join(" ");
    // The seconds that it took.
    match text.split_once(" errors, ") {
        Some((before, after)) => {
            let shown = after.split_once(" s").map_or("", |(_, shown)| shown);
            format!("{before} errors{shown}")
        }
        None => text,
    }
}

#[test]
fn every_line_that_the_tour_shows_is_printed_in_this_order() {
    let mut commands = Vec::new();
    for (command, lines) in examples() {
        let ec2 = fleet();
        let is_asked = lines
            .iter()
            .any(|line| line.ends_with("Type yes to continue: yes"));
        let more = match command.split_whitespace().next() {
            _ if is_asked => " --yes",
            Some("defaults") => " --dry-run",
            _ => "",
        };
        let ran = imdsctl(&ec2, &format!("{command}{more}")).run();
        let output = format!("{}{}", ran.stderr, ran.stdout);
        let mut printed: Vec<String> = output.lines().map(lasting).collect();
        printed.sort_unstable();
        for line in lines.iter().filter(|line| !line.ends_with("continue: yes")) {
            let line = lasting(line);
            assert!(
                printed.binary_search(&line).is_ok(),
                "README.md is stale: `imdsctl {command}` does not print\n{line}\nbut\n{output}"
            );
        }
        commands.push(command);
    }
    assert!(commands.len() >= 5, "{commands:?}");
}
