//! `imdsctl usage --rejected`: calls that EC2 rejected, and the commands to roll back.

use std::path::{Path, PathBuf};

use imds_tests::{FakeAws, Imdsctl, Ran, launch};
use serde_json::json;

use crate::reading::*;
use crate::usage::*;

const REJECTED: &str = "MetadataNoTokenRejected";

/// Enforces with this home and returns the journal.
fn enforce(fake: &FakeAws, home: &Path) -> PathBuf {
    let before = journals(home);
    let ran = Imdsctl::against(fake)
        .args(["enforce", "--yes", "--ignore-usage"])
        .home(home)
        .run();
    ran.ended_with(0);
    let mut new = journals(home);
    new.retain(|path| !before.contains(path));
    new.remove(0)
}

fn rejected(fake: &FakeAws, home: &Path) -> Ran {
    Imdsctl::against(fake)
        .args(["usage", "--rejected", "--days", "2"])
        .home(home)
        .run()
}

#[test]
fn rejected_calls_are_shown_with_the_command_to_roll_back() {
    let fake = two_regions();
    let home = tempfile::tempdir().unwrap();
    let few = old(&fake, HERE, "few");
    let many = old(&fake, THERE, "many");
    let quiet = old(&fake, HERE, "quiet");
    let silent = old(&fake, HERE, "silent");
    let journal = enforce(&fake, home.path());
    by_day(&fake, &few, REJECTED, &[Some(4)]);
    by_day(&fake, &many, REJECTED, &[None, Some(400)]);
    by_day(&fake, &quiet, REJECTED, &[Some(0)]);

    let ran = rejected(&fake, home.path());
    let output = &ran.ended_with(1).stdout;
    ends(output, &many, "?█ rejected");
    assert!(
        output.find(&many).unwrap() < output.find(&few).unwrap(),
        "{output}"
    );
    assert!(
        !output.contains(&quiet) && !output.contains(&silent),
        "{output}"
    );
    assert!(
        output.ends_with(
            "\n2 days, 4 instances: 2 rejected, 1 without rejected calls, 1 unknown, 0 errors\n"
        ),
        "{output}"
    );

    let command = format!("imdsctl rollback {} --instance {many}", journal.display());
    assert!(output.lines().any(|line| line == command), "{output}");
    let words = command.split(' ').skip(1);
    let back = Imdsctl::against(&fake)
        .args(words)
        .arg("--yes")
        .home(home.path())
        .run();
    back.ended_with(0);
    assert_eq!(fake.instance(&many).options.tokens, "optional");
    assert_eq!(fake.instance(&few).options.tokens, "required");

    let again = rejected(&fake, home.path());
    let output = &again.ended_with(1).stdout;
    assert!(
        output.contains(&format!("# {many}: tokens are already optional\n")),
        "{output}"
    );
    assert!(!output.contains(&command), "{output}");
}

#[test]
fn the_latest_enforcement_of_the_instance_is_named() {
    let fake = two_regions();
    let home = tempfile::tempdir().unwrap();
    let id = old(&fake, HERE, "twice");
    let first = enforce(&fake, home.path());
    fake.set_options(&id, |options| "optional".clone_into(&mut options.tokens));
    let second = enforce(&fake, home.path());
    old(&fake, HERE, "another");
    let third = enforce(&fake, home.path());
    by_day(&fake, &id, REJECTED, &[Some(4)]);
    let ran = rejected(&fake, home.path());
    let output = &ran.ended_with(1).stdout;
    assert!(output.contains(&second.display().to_string()), "{output}");
    let others = [first, third].map(|path| output.contains(&path.display().to_string()));
    assert_eq!(others, [false, false], "{output}");
}

#[test]
fn without_a_journal_the_command_is_one_of_the_aws_cli() {
    let fake = two_regions();
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join(".local/state/imdsctl");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("torn.jsonl"), "{}").unwrap();
    std::fs::write(folder.join("notes.txt"), "not a journal").unwrap();
    let id = fake.launch(launch(HERE).tokens("required"));
    by_day(&fake, &id, REJECTED, &[Some(4)]);
    let ran = rejected(&fake, home.path());
    let output = &ran.ended_with(1).stdout;
    assert!(
        output.contains(&format!(
            "# {id}: no journal in {} contains it",
            folder.display()
        )),
        "{output}"
    );
    let command = format!(
        "aws ec2 modify-instance-metadata-options --region {HERE} --instance-id {id} --http-tokens optional"
    );
    assert!(output.lines().any(|line| line == command), "{output}");
    assert!(ran.stderr.contains("torn.jsonl"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("notes.txt"), "{}", ran.stderr);
    assert!(fake.changing_calls().is_empty());
}

#[test]
fn no_rejected_calls_exit_with_0_and_no_data_is_unknown() {
    let fake = two_regions();
    old(&fake, HERE, "silent");
    let output = json_of(&fake, 0, &["--rejected"]);
    assert_eq!(output["metric"], REJECTED);
    assert_eq!(
        output["summary"],
        json!({ "rejected": 0, "none": 0, "unknown": 1, "closed": 0 })
    );
    assert_eq!(output["instances"], json!([]));
}

#[test]
fn the_command_to_roll_back_names_the_endpoint() {
    let fake = two_regions();
    let id = fake.launch(launch(HERE).tokens("required"));
    by_day(&fake, &id, REJECTED, &[Some(4)]);
    let url = fake.url();
    let output = json_of(&fake, 1, &["--rejected", "--endpoint-url", url]);
    let command = output["instances"][0]["rollback"]["command"]
        .as_str()
        .unwrap();
    assert!(
        command.ends_with(&format!(" --endpoint-url {url}")),
        "{command}"
    );
}
