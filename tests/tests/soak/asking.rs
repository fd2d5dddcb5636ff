//! Asks what decisions depend on, and decides again; without an answer, what may be done without knowing.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use imds_core::decide::{Evidence, Question};
use imds_core::instance::{Instance, InstanceId};
use imds_core::plan::{Plan, Step};
use imds_core::usage::{CallAnswer, CallData, RejectedCalls};

use crate::ec2::{DAY, Time, timestamp};
use crate::function::SimInvocation;
use crate::oracle::ToldBy;
use crate::sim::Sim;

/// How often a call is made before there is no answer.
const ATTEMPTS: u32 = 2;

/// What follows with the plan that was decided again.
pub(crate) type Then = fn(&mut Sim, &Rc<SimInvocation>, Plan);

impl Sim {
    pub(crate) fn question(&mut self, run: &Rc<SimInvocation>, plan: Plan, tries: u32, then: Then) {
        let region = plan.steps[0].instance.region.clone();
        let now = self.now;
        let window = self.policy.existing.usage_window(timestamp(now));
        let since = window.since.as_millisecond();
        let changed = match run.by {
            ToldBy::Drift(at, _) => at.min(now),
            _ => now,
        };
        let usage = self.calls_of(&region, &plan, Question::Usage, (since, now));
        let before = (changed - DAY, changed);
        let rejected = self.calls_of(&region, &plan, Question::RejectedCalls, before);
        let persistent = self.persistent_requests(&region, &plan);
        let is_answered = usage.is_ok() && rejected.is_ok() && persistent.is_some();
        if !is_answered
            && tries + 1 < ATTEMPTS
            && let Some(next) = self.backoff(tries, run.ask_until)
        {
            return self.later(run, next, move |sim, run| {
                sim.question(run, plan, tries + 1, then)
            });
        }
        if !is_answered {
            run.asked_in_vain();
            self.count("outcome", "a question without an answer");
        }
        let now = timestamp(now);
        let answer = |mut step: Step| {
            let Some(question) = step.question() else {
                return step;
            };
            let evidence = match question {
                Question::Usage => Evidence::Usage(window.evaluate_answer(&step.instance, &usage)),
                Question::RejectedCalls => {
                    Evidence::RejectedCalls(counted(&step.instance, &rejected))
                }
                Question::SpotRequest => {
                    if let (Some(spot), Some(persistent)) = (&mut step.instance.spot, &persistent) {
                        let id = spot.id.as_ref().unwrap();
                        spot.is_persistent = Some(persistent.contains(id));
                    }
                    Evidence::NotAsked
                }
            };
            Step::new(&self.policy, step.instance, now, run.discovery, &evidence)
        };
        let plan = Plan {
            steps: plan.steps.into_iter().map(answer).collect(),
            ..plan
        };
        then(self, run, plan);
    }

    fn calls_of(
        &mut self,
        region: &str,
        plan: &Plan,
        question: Question,
        window: (Time, Time),
    ) -> CallAnswer {
        let ids = asked(plan, question).map(|it| it.id.clone());
        let ids: Vec<InstanceId> = ids.collect();
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        let now = self.now;
        let answer = self.call("GetMetricData", region, |ec2| {
            let answer = |id: InstanceId| {
                let machine = ec2.machine(&id);
                machine.settle(now);
                let mut data = machine.software.answer(window, now);
                if question == Question::RejectedCalls {
                    data.accepted.clear();
                }
                (id, data)
            };
            Ok(ids
                .into_iter()
                .map(answer)
                .collect::<BTreeMap<InstanceId, CallData>>())
        });
        answer.map_err(|error| format!("{error:?}"))
    }

    /// `None`: not known.
    fn persistent_requests(&mut self, region: &str, plan: &Plan) -> Option<BTreeSet<String>> {
        let asked = asked(plan, Question::SpotRequest);
        let asked: Vec<(InstanceId, String)> = asked
            .filter_map(|it| Some((it.id.clone(), it.spot.as_ref()?.id.clone()?)))
            .collect();
        if asked.is_empty() {
            return Some(BTreeSet::new());
        }
        let answer = self.call("DescribeSpotInstanceRequests", region, |ec2| {
            let persistent = asked
                .into_iter()
                .filter(|(id, _)| ec2.machine(id).is_persistent);
            Ok(persistent.map(|(_, request)| request).collect())
        });
        answer.ok()
    }
}

fn asked(plan: &Plan, question: Question) -> impl Iterator<Item = &Instance> {
    let steps = plan.steps.iter();
    let asked = steps.filter(move |step| step.question() == Some(question));
    asked.map(|step| &step.instance)
}

/// A call count that is not known keeps nothing from being enforced.
fn counted(instance: &Instance, answer: &CallAnswer) -> Option<RejectedCalls> {
    RejectedCalls::count(&answer.as_ref().ok()?.get(&instance.id)?.rejected)
}
