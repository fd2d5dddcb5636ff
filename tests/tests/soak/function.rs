//! The function in virtual time: the real parser, decision and plan, with the calls and waits of the real
//! function around them.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;

use imds_core::decide::{Decision, Discovery};
use imds_core::event::{Event, Launch, MetadataChange, Origin, parse};
use imds_core::instance::{Instance, InstanceId};
use imds_core::plan::Plan;

use crate::ec2::{MINUTE, SECOND, SimError, Time, timestamp};
use crate::events;
use crate::oracle::{Told, ToldBy};
use crate::sim::Sim;

/// The function's timeout, of which 60 % are for describing and 85 % for changing.
const TIMEOUT: Time = 5 * MINUTE;

/// One invocation; it ends when nothing refers to it any more.
pub(crate) struct SimInvocation {
    event: Option<Rc<str>>,
    tries: u32,
    pub(crate) by: ToldBy,
    begun: Time,
    in_vain: Cell<bool>,
    pub(crate) discovery: Discovery,
    /// When what the event describes happened.
    pub(crate) at: Time,
    pub(crate) observe_until: Time,
    pub(crate) ask_until: Time,
    pub(crate) act_until: Time,
    failed: Cell<bool>,
    killed: Cell<bool>,
    /// Instances without an outcome.
    left: RefCell<BTreeSet<InstanceId>>,
}

impl SimInvocation {
    pub(crate) fn fail(&self) {
        self.failed.set(true);
    }

    /// Lambda ends it, and nothing that it would do follows.
    pub(crate) fn kill(&self) {
        self.failed.set(true);
        self.killed.set(true);
    }

    /// A question has no answer.
    pub(crate) fn asked_in_vain(&self) {
        self.in_vain.set(true);
    }

    pub(crate) fn told(&self) -> Told {
        Told {
            by: self.by,
            begun: self.begun,
            in_vain: self.in_vain.get(),
        }
    }

    /// Expects an outcome of each.
    pub(crate) fn expect<'i>(&self, ids: impl IntoIterator<Item = &'i InstanceId>) {
        self.left.borrow_mut().extend(ids.into_iter().cloned());
    }
}

impl Sim {
    pub(crate) fn deliver(&mut self, event: Rc<str>, tries: u32) {
        // A malformed event is a mistake in the test.
        let parsed = parse(&event).unwrap();
        let run = self.begin(event, tries, &parsed);
        self.count("invocation", "begun");
        match parsed {
            Event::Launch(launch) => self.launch(&run, &launch),
            Event::MetadataChange(change) => self.changed(&run, change),
            Event::Start(start) => {
                self.count("event", "start");
                let instances = named(start.instance_ids, &start.origin);
                self.observe(&run, instances, 0);
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

    fn begin(&self, event: Rc<str>, tries: u32, parsed: &Event) -> Rc<SimInvocation> {
        let millisecond = |origin: &Origin| origin.time.unwrap().as_millisecond();
        let (discovery, by, at) = match parsed {
            Event::Launch(Launch { origin, .. }) => {
                let at = millisecond(origin);
                (
                    Discovery::Launch { at: origin.time },
                    ToldBy::Launch(at),
                    at,
                )
            }
            Event::Start(start) => (Discovery::Start, ToldBy::Start, millisecond(&start.origin)),
            Event::MetadataChange(MetadataChange { origin, set, .. }) => {
                let (at, set) = (millisecond(origin), *set);
                let discovery = Discovery::Drift {
                    at: origin.time,
                    set,
                };
                (discovery, ToldBy::Drift(at, set), at)
            }
            Event::Sweep(_) | Event::Ignored(_) => (Discovery::Sweep, ToldBy::Sweep, self.now),
        };
        Rc::new(SimInvocation {
            event: Some(event),
            tries,
            by,
            begun: self.now,
            in_vain: Cell::new(false),
            discovery,
            at,
            observe_until: self.now + TIMEOUT * 60 / 100,
            ask_until: self.now + TIMEOUT * 72 / 100,
            act_until: self.now + TIMEOUT * 85 / 100,
            failed: Cell::new(false),
            killed: Cell::new(false),
            left: RefCell::default(),
        })
    }

    /// Lambda delivers a failed event twice more, then sends it to the dead-letter queue.
    pub(crate) fn finish(&mut self, run: Rc<SimInvocation>) {
        let Some(SimInvocation {
            event,
            tries,
            failed,
            killed,
            left,
            by,
            ..
        }) = Rc::into_inner(run)
        else {
            return;
        };
        self.count("invocation", "ended");
        // The next sweep is the retry of what a sweep leaves.
        if by == ToldBy::Sweep && failed.get() && !killed.get() {
            return self.count("invocation", "done, and something left");
        }
        let Some(event) = event.filter(|_| failed.get()) else {
            self.count("invocation", "done");
            for id in left.into_inner() {
                let now = self.now;
                self.ec2.forbid("lost in silence", "", &id, now);
            }
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

    /// The outcome of an instance.
    pub(crate) fn outcome(&mut self, run: &SimInvocation, id: &InstanceId, outcome: &'static str) {
        self.count("outcome", outcome);
        run.left.borrow_mut().remove(id);
    }

    fn launch(&mut self, run: &Rc<SimInvocation>, launch: &Launch) {
        let kind = match launch.is_cut() {
            true => "launch, cut",
            false => "launch",
        };
        self.count("event", kind);
        let plan = Plan::for_launch(&self.policy, launch, timestamp(self.now));
        let (mut open, mut settled) = (Vec::new(), Vec::new());
        for step in plan.steps {
            match step.decision {
                Decision::Compliant(_) => self.count("outcome", "compliant, without a call"),
                Decision::Exempt(_) => self.count("outcome", "exempt, without a call"),
                Decision::Gone(_) | Decision::NonCompliant(_) => {
                    open.push(step.instance);
                    continue;
                }
            }
            settled.push(step.instance);
        }
        self.remember_launchers(run, settled.iter());
        self.observe(run, open, 0);
        if launch.is_cut() {
            let known = launch.instances.iter().map(|it| it.id.clone()).collect();
            self.find(run, launch.clone(), known, 0);
        }
    }

    fn find(
        &mut self,
        run: &Rc<SimInvocation>,
        launch: Launch,
        mut known: BTreeSet<InstanceId>,
        tries: u32,
    ) {
        let (now, at) = (self.now, run.at);
        let region = launch.origin.region.clone();
        let observed = self.call("DescribeInstances", &region, |ec2| {
            Ok(match &launch.client_token {
                Some(token) => ec2.by_token(token, now),
                None => ec2.by_start(&launch.origin.region, at, now),
            })
        });
        let (least, most) = launch.asked.unwrap();
        let before = known.len();
        match observed {
            Err(SimError::Unauthorized) => return run.fail(),
            Err(_) => {}
            Ok(mut observed) => {
                let at = timestamp(now);
                observed.retain(|it| launch.may_include(it, at) && known.insert(it.id.clone()));
                for instance in observed.iter_mut().filter(|it| launch.includes(it)) {
                    instance.principals.clone_from(&launch.origin.principals);
                }
                for instance in &observed {
                    let token = &launch.client_token;
                    if token.is_some() && *token != instance.client_token {
                        let what = "taken for an instance of another launch";
                        self.ec2.forbid(what, "", &instance.id, now);
                    }
                }
                run.expect(observed.iter().map(|it| &it.id));
                self.settle(run, observed, tries);
                let found = known.len();
                let surely_all = found >= most && launch.client_token.is_some();
                if surely_all || found >= least && found == before {
                    return;
                }
                if found < least && found == before && self.is_long_ago(run) {
                    return self.count("outcome", "gone, ids not known");
                }
            }
        }
        match self.backoff(tries, run.observe_until) {
            Some(next) => self.later(run, next, move |sim, run| {
                sim.find(run, launch, known, tries + 1);
            }),
            None if known.len() >= least => {}
            None => run.fail(),
        }
    }

    fn changed(&mut self, run: &Rc<SimInvocation>, change: MetadataChange) {
        let is_own = change.role.as_deref() == Some(events::ROLE);
        if is_own && self.policy.could_have_set(&change.set) {
            return self.count("event", "own change");
        }
        self.count("event", "drift");
        let told = self.drifts.entry(change.instance_id.clone());
        told.or_default().push((self.now, run.at));
        let instances = named(vec![change.instance_id], &change.origin);
        self.observe(run, instances, 0);
    }

    pub(crate) fn is_long_ago(&self, run: &SimInvocation) -> bool {
        self.now - run.at > 15 * MINUTE
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
            if !run.killed.get() {
                act(sim, &run);
            }
            sim.finish(run);
        });
    }
}

fn named(ids: Vec<InstanceId>, origin: &Origin) -> Vec<Instance> {
    let ids = ids.into_iter();
    ids.map(|id| Instance::unknown(id, origin.region.clone()))
        .collect()
}
