//! What changed from one report to a later one.

mod differences;
mod standing;

use std::collections::BTreeMap;

use imds_core::report::Unreachable;
use imds_engine::ScannedInstance;
use serde::Serialize;

use self::standing::Lookup;
use crate::error::Exit;
use crate::report_file::ReportFile;

pub(crate) use differences::{Difference, differences};
pub(crate) use standing::Standing;

/// What changed from the old report to the new one.
#[derive(Debug)]
pub(crate) struct Comparison<'a> {
    /// Where the reports do not cover the same.
    pub(crate) differences: Vec<Difference>,
    /// How many instances changed in which way, or did not change; without those that are 0.
    pub(crate) summary: BTreeMap<ChangeKind, usize>,
    /// The changes to list, the most urgent first.
    pub(crate) changes: Vec<InstanceChange<'a>>,
    /// What the new report could not describe.
    pub(crate) unreachable: &'a [Unreachable],
}

/// What changed of one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InstanceChange<'a> {
    /// What changed.
    pub(crate) kind: ChangeKind,
    /// As the new report lists it, or else the old one.
    pub(crate) instance: &'a ScannedInstance,
    /// In the old report.
    pub(crate) old: Standing,
    /// In the new report.
    pub(crate) new: Standing,
}

macro_rules! change_kinds {
    ($($(#[doc = $doc:literal])+ $kind:ident $word:literal),+ $(,)?) => {
        /// What changed of an instance, the most urgent first.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        #[serde(rename_all = "snake_case")]
        pub(crate) enum ChangeKind { $($(#[doc = $doc])+ $kind),+ }

        impl ChangeKind {
            /// All of them.
            pub(crate) const ALL: &[ChangeKind] = &[$(ChangeKind::$kind),+];

            /// The words in reports for people.
            pub(crate) fn words(self) -> &'static str {
                match self { $(ChangeKind::$kind => $word),+ }
            }
        }
    };
}

change_kinds! {
    /// It is non-compliant, and is not in the old report.
    New "new",
    /// It was compliant, and is non-compliant.
    Reopened "reopened",
    /// It was exempt, and is non-compliant.
    ExemptionEnded "exemption ended",
    /// It is not known whether it is compliant.
    Unknown "unknown",
    /// It was non-compliant, and still is.
    StillNonCompliant "still non-compliant",
    /// It is exempt, and was not, or by another rule.
    Exempted "exempted",
    /// It was non-compliant or exempt, and is compliant.
    Remediated "remediated",
    /// It was not compliant, and is gone.
    Gone "gone",
    /// It was compliant, and still is.
    Compliant "still compliant",
    /// It was exempt by the same rule, and still is.
    Exempt "still exempt",
    /// It is compliant, and is not in the old report, or not known there.
    NewCompliant "new and compliant",
    /// It was compliant, and is gone.
    GoneCompliant "compliant and gone",
    /// The new report lists only what is non-compliant: it is compliant, exempt or gone.
    NotListed "not listed",
}

impl ChangeKind {
    /// What changed; `None` for what had terminated before and needs no mention.
    pub(crate) fn of(old: &Standing, new: &Standing) -> Option<Self> {
        use Standing::{Absent, Compliant, Exempt, Gone, NonCompliant, NotListed, Unknown};
        Some(match (old, new) {
            (Gone | Absent | NotListed, Gone | Absent | NotListed) | (Gone, Unknown { .. }) => {
                return None;
            }
            (Compliant, NonCompliant { .. }) => ChangeKind::Reopened,
            (Exempt { .. }, NonCompliant { .. }) => ChangeKind::ExemptionEnded,
            (NonCompliant { .. }, NonCompliant { .. }) => ChangeKind::StillNonCompliant,
            (Gone | Absent | NotListed | Unknown { .. }, NonCompliant { .. }) => ChangeKind::New,
            (Exempt { rule: old }, Exempt { rule: new }) if old == new => ChangeKind::Exempt,
            (_, Exempt { .. }) => ChangeKind::Exempted,
            (NonCompliant { .. } | Exempt { .. }, Compliant) => ChangeKind::Remediated,
            (Gone | Absent | Unknown { .. }, Compliant) => ChangeKind::NewCompliant,
            (Compliant | NotListed, Compliant) => ChangeKind::Compliant,
            (Compliant, Gone | Absent) => ChangeKind::GoneCompliant,
            (_, Gone | Absent) => ChangeKind::Gone,
            // It may have terminated, so that it is not known to be compliant.
            (NonCompliant { .. }, NotListed) => ChangeKind::Unknown,
            (_, NotListed) => ChangeKind::NotListed,
            (_, Unknown { .. }) => ChangeKind::Unknown,
        })
    }

    /// Whether it is listed; others are only counted.
    pub(crate) fn is_listed(self) -> bool {
        match self {
            ChangeKind::New
            | ChangeKind::Reopened
            | ChangeKind::ExemptionEnded
            | ChangeKind::Unknown
            | ChangeKind::StillNonCompliant
            | ChangeKind::Exempted
            | ChangeKind::Remediated
            | ChangeKind::Gone => true,
            ChangeKind::Compliant
            | ChangeKind::Exempt
            | ChangeKind::NewCompliant
            | ChangeKind::GoneCompliant
            | ChangeKind::NotListed => false,
        }
    }

    /// Whether something is non-compliant that was not.
    pub(crate) fn is_newly_non_compliant(self) -> bool {
        matches!(
            self,
            ChangeKind::New | ChangeKind::Reopened | ChangeKind::ExemptionEnded
        )
    }
}

impl<'a> Comparison<'a> {
    /// Compares two reports.
    pub(crate) fn new(old: &'a ReportFile, new: &'a ReportFile) -> Self {
        let (before, now) = (Lookup::new(old), Lookup::new(new));
        let mut comparison = Comparison {
            differences: differences(old, new),
            summary: BTreeMap::new(),
            changes: Vec::new(),
            unreachable: &new.unreachable,
        };
        let only_old = old.instances.iter();
        let only_old = only_old.filter(|instance| now.get(instance).is_none());
        for instance in new.instances.iter().chain(only_old) {
            comparison.add(instance, before.standing(instance), now.standing(instance));
        }
        comparison.changes.sort_by(|a, b| {
            let key = |it: &InstanceChange<'a>| {
                let report = &it.instance.report;
                (
                    it.kind,
                    &report.account,
                    &report.region,
                    &report.instance_id,
                )
            };
            key(a).cmp(&key(b))
        });
        comparison
    }

    fn add(&mut self, instance: &'a ScannedInstance, old: Standing, new: Standing) {
        let Some(kind) = ChangeKind::of(&old, &new) else {
            return;
        };
        *self.summary.entry(kind).or_default() += 1;
        if kind.is_listed() {
            self.changes.push(InstanceChange {
                kind,
                instance,
                old,
                new,
            });
        }
    }

    /// How many instances changed in this way.
    pub(crate) fn count(&self, kind: ChangeKind) -> usize {
        self.summary.get(&kind).copied().unwrap_or_default()
    }

    /// How the command ends. What is not known takes precedence, as in a scan.
    pub(crate) fn exit(&self) -> Exit {
        let mut kinds = self.summary.keys();
        if !self.unreachable.is_empty() || self.count(ChangeKind::Unknown) > 0 {
            Exit::Failed
        } else if kinds.any(|kind| kind.is_newly_non_compliant()) {
            Exit::Violations
        } else {
            Exit::Fine
        }
    }
}

#[cfg(test)]
mod tests;
