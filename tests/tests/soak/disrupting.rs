//! Stops and terminates, and enforces where that cannot be done.

use std::collections::BTreeMap;
use std::rc::Rc;

use imds_core::decide::{Because, Decision, Discovery, Evidence, decide};
use imds_core::instance::{Instance, InstanceId};
use imds_core::marks;
use imds_core::policy::Action;

use crate::apply::SimTask;
use crate::changes::SimTag;
use crate::ec2::{MINUTE, SECOND, SimError, Time, timestamp};
use crate::function::SimInvocation;
use crate::sim::Sim;

/// How long a claim needs to become visible, and the longest that writing it may take.
const SETTLED: Time = 2 * SECOND;

/// How long an observation counts.
const COUNTS: Time = MINUTE;

/// How long before the end of its time a call must be sent.
const ARRIVES: Time = 5 * SECOND;

impl Sim {
    pub(crate) fn claim(
        &mut self,
        run: &Rc<SimInvocation>,
        tasks: Vec<SimTask>,
        observed_at: Time,
    ) {
        let limit = self.policy.limits.disruptions_per_hour;
        let ids = ids(&tasks);
        let region = tasks[0].instance.region.clone();
        let now = self.now;
        // When the tag is written, and when EC2 shows it.
        let (written, retried) = self.tries(&region);
        let latency = self.latency() + retried;
        let visible_at = now + latency + self.rng.i64(0..SECOND);
        let claim = SimTag {
            key: marks::TERMINATE,
            value: marks::claim(timestamp(now)),
            now,
            visible_at,
        };
        let marked = written
            && self
                .call("CreateTags", &region, |ec2| ec2.tag(&ids, &claim))
                .is_ok();
        if !marked || latency >= SETTLED {
            self.release(&ids);
            return self.over_limit(run, tasks);
        }
        self.later(run, now + latency + SETTLED, move |sim, run| {
            let now = sim.now;
            let observed = sim.call("DescribeInstances", &region, |ec2| {
                Ok(ec2.with_claims(&region, now))
            });
            let observed = observed.unwrap_or_default();
            let allowed = marks::may_terminate(&observed, &ids, limit, timestamp(now));
            let (go, stay): (Vec<SimTask>, Vec<SimTask>) = tasks
                .into_iter()
                .partition(|task| allowed.contains(&task.instance.id));
            sim.release(&self::ids(&stay));
            sim.over_limit(run, stay);
            sim.disrupt(run, Action::Terminate, go, observed_at, 0);
        });
    }

    fn over_limit(&mut self, run: &Rc<SimInvocation>, tasks: Vec<SimTask>) {
        tasks
            .iter()
            .for_each(|_| self.count("disruption", "over its limit"));
        let limit = self.policy.limits.disruptions_per_hour;
        let milder = tasks.into_iter().map(|task| SimTask {
            decided: task
                .decided
                .milder(Action::Enforce, Because::DisruptionLimit { limit }),
            ..task
        });
        self.enforce_instead(run, milder.collect());
    }

    fn release(&mut self, ids: &[InstanceId]) {
        let now = self.now;
        let Some(first) = ids.first() else { return };
        let region = self.ec2.machine(first).instance.region.clone();
        // A claim that is left behind counts against the limit, and terminates nothing.
        let tag = SimTag::visible_now(marks::TERMINATE, marks::release(timestamp(now)), now);
        let _ = self.call("CreateTags", &region, |ec2| ec2.tag(ids, &tag));
    }

    /// Disrupts instances while they are new.
    pub(crate) fn disrupt(
        &mut self,
        run: &Rc<SimInvocation>,
        action: Action,
        mut open: Vec<SimTask>,
        mut observed_at: Time,
        round: u32,
    ) {
        if open.is_empty() {
            return;
        }
        if self.now - observed_at > COUNTS {
            observed_at = self.now;
            open = self.observe_again(run, action, open);
        }
        open = self.new_ones(run, action, open);
        // What waits for EC2's rates is not sent when it is too late.
        let sent = self.now + self.latency() + self.waits_for_rates();
        let until = open
            .iter()
            .filter_map(|task| self.new_until(&task.instance))
            .min();
        let until = until.unwrap_or(sent).min(observed_at + COUNTS);
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
                    sim.later(run, next, move |sim, run| {
                        sim.disrupt(run, action, failed, 0, round + 1);
                    });
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
        self.call(name, &region, |ec2| {
            ec2.disrupt(action, ids, &run.told(), now)
        })?;
        for id in ids {
            self.outcome(run, id, outcome);
        }
        Ok(())
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
        self.release(&ids(&tasks));
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
