//! The state table's items, what the ledger shows of a limit, and faults of the table.

use std::process::Command;
use std::time::Duration;

use imds_tests::{FakeAws, Function, FunctionBuilder, InjectedFault, TableCall, binary};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::support::{REGION, seconds};

pub(crate) const ACCOUNT: &str = "111122223333";

/// The disruptions of the account in the region.
pub(crate) const LIMIT: &str = "limit#111122223333#eu-central-1";

/// The enforcements of existing instances of the account in the region.
pub(crate) const EXISTING: &str = "existing#111122223333#eu-central-1";

/// Who sweeps the account.
pub(crate) const LEASE: &str = "lease#111122223333";

/// Requires tokens, with this action and limit of disruptions, and without a grace period. Instances with
/// the tag `stop` are stopped, whatever the action is.
pub(crate) fn limited(on_violation: &str, disruptions_per_hour: u32) -> String {
    json!({
        "version": 1, "require": { "http_tokens": "required" }, "on_violation": on_violation,
        "new_instances": { "grace_seconds": 0 },
        "limits": { "disruptions_per_hour": disruptions_per_hour },
        "rules": [{ "name": "stop", "when": { "tags": { "stop": "*" } }, "action": "stop" }]
    })
    .to_string()
}

/// A function that is not started yet.
pub(crate) fn builder(ec2: &FakeAws, policy: &str) -> FunctionBuilder {
    let builder = Function::builder(binary("enforcer"));
    builder.fake(ec2).policy(policy)
}

/// The most disruptions that took effect in any 60 minutes, by EC2's own ledger.
pub(crate) fn most_in_an_hour(ec2: &FakeAws) -> usize {
    let disruptions = ec2.disruptions();
    let hour = SignedDuration::from_hours(1);
    let within = |from: Timestamp| {
        let after = disruptions.iter().map(move |it| it.at.duration_since(from));
        after.filter(|after| (SignedDuration::ZERO..hour).contains(after))
    };
    let counts = disruptions.iter().map(|it| within(it.at).count());
    counts.max().unwrap_or_default()
}

/// The ids of the instances that were disrupted, each once.
pub(crate) fn disrupted(ec2: &FakeAws) -> Vec<String> {
    let mut ids: Vec<String> = ec2.disruptions().into_iter().map(|it| it.id).collect();
    ids.sort();
    ids.dedup();
    ids
}

/// What counts in an item, by id; empty without an item.
pub(crate) fn entries(ec2: &FakeAws, key: &str) -> Vec<(String, Timestamp)> {
    let item = ec2.item(key).unwrap_or_default();
    let entries = item["entries"].as_object().cloned().unwrap_or_default();
    let at = |at: &Value| Timestamp::from_millisecond(at.as_i64().unwrap()).unwrap();
    entries
        .iter()
        .map(|(id, time)| (id.clone(), at(time)))
        .collect()
}

/// An item with these entries.
pub(crate) fn counted(entries: &[(&str, Timestamp)]) -> Value {
    let entries = entries.iter();
    let entries = entries.map(|(id, at)| ((*id).to_owned(), json!(at.as_millisecond())));
    json!({ "version": 7, "entries": Value::Object(entries.collect()) })
}

/// A person's exemption or pause.
pub(crate) fn until(time: Timestamp) -> Value {
    json!({ "until": time.to_string(), "reason": "vendor ticket 4711", "by": "ada" })
}

/// The calls that name an item with this beginning of its key.
pub(crate) fn calls_for(ec2: &FakeAws, prefix: &str) -> Vec<TableCall> {
    let calls = ec2.table_calls().into_iter();
    calls
        .filter(|call| call.keys.iter().any(|key| key.starts_with(prefix)))
        .collect()
}

/// Whether a write of an item has taken effect.
pub(crate) fn is_written(ec2: &FakeAws, prefix: &str) -> bool {
    let calls = calls_for(ec2, prefix);
    let mut writes = calls.iter().filter(|call| call.action == "UpdateItem");
    writes.any(|call| call.took_effect.is_some() && call.condition != Some(false))
}

/// Ends a process at once, as Lambda does. Its id is that from before the invocation, which holds the
/// function's lock.
pub(crate) fn kill(process: u32) {
    let mut kill = Command::new("kill");
    let killed = kill.args(["-9", &process.to_string()]).status().unwrap();
    assert!(killed.success());
}

/// What makes the table unavailable, by name; each holds for every call.
pub(crate) fn unavailable() -> [(&'static str, Vec<InjectedFault>); 6] {
    let both = |fault: fn() -> InjectedFault| {
        let actions = ["GetItem", "BatchGetItem", "UpdateItem"];
        actions.map(|action| fault().action(action)).to_vec()
    };
    [
        ("denied", both(InjectedFault::unauthorized)),
        ("throttled", both(InjectedFault::throttle)),
        ("reset", both(InjectedFault::reset)),
        ("malformed", both(InjectedFault::malformed)),
        ("failing", both(|| InjectedFault::status(500))),
        ("silent", both(|| InjectedFault::delay(seconds(60)))),
    ]
}

/// Runs a case for each of them, all side by side, because most of them take time.
pub(crate) fn while_unavailable(case: impl Fn(&str, &FakeAws) + Sync) {
    std::thread::scope(|scope| {
        for (name, faults) in unavailable() {
            let case = &case;
            scope.spawn(move || {
                let ec2 = FakeAws::start();
                inject(&ec2, faults);
                case(name, &ec2);
            });
        }
    });
}

/// Adds all of them.
pub(crate) fn inject(ec2: &FakeAws, faults: Vec<InjectedFault>) {
    for fault in faults {
        ec2.fault(fault);
    }
}

/// How far apart two times are.
pub(crate) fn apart(one: Timestamp, other: Timestamp) -> Duration {
    one.duration_since(other).unsigned_abs()
}

/// The event of a sweep of the region.
pub(crate) fn sweep_here() -> Value {
    crate::support::sweep(&[REGION])
}

/// The metrics that an invocation has written, by name.
pub(crate) fn metric_names(stdout: &[String]) -> Vec<String> {
    let lines = stdout.iter();
    let lines = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let metrics = lines.filter(|line| line.get("_aws").is_some());
    let mut names: Vec<String> = metrics
        .flat_map(|line| line.as_object().cloned().unwrap_or_default())
        .map(|(name, _)| name)
        .filter(|name| name != "_aws")
        .collect();
    names.sort();
    names
}

/// What a fake of EC2 shows besides.
pub(crate) trait OfEc2 {
    /// How many calls of EC2 arrived that may change something.
    fn changing_calls_of_ec2(&self) -> usize;
}

impl OfEc2 for FakeAws {
    fn changing_calls_of_ec2(&self) -> usize {
        let calls = self.changing_calls().into_iter();
        calls.filter(|call| call.service == "ec2").count()
    }
}
