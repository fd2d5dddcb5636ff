//! Completions and manual pages, which need no AWS.

use std::process::{Command, Stdio};

use imds_tests::Imdsctl;

const COMMANDS: [&str; 14] = [
    "scan",
    "enforce",
    "usage",
    "rollback",
    "exempt",
    "journals",
    "pause",
    "explain",
    "policy",
    "report-schema",
    "defaults",
    "doctor",
    "completions",
    "man",
];

fn completions(shell: &str) -> String {
    let ran = Imdsctl::offline().args(["completions", shell]).run();
    assert_eq!(ran.ended_with(0).stderr, "");
    ran.stdout
}

#[test]
fn completions_of_every_shell_know_every_command_and_its_options() {
    for shell in ["bash", "zsh", "fish"] {
        let script = completions(shell);
        for word in COMMANDS
            .iter()
            .chain(&["exclude-region", "http-tokens-enforced"])
        {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
}

#[test]
fn bash_completes_with_the_script() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("imdsctl");
    std::fs::write(&path, completions("bash")).unwrap();
    let completed = |words: &str| {
        let script = format!(
            "set -e; source {}; COMP_WORDS=(imdsctl {words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
             _imdsctl imdsctl \"${{COMP_WORDS[COMP_CWORD]}}\" imdsctl; echo \"${{COMPREPLY[*]}}\"",
            path.display()
        );
        let ran = Command::new("bash").args(["-c", &script]).output().unwrap();
        assert!(
            ran.status.success(),
            "{}",
            String::from_utf8_lossy(&ran.stderr)
        );
        String::from_utf8(ran.stdout).unwrap().trim().to_owned()
    };
    assert_eq!(completed("do"), "doctor");
    assert_eq!(completed("usage --rej"), "--rejected");
    assert_eq!(completed("defaults se"), "set");
}

/// Skips shells that are not installed.
#[test]
fn zsh_and_fish_parse_their_scripts() {
    for (shell, options) in [("zsh", "-n"), ("fish", "--no-execute")] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("imdsctl");
        std::fs::write(&path, completions(shell)).unwrap();
        let parsed = Command::new(shell)
            .arg(options)
            .arg(&path)
            .stdin(Stdio::null())
            .status();
        assert!(parsed.is_err() || parsed.unwrap().success(), "{shell}");
    }
}

#[test]
fn an_unknown_shell_is_a_usage_error() {
    let ran = Imdsctl::offline().args(["completions", "tcsh"]).run();
    assert!(ran.ended_with(2).stderr.contains("tcsh"), "{}", ran.stderr);
}

#[test]
fn the_manual_page_has_its_sections() {
    let page = Imdsctl::offline().arg("man").run();
    assert!(
        page.ended_with(0).stdout.contains(".TH imdsctl 1"),
        "{}",
        page.stdout
    );
    assert!(page.stdout.contains(".SH NAME") && page.stdout.contains("Exit codes"));
}

#[test]
fn a_folder_gets_a_page_for_each_command() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("share/man1");
    let ran = Imdsctl::offline()
        .args(["man", "--folder"])
        .arg(&pages)
        .run();
    assert_eq!(ran.ended_with(0).stdout, "");
    for command in COMMANDS {
        let page = std::fs::read_to_string(pages.join(format!("imdsctl-{command}.1"))).unwrap();
        assert!(page.contains(".SH SYNOPSIS"), "{command}");
    }
    assert!(pages.join("imdsctl-defaults-set.1").is_file());
    assert!(pages.join("imdsctl.1").is_file());
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let taken = folder.path().join("taken");
    std::fs::write(&taken, "").unwrap();
    let ran = Imdsctl::offline()
        .args(["man", "--folder"])
        .arg(&taken)
        .run();
    let message = &ran.ended_with(3).stderr;
    assert!(
        message.contains("manual pages") && message.contains("taken"),
        "{message}"
    );
}
