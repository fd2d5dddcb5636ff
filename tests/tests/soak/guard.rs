//! The function in virtual time: the real parser, decision, plan and marks, with the calls and waits of
//! the real function around them.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::rc::Rc;

use imds_core::decide::{Decision, Occasion, Remedy, Wrong, decide};
use imds_core::event::{Event, Launch, parse};
use imds_core::instance::{Instance, InstanceId, State};
use imds_core::marks;
use imds_core::plan::{Plan, Step};
use imds_core::policy::Action;
use imds_core::usage::Usage;

use crate::ec2::{MINUTE, Refusal, SECOND, Time, timestamp};
use crate::events;
use crate::sim::Sim;

/// How long a claim settles, and the longest that it may take to write.
const SETTLED: Time = 2 * SECOND;

/// The function's time, of which 60 % are for looking and 85 % for acting.
const TIMEOUT: Time = 5 * MINUTE;

/// One invocation; it ends when nobody holds it any more.
struct Run {
    event: Option<Rc<str>>,
    tries: u32,
    look: Time,
    act: Time,
    failed: Cell<bool>,
}

struct Task {
    instance: Instance,
    wrong: Wrong,
}

impl Sim {
    pub(crate) fn deliver(&mut self, event: Rc<str>, tries: u32) {
        let run = self.begin(Some(Rc::clone(&event)), tries);
        // What is malformed would be a fault of the test.
        match parse(&event).unwrap() {
            Event::Launch(launch) => self.launch(&run, &launch),
            Event::MetadataChange(change) => {
                let ours = change.session.as_deref() == Some(events::FUNCTION)
                    && self.policy.could_have_set(&change.set);
                if ours {
                    self.count("event", "own change");
                } else {
                    self.count("event", "drift");
                    let mut instance = Instance::unknown(change.instance_id, change.origin.region);
                    instance.launched_at = change.origin.time;
                    self.see(&run, vec![instance], &Occasion::Drift, 0);
                }
            }
            Event::StateChange(change) => {
                self.count("event", "state change");
                let mut instance = Instance::unknown(change.instance_id, change.origin.region);
                instance.launched_at = change.origin.time;
                self.see(&run, vec![instance], &Occasion::Launch, 0);
            }
            Event::Ignored(_) => self.count("event", "ignored"),
            Event::Sweep(sweep) => {
                self.count("event", "sweep");
                for region in sweep.regions.unwrap_or_default() {
                    self.sweep(&run, region);
                }
            }
        }
        self.end(run);
    }

    fn begin(&self, event: Option<Rc<str>>, tries: u32) -> Rc<Run> {
        Rc::new(Run {
            event,
            tries,
            look: self.now + TIMEOUT * 60 / 100,
            act: self.now + TIMEOUT * 85 / 100,
            failed: Cell::new(false),
        })
    }

    /// Lambda delivers a failed event twice more, then keeps it for people.
    fn end(&mut self, run: Rc<Run>) {
        let Some(Run {
            event,
            tries,
            failed,
            ..
        }) = Rc::into_inner(run)
        else {
            return;
        };
        let Some(event) = event.filter(|_| failed.get()) else {
            self.count("invocation", "done");
            return;
        };
        if tries < 2 {
            self.count("invocation", "failed, delivered again");
            let again = self.now + MINUTE * Time::from(tries + 1);
            self.at(again, move |sim| sim.deliver(event, tries + 1));
        } else {
            self.count("invocation", "failed for good");
        }
    }

    fn launch(&mut self, run: &Rc<Run>, launch: &Launch) {
        self.count(
            "event",
            if launch.is_cut() {
                "launch, cut"
            } else {
                "launch"
            },
        );
        let mut ids = BTreeSet::new();
        let once = launch.instances.iter().filter(|i| ids.insert(i.id.clone()));
        let plan = Plan::new(
            &self.policy,
            once.cloned(),
            timestamp(self.now),
            &Occasion::Launch,
        );
        let mut open = Vec::new();
        for step in plan.steps {
            match step.decision {
                Decision::Compliant(_) => self.count("outcome", "compliant, without a call"),
                Decision::Exempt(_) => self.count("outcome", "exempt, without a call"),
                Decision::Gone(_) | Decision::Wrong(_) => open.push(step.instance),
            }
        }
        self.see(run, open, &Occasion::Launch, 0);
        if launch.is_cut() {
            self.find(run, launch.clone(), 0);
        }
    }

    fn find(&mut self, run: &Rc<Run>, launch: Launch, tries: u32) {
        let now = self.now;
        let token = launch.client_token.clone().unwrap();
        let region = launch.origin.region.clone();
        let seen = self.call("DescribeInstances", &region, |ec2| {
            Ok(ec2.by_token(&token, now))
        });
        let (least, _) = launch.asked.unwrap();
        match seen {
            Err(Refusal::Unauthorised) => run.failed.set(true),
            Ok(seen) if seen.len() >= least => self.settle(run, seen, &Occasion::Launch),
            Ok(_) | Err(_) => match self.backoff(tries, run.look) {
                Some(next) => {
                    self.later(run, next, move |sim, run| sim.find(run, launch, tries + 1));
                }
                None => run.failed.set(true),
            },
        }
    }

    fn see(&mut self, run: &Rc<Run>, open: Vec<Instance>, occasion: &'static Occasion, tries: u32) {
        let Some(region) = open.first().map(|instance| instance.region.clone()) else {
            return;
        };
        let now = self.now;
        let ids: Vec<InstanceId> = open.iter().map(|instance| instance.id.clone()).collect();
        let seen = self.call("DescribeInstances", &region, |ec2| Ok(ec2.look(&ids, now)));
        let next = self.backoff(tries, run.look);
        match (seen, next) {
            (Err(Refusal::Unauthorised), _) | (Err(_), None) => run.failed.set(true),
            (Err(_), Some(next)) => {
                self.later(run, next, move |sim, run| {
                    sim.see(run, open, occasion, tries + 1)
                });
            }
            (Ok(seen), next) => {
                let known: BTreeSet<InstanceId> = seen.iter().map(|i| i.id.clone()).collect();
                let unknown: Vec<Instance> = open
                    .into_iter()
                    .filter(|i| !known.contains(&i.id))
                    .collect();
                self.settle(run, seen, occasion);
                match next {
                    Some(next) if !unknown.is_empty() => self.later(run, next, move |sim, run| {
                        sim.see(run, unknown, occasion, tries + 1);
                    }),
                    _ => unknown.iter().for_each(|instance| {
                        let launched = instance.launched_at.unwrap().as_millisecond();
                        if now - launched > 15 * MINUTE {
                            self.count("outcome", "gone");
                        } else {
                            run.failed.set(true);
                        }
                    }),
                }
            }
        }
    }

    fn settle(&mut self, run: &Rc<Run>, seen: Vec<Instance>, occasion: &'static Occasion) {
        let now = timestamp(self.now);
        let mut plan = Plan::new(&self.policy, seen, now, occasion);
        let waiting = plan.split_off_waiting(&self.policy, now);
        self.apply(run, plan, *occasion == Occasion::Drift);
        if let Some(waiting) = waiting {
            let until = waiting.until.as_millisecond();
            if until >= run.look {
                run.failed.set(true);
            } else {
                self.later(run, until, move |sim, run| {
                    sim.see(run, waiting.instances, occasion, 0);
                });
            }
        }
    }

    fn sweep(&mut self, run: &Rc<Run>, region: String) {
        let at = self.now;
        let now = timestamp(at);
        let Ok(seen) = self.call("DescribeInstances", &region, |ec2| {
            Ok(ec2.living(&region, at))
        }) else {
            run.failed.set(true);
            return;
        };
        let mut steps = Vec::new();
        for instance in seen {
            match decide(&self.policy, &instance, now, &Occasion::Launch) {
                Decision::Compliant(_) => self.count("outcome", "compliant, swept"),
                Decision::Exempt(_) => self.count("outcome", "exempt, swept"),
                Decision::Gone(_) => {}
                Decision::Wrong(_) => {
                    let points = [(instance.launched_at.unwrap(), 0.0)];
                    let usage = Usage::judge(&instance, &points, &self.policy.existing, now);
                    let occasion = Occasion::Existing(usage);
                    let decision = decide(&self.policy, &instance, now, &occasion);
                    steps.push(Step { instance, decision });
                }
            }
        }
        if self.call("GetMetricData", &region, |_| Ok(())).is_err() {
            // Its use is unknown then, which this policy treats alike.
            self.count("sweep", "without usage");
        }
        steps.sort_by_key(|step| step.instance.launched_at);
        let mut plan = Plan { steps };
        plan.leave_waiting(&self.policy, now);
        self.apply(run, plan, false);
    }

    fn apply(&mut self, run: &Rc<Run>, plan: Plan, drift: bool) {
        let mut mend = Vec::new();
        let mut stop = Vec::new();
        let mut terminate = Vec::new();
        for Step { instance, decision } in plan.steps {
            let outcome = match decision {
                Decision::Compliant(_) => "compliant",
                Decision::Exempt(_) => "exempt",
                Decision::Gone(_) => "gone",
                Decision::Wrong(wrong) => {
                    let remedy = wrong.remedy.clone();
                    let task = Task { instance, wrong };
                    match remedy {
                        Remedy::Report(_) => "reported",
                        Remedy::AlreadyStopped => "stopped before",
                        Remedy::Enforce(_) => {
                            mend.push(task);
                            continue;
                        }
                        Remedy::Stop => {
                            stop.push(task);
                            continue;
                        }
                        Remedy::Terminate => {
                            terminate.push(task);
                            continue;
                        }
                    }
                }
            };
            self.count("outcome", outcome);
        }
        let soon = self.now + self.latency();
        if !mend.is_empty() {
            self.later(run, soon, move |sim, run| {
                sim.mend(run, mend, drift, "enforced", 0)
            });
        }
        if !stop.is_empty() {
            self.later(run, soon, move |sim, run| {
                let lives = sim.end_all(Action::Stop, stop);
                sim.mend(run, lives, false, "enforced", 0);
            });
        }
        if !terminate.is_empty() {
            self.claim(run, terminate);
        }
    }

    fn claim(&mut self, run: &Rc<Run>, mut tasks: Vec<Task>) {
        let limit = self.policy.limits.terminations_per_hour;
        let over = tasks.split_off(tasks.len().min(limit as usize));
        self.mend(run, over, false, "spared", 0);
        let ids: Vec<InstanceId> = tasks.iter().map(|task| task.instance.id.clone()).collect();
        let region = tasks[0].instance.region.clone();
        let now = self.now;
        let claim = marks::claim(timestamp(now));
        // Written, and then seen by all.
        let (written, retried) = self.tries(&region);
        let latency = self.latency() + retried;
        let seen_by_all = now + latency + self.rng.i64(0..SECOND);
        let marked = written
            && self
                .call("CreateTags", &region, |ec2| {
                    ec2.tag(&ids, marks::TERMINATE, &claim, now, seen_by_all)
                })
                .is_ok();
        if !marked || latency >= SETTLED {
            self.release(&ids);
            self.mend(run, tasks, false, "spared", 0);
            return;
        }
        self.later(run, now + latency + SETTLED, move |sim, run| {
            let now = sim.now;
            let seen = sim.call("DescribeInstances", &region, |ec2| {
                Ok(ec2.with_claims(&region, now))
            });
            let seen = seen.unwrap_or_default();
            let allowed = marks::may_terminate(&seen, &ids, limit, timestamp(now));
            let (go, stay): (Vec<Task>, Vec<Task>) = tasks
                .into_iter()
                .partition(|task| allowed.contains(&task.instance.id));
            let soon = now + sim.latency() + sim.tries(&region).1;
            sim.later(run, soon, move |sim, run| {
                let lives = sim.end_all(Action::Terminate, go);
                let free: Vec<InstanceId> = lives
                    .iter()
                    .chain(&stay)
                    .map(|task| task.instance.id.clone())
                    .collect();
                sim.release(&free);
                sim.mend(run, lives, false, "enforced", 0);
                sim.mend(run, stay, false, "spared", 0);
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
        // A claim that stays makes others wait, and terminates nobody.
        let _ = self.call("CreateTags", &region, |ec2| {
            ec2.tag(
                ids,
                marks::TERMINATE,
                &marks::release(timestamp(now)),
                now,
                now,
            )
        });
    }

    /// Together, else one by one; those that live are to be mended instead.
    fn end_all(&mut self, action: Action, tasks: Vec<Task>) -> Vec<Task> {
        let ids: Vec<InstanceId> = tasks.iter().map(|task| task.instance.id.clone()).collect();
        if self.end_some(action, &ids) {
            return Vec::new();
        }
        let mut lives = tasks;
        lives.retain(|task| !self.end_some(action, std::slice::from_ref(&task.instance.id)));
        lives
    }

    fn end_some(&mut self, action: Action, ids: &[InstanceId]) -> bool {
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
            match self.call(name, &region, |ec2| ec2.end(action, ids, now)) {
                Ok(()) => {
                    ids.iter().for_each(|_| self.count("outcome", outcome));
                    return true;
                }
                Err(Refusal::Passing) => {}
                Err(_) => return false,
            }
        }
        false
    }

    fn mend(
        &mut self,
        run: &Rc<Run>,
        tasks: Vec<Task>,
        drift: bool,
        outcome: &'static str,
        round: u32,
    ) {
        let now = self.now;
        let mut again = Vec::new();
        for task in tasks {
            let Task { instance, wrong } = &task;
            let region = instance.region.clone();
            let modified = self.call("ModifyInstanceMetadataOptions", &region, |ec2| {
                ec2.modify(instance, &wrong.change, now)
            });
            match modified {
                Ok(after) => {
                    assert!(wrong.change.is_in(&after));
                    self.count("outcome", outcome);
                    let send = wrong.change.to_send(&instance.options);
                    let event = events::modified(instance, events::FUNCTION, &send, now);
                    let then = now + self.rng.i64(SECOND..2 * MINUTE);
                    self.at(then, move |sim| sim.deliver(event, 0));
                    if drift {
                        let value = marks::one_more_mend(&instance.tags, timestamp(now));
                        self.mends.entry(instance.id.clone()).or_default().push(now);
                        let ids = std::slice::from_ref(&instance.id);
                        let _ = self.call("CreateTags", &region, |ec2| {
                            ec2.tag(ids, marks::MENDED, &value, now, now)
                        });
                    }
                }
                Err(Refusal::Unauthorised | Refusal::Protected) => run.failed.set(true),
                Err(Refusal::Passing | Refusal::NotFound | Refusal::WrongState) => again.push(task),
            }
        }
        if again.is_empty() {
            return;
        }
        let next = self.backoff(round, run.act);
        if round >= 2 || next.is_none() {
            let region = again[0].instance.region.clone();
            let ids: Vec<InstanceId> = again.iter().map(|task| task.instance.id.clone()).collect();
            let seen = self.call("DescribeInstances", &region, |ec2| Ok(ec2.look(&ids, now)));
            for instance in seen.unwrap_or_default() {
                if instance.state.is_some_and(State::is_final) {
                    again.retain(|task| task.instance.id != instance.id);
                    self.count("outcome", "gone");
                }
            }
        }
        match next {
            _ if again.is_empty() => {}
            Some(next) => self.later(run, next, move |sim, run| {
                sim.mend(run, again, drift, outcome, round + 1);
            }),
            None => run.failed.set(true),
        }
    }

    fn backoff(&self, tries: u32, until: Time) -> Option<Time> {
        let next = self.now + ((SECOND / 5) << tries.min(5)).min(5 * SECOND);
        (next < until).then_some(next)
    }

    fn later(&mut self, run: &Rc<Run>, time: Time, act: impl FnOnce(&mut Sim, &Rc<Run>) + 'static) {
        let run = Rc::clone(run);
        self.at(time, move |sim| {
            act(sim, &run);
            sim.end(run);
        });
    }
}
