//! The plan: for every instance that was seen, what is to be done. What prints is what is applied.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use crate::decide::{Because, Decision, Instead, Occasion, Remedy, decide};
use crate::instance::Instance;
use crate::policy::{Action, Policy};

/// One step for each instance; nothing is left to choose while it is applied.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// In the order in which the instances were seen.
    pub steps: Vec<Step>,
}

/// What is to be done about one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The instance as it was seen.
    pub instance: Instance,
    /// What is to be done, and why.
    pub decision: Decision,
}

impl Plan {
    /// Decides about every instance.
    pub fn new(
        policy: &Policy,
        instances: impl IntoIterator<Item = Instance>,
        now: Timestamp,
        occasion: &Occasion,
    ) -> Self {
        let steps = instances.into_iter().map(|instance| {
            let decision = decide(policy, &instance, now, occasion);
            Step { instance, decision }
        });
        Plan {
            steps: steps.collect(),
        }
    }

    /// Takes out the steps that must wait because tags come late, and says until when: an instance
    /// is stopped or terminated only once it is `grace_seconds` old, and looked at again by then.
    pub fn split_off_waiting(&mut self, policy: &Policy, now: Timestamp) -> Option<Waiting> {
        let (waiting, ready): (Vec<_>, Vec<_>) = std::mem::take(&mut self.steps)
            .into_iter()
            .partition(|step| step.ripe_at(policy, now).is_some());
        self.steps = ready;
        let until = waiting
            .iter()
            .filter_map(|step| step.ripe_at(policy, now))
            .max()?;
        let instances = waiting.into_iter().map(|step| step.instance).collect();
        Some(Waiting { until, instances })
    }

    /// Leaves the steps that must wait to the next sweep.
    pub fn leave_waiting(&mut self, policy: &Policy, now: Timestamp) {
        for step in &mut self.steps {
            if step.ripe_at(policy, now).is_none() {
                continue;
            }
            if let Decision::Wrong(wrong) = &mut step.decision {
                let terminates = wrong.remedy == Remedy::Terminate;
                let of = if terminates {
                    Action::Terminate
                } else {
                    Action::Stop
                };
                let because = Because::Young;
                wrong.remedy = Remedy::Report(Some(Instead { of, because }));
            }
        }
    }
}

impl Step {
    /// When the instance is old enough for what is to be done, if it is not.
    fn ripe_at(&self, policy: &Policy, now: Timestamp) -> Option<Timestamp> {
        let grace = SignedDuration::from_secs(i64::from(policy.limits.grace_seconds));
        let ends = matches!(
            &self.decision,
            Decision::Wrong(wrong) if matches!(wrong.remedy, Remedy::Stop | Remedy::Terminate)
        );
        // An instance of unknown age may be new.
        let launched = self.instance.launched_at.unwrap_or(now);
        launched
            .checked_add(grace)
            .ok()
            .filter(|&ripe| ends && ripe > now)
    }
}

/// Instances to look at once more before they are stopped or terminated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// When the youngest of them is old enough.
    pub until: Timestamp,
    /// The instances as they were seen.
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
            Decision::Wrong(wrong) => match &wrong.remedy {
                Remedy::Report(_) => f.write_str("report")?,
                Remedy::Enforce(_) => write!(f, "set {}", wrong.change)?,
                Remedy::Stop => f.write_str("stop")?,
                Remedy::AlreadyStopped => f.write_str("leave, stopped")?,
                Remedy::Terminate => f.write_str("terminate")?,
            },
        }
        write!(f, ": {}", self.decision)
    }
}
