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
fn every_line_that_the_tour_shows_is_printed() {
    let examples = examples();
    assert!(examples.len() >= 6, "{examples:?}");
    for (command, lines) in examples {
        let ec2 = fleet();
        let is_answer = |line: &&String| line.ends_with("Type yes to continue: yes");
        let mut runs = vec![""];
        if lines.iter().any(|line| is_answer(&line)) {
            runs = vec![" --dry-run", " --yes"];
        } else if command.starts_with("defaults set") {
            runs = vec![" --dry-run"];
        }
        let outputs = runs.iter().map(|more| {
            let ran = imdsctl(&ec2, &format!("{command}{more}"))
                .env("AWS_REGION", "eu-central-1")
                .run();
            ran.stderr + &ran.stdout
        });
        let output: String = outputs.collect();
        let printed: Vec<String> = output.lines().map(lasting).collect();
        for line in lines.iter().filter(|line| !is_answer(line)) {
            assert!(
                printed.contains(&lasting(line)),
                "README.md is stale: `imdsctl {command}` does not print\n{line}\nbut\n{output}"
            );
        }
    }
}
