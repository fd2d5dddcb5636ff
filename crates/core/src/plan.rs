//! The plan: what to do about every instance that was observed. What a dry run prints is what apply
//! consumes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::{SignedDuration, Timestamp};

use crate::age::Age;
use crate::decide::{
    Because, Decision, Discovery, Evidence, Exempt, NonCompliant, Question, UsageGate, decide,
};
use crate::event::Launch;
use crate::instance::Instance;
use crate::policy::{Action, Policy};
use crate::state::{Exemption, Pause};

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

    /// Takes out the steps that depend on the state table, or on what was not asked yet.
    #[must_use]
    pub fn split_off_asking(&mut self, discovery: Discovery, now: Timestamp) -> Plan {
        let steps = std::mem::take(&mut self.steps).into_iter();
        let (asking, ready) =
            steps.partition(|step| step.needs_state(discovery, now) || step.question().is_some());
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

    /// Enforces the options of those beyond `limit` disruptions in a region.
    pub fn limit_disruptions(&mut self, limit: u32) {
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        let is_disrupted =
            |step: &&mut Step| step.non_compliant().is_some_and(NonCompliant::is_disrupted);
        for step in self.steps.iter_mut().filter(is_disrupted) {
            let count = counts.entry(step.instance.region.clone()).or_default();
            *count += 1;
            if *count > most {
                step.make_milder(Action::Enforce, Because::DisruptionLimit { limit });
            }
        }
    }

    /// Reports what would be enforced on existing instances.
    pub fn leave_existing(&mut self, because: &Because, policy: &Policy, now: Timestamp) {
        let steps = self.steps.iter_mut();
        for step in steps.filter(|step| step.enforces_existing(policy, now)) {
            step.make_milder(Action::Report, because.clone());
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

    /// Whether the state table must be read before the step is done. What it may hold about a new launch
    /// whose options are set would not change the step.
    pub fn needs_state(&self, discovery: Discovery, now: Timestamp) -> bool {
        let Some(non_compliant) = self.non_compliant() else {
            return false;
        };
        let is_new = discovery.is_new_launch(non_compliant.first_launched_at, now);
        match non_compliant.action {
            Action::Report => non_compliant.question.is_some() || non_compliant.needs_launcher,
            Action::Enforce => !is_new || non_compliant.question.is_some(),
            Action::Stop | Action::Terminate => true,
        }
    }

    /// Whether the decision depends on who launched the instance, and that is not known.
    pub fn needs_launcher(&self) -> bool {
        self.non_compliant().is_some_and(|it| it.needs_launcher)
    }

    /// The instance is exempt by a person's entry.
    pub fn exempt(&mut self, exemption: Exemption) {
        self.decision = Decision::Exempt(Exempt::Entry(exemption));
    }

    /// The instance is reported, because a person has paused the function.
    pub fn pause(&mut self, pause: &Pause) {
        let acts = |it: &NonCompliant| it.action > Action::Report || it.question.is_some();
        if self.non_compliant().is_some_and(acts) {
            self.make_milder(Action::Report, Because::Paused(pause.clone()));
        }
    }

    /// The state table is not available: a new launch is enforced, and nothing is done to any other
    /// instance.
    pub fn without_state(&mut self, error: &str, discovery: Discovery, now: Timestamp) {
        let Some(non_compliant) = self.non_compliant() else {
            return;
        };
        let is_new = discovery.is_new_launch(non_compliant.first_launched_at, now);
        let action = match non_compliant.action {
            Action::Stop | Action::Terminate if is_new => Action::Enforce,
            Action::Report | Action::Enforce | Action::Stop | Action::Terminate => Action::Report,
        };
        self.make_milder(action, Because::StateUnavailable(error.to_owned()));
    }

    /// What must be asked before the step is done.
    pub fn question(&self) -> Option<Question> {
        self.decision.question()
    }

    /// Whether software may fail once the step is done, as far as nobody asked for the use of IMDSv1: calls
    /// without a token end, and the instance is not new.
    pub fn needs_usage(&self, policy: &Policy, now: Timestamp) -> bool {
        let gate = Discovery::Request(UsageGate::Policy);
        let asks = || decide(policy, &self.instance, now, gate, &Evidence::NotAsked).question();
        let ends_v1 = self.non_compliant().is_some_and(|it| it.change.ends_v1());
        ends_v1 && asks() == Some(Question::Usage)
    }

    /// Whether something is done to an instance that is neither new nor recent, or of unknown age.
    pub fn enforces_existing(&self, policy: &Policy, now: Timestamp) -> bool {
        let first = self.instance.first_launched_at(now);
        let age = Age::new(&policy.new_instances, first, now);
        let acts = |it: &NonCompliant| it.action > Action::Report;
        matches!(age, Age::Old | Age::Unknown) && self.non_compliant().is_some_and(acts)
    }

    /// Why the instance is not compliant, and what to do.
    pub fn non_compliant(&self) -> Option<&NonCompliant> {
        self.decision.non_compliant()
    }

    fn make_milder(&mut self, action: Action, because: Because) {
        if let Decision::NonCompliant(non_compliant) = &mut self.decision {
            *non_compliant = non_compliant.clone().milder(action, because);
            non_compliant.question = None;
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
