//! Observes instances until each has an outcome: one loop over work that is due.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use imds_aws::timing::{Backoff, VISIBLE_AFTER_MINUTES};
use imds_aws::{CallError, DescribedIds, DescribedPage, UnreadableInstance};
use imds_core::chain::chain;
use imds_core::decide::Discovery;
use imds_core::event::Launch;
use imds_core::instance::{Instance, InstanceId};
use imds_core::plan::{Plan, Waiting};
use imds_core::report::{InstanceReport, Outcome, Unreachable};
use jiff::SignedDuration;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::apply::ApplyOptions;
use crate::engine::{Engine, Remember};

/// Observes instances of one region, and handles each as soon as EC2 describes it.
pub(crate) struct Observer<'a> {
    engine: &'a Engine<'a>,
    region: &'a str,
    discovery: &'a Discovery,
}

/// Work, and when it is due.
struct Work<'a> {
    due: Instant,
    task: WorkTask<'a>,
}

enum WorkTask<'a> {
    /// Describe these instances.
    Describe(Vec<Instance>, Backoff),
    /// Find the instances that the launch's record leaves out; these are known.
    Find(&'a Launch, BTreeSet<InstanceId>, Backoff),
    /// Apply the plan.
    Apply(Plan),
}

/// What came of work; without an answer in time, `None`.
enum Finished<'a> {
    Described(
        Vec<Instance>,
        Backoff,
        Option<Result<DescribedIds, CallError>>,
    ),
    Found(
        &'a Launch,
        BTreeSet<InstanceId>,
        Backoff,
        Option<Result<DescribedPage, CallError>>,
    ),
    Applied(Vec<InstanceReport>),
}

/// The outcome of every instance.
#[derive(Debug, Default)]
pub(crate) struct Observed {
    pub(crate) instances: Vec<InstanceReport>,
    pub(crate) unreachable: Vec<Unreachable>,
}

const LATE: &str = "could not be described before the deadline";

impl<'a> Observer<'a> {
    pub(crate) fn new(engine: &'a Engine<'a>, region: &'a str, discovery: &'a Discovery) -> Self {
        Observer {
            engine,
            region,
            discovery,
        }
    }

    /// Observes these instances. What EC2 does not know yet is described again, and keeps none of the
    /// others from being handled.
    pub(crate) async fn observe(&self, instances: Vec<Instance>) -> Observed {
        let work = (!instances.is_empty()).then(|| Work::now(WorkTask::first_describe(instances)));
        self.work_off(work).await
    }

    /// Observes these instances of a launch, and those that its record leaves out.
    pub(crate) async fn observe_launch(
        &self,
        instances: Vec<Instance>,
        launch: &'a Launch,
    ) -> Observed {
        let cut = launch.is_cut().then(|| {
            let known = launch.instances.iter().map(|it| it.id.clone()).collect();
            Work::now(WorkTask::Find(launch, known, Backoff::default()))
        });
        let describe =
            (!instances.is_empty()).then(|| Work::now(WorkTask::first_describe(instances)));
        self.work_off(describe.into_iter().chain(cut)).await
    }

    async fn work_off(&self, work: impl IntoIterator<Item = Work<'a>>) -> Observed {
        let mut observed = Observed::default();
        let mut running: FuturesUnordered<_> = work.into_iter().map(|it| self.run(it)).collect();
        while let Some(finished) = running.next().await {
            for work in self.next_work(finished, &mut observed) {
                running.push(self.run(work));
            }
        }
        observed
    }

    async fn run(&self, Work { due, task }: Work<'a>) -> Finished<'a> {
        let Engine {
            client, deadline, ..
        } = self.engine;
        // A timer fires up to a millisecond late, even where it is due.
        if due > Instant::now() {
            sleep_until(due).await;
        }
        match task {
            WorkTask::Describe(instances, backoff) => {
                let ids: Vec<InstanceId> = instances.iter().map(|it| it.id.clone()).collect();
                let answer = client.describe_by_id(self.region, &ids);
                let answer = timeout_at(deadline.observe, answer).await.ok();
                Finished::Described(instances, backoff, answer)
            }
            WorkTask::Find(launch, known, backoff) => {
                let answer = client.describe_launched(launch);
                let answer = timeout_at(deadline.observe, answer).await.ok();
                Finished::Found(launch, known, backoff, answer)
            }
            WorkTask::Apply(plan) => {
                let options = ApplyOptions {
                    remember: match self.discovery {
                        Discovery::Drift => Remember::Drift,
                        Discovery::Launch | Discovery::Existing(_) | Discovery::Request => {
                            Remember::Nothing
                        }
                    },
                    recorder: None,
                };
                Finished::Applied(self.engine.apply(plan, options).await)
            }
        }
    }

    /// What follows from finished work.
    fn next_work(&self, finished: Finished<'a>, observed: &mut Observed) -> Vec<Work<'a>> {
        match finished {
            Finished::Applied(reports) => {
                observed.instances.extend(reports);
                Vec::new()
            }
            Finished::Described(asked, mut backoff, answer) => match answer {
                Some(Ok(described)) => self.described(asked, backoff, described, observed),
                Some(Err(error)) => match self.retry(&error, &mut backoff) {
                    Some(due) => Work::at(due, WorkTask::Describe(asked, backoff)),
                    None => observed.fail(asked, &chain(&error)),
                },
                None => observed.fail(asked, LATE),
            },
            Finished::Found(launch, known, mut backoff, answer) => match answer {
                Some(Ok(page)) => self.found(launch, known, backoff, page, observed),
                Some(Err(error)) => match self.retry(&error, &mut backoff) {
                    Some(due) => Work::at(due, WorkTask::Find(launch, known, backoff)),
                    None => observed.fail_launch(self.region, chain(&error)),
                },
                None => observed.fail_launch(self.region, LATE.to_owned()),
            },
        }
    }

    fn retry(&self, error: &CallError, backoff: &mut Backoff) -> Option<Instant> {
        let due = backoff.next(self.engine.deadline.observe);
        due.filter(|_| error.fault.is_retryable())
    }

    fn described(
        &self,
        asked: Vec<Instance>,
        mut backoff: Backoff,
        described: DescribedIds,
        observed: &mut Observed,
    ) -> Vec<Work<'a>> {
        let DescribedIds {
            mut instances,
            unknown,
            unreadable,
        } = described;
        observed.add_unreadable(self.region, &unreadable);
        let by_id = asked.into_iter().map(|it| (it.id.clone(), it));
        let mut asked: BTreeMap<InstanceId, Instance> = by_id.collect();
        for instance in &mut instances {
            if let Some(known) = asked.remove(&instance.id) {
                instance.principals = known.principals;
            }
        }
        let unknown = unknown.into_iter().filter_map(|id| asked.remove(&id));
        let unknown: Vec<Instance> = unknown.collect();
        let mut work = self.decide(instances, observed);
        if !unknown.is_empty() {
            match backoff.next(self.engine.deadline.observe) {
                Some(due) => work.extend(Work::at(due, WorkTask::Describe(unknown, backoff))),
                None => {
                    let reports = unknown.into_iter().map(|it| self.not_known(it));
                    observed.instances.extend(reports);
                }
            }
        }
        work
    }

    /// A launch without a client token is found by its minute, so that others' launches count too;
    /// between the least and the most instances that it asked for, only a second describe shows whether
    /// EC2 knows all of them.
    fn found(
        &self,
        launch: &'a Launch,
        mut known: BTreeSet<InstanceId>,
        mut backoff: Backoff,
        page: DescribedPage,
        observed: &mut Observed,
    ) -> Vec<Work<'a>> {
        let (least, most) = launch.asked.unwrap_or((1, 1));
        let before = known.len();
        let DescribedPage {
            mut instances,
            mut unreadable,
        } = page;
        instances.retain(|it| known.insert(it.id.clone()));
        unreadable.retain(|it| it.instance_id().is_none_or(|id| known.insert(id)));
        observed.add_unreadable(self.region, &unreadable);
        let found = known.len();
        let mut work = self.decide(instances, observed);
        let surely_all = found >= most && launch.client_token.is_some();
        let no_more = found >= least && found == before;
        if surely_all || no_more {
            return work;
        }
        match backoff.next(self.engine.deadline.observe) {
            Some(due) => work.extend(Work::at(due, WorkTask::Find(launch, known, backoff))),
            None if found >= least => {}
            None => {
                let error = format!(
                    "could not find the launched instances before the deadline: {found} of at least \
                     {least}"
                );
                observed.fail_launch(self.region, error);
            }
        }
        work
    }

    /// The plan for what was observed; what is to be disrupted waits until it is old enough, and is
    /// described again.
    fn decide(&self, instances: Vec<Instance>, observed: &mut Observed) -> Vec<Work<'a>> {
        let Engine { policy, now, .. } = *self.engine;
        if instances.is_empty() {
            return Vec::new();
        }
        let mut plan = Plan::new(policy, instances, now(), self.discovery);
        let waiting = plan.split_off_waiting(policy, now());
        let apply = (!plan.steps.is_empty()).then(|| Work::now(WorkTask::Apply(plan)));
        let mut work: Vec<Work> = apply.into_iter().collect();
        if let Some(waiting) = waiting {
            work.extend(self.wait(waiting, observed));
        }
        work
    }

    fn wait(
        &self,
        Waiting { until, instances }: Waiting,
        observed: &mut Observed,
    ) -> Vec<Work<'a>> {
        let wait = until.duration_since((self.engine.now)());
        let wait = Duration::try_from(wait).unwrap_or_default();
        let due = Instant::now() + wait;
        if due < self.engine.deadline.observe {
            return Work::at(due, WorkTask::first_describe(instances));
        }
        let seconds = wait.as_secs_f64().ceil();
        let reason = format!(
            "because of `grace_seconds` it can be disrupted in {seconds} s, and the function's time \
             ends before that"
        );
        observed.fail(instances, &reason)
    }

    /// EC2 does not know a new instance yet, and an old one no longer.
    fn not_known(&self, instance: Instance) -> InstanceReport {
        let visible_after = SignedDuration::from_mins(VISIBLE_AFTER_MINUTES);
        let launched = instance.launched_at;
        let age = launched.map(|launched| (self.engine.now)().duration_since(launched));
        let (outcome, reason) = match age {
            Some(age) if age > visible_after => (Outcome::Gone, "EC2 no longer knows it"),
            _ => (Outcome::Failed, "EC2 does not know it yet"),
        };
        InstanceReport::undecided(instance, outcome, reason.to_owned())
    }
}

impl<'a> Work<'a> {
    fn now(task: WorkTask<'a>) -> Self {
        let due = Instant::now();
        Work { due, task }
    }

    fn at(due: Instant, task: WorkTask<'a>) -> Vec<Self> {
        vec![Work { due, task }]
    }
}

impl WorkTask<'_> {
    fn first_describe(instances: Vec<Instance>) -> Self {
        WorkTask::Describe(instances, Backoff::default())
    }
}

impl Observed {
    fn add_unreadable(&mut self, region: &str, unreadable: &[UnreadableInstance]) {
        let (undecided, unreachable) = undecided(unreadable, region);
        self.instances.extend(undecided);
        self.unreachable.extend(unreachable);
    }

    fn fail(&mut self, instances: Vec<Instance>, reason: &str) -> Vec<Work<'static>> {
        let reports = instances
            .into_iter()
            .map(|it| InstanceReport::undecided(it, Outcome::Failed, reason.to_owned()));
        self.instances.extend(reports);
        Vec::new()
    }

    fn fail_launch(&mut self, region: &str, error: String) -> Vec<Work<'static>> {
        self.unreachable.push(Unreachable::fatal(region, error));
        Vec::new()
    }
}

/// An instance that cannot be read has failed, and a region where its id is malformed is not wholly
/// observed.
pub(crate) fn undecided(
    unreadable: &[UnreadableInstance],
    region: &str,
) -> (Vec<InstanceReport>, Vec<Unreachable>) {
    let (mut reports, mut unreachable) = (Vec::new(), Vec::new());
    for unreadable in unreadable {
        let reason = unreadable.to_string();
        match unreadable.instance_id() {
            Some(id) => {
                let instance = Instance::unknown(id, region);
                let report = InstanceReport::undecided(instance, Outcome::Failed, reason);
                reports.push(report);
            }
            None => unreachable.push(Unreachable::fatal(region, reason)),
        }
    }
    (reports, unreachable)
}
