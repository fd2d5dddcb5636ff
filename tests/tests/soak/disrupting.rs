//! Stops and terminates, and enforces where that cannot be done.

use std::collections::BTreeMap;
use std::rc::Rc;

use imds_core::decide::{Because, Decision, Discovery, Evidence, decide};
use imds_core::instance::{Instance, InstanceId};
use imds_core::policy::Action;
use imds_core::state::{Key, Value};

use crate::apply::SimTask;
use crate::ec2::{MINUTE, SECOND, SimError, Time, timestamp};
use crate::events::ACCOUNT;
use crate::function::SimInvocation;
use crate::sim::Sim;

/// How long an observation counts.
const COUNTS: Time = MINUTE;

/// How long before the end of its time a call must be sent.
const ARRIVES: Time = 5 * SECOND;

/// A disruption by permits of the hourly limit.
#[derive(Clone, Copy)]
struct SimDisruption {
    action: Action,
    observed_at: Time,
    permitted_until: Time,
    round: u32,
}

impl Sim {
    /// Stops and terminates those that the hourly limit permits. What is to be stopped is enforced first.
    pub(crate) fn disrupt_permitted(
        &mut self,
        run: &Rc<SimInvocation>,
        tasks: Vec<SimTask>,
        observed_at: Time,
    ) {
        self.permit(run, tasks, move |sim, run, permitted, left| {
            for (task, because) in left {
                match because {
                    Because::StateUnavailable(_) if !sim.is_new_launch(run, &task) => {
                        sim.reported_instead(run, task, because);
                    }
                    _ => sim.enforce_instead(run, vec![task]),
                }
            }
            let (tasks, permitted_until) = permitted;
            let disruption = move |action| SimDisruption {
                action,
                observed_at,
                permitted_until,
                round: 0,
            };
            let (stop, terminate): (Vec<SimTask>, Vec<SimTask>) = tasks
                .into_iter()
                .partition(|task| task.decided.action == Action::Stop);
            sim.enforce(run, stop, 0, move |sim, run, tasks| {
                sim.disrupt(run, disruption(Action::Stop), tasks);
            });
            sim.disrupt(run, disruption(Action::Terminate), terminate);
        });
    }

    fn is_new_launch(&self, run: &SimInvocation, task: &SimTask) -> bool {
        let first = task.decided.first_launched_at;
        run.discovery.is_new_launch(first, timestamp(self.now))
    }

    /// Counts disruptions before they are done: those that are permitted until a time, and the others, with
    /// the reason.
    fn permit(
        &mut self,
        run: &Rc<SimInvocation>,
        tasks: Vec<SimTask>,
        then: impl FnOnce(&mut Sim, &Rc<SimInvocation>, (Vec<SimTask>, Time), Vec<(SimTask, Because)>)
        + 'static,
    ) {
        let limit = self.policy.limits.disruptions_per_hour;
        let key = Key::limit(ACCOUNT, &tasks[0].instance.region);
        let wanted = tasks.iter().map(|it| it.instance.id.to_string()).collect();
        self.permits(run, (key, limit), wanted, move |sim, run, permits| {
            let (mut permitted, mut left) = (Vec::new(), Vec::new());
            for task in tasks {
                match &permits {
                    Ok(it) if it.granted.contains(task.instance.id.as_str()) => {
                        permitted.push(task);
                    }
                    Ok(_) => {
                        sim.count("disruption", "over its limit");
                        left.push((task, Because::DisruptionLimit { limit }));
                    }
                    Err(error) => {
                        sim.count("disruption", "not counted");
                        left.push((task, Because::StateUnavailable(error.clone())));
                    }
                }
            }
            let until = permits.map_or(sim.now, |it| it.until);
            then(sim, run, (permitted, until), left);
        });
    }

    /// Disrupts instances while they are new and permitted.
    fn disrupt(
        &mut self,
        run: &Rc<SimInvocation>,
        mut disruption: SimDisruption,
        mut open: Vec<SimTask>,
    ) {
        let action = disruption.action;
        if self.now - disruption.observed_at > COUNTS {
            disruption.observed_at = self.now;
            open = self.observe_again(run, action, open);
        }
        open = self.new_ones(run, action, open);
        if open.is_empty() {
            return;
        }
        if self.now < disruption.permitted_until {
            return self.send(run, disruption, open);
        }
        self.count("disruption", "permitted again");
        self.permit(run, open, move |sim, run, (open, permitted_until), left| {
            let (unknown, limited): (Vec<_>, Vec<_>) = left
                .into_iter()
                .partition(|(_, because)| matches!(because, Because::StateUnavailable(_)));
            let not = limited.into_iter().map(|(task, _)| task).collect();
            sim.not_disrupted(run, action, not);
            for (task, because) in unknown {
                match action == Action::Terminate && !sim.is_new_launch(run, &task) {
                    true => sim.reported_instead(run, task, because),
                    false => sim.not_disrupted(run, action, vec![task]),
                }
            }
            let disruption = SimDisruption {
                permitted_until,
                ..disruption
            };
            if !open.is_empty() {
                sim.send(run, disruption, open);
            }
        });
    }

    /// What waits for EC2's rates is not sent when it is too late.
    fn send(&mut self, run: &Rc<SimInvocation>, disruption: SimDisruption, open: Vec<SimTask>) {
        let SimDisruption {
            action,
            observed_at,
            permitted_until,
            round,
        } = disruption;
        let sent = self.now + self.latency() + self.waits_for_rates();
        let new_until = open.iter().filter_map(|it| self.new_until(&it.instance));
        let until = new_until.min().unwrap_or(sent);
        let until = until.min(observed_at + COUNTS).min(permitted_until);
        self.later(run, sent.min(until), move |sim, run| {
            let failed = match sent <= until {
                true => sim.call_all(run, action, open),
                false => open,
            };
            let next = sim.backoff(round, run.act_until);
            match next {
                _ if failed.is_empty() => {}
                Some(next) if round < 2 || action == Action::Stop => {
                    // It may have terminated, or its tags may have come.
                    let again = SimDisruption {
                        observed_at: 0,
                        round: round + 1,
                        ..disruption
                    };
                    sim.later(run, next, move |sim, run| sim.disrupt(run, again, failed));
                }
                _ => sim.not_disrupted(run, action, failed),
            }
        });
    }

    fn new_until(&self, instance: &Instance) -> Option<Time> {
        let first = instance.first_launched_at(timestamp(self.now))?;
        Some(
            self.policy
                .new_instances
                .disrupt_until(first)
                .as_millisecond(),
        )
    }

    /// Those that are new for long enough; the others are enforced.
    fn new_ones(
        &mut self,
        run: &Rc<SimInvocation>,
        action: Action,
        open: Vec<SimTask>,
    ) -> Vec<SimTask> {
        let arrives = self.now + ARRIVES;
        let (new, late): (Vec<SimTask>, Vec<SimTask>) = open.into_iter().partition(|task| {
            self.new_until(&task.instance)
                .is_some_and(|until| arrives <= until)
        });
        late.iter()
            .for_each(|_| self.count("disruption", "too late"));
        self.not_disrupted(run, action, late);
        new
    }

    /// Observes them and decides again; returns those that are to be disrupted all the same.
    fn observe_again(
        &mut self,
        run: &Rc<SimInvocation>,
        action: Action,
        open: Vec<SimTask>,
    ) -> Vec<SimTask> {
        let now = self.now;
        let region = open[0].instance.region.clone();
        let ids = ids(&open);
        let observed = self.call("DescribeInstances", &region, |ec2| {
            Ok(ec2.describe(&ids, now))
        });
        let by_id = observed.unwrap_or_default().into_iter();
        let mut observed: BTreeMap<_, _> = by_id.map(|it| (it.id.clone(), it)).collect();
        let (mut left, mut not) = (Vec::new(), Vec::new());
        for mut task in open {
            let Some(seen) = observed.remove(&task.instance.id) else {
                not.push(task);
                continue;
            };
            let known = task.instance;
            let options = match action {
                Action::Stop => known.options,
                _ => seen.options,
            };
            task.instance = Instance {
                options,
                principals: known.principals,
                spot: known.spot.or(seen.spot),
                ..seen
            };
            let (policy, evidence) = (&self.policy, Evidence::NotAsked);
            let instance = &task.instance;
            match decide(
                policy,
                instance,
                timestamp(now),
                Discovery::Sweep,
                &evidence,
            ) {
                Decision::NonCompliant(again) if again.action >= action => left.push(task),
                Decision::NonCompliant(_) => not.push(task),
                _ => self.outcome(run, &task.instance.id, "no longer to be disrupted"),
            }
        }
        self.not_disrupted(run, action, not);
        left
    }

    /// One call for all, or else one for each; returns those that failed for now.
    fn call_all(
        &mut self,
        run: &Rc<SimInvocation>,
        action: Action,
        open: Vec<SimTask>,
    ) -> Vec<SimTask> {
        let ids = ids(&open);
        if ids.is_empty() || self.disrupt_some(run, action, &ids).is_ok() {
            return Vec::new();
        }
        let (mut again, mut not) = (Vec::new(), Vec::new());
        for task in open {
            let id = std::slice::from_ref(&task.instance.id);
            match self.disrupt_some(run, action, id) {
                Ok(()) => {}
                Err(SimError::Transient | SimError::NotFound | SimError::IncorrectState) => {
                    again.push(task);
                }
                Err(_) => not.push(task),
            }
        }
        self.not_disrupted(run, action, not);
        again
    }

    fn disrupt_some(
        &mut self,
        run: &Rc<SimInvocation>,
        action: Action,
        ids: &[InstanceId],
    ) -> Result<(), SimError> {
        let region = self.ec2.machine(&ids[0]).instance.region.clone();
        let now = self.now;
        let (name, outcome) = match action {
            Action::Terminate => ("TerminateInstances", "terminated"),
            _ => ("StopInstances", "stopped"),
        };
        self.are_counted(&region, ids);
        self.call(name, &region, |ec2| {
            ec2.disrupt(action, ids, &run.told(), now)
        })?;
        for id in ids {
            self.outcome(run, id, outcome);
        }
        Ok(())
    }

    /// The table counts them since a minute at most, or what counts for 62 minutes may be called too late.
    fn are_counted(&mut self, region: &str, ids: &[InstanceId]) {
        let (now, key) = (self.now, Key::limit(ACCOUNT, region));
        let item = self.table.get(&key);
        let counted = match item.and_then(|item| item.get("entries")) {
            Some(Value::Numbers(entries)) => entries.clone(),
            _ => BTreeMap::new(),
        };
        for id in ids {
            let at = counted.get(id.as_str());
            if at.is_none_or(|at| now - at > MINUTE + 3 * SECOND) {
                let what = "a call to disrupt that is not counted";
                self.ec2.forbid(what, "", id, now);
            }
        }
    }

    /// Their options are set instead; before a stop they have been.
    fn not_disrupted(&mut self, run: &Rc<SimInvocation>, action: Action, tasks: Vec<SimTask>) {
        if tasks.is_empty() {
            return;
        }
        if action == Action::Stop {
            for task in &tasks {
                self.outcome(run, &task.instance.id, "enforced, not stopped");
            }
            return;
        }
        self.enforce_instead(run, tasks);
    }

    fn enforce_instead(&mut self, run: &Rc<SimInvocation>, tasks: Vec<SimTask>) {
        if !tasks.is_empty() {
            self.enforce(run, tasks, 0, |sim, run, tasks| {
                for task in tasks {
                    sim.outcome(run, &task.instance.id, "enforced, not terminated");
                }
            });
        }
    }
}

fn ids(tasks: &[SimTask]) -> Vec<InstanceId> {
    tasks.iter().map(|task| task.instance.id.clone()).collect()
}
