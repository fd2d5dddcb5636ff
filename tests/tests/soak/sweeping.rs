//! A sweep of a region: every instance, whatever events said.

use std::collections::BTreeMap;
use std::rc::Rc;

use imds_core::decide::{Decision, Discovery, Evidence, decide};
use imds_core::plan::{Plan, Step};

use crate::ec2::timestamp;
use crate::function::SimInvocation;
use crate::sim::Sim;

impl Sim {
    pub(crate) fn sweep(&mut self, run: &Rc<SimInvocation>, region: String) {
        let (at, now) = (self.now, timestamp(self.now));
        let policy = self.policy.clone();
        let mut decided = BTreeMap::new();
        let mut steps = Vec::new();
        let read = self.call("DescribeInstances", &region, |ec2| {
            ec2.living(&region, at, |instance| {
                let decision = decide(
                    &policy,
                    instance,
                    now,
                    Discovery::Sweep,
                    &Evidence::NotAsked,
                );
                let outcome = match decision {
                    Decision::Compliant(_) => "compliant, swept",
                    Decision::Exempt(_) => "exempt, swept",
                    Decision::Gone(_) => "gone",
                    Decision::NonCompliant(_) => {
                        let instance = instance.clone();
                        return steps.push(Step { instance, decision });
                    }
                };
                *decided.entry(outcome).or_insert(0) += 1;
            });
            Ok(())
        });
        if read.is_err() {
            return run.fail();
        }
        for (outcome, count) in decided {
            *self.ledger.entry(("outcome", outcome)).or_default() += count;
        }
        // The order differs from hour to hour, so that each gets its turn.
        self.rng.shuffle(&mut steps);
        run.expect(steps.iter().map(|step| &step.instance.id));
        let mut plan = Plan {
            steps,
            observed_at: now,
        };
        let asking = plan.split_off_asking(Discovery::Sweep, now);
        if !asking.steps.is_empty() {
            self.ask(run, asking, 0, Sim::apply_swept);
        }
        self.apply_swept(run, plan);
    }

    fn apply_swept(&mut self, run: &Rc<SimInvocation>, mut plan: Plan) {
        plan.leave_waiting(&self.policy, timestamp(self.now));
        self.apply(run, plan);
    }
}
