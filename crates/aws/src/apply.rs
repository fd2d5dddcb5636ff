//! Does what a plan says, and tells what became of every instance.

use std::collections::BTreeMap;

use futures_util::future::{join, join_all};
use imds_core::decide::{Decision, Remedy};
use imds_core::instance::{Instance, InstanceId, MetadataOptions};
use imds_core::marks;
use imds_core::plan::{Plan, Step};
use imds_core::policy::Action;
use imds_core::report::{InstanceReport, Outcome};
use tokio::time::Instant;

use crate::attempt::{Failed, in_flight, in_time};
use crate::client::Client;
use crate::disrupt::end_all;
use crate::ec2::{FILTER_VALUES, Filter};
use crate::error::Fault;
use crate::look::Backoff;
use crate::task::Task;
use crate::terminate::terminate_within_limit;
use crate::terms::{Remember, Terms};

/// Rounds after which it is asked whether the instances that refuse a change still exist.
const PATIENCE: usize = 3;

/// Does what the plan says. Every step has one outcome, in the order of the plan; an instance that
/// fails keeps none of the others from being handled.
pub async fn apply(client: &Client, plan: Plan, terms: Terms<'_>) -> Vec<InstanceReport> {
    let mut reports: BTreeMap<usize, InstanceReport> = BTreeMap::new();
    let mut mend: Vec<Task> = Vec::new();
    let mut stop: BTreeMap<String, Vec<Task>> = BTreeMap::new();
    let mut terminate: BTreeMap<String, Vec<Task>> = BTreeMap::new();
    for (place, Step { instance, decision }) in plan.steps.into_iter().enumerate() {
        let outcome = match &decision {
            Decision::Compliant(_) => Outcome::Compliant,
            Decision::Exempt(_) => Outcome::Exempt,
            Decision::Gone(_) => Outcome::Gone,
            Decision::Wrong(wrong) => {
                let region = instance.region.clone();
                let task = |instance| Task {
                    place,
                    instance,
                    wrong: wrong.clone(),
                };
                match wrong.remedy {
                    Remedy::Report(_) => Outcome::Reported,
                    Remedy::AlreadyStopped => Outcome::Stopped,
                    Remedy::Enforce(_) => {
                        mend.push(task(instance));
                        continue;
                    }
                    Remedy::Stop => {
                        stop.entry(region).or_default().push(task(instance));
                        continue;
                    }
                    Remedy::Terminate => {
                        terminate.entry(region).or_default().push(task(instance));
                        continue;
                    }
                }
            }
        };
        reports.insert(
            place,
            InstanceReport::decided(instance, &decision, outcome, None),
        );
    }
    let stops = stop.into_iter().map(|(region, tasks)| async move {
        (
            Outcome::Stopped,
            end_all(client, &region, Action::Stop, tasks, terms.deadline.act).await,
        )
    });
    let terminations = terminate.into_iter().map(|(region, tasks)| async move {
        (
            Outcome::Terminated,
            terminate_within_limit(client, &region, tasks, terms).await,
        )
    });
    let ends = join(join_all(stops), join_all(terminations));
    // Nobody who is to be mended waits for those who are to end.
    let ((stopped, terminated), mended) = join(ends, mend_all(client, mend, terms)).await;
    let mut instead = Vec::new();
    for (outcome, tasks) in stopped.into_iter().chain(terminated) {
        for (task, because) in tasks {
            match because {
                None => {
                    reports.insert(task.place, task.report(outcome, None));
                }
                Some(because) => instead.push(task.mend_instead(outcome, because)),
            }
        }
    }
    reports.extend(mended);
    reports.extend(mend_all(client, instead, terms).await);
    reports.into_values().collect()
}

/// Sets the options of all, in rounds: what fails in passing is tried again until the deadline.
async fn mend_all(
    client: &Client,
    mut open: Vec<Task>,
    terms: Terms<'_>,
) -> Vec<(usize, InstanceReport)> {
    let until = terms.deadline.act;
    let mut done = Vec::new();
    let mut backoff = Backoff::default();
    for round in 1.. {
        let calls = open.drain(..).map(|task| async move {
            let change = &task.wrong.change;
            // What was seen a while ago may no longer be so, and an endpoint that was disabled
            // since must not be enabled.
            let send = if round == 1 {
                change.to_send(&task.instance.options)
            } else {
                *change.set()
            };
            let answer = set(client, &task.instance, &send, terms).await;
            (task, answer)
        });
        let mut mended: Vec<(Task, MetadataOptions)> = Vec::new();
        let mut failed: Vec<(Task, Failed)> = Vec::new();
        for (task, answer) in in_flight(calls).await {
            match answer {
                Ok(after) if task.wrong.change.is_in(&after) => mended.push((task, after)),
                Ok(_) => failed.push((task, Failed::by("EC2 answered other options"))),
                Err(why) if why.may_pass() => failed.push((task, why)),
                Err(why) => done.push((task.place, task.failed(&why))),
            }
        }
        remember(client, &mended, terms).await;
        done.extend(
            mended
                .into_iter()
                .map(|(task, after)| (task.place, task.mended(after))),
        );
        let again = !failed.is_empty() && backoff.wait(until).await;
        if round >= PATIENCE || !again {
            let gone = gone(client, &failed, until).await;
            failed.retain(|(task, _)| match gone.get(&task.instance.id) {
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
                    .map(|(task, why)| (task.place, task.failed(&why))),
            );
            break;
        }
        open.extend(failed.into_iter().map(|(task, _)| task));
    }
    done
}

/// One change, seen by the witness.
async fn set(
    client: &Client,
    instance: &Instance,
    send: &MetadataOptions,
    terms: Terms<'_>,
) -> Result<MetadataOptions, Failed> {
    if client.is_halted() {
        return Err(Failed::for_good(
            "interrupted before it was changed".to_owned(),
        ));
    }
    let call = in_time(terms.deadline.act, client.set_options(instance, send));
    let Some(witness) = terms.witness else {
        return call.await;
    };
    if let Err(error) = witness.before(instance, send) {
        let why = format!("not changed, for the journal could not be written: {error}");
        return Err(Failed::for_good(why));
    }
    let answer = call.await;
    witness.after(
        instance,
        answer.as_ref().map_err(|failed| failed.why.as_str()),
    );
    answer
}

/// Leaves on the mended instances what a later invocation must know. Without it they are mended all
/// the same, so that a failure is only told.
async fn remember(client: &Client, mended: &[(Task, MetadataOptions)], terms: Terms<'_>) {
    let now = (terms.now)();
    let mut tags: BTreeMap<(&str, &str, String), Vec<&InstanceId>> = BTreeMap::new();
    for (Task { instance, .. }, _) in mended {
        let (key, value) = match terms.remember {
            Remember::Nothing => return,
            Remember::Mends => (marks::MENDED, marks::one_more_mend(&instance.tags, now)),
            Remember::Watch => (marks::ENFORCED, now.to_string()),
        };
        tags.entry((&instance.region, key, value))
            .or_default()
            .push(&instance.id);
    }
    for ((region, key, value), ids) in tags {
        let call = client.tag(region, &ids, key, &value);
        if let Err(why) = in_time(terms.deadline.act, call).await {
            tracing::warn!(
                region,
                key,
                "could not tag {} mended instances: {why}",
                ids.len()
            );
        }
    }
}

/// Which of the instances that are in the wrong state, or not known, end or have ended.
async fn gone(
    client: &Client,
    failed: &[(Task, Failed)],
    until: Instant,
) -> BTreeMap<InstanceId, Decision> {
    let mut by_region: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (task, why) in failed {
        if matches!(why.fault, Some(Fault::WrongState | Fault::NotFound)) {
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
            let answer = in_time(until, client.describe(region, &filter)).await;
            for instance in answer.unwrap_or_default().instances {
                if let Some(state) = instance.state.filter(|state| state.is_final()) {
                    gone.insert(instance.id, Decision::Gone(state));
                }
            }
        }
    }
    gone
}
