//! Observes instances until each has an outcome: one loop over work that is due.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use imds_aws::timing::{Backoff, VISIBLE_AFTER_MINUTES};
use imds_aws::{CallError, DescribedIds, DescribedPage};
use imds_core::chain::chain;
use imds_core::decide::Discovery;
use imds_core::event::{Launch, Origin};
use imds_core::instance::{Instance, InstanceId};
use imds_core::plan::{Plan, Step, Waiting};
use imds_core::report::{InstanceReport, Outcome};
use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::apply::ApplyOptions;
use crate::engine::Engine;
use crate::observed::Observed;
use crate::work::{Finished, Work, WorkTask};

/// Observes instances of one region, and handles each as soon as EC2 describes it.
pub(crate) struct Observer<'a> {
    engine: &'a Engine<'a>,
    region: &'a str,
    discovery: Discovery,
    /// When what the event describes happened.
    at: Option<Timestamp>,
    principals: &'a [String],
}

const LATE: &str = "could not be described before the deadline";

impl<'a> Observer<'a> {
    pub(crate) fn new(engine: &'a Engine<'a>, origin: &'a Origin, discovery: Discovery) -> Self {
        Observer {
            engine,
            region: &origin.region,
            discovery,
            at: origin.time,
            principals: &origin.principals,
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
            WorkTask::Ask(plan) => {
                let (plan, pause) = self.engine.ask(self.region, plan, self.discovery).await;
                Finished::Asked(plan, pause)
            }
            WorkTask::Apply(plan) => {
                let options = ApplyOptions {
                    discovery: self.discovery,
                    watch: false,
                    recorder: None,
                };
                Finished::Applied(self.engine.apply(plan, options).await)
            }
            WorkTask::Remember(ids) => {
                Finished::Remembered(self.engine.remember_launchers(ids, self.principals).await)
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
            Finished::Remembered(failed) => {
                observed.not_remembered.extend(failed);
                Vec::new()
            }
            Finished::Asked(plan, pause) => {
                observed.paused = observed.paused.take().or(pause);
                self.act(plan, observed)
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
        backoff: Backoff,
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
                self.join(instance, known);
            }
        }
        let unknown = unknown.into_iter().filter_map(|id| asked.remove(&id));
        let unknown: Vec<Instance> = unknown.collect();
        let mut work = self.decide(instances, backoff, observed);
        work.extend(self.look_again(unknown, backoff, observed));
        work
    }

    /// What the launch's record tells stays true: EC2 may show tags later than the record does. Tags that
    /// only AWS sets cannot be removed; others may have been removed since an older launch.
    fn join(&self, instance: &mut Instance, known: Instance) {
        let is_recent = self.is_recent();
        let tags = known.tags.into_iter();
        for (key, value) in tags.filter(|(key, _)| is_recent || key.starts_with("aws:")) {
            instance.tags.entry(key).or_insert(value);
        }
        instance.principals = known.principals;
    }

    /// Describes instances again, or reports those that EC2 does not show in time.
    fn look_again(
        &self,
        instances: Vec<Instance>,
        mut backoff: Backoff,
        observed: &mut Observed,
    ) -> Vec<Work<'a>> {
        if instances.is_empty() {
            return Vec::new();
        }
        match backoff.next(self.engine.deadline.observe) {
            Some(due) => Work::at(due, WorkTask::Describe(instances, backoff)),
            None => {
                let reports = instances.into_iter().map(|it| self.not_known(it));
                observed.instances.extend(reports);
                Vec::new()
            }
        }
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
        let now = (self.engine.now)();
        instances.retain(|it| launch.may_include(it, now) && known.insert(it.id.clone()));
        for instance in instances.iter_mut().filter(|it| launch.includes(it)) {
            instance.principals.clone_from(&launch.origin.principals);
        }
        unreadable.retain(|it| it.instance_id().is_none_or(|id| known.insert(id)));
        observed.add_unreadable(self.region, &unreadable);
        let found = known.len();
        let mut work = self.decide(instances, backoff, observed);
        let surely_all = found >= most && launch.client_token.is_some();
        let no_more = found >= least && found == before;
        if surely_all || no_more {
            return work;
        }
        if found < least && found == before && self.is_long_ago() {
            observed.gone += least - found;
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
                let _nothing: Vec<Work> = observed.fail_launch(self.region, error);
            }
        }
        work
    }

    /// The plan for what was observed. Until EC2 shows the network interface of a launched instance, its
    /// age is not known, and it is described again.
    fn decide(
        &self,
        instances: Vec<Instance>,
        backoff: Backoff,
        observed: &mut Observed,
    ) -> Vec<Work<'a>> {
        let Engine { policy, now, .. } = *self.engine;
        let mut plan = Plan::new(policy, instances, now(), self.discovery);
        let (not_shown, steps): (Vec<Step>, Vec<Step>) = plan
            .steps
            .into_iter()
            .partition(|it| self.lacks_interface(it));
        plan.steps = steps;
        let not_shown = not_shown.into_iter().map(|step| step.instance).collect();
        let mut work = self.look_again(not_shown, backoff, observed);
        if let Discovery::Launch { .. } = self.discovery {
            let instances = plan.steps.iter().map(|step| &step.instance);
            let remembered = instances.filter(|it| self.engine.remembers_launcher(it));
            let ids: Vec<InstanceId> = remembered.map(|it| it.id.clone()).collect();
            if !ids.is_empty() {
                work.push(Work::now(WorkTask::Remember(ids)));
            }
        }
        let asking = plan.split_off_asking(self.discovery, now());
        if !asking.steps.is_empty() {
            work.push(Work::now(WorkTask::Ask(asking)));
        }
        work.extend(self.act(plan, observed));
        work
    }

    fn lacks_interface(&self, step: &Step) -> bool {
        let is_launch = matches!(self.discovery, Discovery::Launch { .. });
        let attachments = &step.instance.attachments;
        is_launch
            && self.is_recent()
            && attachments.primary_interface.is_none()
            && step.non_compliant().is_some()
    }

    /// Applies a plan; what its tags may still exempt waits until it is old enough, and is described
    /// again.
    fn act(&self, mut plan: Plan, observed: &mut Observed) -> Vec<Work<'a>> {
        let waiting = plan.split_off_waiting(self.engine.policy, (self.engine.now)());
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
            "the policy's grace period ends in {seconds} s, and the function's time ends before that"
        );
        observed.fail(instances, &reason)
    }

    /// EC2 does not know a new instance yet, and an old one no longer.
    fn not_known(&self, instance: Instance) -> InstanceReport {
        let (outcome, reason) = if self.is_long_ago() {
            (Outcome::Gone, "EC2 no longer knows it")
        } else if instance.state.is_some() {
            (
                Outcome::Failed,
                "EC2 does not show its network interface yet",
            )
        } else {
            (Outcome::Failed, "EC2 does not know it yet")
        };
        InstanceReport::undecided(instance, outcome, reason.to_owned())
    }

    /// Whether EC2 may not show yet what the event describes.
    fn is_recent(&self) -> bool {
        !self.is_long_ago()
    }

    fn is_long_ago(&self) -> bool {
        let visible_after = SignedDuration::from_mins(VISIBLE_AFTER_MINUTES);
        let age = self.at.map(|at| (self.engine.now)().duration_since(at));
        age.is_some_and(|age| age > visible_after)
    }
}
