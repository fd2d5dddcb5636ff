//! Does what a plan says: sets options, and hands on what is to be stopped or terminated.

use std::rc::Rc;

use imds_core::decide::{Decision, NonCompliant};
use imds_core::instance::{Instance, InstanceId, State};
use imds_core::marks;
use imds_core::options::{HttpTokens, MetadataOptions};
use imds_core::plan::{Plan, Step};
use imds_core::policy::Action;

use crate::changes::SimTag;
use crate::ec2::{MINUTE, SECOND, SimError, timestamp};
use crate::events;
use crate::function::SimInvocation;
use crate::oracle::ToldBy;
use crate::sim::Sim;

/// A step that takes calls.
pub(crate) struct SimTask {
    pub(crate) instance: Instance,
    pub(crate) decided: NonCompliant,
}

/// What became of setting an instance's options.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Set {
    Done,
    /// Tokens are required; EC2 refused another option.
    WithoutOthers,
    /// EC2 refused what was left to set.
    Refused,
}

impl Sim {
    pub(crate) fn apply(&mut self, run: &Rc<SimInvocation>, mut plan: Plan) {
        plan.limit_terminations(self.policy.limits.disruptions_per_hour);
        let observed_at = plan.observed_at.as_millisecond();
        let (mut enforce, mut stop, mut terminate) = (Vec::new(), Vec::new(), Vec::new());
        for Step { instance, decision } in plan.steps {
            let outcome = match decision {
                Decision::Compliant(_) => "compliant",
                Decision::Exempt(_) => "exempt",
                Decision::Gone(_) => "gone",
                Decision::NonCompliant(decided) => {
                    let tasks = match decided.action {
                        Action::Report => {
                            self.reported(run, &instance.id, &decided);
                            continue;
                        }
                        Action::Enforce => &mut enforce,
                        Action::Stop => &mut stop,
                        Action::Terminate => &mut terminate,
                    };
                    tasks.push(SimTask { instance, decided });
                    continue;
                }
            };
            self.outcome(run, &instance.id, outcome);
        }
        let soon = self.now + self.latency();
        if !enforce.is_empty() {
            self.later(run, soon, move |sim, run| {
                sim.enforce(run, enforce, 0, Sim::enforced)
            });
        }
        if !stop.is_empty() {
            // Its options are set first.
            self.later(run, soon, move |sim, run| {
                sim.enforce(run, stop, 0, move |sim, run, tasks| {
                    sim.disrupt(run, Action::Stop, tasks, observed_at, 0);
                });
            });
        }
        if !terminate.is_empty() {
            self.claim(run, terminate, observed_at);
        }
    }

    fn reported(&mut self, run: &SimInvocation, id: &InstanceId, decided: &NonCompliant) {
        let because = decided
            .instead
            .as_ref()
            .map(|instead| instead.because.word());
        let word = because.map(|word| format!("{word:?}")).unwrap_or_default();
        self.outcome(run, id, "reported");
        *self.reported.entry(word).or_default() += 1;
    }

    fn enforced(&mut self, run: &Rc<SimInvocation>, tasks: Vec<SimTask>) {
        for SimTask { instance, decided } in tasks {
            let instead = decided.instead.map(|instead| instead.because.word());
            let word = instead.map_or_else(|| "enforced".to_owned(), |word| format!("{word:?}"));
            *self.enforced.entry(word).or_default() += 1;
            self.outcome(run, &instance.id, "enforced");
        }
    }

    /// Sets the options of all, in rounds, and goes on with those whose options are set.
    pub(crate) fn enforce(
        &mut self,
        run: &Rc<SimInvocation>,
        tasks: Vec<SimTask>,
        round: u32,
        then: impl Fn(&mut Sim, &Rc<SimInvocation>, Vec<SimTask>) + Clone + 'static,
    ) {
        let (mut set, mut again) = (Vec::new(), Vec::new());
        for task in tasks {
            let managed = task.instance.managed_by.is_some();
            match self.set_one(run, &task) {
                Ok(Set::Done | Set::WithoutOthers) => set.push(task),
                Ok(Set::Refused) => self.outcome(run, &task.instance.id, "reported, refused"),
                Err(SimError::Unauthorized | SimError::Protected) if managed => {
                    self.outcome(run, &task.instance.id, "reported, managed");
                }
                Err(SimError::Unauthorized | SimError::Protected | SimError::Unsupported) => {
                    run.fail();
                }
                Err(SimError::Transient | SimError::NotFound | SimError::IncorrectState) => {
                    again.push(task);
                }
            }
        }
        if !set.is_empty() {
            then(self, run, set);
        }
        if again.is_empty() {
            return;
        }
        let next = self.backoff(round, run.act_until);
        if round >= 2 || next.is_none() {
            self.drop_terminated(run, &mut again);
        }
        match next {
            _ if again.is_empty() => {}
            Some(next) => self.later(run, next, move |sim, run| {
                sim.enforce(run, again, round + 1, then);
            }),
            None => run.fail(),
        }
    }

    /// All options in one call; where EC2 refuses one of them, tokens alone, and the others one by one.
    fn set_one(&mut self, run: &SimInvocation, task: &SimTask) -> Result<Set, SimError> {
        let change = *task.decided.change.set();
        let several = change.settings().count() > 1;
        match self.set(run, task, &change) {
            Ok(()) => return Ok(Set::Done),
            Err(SimError::Unsupported) if several => {}
            Err(SimError::Unsupported) => return Ok(Set::Refused),
            Err(error) => return Err(error),
        }
        for setting in change.settings() {
            let mut alone = MetadataOptions::default();
            alone.set(setting);
            match self.set(run, task, &alone) {
                Ok(()) | Err(SimError::Unsupported) => {}
                Err(error) => return Err(error),
            }
        }
        self.count("outcome", "tokens required without another option");
        Ok(Set::WithoutOthers)
    }

    fn set(
        &mut self,
        run: &SimInvocation,
        task: &SimTask,
        set: &MetadataOptions,
    ) -> Result<(), SimError> {
        let instance = &task.instance;
        let (now, region) = (self.now, &instance.region);
        let after = self.call("ModifyInstanceMetadataOptions", region, |ec2| {
            ec2.modify(instance, set, &run.told(), now)
        })?;
        assert!(set.are_in(&after));
        // One of four is enough to show that they cause nothing.
        if self.rng.u8(0..4) == 0 {
            let event = events::modified(instance, events::ROLE, set, now);
            let delivered = now + self.rng.i64(SECOND..2 * MINUTE);
            self.at(delivered, move |sim| sim.deliver(event, 0));
        }
        if matches!(run.by, ToldBy::Drift(..)) && set.http_tokens == Some(HttpTokens::Required) {
            let value = marks::one_more_enforcement(&instance.tags, timestamp(now));
            let times = self.enforcements.entry(instance.id.clone());
            times.or_default().push(now);
            let tag = SimTag::visible_now(marks::DRIFT, value, now);
            let ids = std::slice::from_ref(&instance.id);
            let _ = self.call("CreateTags", region, |ec2| ec2.tag(ids, &tag));
        }
        Ok(())
    }

    fn drop_terminated(&mut self, run: &SimInvocation, tasks: &mut Vec<SimTask>) {
        let now = self.now;
        let region = tasks[0].instance.region.clone();
        let ids: Vec<InstanceId> = tasks.iter().map(|task| task.instance.id.clone()).collect();
        let observed = self.call("DescribeInstances", &region, |ec2| {
            Ok(ec2.describe(&ids, now))
        });
        for instance in observed.unwrap_or_default() {
            if instance.state.is_some_and(State::is_final) {
                tasks.retain(|task| task.instance.id != instance.id);
                self.outcome(run, &instance.id, "gone");
            }
        }
    }
}
