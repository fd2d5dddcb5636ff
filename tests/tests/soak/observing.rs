//! Observes instances until each has a decision.

use std::collections::BTreeMap;
use std::rc::Rc;

use imds_core::decide::Discovery;
use imds_core::instance::{Instance, InstanceId};
use imds_core::plan::{Plan, Step};

use crate::ec2::{SimError, timestamp};
use crate::function::SimInvocation;
use crate::sim::Sim;

impl Sim {
    pub(crate) fn observe(&mut self, run: &Rc<SimInvocation>, open: Vec<Instance>, tries: u32) {
        let Some(region) = open.first().map(|instance| instance.region.clone()) else {
            return;
        };
        run.expect(open.iter().map(|instance| &instance.id));
        let now = self.now;
        let ids: Vec<InstanceId> = open.iter().map(|instance| instance.id.clone()).collect();
        let observed = self.call("DescribeInstances", &region, |ec2| {
            Ok(ec2.describe(&ids, now))
        });
        let mut observed = match (observed, self.backoff(tries, run.observe_until)) {
            (Err(SimError::Unauthorized), _) | (Err(_), None) => return run.fail(),
            (Err(_), Some(next)) => {
                return self.later(run, next, move |sim, run| sim.observe(run, open, tries + 1));
            }
            (Ok(observed), _) => observed,
        };
        let by_id = open.into_iter().map(|it| (it.id.clone(), it));
        let mut open: BTreeMap<InstanceId, Instance> = by_id.collect();
        for instance in &mut observed {
            if let Some(known) = open.remove(&instance.id) {
                self.join(run, instance, known);
            }
        }
        self.settle(run, observed, tries);
        self.look_again(run, open.into_values().collect(), tries);
    }

    /// What the event told stays true.
    fn join(&self, run: &SimInvocation, instance: &mut Instance, known: Instance) {
        let is_recent = !self.is_long_ago(run);
        for (key, value) in known.tags {
            if is_recent || key.starts_with("aws:") {
                instance.tags.entry(key).or_insert(value);
            }
        }
        instance.principals = known.principals;
    }

    fn look_again(&mut self, run: &Rc<SimInvocation>, unknown: Vec<Instance>, tries: u32) {
        if unknown.is_empty() {
            return;
        }
        match self.backoff(tries, run.observe_until) {
            Some(next) => self.later(run, next, move |sim, run| {
                sim.observe(run, unknown, tries + 1);
            }),
            None if self.is_long_ago(run) => {
                for instance in unknown {
                    self.outcome(run, &instance.id, "gone");
                }
            }
            None => run.fail(),
        }
    }

    /// Decides about what was described; what a launch does not show wholly is described again.
    pub(crate) fn settle(&mut self, run: &Rc<SimInvocation>, observed: Vec<Instance>, tries: u32) {
        let now = timestamp(self.now);
        let mut plan = Plan::new(&self.policy, observed, now, run.discovery);
        let is_launch = matches!(run.discovery, Discovery::Launch { .. }) && !self.is_long_ago(run);
        let lacks_interface = |step: &Step| {
            let attachments = &step.instance.attachments;
            is_launch && attachments.primary_interface.is_none() && step.non_compliant().is_some()
        };
        let steps = std::mem::take(&mut plan.steps).into_iter();
        let (lacking, steps): (Vec<Step>, Vec<Step>) = steps.partition(lacks_interface);
        plan.steps = steps;
        lacking
            .iter()
            .for_each(|_| self.count("observation", "no interface yet"));
        let lacking = lacking.into_iter().map(|step| step.instance).collect();
        self.look_again(run, lacking, tries);
        if let Discovery::Launch { .. } = run.discovery {
            self.remember_launchers(run, plan.steps.iter().map(|step| &step.instance));
        }
        let asking = plan.split_off_asking(run.discovery, now);
        if !asking.steps.is_empty() {
            self.ask(run, asking, 0, Sim::act);
        }
        self.act(run, plan);
    }

    /// Applies a plan; what its tags may still exempt waits until it is old enough.
    pub(crate) fn act(&mut self, run: &Rc<SimInvocation>, mut plan: Plan) {
        let now = timestamp(self.now);
        let waiting = plan.split_off_waiting(&self.policy, now);
        self.apply(run, plan);
        let Some(waiting) = waiting else { return };
        let until = waiting.until.as_millisecond();
        if until >= run.observe_until {
            return run.fail();
        }
        self.later(run, until, move |sim, run| {
            sim.observe(run, waiting.instances, 0);
        });
    }
}
