//! The plan: what to do about every instance that was observed. What a dry run prints is what apply
//! consumes.

use std::collections::BTreeSet;
use std::fmt;

use jiff::{SignedDuration, Timestamp};

use crate::decide::{Because, Decision, Discovery, NonCompliant, decide};
use crate::event::Launch;
use crate::instance::Instance;
use crate::policy::{Action, Policy};

/// One step for each instance; nothing is left to choose while it is applied.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// In the order in which the instances were observed.
    pub steps: Vec<Step>,
}

/// What to do about one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The instance as it was observed.
    pub instance: Instance,
    /// What to do, and why.
    pub decision: Decision,
}

impl Plan {
    /// Decides about every instance.
    pub fn new(
        policy: &Policy,
        instances: impl IntoIterator<Item = Instance>,
        now: Timestamp,
        discovery: &Discovery,
    ) -> Self {
        let steps = instances.into_iter().map(|instance| {
            let decision = decide(policy, &instance, now, discovery);
            Step { instance, decision }
        });
        Plan {
            steps: steps.collect(),
        }
    }

    /// Decides about every instance that a launch records, once where it is recorded twice.
    pub fn for_launch(policy: &Policy, launch: &Launch, now: Timestamp) -> Self {
        let mut ids = BTreeSet::new();
        let once = launch.instances.iter().filter(|it| ids.insert(&it.id));
        Plan::new(policy, once.cloned(), now, &Discovery::Launch)
    }

    /// Takes out the steps that must wait because tags come late: an instance is disrupted only
    /// once it is `grace_seconds` old, and is observed again by then.
    pub fn split_off_waiting(&mut self, policy: &Policy, now: Timestamp) -> Option<Waiting> {
        let (waiting, ready): (Vec<_>, Vec<_>) = std::mem::take(&mut self.steps)
            .into_iter()
            .partition(|step| step.waits_until(policy, now).is_some());
        self.steps = ready;
        let until = waiting
            .iter()
            .filter_map(|step| step.waits_until(policy, now))
            .max()?;
        let instances = waiting.into_iter().map(|step| step.instance).collect();
        Some(Waiting { until, instances })
    }

    /// Reports the instances that must wait: the next sweep finds them old enough.
    pub fn leave_waiting(&mut self, policy: &Policy, now: Timestamp) {
        for step in &mut self.steps {
            if step.waits_until(policy, now).is_some() {
                step.make_milder(Action::Report, Because::Grace);
            }
        }
    }

    /// Enforces the options of those beyond `limit` terminations.
    pub fn limit_terminations(&mut self, limit: u32) {
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        let terminate =
            |step: &&mut Step| step.non_compliant().map(|it| it.action) == Some(Action::Terminate);
        for step in self.steps.iter_mut().filter(terminate).skip(most) {
            step.make_milder(Action::Enforce, Because::DisruptionLimit { limit });
        }
    }
}

impl Step {
    /// Why the instance is not compliant, and what to do.
    pub fn non_compliant(&self) -> Option<&NonCompliant> {
        match &self.decision {
            Decision::NonCompliant(non_compliant) => Some(non_compliant),
            Decision::Compliant(_) | Decision::Exempt(_) | Decision::Gone(_) => None,
        }
    }

    fn make_milder(&mut self, action: Action, because: Because) {
        if let Decision::NonCompliant(non_compliant) = &mut self.decision {
            *non_compliant = non_compliant.clone().milder(action, because);
        }
    }

    /// When the instance is old enough to be disrupted, where it is to be and is not.
    pub fn waits_until(&self, policy: &Policy, now: Timestamp) -> Option<Timestamp> {
        let grace = SignedDuration::from_secs(i64::from(policy.new_instances.grace_seconds));
        let is_disrupted = self.non_compliant().is_some_and(NonCompliant::is_disrupted);
        // An instance of unknown age may be new.
        let launched = self.instance.launched_at.unwrap_or(now);
        launched
            .checked_add(grace)
            .ok()
            .filter(|&until| is_disrupted && until > now)
    }
}

/// Instances to observe again before they are stopped or terminated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// When the youngest of them is old enough.
    pub until: Timestamp,
    /// The instances as they were observed.
    pub instances: Vec<Instance>,
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.steps.iter().try_for_each(|step| writeln!(f, "{step}"))
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Instance { id, region, .. } = &self.instance;
        write!(f, "{region} {id} ")?;
        match &self.decision {
            Decision::Compliant(_) => f.write_str("leave")?,
            Decision::Exempt(_) => f.write_str("leave, exempt")?,
            Decision::Gone(_) => f.write_str("leave, gone")?,
            Decision::NonCompliant(it) => match it.action {
                Action::Report => f.write_str("report")?,
                Action::Enforce => write!(f, "set {}", it.change)?,
                Action::Stop if it.is_stopped => f.write_str("leave, stopped")?,
                Action::Stop => f.write_str("stop")?,
                Action::Terminate => f.write_str("terminate")?,
            },
        }
        write!(f, ": {}", self.decision)
    }
}
