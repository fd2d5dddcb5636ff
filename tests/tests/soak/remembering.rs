//! What the function reads of people and launches in the table, and what it remembers of launches.

use std::collections::BTreeMap;
use std::rc::Rc;

use imds_core::decide::{Evidence, is_decided_by_principals};
use imds_core::instance::{Instance, InstanceId};
use imds_core::plan::{Plan, Step};
use imds_core::state::{self, Exemption, Item, Key, Pause};

use crate::asking::Then;
use crate::ec2::{SECOND, timestamp};
use crate::events::ACCOUNT;
use crate::function::SimInvocation;
use crate::sim::Sim;
use crate::table::Fate;

/// How often a call is made before there is no answer.
const ATTEMPTS: u32 = 3;

impl Sim {
    /// Reads what the table holds about the instances of a plan, and decides again; then asks the rest.
    pub(crate) fn ask(&mut self, run: &Rc<SimInvocation>, plan: Plan, tries: u32, then: Then) {
        let now = timestamp(self.now);
        let needs = |step: &Step| step.needs_state(run.discovery, now);
        if !plan.steps.iter().any(needs) {
            return self.question(run, plan, 0, then);
        }
        if self.fate("BatchGetItem") == Fate::Answered {
            let plan = self.decided_with_state(run, plan);
            let answered = self.now + self.table_latency();
            return self.later(run, answered, move |sim, run| {
                sim.question(run, plan, 0, then);
            });
        }
        let again = self.now + ((SECOND / 10) << tries);
        if tries + 1 < ATTEMPTS && again < run.ask_until {
            return self.later(run, again, move |sim, run| {
                sim.ask(run, plan, tries + 1, then);
            });
        }
        let mut plan = plan;
        for step in plan.steps.iter_mut().filter(|step| needs(step)) {
            step.without_state("not read", run.discovery, now);
        }
        self.count("outcome", "the table not read");
        self.question(run, plan, 0, then);
    }

    fn decided_with_state(&self, run: &SimInvocation, mut plan: Plan) -> Plan {
        let now = timestamp(self.now);
        let region = plan.steps[0].instance.region.clone();
        let pauses = [None, Some(region.as_str())].map(|region| Key::pause(ACCOUNT, region));
        let pause = pauses
            .iter()
            .find_map(|key| Pause::read(key, self.table.get(key)?, now));
        for step in &mut plan.steps {
            if step.needs_state(run.discovery, now) {
                self.decide_with_state(run, step, pause.as_ref());
            }
        }
        plan
    }

    fn decide_with_state(&self, run: &SimInvocation, step: &mut Step, pause: Option<&Pause>) {
        let now = timestamp(self.now);
        let id = step.instance.id.clone();
        let launcher = Key::launcher(&id);
        if step.needs_launcher()
            && let Some(item) = self.table.get(&launcher)
        {
            let instance = Instance {
                principals: state::principals(&launcher, item).unwrap(),
                ..step.instance.clone()
            };
            let evidence = Evidence::NotAsked;
            *step = Step::new(&self.policy, instance, now, run.discovery, &evidence);
        }
        let key = Key::exemption(&id);
        let exemption = self
            .table
            .get(&key)
            .and_then(|item| Exemption::read(&key, item, now));
        match (exemption, pause) {
            (Some(exemption), _) if step.non_compliant().is_some() => step.exempt(exemption),
            (_, Some(pause)) => step.pause(pause),
            (_, None) => {}
        }
    }

    /// Remembers who launched those instances about which a rule by principals decides.
    pub(crate) fn remember_launchers<'i>(
        &mut self,
        run: &Rc<SimInvocation>,
        instances: impl Iterator<Item = &'i Instance>,
    ) {
        let now = timestamp(self.now);
        let decided = instances.filter(|it| is_decided_by_principals(&self.policy, it, now));
        let launchers: BTreeMap<InstanceId, Vec<String>> = decided
            .map(|it| (it.id.clone(), it.principals.clone()))
            .collect();
        for (id, principals) in launchers {
            let item = state::launcher_item(principals);
            self.remember(run, Key::launcher(&id), item, 0);
        }
    }

    fn remember(&mut self, run: &Rc<SimInvocation>, key: Key, item: Item, tries: u32) {
        let fate = self.fate("UpdateItem");
        if fate != Fate::NotDone {
            self.table.put(key.clone(), item.clone());
        }
        let again = self.now + ((SECOND / 10) << tries);
        match fate {
            Fate::Answered => self.count("launcher", "remembered"),
            _ if tries + 1 < ATTEMPTS => self.later(run, again, move |sim, run| {
                sim.remember(run, key, item, tries + 1);
            }),
            _ => run.fail(),
        }
    }
}
