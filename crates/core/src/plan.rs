//! The plan: what to do about every instance that was observed. What a dry run prints is what apply
//! consumes.

use std::collections::BTreeSet;
use std::fmt;

use jiff::{SignedDuration, Timestamp};

use crate::decide::{Because, Decision, Discovery, Evidence, NonCompliant, Question, decide};
use crate::event::Launch;
use crate::instance::Instance;
use crate::policy::{Action, Policy};

/// One step for each instance; nothing is left to choose while it is applied.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// In the order in which the instances were observed.
    pub steps: Vec<Step>,
    /// When the instances were observed, the first of them.
    pub observed_at: Timestamp,
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
    /// Decides about every instance, observed at `now`.
    pub fn new(
        policy: &Policy,
        instances: impl IntoIterator<Item = Instance>,
        now: Timestamp,
        discovery: Discovery,
    ) -> Self {
        let instances = instances.into_iter();
        let steps = instances.map(|it| Step::new(policy, it, now, discovery, &Evidence::default()));
        Plan {
            steps: steps.collect(),
            observed_at: now,
        }
    }

    /// Decides about every instance that a launch records, once where it is recorded twice. The record
    /// does not show when an instance was first launched.
    pub fn for_launch(policy: &Policy, launch: &Launch, now: Timestamp) -> Self {
        let mut ids = BTreeSet::new();
        let once = launch.instances.iter().filter(|it| ids.insert(&it.id));
        let at = launch.origin.time;
        Plan::new(policy, once.cloned(), now, Discovery::Launch { at })
    }

    /// Takes out the steps that depend on what was not asked yet.
    #[must_use]
    pub fn split_off_questions(&mut self) -> Plan {
        let steps = std::mem::take(&mut self.steps).into_iter();
        let (asking, ready) = steps.partition(|step| step.question().is_some());
        self.steps = ready;
        Plan {
            steps: asking,
            observed_at: self.observed_at,
        }
    }

    /// Takes out the steps that must wait because tags come late: an instance is disrupted only once it
    /// is `grace_seconds` old, and enforced once it is `enforce_grace_seconds` old, and is observed
    /// again by then.
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
    /// Decides about one instance.
    pub fn new(
        policy: &Policy,
        instance: Instance,
        now: Timestamp,
        discovery: Discovery,
        evidence: &Evidence,
    ) -> Self {
        let decision = decide(policy, &instance, now, discovery, evidence);
        Step { instance, decision }
    }

    /// What must be asked before the step is done.
    pub fn question(&self) -> Option<Question> {
        self.non_compliant()?.question
    }

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

    /// When the instance is old enough for what is to be done, where it is not. One of unknown age is
    /// not new, and need not wait.
    pub fn waits_until(&self, policy: &Policy, now: Timestamp) -> Option<Timestamp> {
        let limits = &policy.new_instances;
        let seconds = match self.non_compliant()?.action {
            Action::Report => return None,
            Action::Enforce => limits.enforce_grace_seconds,
            Action::Stop | Action::Terminate => limits.grace(),
        };
        // EC2's clock may be ahead: without a grace period nothing waits for ours.
        let seconds = Some(seconds).filter(|&seconds| seconds > 0)?;
        let grace = SignedDuration::from_secs(i64::from(seconds));
        let until = self.instance.first_launched_at(now)?.checked_add(grace);
        until.ok().filter(|&until| until > now)
    }
}

/// Instances to observe again before anything is done to them.
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
                Action::Stop => write!(f, "set {} and stop", it.change)?,
                Action::Terminate => f.write_str("terminate")?,
            },
        }
        write!(f, ": {}", self.decision)
    }
}
