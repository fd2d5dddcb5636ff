//! The function in virtual time: the real parser, decision and plan, with the calls and waits of the real
//! function around them.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::rc::Rc;

use imds_core::decide::{Decision, Discovery, decide};
use imds_core::event::{Event, Launch, parse};
use imds_core::instance::{Instance, InstanceId};
use imds_core::plan::{Plan, Step};
use imds_core::usage::Usage;

use crate::ec2::{MINUTE, SECOND, SimError, Time, timestamp};
use crate::events;
use crate::sim::Sim;

/// The function's timeout, of which 60 % are for describing and 85 % for changing.
const TIMEOUT: Time = 5 * MINUTE;

/// One invocation; it ends when nothing refers to it any more.
pub(crate) struct SimInvocation {
    event: Option<Rc<str>>,
    tries: u32,
    observe_until: Time,
    pub(crate) act_until: Time,
    pub(crate) failed: Cell<bool>,
}

impl Sim {
    pub(crate) fn deliver(&mut self, event: Rc<str>, tries: u32) {
        let run = self.begin(Some(Rc::clone(&event)), tries);
        // A malformed event is a mistake in the test.
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
                    self.observe(&run, vec![instance], &Discovery::Drift, 0);
                }
            }
            Event::Start(change) => {
                self.count("event", "start");
                let mut instance = Instance::unknown(change.instance_id, change.origin.region);
                instance.launched_at = change.origin.time;
                self.observe(&run, vec![instance], &Discovery::Launch, 0);
            }
            Event::Ignored(_) => self.count("event", "ignored"),
            Event::Sweep(sweep) => {
                self.count("event", "sweep");
                for region in sweep.regions.unwrap_or_default() {
                    self.sweep(&run, region);
                }
            }
        }
        self.finish(run);
    }

    fn begin(&self, event: Option<Rc<str>>, tries: u32) -> Rc<SimInvocation> {
        Rc::new(SimInvocation {
            event,
            tries,
            observe_until: self.now + TIMEOUT * 60 / 100,
            act_until: self.now + TIMEOUT * 85 / 100,
            failed: Cell::new(false),
        })
    }

    /// Lambda delivers a failed event twice more, then sends it to the dead-letter queue.
    fn finish(&mut self, run: Rc<SimInvocation>) {
        let Some(SimInvocation {
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

    fn launch(&mut self, run: &Rc<SimInvocation>, launch: &Launch) {
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
            &Discovery::Launch,
        );
        let mut open = Vec::new();
        for step in plan.steps {
            match step.decision {
                Decision::Compliant(_) => self.count("outcome", "compliant, without a call"),
                Decision::Exempt(_) => self.count("outcome", "exempt, without a call"),
                Decision::Gone(_) | Decision::NonCompliant(_) => open.push(step.instance),
            }
        }
        self.observe(run, open, &Discovery::Launch, 0);
        if launch.is_cut() {
            self.find(run, launch.clone(), 0);
        }
    }

    fn find(&mut self, run: &Rc<SimInvocation>, launch: Launch, tries: u32) {
        let now = self.now;
        let token = launch.client_token.clone().unwrap();
        let region = launch.origin.region.clone();
        let observed = self.call("DescribeInstances", &region, |ec2| {
            Ok(ec2.by_token(&token, now))
        });
        let (least, _) = launch.asked.unwrap();
        match observed {
            Err(SimError::Unauthorized) => run.failed.set(true),
            Ok(observed) if observed.len() >= least => {
                self.settle(run, observed, &Discovery::Launch)
            }
            Ok(_) | Err(_) => match self.backoff(tries, run.observe_until) {
                Some(next) => {
                    self.later(run, next, move |sim, run| sim.find(run, launch, tries + 1));
                }
                None => run.failed.set(true),
            },
        }
    }

    fn observe(
        &mut self,
        run: &Rc<SimInvocation>,
        open: Vec<Instance>,
        discovery: &'static Discovery,
        tries: u32,
    ) {
        let Some(region) = open.first().map(|instance| instance.region.clone()) else {
            return;
        };
        let now = self.now;
        let ids: Vec<InstanceId> = open.iter().map(|instance| instance.id.clone()).collect();
        let observed = self.call("DescribeInstances", &region, |ec2| {
            Ok(ec2.describe(&ids, now))
        });
        let next = self.backoff(tries, run.observe_until);
        match (observed, next) {
            (Err(SimError::Unauthorized), _) | (Err(_), None) => run.failed.set(true),
            (Err(_), Some(next)) => {
                self.later(run, next, move |sim, run| {
                    sim.observe(run, open, discovery, tries + 1)
                });
            }
            (Ok(observed), next) => {
                let known: BTreeSet<InstanceId> = observed.iter().map(|i| i.id.clone()).collect();
                let unknown: Vec<Instance> = open
                    .into_iter()
                    .filter(|i| !known.contains(&i.id))
                    .collect();
                self.settle(run, observed, discovery);
                match next {
                    Some(next) if !unknown.is_empty() => self.later(run, next, move |sim, run| {
                        sim.observe(run, unknown, discovery, tries + 1);
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

    fn settle(
        &mut self,
        run: &Rc<SimInvocation>,
        observed: Vec<Instance>,
        discovery: &'static Discovery,
    ) {
        let now = timestamp(self.now);
        let mut plan = Plan::new(&self.policy, observed, now, discovery);
        let waiting = plan.split_off_waiting(&self.policy, now);
        self.apply(run, plan, discovery);
        if let Some(waiting) = waiting {
            let until = waiting.until.as_millisecond();
            if until >= run.observe_until {
                run.failed.set(true);
            } else {
                self.later(run, until, move |sim, run| {
                    sim.observe(run, waiting.instances, discovery, 0);
                });
            }
        }
    }

    fn sweep(&mut self, run: &Rc<SimInvocation>, region: String) {
        let at = self.now;
        let now = timestamp(at);
        let Ok(observed) = self.call("DescribeInstances", &region, |ec2| {
            Ok(ec2.living(&region, at))
        }) else {
            run.failed.set(true);
            return;
        };
        let mut steps = Vec::new();
        for instance in observed {
            match decide(&self.policy, &instance, now, &Discovery::Launch) {
                Decision::Compliant(_) => self.count("outcome", "compliant, swept"),
                Decision::Exempt(_) => self.count("outcome", "exempt, swept"),
                Decision::Gone(_) => {}
                Decision::NonCompliant(_) => {
                    let points = [(instance.launched_at.unwrap(), 0.0)];
                    let usage =
                        Usage::evaluate(&instance, &points, self.policy.existing.window_begin(now));
                    let discovery = Discovery::Existing(usage);
                    let decision = decide(&self.policy, &instance, now, &discovery);
                    steps.push(Step { instance, decision });
                }
            }
        }
        if self.call("GetMetricData", &region, |_| Ok(())).is_err() {
            // The usage is unknown then, for which this policy has the same action.
            self.count("sweep", "without usage");
        }
        steps.sort_by_key(|step| step.instance.launched_at);
        let mut plan = Plan { steps };
        plan.leave_waiting(&self.policy, now);
        self.apply(run, plan, &Discovery::Launch);
    }

    pub(crate) fn backoff(&self, tries: u32, until: Time) -> Option<Time> {
        let next = self.now + ((SECOND / 5) << tries.min(5)).min(5 * SECOND);
        (next < until).then_some(next)
    }

    pub(crate) fn later(
        &mut self,
        run: &Rc<SimInvocation>,
        time: Time,
        act: impl FnOnce(&mut Sim, &Rc<SimInvocation>) + 'static,
    ) {
        let run = Rc::clone(run);
        self.at(time, move |sim| {
            act(sim, &run);
            sim.finish(run);
        });
    }
}
