//! `--verbose`: each HTTP request is a line, and nothing secret is in it.

use imds_tests::{FakeAws, Imdsctl, InjectedFault, launch};

use crate::reading::*;

const SECRETS: [&str; 6] = [
    "AKIDOFTHETEST",
    "the-secret-key",
    "the-session-token",
    "Authorization",
    "authorization",
    "Signature",
];

fn verbose(fake: &FakeAws, arguments: &str) -> Imdsctl {
    imdsctl(fake, arguments)
        .env("AWS_ACCESS_KEY_ID", "AKIDOFTHETEST")
        .env("AWS_SECRET_ACCESS_KEY", "the-secret-key")
        .env("AWS_SESSION_TOKEN", "the-session-token")
}

/// The parts of the lines of an action, and of all if it is empty.
fn requests<'t>(text: &'t str, action: &str) -> Vec<Vec<&'t str>> {
    let lines = text.lines().map(|line| line.split(' ').collect());
    let lines = lines.filter(|line: &Vec<&str>| line.len() >= 8);
    lines
        .filter(|line| action.is_empty() || line[2] == action)
        .collect()
}

#[test]
fn every_request_is_a_line_without_credentials() {
    let fake = two_regions();
    fake.launch(launch(HERE));
    let ran = verbose(&fake, "scan -v --usage --templates --format json").run();
    let ran = ran.ended_with(1);
    assert_eq!(requests(&ran.stderr, "").len(), fake.calls().len());
    for (action, service, region) in [
        ("GetCallerIdentity", "STS", THERE),
        ("GetMetricData", "CloudWatch", HERE),
        ("DescribeLaunchConfigurations", "AutoScaling", HERE),
        ("DescribeInstances", "EC2", HERE),
    ] {
        let lines = requests(&ran.stderr, action);
        let line = lines.iter().find(|line| line[3] == region);
        let line = line.unwrap_or_else(|| panic!("{action} in {region}: {}", ran.stderr));
        let [at, named, _, _, status, took, id, attempt] = line.as_slice() else {
            panic!("{line:?}");
        };
        at.parse::<jiff::Timestamp>().unwrap();
        assert_eq!([*named, *status, *attempt], [service, "200", "attempt=1"]);
        let milliseconds = took.strip_suffix("ms").unwrap();
        milliseconds.parse::<u64>().unwrap();
        assert!(id.starts_with("request=") && id.len() > 20, "{id}");
    }
    for secret in SECRETS {
        assert!(!ran.stderr.contains(secret), "{secret}: {}", ran.stderr);
    }
    json(ran);
}

#[test]
fn a_request_that_is_repeated_is_a_line_for_each_attempt() {
    let fake = FakeAws::start();
    let action = "DescribeInstances";
    fake.fault(InjectedFault::unavailable().action(action).times(1));
    fake.fault(InjectedFault::reset().action(action).times(1));
    let arguments = format!("scan --verbose --region {REGION}");
    let ran = verbose(&fake, &arguments).run();
    let lines = requests(&ran.ended_with(0).stderr, action);
    let shown: Vec<_> = lines.iter().map(|line| (line[4], line[7])).collect();
    let expected = [
        ("503", "attempt=1"),
        ("-", "attempt=2"),
        ("200", "attempt=3"),
    ];
    assert_eq!(shown, expected, "{}", ran.stderr);
    // Why there is no answer.
    assert!(lines[1].len() > 8 && lines[0].len() == 8, "{}", ran.stderr);
}

#[test]
fn on_a_terminal_no_progress_is_drawn_over_the_lines() {
    let fake = two_regions();
    fake.launch(launch(HERE));
    let screen = |arguments: &str| {
        let terminal = verbose(&fake, arguments).on_terminal(160, 60);
        terminal.wait().ended_with(1).clone()
    };
    let shown = screen("scan -v");
    let lines = requests(&shown.screen, "DescribeInstances");
    assert_eq!(lines.len(), 2, "{}", shown.screen);
    assert!(!shown.output.contains("regions 0/"), "{}", shown.output);
    assert!(requests(&screen("scan").screen, "DescribeInstances").is_empty());
}
