//! Does what a plan says, and tells what became of every instance.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::io;

use futures_util::future::{join, join_all};
use futures_util::{StreamExt, stream};
use imds_core::decide::{Because, Decision, Instead, Remedy, Wrong};
use imds_core::instance::{Instance, InstanceId, MetadataOptions, State};
use imds_core::marks;
use imds_core::plain::Plain;
use imds_core::plan::{Plan, Step};
use imds_core::policy::{Action, Limits};
use imds_core::report::{InstanceReport, Outcome};
use jiff::Timestamp;
use tokio::time::{Instant, timeout_at};

use crate::client::Client;
use crate::ec2::{ENDED_AT_ONCE, FILTER_VALUES, Filter};
use crate::error::{CallError, Fault};
use crate::look::Backoff;
use crate::terminate::terminate_within_limit;

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

/// What an instance is to be remembered by once it is mended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remember {
    /// Nothing.
    Nothing,
    /// How often it was mended, since somebody changes it.
    Mends,
    /// When it was mended, to see whether its software fails from then on.
    Watch,
}

/// Sees every change of metadata options before it is asked for and after it is answered.
pub trait Witness: fmt::Debug + Sync {
    /// An instance as it is, and the options to be sent.
    ///
    /// # Errors
    /// With any, the call is not made.
    fn before(&self, instance: &Instance, send: &MetadataOptions) -> io::Result<()>;

    /// All options as EC2 answered them, or why there is no answer.
    fn after(&self, instance: &Instance, answer: Result<&MetadataOptions, &str>);
}

/// What is the same for all that one event or sweep does.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// How much may be done.
    pub limits: &'a Limits,
    /// When to give up.
    pub deadline: Deadline,
    /// What mended instances are remembered by.
    pub remember: Remember,
    /// Who sees every change, if anyone.
    pub witness: Option<&'a dyn Witness>,
    /// The clock.
    pub now: fn() -> Timestamp,
}

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

/// A step that needs calls.
pub(crate) struct Task {
    place: usize,
    pub(crate) instance: Instance,
    wrong: Wrong,
}

impl Task {
    fn report(self, outcome: Outcome, after: Option<MetadataOptions>) -> InstanceReport {
        InstanceReport::decided(self.instance, &Decision::Wrong(self.wrong), outcome, after)
    }

    fn mended(self, after: MetadataOptions) -> InstanceReport {
        let over_limit = matches!(
            &self.wrong.remedy,
            Remedy::Enforce(Some(Instead {
                because: Because::OverLimit { .. } | Because::NotCounted(_),
                ..
            }))
        );
        let outcome = if over_limit {
            Outcome::Spared
        } else {
            Outcome::Enforced
        };
        self.report(outcome, Some(after))
    }

    fn failed(self, why: &Failed) -> InstanceReport {
        let report = self.report(Outcome::Failed, None);
        InstanceReport {
            reason: format!("{}; failed: {why}", report.reason),
            ..report
        }
    }

    /// The safe mend is the fallback.
    fn mend_instead(mut self, end: Outcome, because: Because) -> Self {
        let of = if end == Outcome::Terminated {
            Action::Terminate
        } else {
            Action::Stop
        };
        self.wrong.remedy = Remedy::Enforce(Some(Instead { of, because }));
        self
    }
}

/// Stops or terminates: together, and one by one where EC2 refuses the whole call because of some.
/// A task that comes back with a reason was not ended.
pub(crate) async fn end_all(
    client: &Client,
    region: &str,
    action: Action,
    tasks: Vec<Task>,
    until: Instant,
) -> Vec<(Task, Option<Because>)> {
    let refused = |why: String| Some(Because::Refused(why));
    let mut ended = Vec::new();
    let mut tasks = tasks.into_iter().peekable();
    while tasks.peek().is_some() {
        let batch: Vec<Task> = tasks.by_ref().take(ENDED_AT_ONCE).collect();
        let ids: Vec<&InstanceId> = batch.iter().map(|task| &task.instance.id).collect();
        match end(client, region, action, &ids, until).await {
            Ok(()) => ended.extend(batch.into_iter().map(|task| (task, None))),
            Err(why) if batch.len() == 1 => {
                ended.extend(batch.into_iter().map(|task| (task, refused(why.clone()))));
            }
            Err(_) => {
                let calls = batch.into_iter().map(|task| async move {
                    let id = [&task.instance.id];
                    let why = end(client, region, action, &id, until).await.err();
                    (task, why.and_then(refused))
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
    action: Action,
    ids: &[&InstanceId],
    until: Instant,
) -> Result<(), String> {
    let call = async {
        if action == Action::Terminate {
            client.terminate(region, ids).await
        } else {
            client.stop(region, ids).await
        }
    };
    match in_time(until, call).await {
        Ok(()) => Ok(()),
        Err(failed)
            if failed.may_have_worked() && all_end(client, region, action, ids, until).await =>
        {
            Ok(())
        }
        Err(failed) => Err(failed.to_string()),
    }
}

/// Whether EC2 shows that all instances are ending as they were told to: what is stopped is not
/// terminated.
async fn all_end(
    client: &Client,
    region: &str,
    action: Action,
    ids: &[&InstanceId],
    until: Instant,
) -> bool {
    let ids: Vec<InstanceId> = ids.iter().map(|id| (*id).clone()).collect();
    let ends = |state: State| state.is_final() || action == Action::Stop && state.is_stopped();
    match in_time(until, client.look(region, &ids)).await {
        Ok(found) => {
            found.instances.len() == ids.len()
                && found
                    .instances
                    .iter()
                    .all(|instance| instance.state.is_some_and(ends))
        }
        Err(_) => false,
    }
}

/// Why there is no answer to a call.
#[derive(Debug)]
pub(crate) struct Failed {
    why: String,
    /// `None`: it was not EC2 that said so.
    fault: Option<Fault>,
}

impl Failed {
    fn by(why: &str) -> Self {
        Failed {
            why: why.to_owned(),
            fault: None,
        }
    }

    fn for_good(why: String) -> Self {
        Failed {
            why,
            fault: Some(Fault::Halted),
        }
    }

    fn may_pass(&self) -> bool {
        self.fault.is_none_or(Fault::may_pass)
    }

    /// The call was sent, and its answer was not understood or did not come.
    fn may_have_worked(&self) -> bool {
        matches!(self.fault, Some(Fault::Unreadable | Fault::Passing))
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Plain(&self.why).fmt(f)
    }
}

/// The answer of a call, if it comes before the deadline.
pub(crate) async fn in_time<T>(
    until: Instant,
    call: impl Future<Output = Result<T, CallError>>,
) -> Result<T, Failed> {
    // A call that begins after the deadline would be sent before it is given up.
    if Instant::now() >= until {
        return Err(Failed::by("left at the deadline"));
    }
    match timeout_at(until, call).await {
        Ok(answer) => answer.map_err(|e| Failed {
            why: e.cause(),
            fault: Some(e.fault),
        }),
        Err(_elapsed) => Err(Failed::by("no answer before the deadline")),
    }
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

pub(crate) async fn in_flight<F: Future>(calls: impl Iterator<Item = F>) -> Vec<F::Output> {
    stream::iter(calls)
        .buffer_unordered(MODIFIES_IN_FLIGHT)
        .collect()
        .await
}
