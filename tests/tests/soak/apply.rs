//! Does what a plan says: sets options, and hands on what is to be stopped or terminated.

use std::collections::BTreeSet;
use std::rc::Rc;

use imds_core::decide::{Because, Decision, Exempt, NonCompliant, Quota};
use imds_core::instance::{Instance, InstanceId, State};
use imds_core::options::MetadataOptions;
use imds_core::plan::{Plan, Step};
use imds_core::policy::Action;
use imds_core::report::Outcome;
use imds_core::state::Key;

use crate::ENFORCEMENTS;
use crate::ec2::{HOUR, MINUTE, SECOND, SimError, Time};
use crate::events::{self, ACCOUNT};
use crate::function::SimInvocation;
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
        plan.limit_disruptions(self.policy.limits.disruptions_per_hour);
        let observed_at = plan.observed_at.as_millisecond();
        let (mut enforce, mut disrupt) = (Vec::new(), Vec::new());
        for Step { instance, decision } in plan.steps {
            let outcome = match decision {
                Decision::Compliant(_) => "compliant",
                Decision::Exempt(Exempt::Rule { .. }) => "exempt",
                Decision::Exempt(Exempt::Entry(_)) => "exempt by an entry",
                Decision::Gone(_) => "gone",
                Decision::NonCompliant(decided) => {
                    let tasks = match decided.action {
                        Action::Report => {
                            self.reported(run, &instance.id, &decided);
                            continue;
                        }
                        Action::Enforce => &mut enforce,
                        Action::Stop | Action::Terminate => &mut disrupt,
                    };
                    tasks.push(SimTask { instance, decided });
                    continue;
                }
            };
            self.outcome(run, &instance.id, outcome);
        }
        let soon = self.now + self.latency();
        if !enforce.is_empty() {
            self.later(run, soon, |sim, run| {
                sim.enforce_within_quotas(run, enforce)
            });
        }
        if !disrupt.is_empty() {
            self.disrupt_permitted(run, disrupt, observed_at);
        }
    }

    /// Sets the options of those that the hourly limits allow, and reports the others.
    fn enforce_within_quotas(&mut self, run: &Rc<SimInvocation>, tasks: Vec<SimTask>) {
        let (mut allowed, mut existing) = (Vec::new(), Vec::new());
        for task in tasks {
            match task.decided.quota {
                None => allowed.push(task),
                Some(Quota::Existing) => existing.push(task),
                Some(Quota::Drift) => self.enforce_drift(run, task),
            }
        }
        self.enforce(run, allowed, 0, Sim::enforced);
        let Some(first) = existing.first() else {
            return;
        };
        let limit = self.policy.limits.existing_per_hour.unwrap();
        let key = Key::existing(ACCOUNT, &first.instance.region);
        let wanted = existing.iter().map(|it| it.instance.id.to_string());
        self.permits(
            run,
            (key, limit),
            wanted.collect(),
            move |sim, run, permits| {
                let mut allowed = Vec::new();
                for task in existing {
                    let because = match &permits {
                        Ok(it) if it.granted.contains(task.instance.id.as_str()) => {
                            allowed.push(task);
                            continue;
                        }
                        Ok(_) => Because::ExistingLimit { limit },
                        Err(error) => Because::StateUnavailable(error.clone()),
                    };
                    sim.reported_instead(run, task, because);
                }
                sim.enforce(run, allowed, 0, Sim::enforced);
            },
        );
    }

    /// A change of options counts once, however often its event comes.
    fn enforce_drift(&mut self, run: &Rc<SimInvocation>, task: SimTask) {
        let limit = self.policy.limits.enforcements_per_hour;
        let key = Key::drift(&task.instance.id);
        let change = vec![run.at.to_string()];
        self.permits(run, (key, limit), change, |sim, run, permits| {
            let because = match permits {
                Ok(it) if !it.granted.is_empty() => {
                    return sim.enforce(run, vec![task], 0, Sim::enforced);
                }
                Ok(it) => Because::DriftLimit {
                    enforcements: u32::try_from(it.counted).unwrap(),
                },
                Err(error) => Because::StateUnavailable(error),
            };
            sim.reported_instead(run, task, because);
        });
    }

    pub(crate) fn reported_instead(
        &mut self,
        run: &SimInvocation,
        task: SimTask,
        because: Because,
    ) {
        let decided = task.decided.milder(Action::Report, because);
        self.reported(run, &task.instance.id, &decided);
    }

    fn reported(&mut self, run: &SimInvocation, id: &InstanceId, decided: &NonCompliant) {
        let because = decided.instead.as_ref().map(|instead| &instead.because);
        let word = because.map(Because::word);
        let word = word.map(|word| format!("{word:?}")).unwrap_or_default();
        if let Some(Because::DriftLimit { .. }) = because {
            self.is_drift_limit_reached(id);
        }
        // What is not known to the function is not an outcome.
        if Decision::NonCompliant(decided.clone()).outcome() == Outcome::Failed {
            run.fail();
        } else {
            self.outcome(run, id, "reported");
        }
        *self.reported.entry(word).or_default() += 1;
    }

    /// People have changed the options more often within the hour than they may be enforced.
    fn is_drift_limit_reached(&mut self, id: &InstanceId) {
        let (now, told) = (self.now, self.drifts.get(id));
        let within = told.into_iter().flatten();
        let within = within.filter(|(told, _)| now - told < HOUR + 3 * MINUTE);
        let changes: BTreeSet<Time> = within.map(|(_, at)| *at).collect();
        if changes.len() <= ENFORCEMENTS {
            self.ec2
                .forbid("left open, by the limit of drift", "", id, now);
        }
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
