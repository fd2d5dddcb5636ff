//! Access to answers, journals and instances.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use imds_tests::{FakeAws, Imdsctl, Options, Ran, RecordedCall};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tempfile::TempDir;

use crate::report_schema;

pub(crate) const REGION: &str = "eu-central-1";
pub(crate) const MODIFY: &str = "ModifyInstanceMetadataOptions";
pub(crate) const DAY: Duration = Duration::from_hours(24);

pub(crate) const HERE: &str = "eu-central-1";
pub(crate) const THERE: &str = "us-east-1";

pub(crate) fn two_regions() -> FakeAws {
    let fake = FakeAws::start();
    fake.set_regions(&[HERE, THERE]);
    fake
}

/// The files in the state folder of a home.
pub(crate) fn journals(home: &Path) -> Vec<PathBuf> {
    let folder = std::fs::read_dir(home.join(".local/state/imdsctl"));
    let entries = folder.into_iter().flatten();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// The command with these arguments, separated by spaces.
pub(crate) fn imdsctl(ec2: &FakeAws, arguments: &str) -> Imdsctl {
    Imdsctl::against(ec2).args(arguments.split_whitespace())
}

/// Standard output, and nothing else, as JSON. A report is checked against its schema.
#[track_caller]
pub(crate) fn json(ran: &Ran) -> Value {
    let json = serde_json::from_str(&ran.stdout)
        .unwrap_or_else(|error| panic!("{error}\n{}\n{}", ran.stdout, ran.stderr));
    report_schema::check(&json);
    json
}

/// Runs `scan --format json` with more arguments and asserts its exit code.
#[track_caller]
pub(crate) fn scanned(ec2: &FakeAws, arguments: &str, code: i32) -> Value {
    let ran = imdsctl(ec2, &format!("scan --format json {arguments}")).run();
    json(ran.ended_with(code))
}

/// The ids of a report's instances, sorted.
pub(crate) fn ids(report: &Value) -> Vec<String> {
    let mut ids: Vec<String> = list(report, "instances")
        .iter()
        .map(|instance| instance["instance_id"].as_str().unwrap().to_owned())
        .collect();
    ids.sort();
    ids
}

/// Ids in the order of [`ids`].
pub(crate) fn sorted(ids: impl IntoIterator<Item = impl Into<String>>) -> Vec<String> {
    let mut ids: Vec<String> = ids.into_iter().map(Into::into).collect();
    ids.sort();
    ids
}

/// The only entry of an instance in a report.
#[track_caller]
pub(crate) fn entry<'r>(report: &'r Value, id: &str) -> &'r Value {
    let mut found = list(report, "instances")
        .iter()
        .filter(|instance| instance["instance_id"] == id);
    let one = found
        .next()
        .unwrap_or_else(|| panic!("{id} is not in {report:#}"));
    assert!(found.next().is_none(), "{id} is twice in {report:#}");
    one
}

#[track_caller]
pub(crate) fn list<'r>(report: &'r Value, name: &str) -> &'r [Value] {
    report[name]
        .as_array()
        .unwrap_or_else(|| panic!("no list `{name}` in {report:#}"))
}

/// All options of all instances, without their state.
pub(crate) fn options(ec2: &FakeAws, regions: &[&str]) -> BTreeMap<String, Options> {
    let instances = regions.iter().flat_map(|region| ec2.instances(region));
    instances
        .map(|instance| (instance.id, without_state(instance.options)))
        .collect()
}

/// The options, whether they are applied or not.
pub(crate) fn without_state(options: Options) -> Options {
    Options {
        state: String::new(),
        ..options
    }
}

pub(crate) fn tokens(ec2: &FakeAws, id: &str) -> String {
    ec2.instance(id).options.tokens
}

/// The parameters of every change, without `Action` and `Version`, in the order of arrival.
pub(crate) fn modified(ec2: &FakeAws) -> Vec<BTreeMap<String, String>> {
    let calls = ec2.calls_to(MODIFY).into_iter();
    calls
        .map(|RecordedCall { mut params, .. }| {
            params.retain(|name, _| name != "Action" && name != "Version");
            params
        })
        .collect()
}

/// A temporary folder.
pub(crate) struct TestFolder {
    pub(crate) folder: TempDir,
}

impl TestFolder {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        TestFolder { folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

/// The lines of a journal.
#[track_caller]
pub(crate) fn lines(journal: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(journal).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

/// The instances of a journal's lines of this kind, in their order.
pub(crate) fn named(lines: &[Value], kind: &str) -> Vec<String> {
    let of_kind = lines.iter().filter(|line| line["line"] == kind);
    of_kind
        .map(|line| line["instance_id"].as_str().unwrap().to_owned())
        .collect()
}

/// What became of each call for an instance, in their order: `after` or `error`.
pub(crate) fn answers(lines: &[Value], id: &str) -> Vec<String> {
    let answers = lines
        .iter()
        .filter(|line| line["line"] == "answer" && line["instance_id"] == id);
    answers
        .flat_map(|line| line["answer"].as_object().unwrap().keys().cloned())
        .collect()
}

pub(crate) fn ago(time: Duration) -> Timestamp {
    let time = SignedDuration::try_from(time).unwrap();
    Timestamp::now().checked_sub(time).unwrap()
}

/// Datapoints of an instance that ran for so many hours, that long ago, and did not use IMDSv1.
pub(crate) fn ran_without_calls(ec2: &FakeAws, id: &str, begin: Duration, hours: u32) {
    let hour = Duration::from_hours(1);
    let begin = ago(begin);
    ec2.datapoints(
        id,
        "MetadataNoToken",
        begin,
        begin + hour * hours,
        hour,
        0.0,
    );
}

/// Fails if a word is missing.
#[track_caller]
pub(crate) fn says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{word:?} is missing in:\n{text}");
    }
}
