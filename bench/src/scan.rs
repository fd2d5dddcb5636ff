//! `imdsctl scan` of a fleet in 17 regions, concurrent and sequential. One floor is the same command for
//! the largest region, whose pages come one after another; the other fetches these pages without reading
//! them. No scan can be faster.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use imds_tests::{FakeAws, REGIONS};

use crate::process::peak_memory;
use crate::report::{Goal, ReportRow, Unit};
use crate::setup::Setup;

/// The latency of each call.
const LATENCY: Duration = Duration::from_millis(50);

/// The most that EC2 puts on a page.
const PAGE: usize = 1000;

/// The time between two samples of a process.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(2);

/// `imdsctl`'s exit code for a fleet with violations.
const VIOLATIONS: i32 = 1;

/// Measures scans and floors in turn, then one scan of a fleet five times as large.
pub(crate) fn measure(setup: &Setup, imdsctl: &Path, instances: usize) -> Vec<ReportRow> {
    let rounds = setup.rounds.div_ceil(4);
    let fleet = ScannedFleet::launch(instances);
    let (mut floor, mut alone, mut scans, mut sequential) = (vec![], vec![], vec![], vec![]);
    for _ in 0..rounds {
        floor.push(fleet.pages_one_after_another());
        alone.push(
            fleet
                .scan(setup, imdsctl, &["--region", &fleet.largest])
                .time,
        );
        scans.push(fleet.scan(setup, imdsctl, &[]));
    }
    let calls = fleet.ec2.calls().len();
    for _ in 0..rounds.div_ceil(4) {
        sequential.push(fleet.scan(setup, imdsctl, &["--sequential"]));
    }
    let five = ScannedFleet::launch(5 * instances).scan(setup, imdsctl, &[]);

    let row = |what: String, unit| ReportRow::new("imdsctl, 17 regions, 50 ms a call", what, unit);
    let pages = fleet.pages(&fleet.largest);
    let of_alone = |row: ReportRow| row.floor(alone.iter().copied());
    let scan = format!(
        "scan of {instances}; floor: of {} alone, {pages} pages",
        fleet.largest
    );
    let unread = "the same; floor: these pages, not read".to_owned();
    vec![
        of_alone(row(scan, Unit::Seconds))
            .measured(scans.iter().map(|scan| scan.time))
            .calls(calls)
            .goal(Goal::TimesFloor(1.4)),
        row(unread, Unit::Seconds)
            .floor(floor.iter().copied())
            .measured(scans.iter().map(|scan| scan.time)),
        of_alone(row("the same, --sequential".to_owned(), Unit::Seconds))
            .measured(sequential.iter().map(|scan| scan.time)),
        row(format!("peak memory, scan of {instances}"), Unit::Bytes)
            .measured(scans.iter().map(|scan| scan.memory)),
        row(
            format!("peak memory, scan of {}", 5 * instances),
            Unit::Bytes,
        )
        .measured([five.memory]),
    ]
}

/// One scan, in seconds and bytes.
struct MeasuredScan {
    time: f64,
    memory: f64,
}

struct ScannedFleet {
    ec2: FakeAws,
    largest: String,
    instances: BTreeMap<String, usize>,
}

impl ScannedFleet {
    fn launch(instances: usize) -> Self {
        let ec2 = FakeAws::start();
        ec2.launch_fleet(instances);
        ec2.set_latency(LATENCY);
        let instances: BTreeMap<String, usize> = REGIONS
            .iter()
            .map(|region| ((*region).to_owned(), ec2.instances(region).len()))
            .collect();
        let largest = instances.iter().max_by_key(|(_, instances)| **instances);
        let largest = largest.expect("there are regions").0.clone();
        ScannedFleet {
            ec2,
            largest,
            instances,
        }
    }

    fn pages(&self, region: &str) -> usize {
        self.instances[region].div_ceil(PAGE).max(1)
    }

    /// # Panics
    /// When it exits with another code or does not fetch every page exactly once.
    fn scan(&self, setup: &Setup, imdsctl: &Path, arguments: &[&str]) -> MeasuredScan {
        self.ec2.forget_calls();
        let mut command = Command::new(imdsctl);
        command
            .arg("scan")
            .args(arguments)
            .env_clear()
            .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_ENDPOINT_URL", self.ec2.url())
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let mut start = || (Instant::now(), command.spawn());
        let (started, child) = match &setup.cores {
            Some(cores) => cores.run(start),
            None => start(),
        };
        let mut child = child.expect("imdsctl can be started");
        let memory = peak_until_exit(&mut child);
        let time = started.elapsed().as_secs_f64();
        let status = child.wait().expect("it has ended");
        assert_eq!(status.code(), Some(VIOLATIONS), "of `imdsctl scan`");
        let regions = self.instances.keys();
        let asked = regions.filter(|region| match arguments {
            ["--region", only] => region == only,
            _ => true,
        });
        let pages: usize = asked.map(|region| self.pages(region)).sum();
        assert_eq!(self.ec2.count("DescribeInstances"), pages);
        MeasuredScan { time, memory }
    }

    /// The seconds that fetching the pages takes with one connection, reading only the tokens.
    fn pages_one_after_another(&self) -> f64 {
        let agent = ureq::Agent::new_with_defaults();
        let scope = format!("AKIDEXAMPLE/20260101/{}/ec2/aws4_request", self.largest);
        let authorization = format!("AWS4-HMAC-SHA256 Credential={scope}, Signature=none");
        let mut token = String::new();
        let started = Instant::now();
        for _ in 0..self.pages(&self.largest) {
            let form = [
                ("Action", "DescribeInstances"),
                ("Version", "2016-11-15"),
                ("MaxResults", "1000"),
                ("NextToken", &token),
            ];
            let asked = agent
                .post(self.ec2.url())
                .header("authorization", &authorization);
            let answer = asked.send_form(form).expect("the fake answers");
            let page = answer
                .into_body()
                .read_to_string()
                .expect("the page comes whole");
            token = next_token(&page).unwrap_or_default().to_owned();
        }
        assert_eq!(token, "", "there are more pages than expected");
        started.elapsed().as_secs_f64()
    }
}

fn next_token(page: &str) -> Option<&str> {
    let (_, rest) = page.split_once("<nextToken>")?;
    Some(rest.split_once('<')?.0)
}

/// The peak memory in bytes, sampled until the process ends, because it cannot be read afterwards.
fn peak_until_exit(child: &mut Child) -> f64 {
    let process = child.id();
    let (end, ended) = channel::<()>();
    std::thread::scope(|scope| {
        let sampler = scope.spawn(move || {
            let mut peak = 0.0;
            while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(SAMPLE_INTERVAL) {
                peak = peak_memory(process).unwrap_or(peak);
            }
            peak
        });
        child.wait().expect("it is ours to wait for");
        drop(end);
        sampler.join().expect("it has not panicked")
    })
}
