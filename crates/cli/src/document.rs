//! The result of a scan or an enforcement.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use imds_core::instance::InstanceId;
use imds_core::plan::Step;
use imds_core::report::{InstanceReport, Outcome, Summary, Unreachable};
use imds_engine::{
    HeldEntries, KeptTemplates, RegionDefaults, RegionTotal, ScanDecision, ScannedInstance,
    ScannedTemplate, UnneededExemption,
};
use jiff::Timestamp;
use serde::Serialize;

use crate::coverage::Source;
use crate::error::Exit;
use crate::scope::Scope;

/// Everything that a command reports.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    /// The command that produced it.
    pub(crate) trigger: CommandTrigger,
    /// Whether it is a plan that the same command applies.
    pub(crate) is_plan: bool,
    /// What it was asked to look at.
    pub(crate) scope: Scope,
    /// The policy that decided.
    pub(crate) policy: PolicyIdentity,
    /// The reports that were joined; empty if none were.
    pub(crate) sources: Vec<Source>,
    /// The account, 12 digits.
    pub(crate) account: Option<String>,
    /// When it finished.
    pub(crate) at: Timestamp,
    /// How long it took.
    pub(crate) took: Duration,
    /// Counts the outcome of every instance, by region; sorted by name; includes regions without instances.
    pub(crate) regions: Vec<RegionTotal>,
    /// What could not be described.
    pub(crate) unreachable: Vec<Unreachable>,
    /// The instances, region by region.
    pub(crate) instances: Vec<ScannedInstance>,
    /// The usage window in days, if usage was requested.
    pub(crate) usage_days: Option<u8>,
    /// Whether user data was searched.
    pub(crate) user_data: bool,
    /// Which launch templates and launch configurations are listed.
    pub(crate) kept_templates: Option<KeptTemplates>,
    /// What launches the next instances, if that was requested.
    pub(crate) templates: Option<Vec<ScannedTemplate>>,
    /// The account's metadata defaults, if they were requested.
    pub(crate) defaults: Option<Vec<RegionDefaults>>,
    /// Whether exemptions in the state table were read.
    pub(crate) state_table: bool,
    /// Exemptions that no instance of the account needs; `None`: not every instance was
    /// described.
    pub(crate) unneeded_exemptions: Option<Vec<UnneededExemption>>,
    /// The file that records the changes, where any were made.
    pub(crate) journal: Option<String>,
}

/// Which policy decided.
#[derive(Debug, Clone, Default)]
pub(crate) struct PolicyIdentity {
    /// The SHA-256 of its text, in hexadecimal digits.
    pub(crate) sha256: String,
    /// The options that it requires where no rule says otherwise.
    pub(crate) requires: String,
}

/// The command that produced a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(crate) enum CommandTrigger {
    /// `imdsctl scan`.
    Scan,
    /// `imdsctl enforce`.
    Enforce,
    /// `imdsctl report`, which joins reports.
    Report,
}

impl Document {
    /// A report without anything yet.
    pub(crate) fn new(trigger: CommandTrigger, at: Timestamp) -> Self {
        Document {
            trigger,
            is_plan: false,
            scope: Scope::default(),
            policy: PolicyIdentity::default(),
            sources: Vec::new(),
            account: None,
            at,
            took: Duration::ZERO,
            regions: Vec::new(),
            unreachable: Vec::new(),
            instances: Vec::new(),
            usage_days: None,
            user_data: false,
            kept_templates: None,
            templates: None,
            defaults: None,
            state_table: false,
            unneeded_exemptions: None,
            journal: None,
        }
    }

    /// How the command ends. Unreachable regions take precedence over violations. Calls in user data that
    /// fail because tokens are required count as violations.
    pub(crate) fn exit(&self) -> Exit {
        let summary = self.summary();
        let mut templates = self.templates.iter().flatten();
        let mut calling = self.instances.iter();
        let mut instances = self.instances.iter();
        let is_refused = instances.any(|it| !it.report.refused.is_empty());
        if !self.unreachable.is_empty() || summary.failed > 0 || is_refused {
            Exit::Failed
        } else if summary.reported > 0
            || templates.any(ScannedTemplate::is_violation)
            || calling.any(ScannedInstance::has_failing_calls)
        {
            Exit::Violations
        } else {
            Exit::Fine
        }
    }

    /// Counts the outcomes of all regions.
    pub(crate) fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        for total in &self.regions {
            summary.add(total.summary);
        }
        summary
    }

    /// The accounts, where they are known.
    pub(crate) fn accounts(&self) -> BTreeSet<&str> {
        let accounts = self.regions.iter().filter_map(|it| it.account.as_deref());
        accounts.chain(self.account.as_deref()).collect()
    }

    /// Whether it is about more than one account.
    pub(crate) fn has_several_accounts(&self) -> bool {
        self.accounts().len() > 1
    }

    /// Counts the outcomes by region.
    pub(crate) fn count(mut self) -> Self {
        let names = self.regions.iter().map(|total| total.region.as_str());
        self.regions = RegionTotal::count(self.account.as_deref(), names, &self.instances);
        self
    }

    /// The regions that were described and have no instances, and all others.
    pub(crate) fn split_regions(&self) -> (Vec<&RegionTotal>, Vec<&RegionTotal>) {
        let described = |total: &&RegionTotal| {
            let mut unreachable = self.unreachable.iter();
            !unreachable.any(|it| {
                it.region == total.region && (it.account.is_none() || it.account == total.account)
            })
        };
        let totals = self.regions.iter();
        totals.partition(|total| total.summary == Summary::default() && described(total))
    }

    /// Adds the outcomes of the instances that were changed.
    pub(crate) fn with_outcomes(mut self, reports: Vec<InstanceReport>) -> Self {
        let reports = reports.into_iter().map(|it| (it.instance_id.clone(), it));
        let mut reports: HashMap<InstanceId, InstanceReport> = reports.collect();
        for instance in &mut self.instances {
            if let Some(report) = reports.remove(&instance.report.instance_id) {
                instance.report = report;
            }
        }
        // A change without a matching instance must still be reported.
        for report in reports.into_values() {
            let error = format!("{}: {}", report.instance_id, report.reason);
            self.unreachable
                .push(Unreachable::fatal(&report.region, error));
        }
        self.count()
    }

    /// Reports instances that were to be enforced as left unchanged, with the reason.
    pub(crate) fn leave(&mut self, steps: &[Step], why: &str) {
        let ids: HashSet<&InstanceId> = steps.iter().map(|step| &step.instance.id).collect();
        let left = self.instances.iter_mut();
        for instance in left.filter(|it| ids.contains(&it.report.instance_id)) {
            instance.decision = ScanDecision::Report;
            instance.report.reason.push_str("; left as it is ");
            instance.report.reason.push_str(why);
        }
    }

    /// Applies what people have exempted or paused.
    pub(crate) fn hold(&mut self, held: &HeldEntries) {
        for instance in &mut self.instances {
            held.apply(instance);
            let report = &instance.report;
            if held.exemptions.contains_key(&report.instance_id) {
                let mut totals = self.regions.iter_mut();
                if let Some(total) = totals.find(|total| total.region == report.region) {
                    total.summary.reported = total.summary.reported.saturating_sub(1);
                    total.summary.exempt += 1;
                }
            }
        }
    }

    /// Applies decisions that were changed since the scan.
    pub(crate) fn decide_again(&mut self, steps: &[Step]) {
        let steps = steps.iter().map(|step| (&step.instance.id, step));
        let steps: HashMap<&InstanceId, &Step> = steps.collect();
        for scanned in &mut self.instances {
            if let Some(step) = steps.get(&scanned.report.instance_id) {
                let usage = scanned.report.usage.take();
                let user_data = std::mem::take(&mut scanned.user_data);
                *scanned = ScannedInstance::new(&step.instance, &step.decision, usage, user_data);
            }
        }
    }

    /// The instances whose options are to be set.
    pub(crate) fn to_enforce(&self) -> HashSet<InstanceId> {
        let instances = self.instances.iter();
        let to_enforce = instances.filter(|it| it.decision == ScanDecision::Enforce);
        to_enforce.map(|it| it.report.instance_id.clone()).collect()
    }

    /// Removes the instances that were compliant, exempt or gone when they were scanned, unless their user
    /// data calls the metadata service without a token.
    pub(crate) fn only_violations(mut self) -> Self {
        self.instances
            .retain(|it| it.is_non_compliant() || !it.user_data.is_empty());
        self
    }

    /// Removes the instances that were compliant, exempt or gone when they were scanned.
    pub(crate) fn only_non_compliant(mut self) -> Self {
        self.instances.retain(ScannedInstance::is_non_compliant);
        self
    }

    /// How many instances had this outcome.
    pub(crate) fn has(&self, outcome: Outcome) -> usize {
        self.summary().get(outcome)
    }
}
