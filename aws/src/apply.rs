//! Does what a plan says, and tells what became of every instance.

use std::collections::BTreeMap;
use std::future::Future;

use futures_util::StreamExt;
use futures_util::stream;
use imds_core::decide::{Because, Decision, Instead, Remedy, Wrong};
use imds_core::instance::{Instance, InstanceId, MetadataOptions};
use imds_core::plan::{Plan, Step};
use imds_core::policy::Action;
use imds_core::report::{InstanceReport, Outcome};
use tokio::time::{Instant, timeout_at};

use crate::client::Client;
use crate::ec2::{ENDED_AT_ONCE, FILTER_VALUES, Filter};
use crate::error::{CallError, Fault};
use crate::look::Backoff;

/// When to give up; well before the function itself is ended, so that the report gets out.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    /// No more waiting for instances that EC2 does not know yet.
    pub look: Instant,
    /// No more calls.
    pub act: Instant,
}

impl Deadline {
    /// Six tenths of the time for looking, and 85 % for all.
    pub fn of(start: Instant, end: Instant) -> Self {
        let whole = end.saturating_duration_since(start);
        Deadline {
            look: start + whole.mul_f64(0.6),
            act: start + whole.mul_f64(0.85),
        }
    }
}

/// Calls of `ModifyInstanceMetadataOptions` in flight; its bucket holds 100 and refills 5 a second.
const MODIFIES_IN_FLIGHT: usize = 32;

/// Rounds after which it is asked whether the instances that refuse a change still exist.
const PATIENCE: usize = 3;

/// Does what the plan says. Every step has one outcome, in the order of the plan; an instance that
/// fails keeps none of the others from being handled.
pub async fn apply(client: &Client, plan: Plan, deadline: Deadline) -> Vec<InstanceReport> {
    let mut reports: BTreeMap<usize, InstanceReport> = BTreeMap::new();
    let mut mend: Vec<Task> = Vec::new();
    let mut end: BTreeMap<(String, bool), Vec<Task>> = BTreeMap::new();
    for (place, Step { instance, decision }) in plan.steps.into_iter().enumerate() {
        let outcome = match &decision {
            Decision::Compliant(_) => Outcome::Compliant,
            Decision::Exempt(_) => Outcome::Exempt,
            Decision::Gone(_) => Outcome::Gone,
            Decision::Wrong(wrong) => match wrong.remedy {
                Remedy::Report(_) => Outcome::Reported,
                Remedy::AlreadyStopped => Outcome::Stopped,
                Remedy::Enforce(_) => {
                    mend.push(Task {
                        place,
                        instance,
                        wrong: wrong.clone(),
                    });
                    continue;
                }
                Remedy::Stop | Remedy::Terminate => {
                    let terminate = wrong.remedy == Remedy::Terminate;
                    let task = Task {
                        place,
                        instance,
                        wrong: wrong.clone(),
                    };
                    end.entry((task.instance.region.clone(), terminate))
                        .or_default()
                        .push(task);
                    continue;
                }
            },
        };
        reports.insert(
            place,
            InstanceReport::decided(instance, &decision, outcome, None),
        );
    }
    for ((region, terminate), tasks) in end {
        for (task, refused) in end_all(client, &region, terminate, tasks, deadline.act).await {
            match refused {
                None => {
                    let outcome = if terminate {
                        Outcome::Terminated
                    } else {
                        Outcome::Stopped
                    };
                    reports.insert(task.place, task.report(outcome, None));
                }
                Some(why) => mend.push(task.mend_instead(terminate, why)),
            }
        }
    }
    for (place, report) in mend_all(client, mend, deadline.act).await {
        reports.insert(place, report);
    }
    reports.into_values().collect()
}

/// A step that needs calls.
struct Task {
    place: usize,
    instance: Instance,
    wrong: Wrong,
}

impl Task {
    fn report(self, outcome: Outcome, after: Option<MetadataOptions>) -> InstanceReport {
        InstanceReport::decided(self.instance, &Decision::Wrong(self.wrong), outcome, after)
    }

    fn failed(self, why: &str) -> InstanceReport {
        let report = self.report(Outcome::Failed, None);
        InstanceReport {
            reason: format!("{}; failed: {why}", report.reason),
            ..report
        }
    }

    /// The safe mend is the fallback.
    fn mend_instead(mut self, terminate: bool, why: String) -> Self {
        let of = if terminate {
            Action::Terminate
        } else {
            Action::Stop
        };
        self.wrong.remedy = Remedy::Enforce(Some(Instead {
            of,
            because: Because::Refused(why),
        }));
        self
    }
}

/// Stops or terminates: together, and one by one where EC2 refuses the whole call because of some.
async fn end_all(
    client: &Client,
    region: &str,
    terminate: bool,
    tasks: Vec<Task>,
    until: Instant,
) -> Vec<(Task, Option<String>)> {
    let mut ended = Vec::new();
    let mut tasks = tasks.into_iter().peekable();
    while tasks.peek().is_some() {
        let batch: Vec<Task> = tasks.by_ref().take(ENDED_AT_ONCE).collect();
        let ids: Vec<&InstanceId> = batch.iter().map(|task| &task.instance.id).collect();
        match end(client, region, terminate, &ids, until).await {
            Ok(()) => ended.extend(batch.into_iter().map(|task| (task, None))),
            Err(why) if batch.len() == 1 => {
                ended.extend(batch.into_iter().map(|task| (task, Some(why.clone()))));
            }
            Err(_) => {
                let calls = batch.into_iter().map(|task| async move {
                    let refused = end(client, region, terminate, &[&task.instance.id], until).await;
                    (task, refused.err())
                });
                ended.extend(in_flight(calls).await);
            }
        }
    }
    ended
}

async fn end(
    client: &Client,
    region: &str,
    terminate: bool,
    ids: &[&InstanceId],
    until: Instant,
) -> Result<(), String> {
    let call = async {
        if terminate {
            client.terminate(region, ids).await
        } else {
            client.stop(region, ids).await
        }
    };
    match timeout_at(until, call).await {
        Ok(answer) => answer.map_err(|e| e.cause()),
        Err(_elapsed) => Err("no answer before the deadline".to_owned()),
    }
}

/// Sets the options of all, in rounds: what fails in passing is tried again until the deadline.
async fn mend_all(
    client: &Client,
    mut open: Vec<Task>,
    until: Instant,
) -> Vec<(usize, InstanceReport)> {
    let mut done = Vec::new();
    let mut backoff = Backoff::default();
    for round in 1.. {
        let calls = open.drain(..).map(|task| async move {
            let answer = timeout_at(until, client.modify(&task.instance, &task.wrong.change)).await;
            (task, answer)
        });
        let mut failed: Vec<(Task, String, Option<Fault>)> = Vec::new();
        for (task, answer) in in_flight(calls).await {
            match answer {
                Ok(Ok(after)) if task.wrong.change.is_in(&after) => {
                    done.push((task.place, task.report(Outcome::Enforced, Some(after))));
                }
                Ok(Ok(_)) => failed.push((task, "EC2 answered other options".to_owned(), None)),
                Ok(Err(e)) if e.fault.may_pass() => failed.push((task, e.cause(), Some(e.fault))),
                Ok(Err(e)) => done.push((task.place, task.failed(&e.cause()))),
                Err(_) => {
                    failed.push((task, "no answer before the deadline".to_owned(), None));
                }
            }
        }
        let again = !failed.is_empty() && backoff.wait(until).await;
        if round >= PATIENCE || !again {
            let gone = gone(client, &failed, until).await;
            failed.retain(|(task, ..)| match gone.get(&task.instance.id) {
                Some(decision) => {
                    let instance = task.instance.clone();
                    let report = InstanceReport::decided(instance, decision, Outcome::Gone, None);
                    done.push((task.place, report));
                    false
                }
                None => true,
            });
        }
        if !again {
            done.extend(
                failed
                    .into_iter()
                    .map(|(task, why, _)| (task.place, task.failed(&why))),
            );
            break;
        }
        open.extend(failed.into_iter().map(|(task, ..)| task));
    }
    done
}

/// Which of the instances that are in the wrong state, or not known, end or have ended.
async fn gone(
    client: &Client,
    failed: &[(Task, String, Option<Fault>)],
    until: Instant,
) -> BTreeMap<InstanceId, Decision> {
    let mut by_region: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (task, _, fault) in failed {
        if matches!(fault, Some(Fault::WrongState | Fault::NotFound)) {
            let Instance { id, region, .. } = &task.instance;
            by_region.entry(region).or_default().push(id.as_str());
        }
    }
    let mut gone = BTreeMap::new();
    for (region, ids) in by_region {
        for values in ids.chunks(FILTER_VALUES) {
            let filter = Filter {
                name: "instance-id",
                values: values.to_vec(),
            };
            // Without an answer nothing is known to be gone, and so it stays a failure.
            let answer: Result<Result<_, CallError>, _> =
                timeout_at(until, client.describe(region, &filter)).await;
            for instance in answer.ok().and_then(Result::ok).unwrap_or_default() {
                if let Some(state) = instance.state.filter(|state| state.is_final()) {
                    gone.insert(instance.id, Decision::Gone(state));
                }
            }
        }
    }
    gone
}

async fn in_flight<F: Future>(calls: impl Iterator<Item = F>) -> Vec<F::Output> {
    stream::iter(calls)
        .buffer_unordered(MODIFIES_IN_FLIGHT)
        .collect()
        .await
}
