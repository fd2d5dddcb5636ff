//! A sweep of a region: every instance, whatever events said.

use std::rc::Rc;

use imds_core::decide::{Decision, Discovery, Evidence, decide};
use imds_core::plan::{Plan, Step};

use crate::ec2::timestamp;
use crate::function::SimInvocation;
use crate::sim::Sim;

impl Sim {
    pub(crate) fn sweep(&mut self, run: &Rc<SimInvocation>, region: String) {
        let (at, now) = (self.now, timestamp(self.now));
        let Ok(observed) = self.call("DescribeInstances", &region, |ec2| {
            Ok(ec2.living(&region, at))
        }) else {
            return run.fail();
        };
        let mut steps = Vec::new();
        for instance in observed {
            let evidence = Evidence::NotAsked;
            match decide(&self.policy, &instance, now, Discovery::Sweep, &evidence) {
                Decision::Compliant(_) => self.count("outcome", "compliant, swept"),
                Decision::Exempt(_) => self.count("outcome", "exempt, swept"),
                Decision::Gone(_) => {}
                decision @ Decision::NonCompliant(_) => steps.push(Step { instance, decision }),
            }
        }
        run.expect(steps.iter().map(|step| &step.instance.id));
        let mut plan = Plan {
            steps,
            observed_at: now,
        };
        let asking = plan.split_off_questions();
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
