//! Tests of the harness that runs `imdsctl`, with programs that every machine has.
#![allow(clippy::unwrap_used, clippy::panic, reason = "test support")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use imds_tests::{FakeAws, Imdsctl, wait_until};

const SECOND: Duration = Duration::from_secs(1);

/// A shell with this script.
fn shell(script: &str) -> Imdsctl {
    Imdsctl::with_program("/bin/sh").args(["-c", script])
}

#[test]
fn a_run_returns_its_exit_code_and_both_outputs() {
    let ran = shell("echo out; echo err >&2; exit 3").run();
    assert_eq!((ran.code, ran.signal), (Some(3), None));
    assert_eq!(
        (ran.stdout.as_str(), ran.stderr.as_str()),
        ("out\n", "err\n")
    );
    ran.ended_with(3);
    assert!(catch_unwind(|| ran.ended_with(0).code).is_err());
}

#[test]
fn the_environment_has_only_what_is_set() {
    let ran = Imdsctl::with_program("/usr/bin/env").env("A", "b").run();
    let mut names: Vec<_> = ran
        .stdout
        .lines()
        .map(|line| line.split_once('=').unwrap().0)
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["A", "AWS_EC2_METADATA_DISABLED", "HOME", "PATH"]);
    let less = Imdsctl::with_program("/usr/bin/env")
        .env("A", "b")
        .without_env("A")
        .run();
    assert!(!less.stdout.contains("A=b"));
}

#[test]
fn every_run_has_a_new_home_unless_one_is_set() {
    let home = || {
        shell("cd; test \"$PWD\" = \"$HOME\" && ls -A && touch it && pwd")
            .run()
            .stdout
    };
    let (first, second) = (home(), home());
    assert_ne!(first, second);
    assert_eq!(first.lines().count(), 1, "{first}");
    let shared = tempfile::tempdir().unwrap();
    shell("touch ~/kept")
        .home(shared.path())
        .run()
        .ended_with(0);
    assert_eq!(shell("ls ~").home(shared.path()).run().stdout, "kept\n");
}

#[test]
fn it_starts_in_its_home_or_in_the_given_folder() {
    assert_eq!(shell("test \"$PWD\" = \"$HOME\"").run().code, Some(0));
    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::write(elsewhere.path().join("here"), "").unwrap();
    assert_eq!(
        shell("ls").current_dir(elsewhere.path()).run().stdout,
        "here\n"
    );
}

#[test]
fn standard_input_is_what_is_set() {
    assert_eq!(Imdsctl::with_program("/bin/cat").run().stdout, "");
    let large = "x".repeat(200_000);
    assert_eq!(
        Imdsctl::with_program("/bin/cat").stdin(&large).run().stdout,
        large
    );
    assert_eq!(
        shell("test -t 0 || test -t 1 || test -t 2").run().code,
        Some(1)
    );
}

#[test]
fn a_run_that_takes_too_long_is_killed_and_fails() {
    let folder = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    let slow = shell("echo begun; exec sleep 30")
        .current_dir(folder.path())
        .time_limit(SECOND / 2);
    let failure = catch_unwind(AssertUnwindSafe(|| slow.run())).unwrap_err();
    let message = failure.downcast_ref::<String>().unwrap();
    assert!(
        message.contains("longer than 500ms") && message.contains("begun"),
        "{message}"
    );
    assert!(begun.elapsed() < 20 * SECOND);
}

#[test]
fn an_interrupt_lets_a_run_finish_and_a_kill_does_not() {
    let script = "trap 'echo finishing; exit 130' INT; trap 'exit 143' TERM; echo ready; while :; do sleep 0.05; done";
    let started = || {
        let mut running = shell(script).start();
        running.wait_until(|running| running.stdout().contains("ready"));
        running
    };
    let interrupted = started();
    interrupted.interrupt();
    let ran = interrupted.wait();
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (Some(130), "ready\nfinishing\n")
    );
    let terminated = started();
    terminated.terminate();
    assert_eq!(terminated.wait().code, Some(143));
    let killed = started();
    killed.kill();
    let ran = killed.wait();
    assert_eq!(
        (ran.code, ran.signal, ran.stdout.as_str()),
        (None, Some(9), "ready\n")
    );
}

#[test]
fn a_wait_fails_when_the_run_ends() {
    let mut running = shell("echo out").start();
    let wait = || running.wait_until(|running| running.stdout().contains("never"));
    assert!(catch_unwind(AssertUnwindSafe(wait)).is_err());
}

#[test]
fn a_dropped_run_is_killed() {
    let script = "echo begun $$; exec sleep 30";
    let process = |output: &str| {
        let id = output.split_whitespace().last().unwrap();
        PathBuf::from("/proc").join(id)
    };
    let mut running = shell(script).start();
    running.wait_until(|running| running.stdout().ends_with('\n'));
    let run = process(&running.stdout());
    assert!(run.exists());
    drop(running);
    wait_until("the end of the run", || !run.exists());
    let mut terminal = shell(script).on_terminal(40, 5);
    let screen = terminal.wait_for("begun");
    let run = process(&screen);
    assert!(run.exists());
    drop(terminal);
    wait_until("the end of the run on a terminal", || !run.exists());
}

#[test]
fn a_terminal_has_its_size() {
    let closed = shell("test -t 0 && test -t 1 && test -t 2 && stty size && echo $TERM")
        .on_terminal(100, 30)
        .wait();
    closed.ended_with(0);
    assert_eq!(closed.screen, "30 100\nxterm-256color");
}

#[test]
fn the_environment_on_a_terminal_has_only_what_is_set() {
    let closed = Imdsctl::with_program("/usr/bin/env")
        .on_terminal(200, 20)
        .wait();
    let mut names: Vec<_> = closed
        .screen
        .lines()
        .map(|line| line.split_once('=').unwrap().0)
        .collect();
    names.sort_unstable();
    assert_eq!(
        names,
        ["AWS_EC2_METADATA_DISABLED", "HOME", "PATH", "SHELL", "TERM"]
    );
}

#[test]
fn a_terminal_keeps_all_output() {
    let mut terminal = shell("seq 1 100000").on_terminal(40, 5);
    terminal.wait_for("100000");
    let closed = terminal.wait();
    assert_eq!(closed.output.lines().count(), 100_000);
    assert_eq!(closed.screen, "99997\n99998\n99999\n100000");
    let closed = shell("seq 1 100000").on_terminal(40, 5).wait();
    assert_eq!(closed.output.lines().count(), 100_000);
}

#[test]
fn a_program_reads_what_is_typed_and_the_screen_shows_its_output() {
    let mut terminal =
        shell("printf 'old\\rnew\\nSure? '; read answer; printf '\\033[31m%s\\033[0m!' \"$answer\"; exit 4").on_terminal(40, 10);
    assert_eq!(terminal.wait_for("Sure?"), "new\nSure? ");
    terminal.type_text("yes\r");
    let closed = terminal.wait();
    closed.ended_with(4);
    assert_eq!(closed.screen, "new\nSure? yes\nyes!");
    assert!(closed.output.contains("\u{1b}[31myes"), "{}", closed.output);
    assert!(catch_unwind(|| closed.ended_with(0).code).is_err());
}

#[test]
fn a_wait_for_text_fails_with_the_screen_when_the_run_ends() {
    let mut terminal = shell("echo this").on_terminal(40, 5);
    let failure = catch_unwind(AssertUnwindSafe(|| terminal.wait_for("that"))).unwrap_err();
    let message = failure.downcast_ref::<String>().unwrap();
    assert!(message.contains("this"), "{message}");
}

#[test]
fn ctrl_c_on_a_terminal_interrupts() {
    let script = "trap 'echo finishing; exit 130' INT; echo ready; while :; do sleep 0.05; done";
    let mut terminal = shell(script).on_terminal(40, 5);
    terminal.wait_for("ready");
    terminal.interrupt();
    let closed = terminal.wait();
    closed.ended_with(130);
    assert!(closed.screen.contains("finishing"), "{}", closed.screen);
    let mut terminal =
        shell("trap '' INT; echo ready; while :; do sleep 0.05; done").on_terminal(40, 5);
    terminal.wait_for("ready");
    terminal.interrupt();
    terminal.kill();
    let closed = terminal.wait();
    assert_eq!((closed.code, closed.signal.is_some()), (None, true));
}

#[test]
fn a_program_is_notified_of_a_resize() {
    let mut terminal =
        shell("trap 'stty size; exit' WINCH; echo ready; while :; do sleep 0.05; done")
            .on_terminal(40, 5);
    terminal.wait_for("ready");
    terminal.resize(60, 8);
    assert!(terminal.wait().screen.contains("8 60"));
}

#[test]
fn a_terminal_that_takes_too_long_fails() {
    let slow = shell("exec sleep 30")
        .time_limit(SECOND / 2)
        .on_terminal(40, 5);
    let begun = Instant::now();
    assert!(catch_unwind(AssertUnwindSafe(|| slow.wait())).is_err());
    assert!(begun.elapsed() < 20 * SECOND);
}

#[test]
fn a_run_against_the_fake_has_credentials_and_a_region() {
    let fake = FakeAws::start();
    let variables = |run: Imdsctl| {
        let ran = run.run();
        let aws = ran.stdout.lines().filter(|line| line.starts_with("AWS_"));
        let mut variables: Vec<_> = aws.map(str::to_owned).collect();
        variables.sort_unstable();
        variables
    };
    let url = format!("AWS_ENDPOINT_URL={}", fake.url());
    assert_eq!(
        variables(Imdsctl::with_program("/usr/bin/env").fake(&fake)),
        [
            "AWS_ACCESS_KEY_ID=AKIDEXAMPLE",
            "AWS_EC2_METADATA_DISABLED=true",
            &url,
            "AWS_REGION=us-east-1",
            "AWS_SECRET_ACCESS_KEY=secret",
        ]
    );
    assert_eq!(
        variables(Imdsctl::with_program("/usr/bin/env")),
        ["AWS_EC2_METADATA_DISABLED=true"]
    );
}

#[test]
fn imdsctl_itself_is_found() {
    let fake = FakeAws::start();
    Imdsctl::against(&fake).arg("--version").run().ended_with(0);
    Imdsctl::offline().arg("--version").run().ended_with(0);
}
