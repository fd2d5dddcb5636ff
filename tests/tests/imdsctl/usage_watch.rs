//! `imdsctl usage --rejected --watch`: what is new since the last reading, until Ctrl-C.

use imds_tests::{FakeAws, InjectedFault, Running, launch};
use jiff::Timestamp;
use serde_json::Value;

use crate::reading::*;

const REJECTED: &str = "MetadataNoTokenRejected";

fn instance(fake: &FakeAws, name: &str) -> String {
    fake.launch(launch(HERE).tokens("required").tag("Name", name))
}

fn rejects(fake: &FakeAws, id: &str, calls: f64) {
    let at = ago(std::time::Duration::from_mins(30));
    fake.datapoint(id, REJECTED, at, calls);
}

fn watch(fake: &FakeAws, more: &str) -> Running {
    let arguments = format!("usage --rejected --watch 1 --days 2 --region {HERE} {more}");
    imdsctl(fake, &arguments).start()
}

/// Waits for so many further readings.
fn read(running: &mut Running, fake: &FakeAws, times: usize) {
    let target = fake.count("GetMetricData") + times;
    running.wait_until(|_| fake.count("GetMetricData") >= target);
}

#[test]
fn what_is_new_is_a_line_with_its_time_and_the_command_to_roll_back() {
    let fake = two_regions();
    let (first, second) = (instance(&fake, "first"), instance(&fake, "second"));
    rejects(&fake, &first, 4.0);
    let mut running = watch(&fake, "");
    running.wait_until(|running| running.stdout().contains(&first));
    read(&mut running, &fake, 2);
    rejects(&fake, &second, 1.0);
    rejects(&fake, &first, 3.0);
    running.wait_until(|running| running.stdout().contains(&second));
    read(&mut running, &fake, 2);
    running.interrupt();
    let ran = running.wait();
    let output = &ran.ended_with(1).stdout;
    let lines = |id: &str| -> Vec<&str> {
        let lines = output.lines().filter(|line| !line.starts_with(' '));
        lines.filter(|line| line.contains(id)).collect()
    };
    let [begin, more] = lines(&first)[..] else {
        panic!("{output}");
    };
    says(
        begin,
        &[
            HERE,
            "(first)",
            "4 more, 4 calls rejected in 2 days",
            "the last after",
        ],
    );
    says(more, &["3 more, 7 calls rejected in 2 days"]);
    says(lines(&second)[0], &["(second)", "1 more, 1 call rejected"]);
    assert_eq!(lines(&second).len(), 1, "{output}");
    for line in [begin, more] {
        let (at, _) = line.split_once(' ').unwrap();
        at.parse::<Timestamp>().unwrap();
    }
}

#[test]
fn json_is_a_line_for_each_instance_with_new_calls() {
    let fake = two_regions();
    let id = instance(&fake, "web");
    rejects(&fake, &id, 4.0);
    let mut running = watch(&fake, "--format json");
    running.wait_until(|running| running.stdout().contains(&id));
    rejects(&fake, &id, 1.0);
    running.wait_until(|running| running.stdout().lines().count() == 2);
    running.terminate();
    let ran = running.wait();
    let lines = ran.ended_with(1).stdout.lines();
    let lines: Vec<Value> = lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let more = lines.iter().map(|line| (&line["more"], &line["calls"]));
    let more: Vec<_> = more
        .map(|(more, calls)| (more.as_u64(), calls.as_u64()))
        .collect();
    assert_eq!(more, [(Some(4), Some(4)), (Some(1), Some(5))]);
    assert_eq!(lines[0]["instance_id"], id);
}

#[test]
fn an_error_is_told_once_and_the_last_reading_decides() {
    let fake = two_regions();
    instance(&fake, "quiet");
    fake.fault(InjectedFault::unauthorized().action("GetMetricData"));
    let mut running = watch(&fake, "");
    read(&mut running, &fake, 3);
    running.interrupt();
    let ran = running.wait();
    let told = ran
        .ended_with(3)
        .stderr
        .matches("could not be read")
        .count();
    assert_eq!(told, 1, "{}", ran.stderr);
    assert_eq!(ran.stdout, "");

    let mut running = watch(&fake, "");
    running.wait_until(|running| running.stderr().contains("could not be read"));
    fake.clear_faults();
    read(&mut running, &fake, 2);
    running.interrupt();
    running.wait().ended_with(0);
}

#[test]
fn a_reading_that_fails_as_a_whole_does_not_end_it() {
    let fake = two_regions();
    let id = instance(&fake, "web");
    let arguments = "usage --rejected --watch 1 --days 2";
    let mut running = imdsctl(&fake, arguments).start();
    read(&mut running, &fake, 1);
    fake.fault(InjectedFault::status(500).action("DescribeRegions"));
    running.wait_until(|running| running.stderr().contains("DescribeRegions"));
    fake.clear_faults();
    rejects(&fake, &id, 1.0);
    running.wait_until(|running| running.stdout().contains(&id));
    running.interrupt();
    running.wait().ended_with(1);
    fake.fault(InjectedFault::status(500).action("DescribeRegions"));
    imdsctl(&fake, arguments).run().ended_with(3);
}

#[test]
fn it_needs_rejected_calls_and_a_format_of_lines() {
    let fake = FakeAws::start();
    for arguments in [
        "--watch",
        "--rejected --watch 0",
        "--rejected --watch --format csv",
        "--rejected --watch --format html",
        "--rejected --watch --output file",
    ] {
        imdsctl(&fake, &format!("usage {arguments}"))
            .run()
            .ended_with(2);
    }
    assert!(fake.calls().is_empty());
}
