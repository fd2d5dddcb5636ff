//! Totals over the instances of a document.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use imds_core::plain::Plain;
use imds_core::usage::Usage;
use imds_engine::{ScanDecision, ScannedInstance};

use crate::document::Document;

/// What the instances of a document have in common.
#[derive(Debug, Default)]
pub(super) struct Survey<'a> {
    /// Whether they belong to more than one account.
    pub(super) several_accounts: bool,
    /// How many `enforce` would change.
    pub(super) to_enforce: usize,
    /// How many of them did not use IMDSv1.
    pub(super) to_enforce_unused: usize,
    /// How many did not use IMDSv1.
    pub(super) unused: usize,
    /// How many may have used IMDSv1.
    pub(super) unknown: usize,
    /// Those that used IMDSv1, most calls first.
    pub(super) in_use: Vec<&'a ScannedInstance>,
    /// By region, what launches non-compliant instances, and the number of those instances. Excludes
    /// templates that are compliant by now.
    pub(super) launched_from: BTreeMap<(&'a str, LaunchedFrom<'a>), usize>,
}

/// What launches an instance again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LaunchedFrom<'a> {
    /// The id of the launch template, or the name of the Auto Scaling group.
    pub(super) id: &'a str,
    /// The full name; safe to print.
    pub(super) label: String,
}

impl<'a> LaunchedFrom<'a> {
    /// What launches a non-compliant instance again, if that is known.
    pub(super) fn non_compliant(instance: &'a ScannedInstance) -> Option<Self> {
        let template = instance.report.launch_template.as_ref();
        let template = template.map(|template| LaunchedFrom {
            id: &template.id,
            label: template.to_string(),
        });
        let group = instance.auto_scaling_group.as_deref();
        let group = group.map(|id| LaunchedFrom {
            id,
            label: format!("Auto Scaling group {}", Plain(id)),
        });
        template.or(group).filter(|_| instance.is_non_compliant())
    }
}

impl<'a> Survey<'a> {
    /// Reads every instance.
    pub(super) fn new(document: &'a Document) -> Self {
        let mut survey = Survey::default();
        let first = document.instances.first().map(|it| &it.report.account);
        for instance in &document.instances {
            survey.several_accounts |= first != Some(&instance.report.account);
            survey.add(instance);
        }
        survey.in_use.sort_by_key(|it| Reverse(calls(it)));
        let templates = || document.templates.iter().flatten();
        survey.launched_from.retain(|(_, from), _| {
            let mut versions = templates().filter(|it| it.id == from.id).peekable();
            versions.peek().is_none() || versions.any(|it| !it.is_compliant())
        });
        survey
    }

    fn add(&mut self, instance: &'a ScannedInstance) {
        let enforce = usize::from(instance.decision == ScanDecision::Enforce);
        self.to_enforce += enforce;
        match &instance.report.usage {
            Some(Usage::Unused { .. }) => {
                self.unused += 1;
                self.to_enforce_unused += enforce;
            }
            Some(Usage::InUse { .. }) => self.in_use.push(instance),
            Some(Usage::Unknown { .. }) => self.unknown += 1,
            None => {}
        }
        if let Some(from) = LaunchedFrom::non_compliant(instance) {
            let key = (instance.report.region.as_str(), from);
            *self.launched_from.entry(key).or_default() += 1;
        }
    }
}

/// The calls without a token in the window.
fn calls(instance: &ScannedInstance) -> u64 {
    match instance.report.usage {
        Some(Usage::InUse { calls, .. }) => calls,
        Some(Usage::Unused { .. } | Usage::Unknown { .. }) | None => 0,
    }
}
