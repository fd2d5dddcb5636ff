//! What the function does with a plan: it enforces, stops and terminates.

use std::rc::Rc;

use imds_core::change::Change;
use imds_core::decide::{Decision, Discovery};
use imds_core::instance::{Instance, InstanceId, State};
use imds_core::marks;
use imds_core::plan::{Plan, Step};
use imds_core::policy::Action;

use crate::ec2::{MINUTE, SECOND, SimError, SimTag, Time, timestamp};
use crate::events;
use crate::function::SimInvocation;
use crate::sim::Sim;

/// How long a claim needs to become visible, and the longest that writing it may take.
const SETTLED: Time = 2 * SECOND;

struct SimTask {
    instance: Instance,
    change: Change,
}

/// Why options are enforced.
#[derive(Clone, Copy, PartialEq, Eq)]
enum EnforceBecause {
    Policy,
    Drift,
    DisruptionLimit,
}

impl EnforceBecause {
    fn outcome(self) -> &'static str {
        match self {
            EnforceBecause::Policy | EnforceBecause::Drift => "enforced",
            EnforceBecause::DisruptionLimit => "enforced, over the disruption limit",
        }
    }
}

impl Sim {
    pub(crate) fn apply(&mut self, run: &Rc<SimInvocation>, plan: Plan, discovery: &Discovery) {
        let because = match discovery {
            Discovery::Drift => EnforceBecause::Drift,
            _ => EnforceBecause::Policy,
        };
        let mut enforce = Vec::new();
        let mut stop = Vec::new();
        let mut terminate = Vec::new();
        for Step { instance, decision } in plan.steps {
            let outcome = match decision {
                Decision::Compliant(_) => "compliant",
                Decision::Exempt(_) => "exempt",
                Decision::Gone(_) => "gone",
                Decision::NonCompliant(non_compliant) => {
                    let (action, is_stopped) = (non_compliant.action, non_compliant.is_stopped);
                    let task = SimTask {
                        instance,
                        change: non_compliant.change,
                    };
                    let tasks = match action {
                        Action::Report => {
                            self.count("outcome", "reported");
                            continue;
                        }
                        Action::Stop if is_stopped => {
                            self.count("outcome", "stopped before");
                            continue;
                        }
                        Action::Enforce => &mut enforce,
                        Action::Stop => &mut stop,
                        Action::Terminate => &mut terminate,
                    };
                    tasks.push(task);
                    continue;
                }
            };
            self.count("outcome", outcome);
        }
        let soon = self.now + self.latency();
        if !enforce.is_empty() {
            self.later(run, soon, move |sim, run| {
                sim.enforce(run, enforce, because, 0)
            });
        }
        if !stop.is_empty() {
            self.later(run, soon, move |sim, run| {
                let remaining = sim.disrupt_all(Action::Stop, stop);
                sim.enforce(run, remaining, EnforceBecause::Policy, 0);
            });
        }
        if !terminate.is_empty() {
            self.claim(run, terminate);
        }
    }

    fn claim(&mut self, run: &Rc<SimInvocation>, mut tasks: Vec<SimTask>) {
        let limit = self.policy.limits.disruptions_per_hour;
        let over = tasks.split_off(tasks.len().min(limit as usize));
        self.enforce(run, over, EnforceBecause::DisruptionLimit, 0);
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
            self.enforce(run, tasks, EnforceBecause::DisruptionLimit, 0);
            return;
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
            let soon = now + sim.latency() + sim.tries(&region).1;
            sim.later(run, soon, move |sim, run| {
                let remaining = sim.disrupt_all(Action::Terminate, go);
                let free: Vec<InstanceId> = remaining
                    .iter()
                    .chain(&stay)
                    .map(|task| task.instance.id.clone())
                    .collect();
                sim.release(&free);
                sim.enforce(run, remaining, EnforceBecause::Policy, 0);
                sim.enforce(run, stay, EnforceBecause::DisruptionLimit, 0);
            });
        });
    }

    fn release(&mut self, ids: &[InstanceId]) {
        let now = self.now;
        let Some(region) = ids
            .first()
            .map(|id| self.ec2.machine(id).instance.region.clone())
        else {
            return;
        };
        // A claim that is left behind counts against the limit, and terminates nothing.
        let tag = SimTag::visible_now(marks::TERMINATE, marks::release(timestamp(now)), now);
        let _ = self.call("CreateTags", &region, |ec2| ec2.tag(ids, &tag));
    }

    /// Disrupts the instances with one call, or else one by one; returns those that remain.
    fn disrupt_all(&mut self, action: Action, tasks: Vec<SimTask>) -> Vec<SimTask> {
        let ids = ids(&tasks);
        if self.disrupt_some(action, &ids) {
            return Vec::new();
        }
        let mut remaining = tasks;
        remaining
            .retain(|task| !self.disrupt_some(action, std::slice::from_ref(&task.instance.id)));
        remaining
    }

    fn disrupt_some(&mut self, action: Action, ids: &[InstanceId]) -> bool {
        let Some(first) = ids.first() else {
            return true;
        };
        let region = self.ec2.machine(first).instance.region.clone();
        let now = self.now;
        let (name, outcome) = match action {
            Action::Terminate => ("TerminateInstances", "terminated"),
            _ => ("StopInstances", "stopped"),
        };
        for _ in 0..4 {
            match self.call(name, &region, |ec2| ec2.disrupt(action, ids, now)) {
                Ok(()) => {
                    ids.iter().for_each(|_| self.count("outcome", outcome));
                    return true;
                }
                Err(SimError::Transient) => {}
                Err(_) => return false,
            }
        }
        false
    }

    fn enforce(
        &mut self,
        run: &Rc<SimInvocation>,
        tasks: Vec<SimTask>,
        because: EnforceBecause,
        round: u32,
    ) {
        let mut again = Vec::new();
        for task in tasks {
            match self.enforce_one(&task, because) {
                Ok(()) => {}
                Err(SimError::Unauthorized | SimError::Protected) => run.failed.set(true),
                Err(SimError::Transient | SimError::NotFound | SimError::IncorrectState) => {
                    again.push(task);
                }
            }
        }
        if again.is_empty() {
            return;
        }
        let next = self.backoff(round, run.act_until);
        if round >= 2 || next.is_none() {
            self.drop_terminated(&mut again);
        }
        match next {
            _ if again.is_empty() => {}
            Some(next) => self.later(run, next, move |sim, run| {
                sim.enforce(run, again, because, round + 1);
            }),
            None => run.failed.set(true),
        }
    }

    fn enforce_one(&mut self, task: &SimTask, because: EnforceBecause) -> Result<(), SimError> {
        let SimTask { instance, change } = task;
        let (now, region) = (self.now, &instance.region);
        let after = self.call("ModifyInstanceMetadataOptions", region, |ec2| {
            ec2.modify(instance, change, now)
        })?;
        assert!(change.is_in(&after));
        self.count("outcome", because.outcome());
        let send = change.to_send(&instance.options);
        let event = events::modified(instance, events::FUNCTION, &send, now);
        let delivered = now + self.rng.i64(SECOND..2 * MINUTE);
        self.at(delivered, move |sim| sim.deliver(event, 0));
        if because == EnforceBecause::Drift {
            let value = marks::one_more_enforcement(&instance.tags, timestamp(now));
            let times = self.enforcements.entry(instance.id.clone());
            times.or_default().push(now);
            let tag = SimTag::visible_now(marks::DRIFT, value, now);
            let ids = std::slice::from_ref(&instance.id);
            let _ = self.call("CreateTags", region, |ec2| ec2.tag(ids, &tag));
        }
        Ok(())
    }

    fn drop_terminated(&mut self, tasks: &mut Vec<SimTask>) {
        let now = self.now;
        let region = tasks[0].instance.region.clone();
        let ids = ids(tasks);
        let observed = self.call("DescribeInstances", &region, |ec2| {
            Ok(ec2.describe(&ids, now))
        });
        for instance in observed.unwrap_or_default() {
            if instance.state.is_some_and(State::is_final) {
                tasks.retain(|task| task.instance.id != instance.id);
                self.count("outcome", "gone");
            }
        }
    }
}

fn ids(tasks: &[SimTask]) -> Vec<InstanceId> {
    tasks.iter().map(|task| task.instance.id.clone()).collect()
}
