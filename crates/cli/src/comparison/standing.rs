//! How an instance stands to the policy in one of two reports.

use std::collections::HashMap;
use std::fmt;

use imds_core::instance::InstanceId;
use imds_core::options::{MetadataOption, MetadataOptions, OptionSetting};
use imds_core::plain::Plain;
use imds_core::report::{Outcome, Unreachable};
use imds_engine::ScannedInstance;
use serde::Serialize;

use crate::coverage::Unexamined;
use crate::report_file::ReportFile;

/// How an instance stands to the policy in a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "status", rename_all = "snake_case")]
pub(crate) enum Standing {
    /// It is as the policy requires.
    Compliant,
    /// It is exempt.
    Exempt {
        /// The rule that exempts it; `None`: a person does.
        rule: Option<String>,
    },
    /// It is not as the policy requires.
    NonCompliant {
        /// The options, with their values, such as `http_tokens is optional`.
        violations: Vec<String>,
    },
    /// It terminates or has terminated.
    Gone,
    /// The report is complete where it would be, and does not contain it.
    Absent,
    /// It is not listed, because the report lists only what is non-compliant: it is compliant, exempt or
    /// gone.
    NotListed,
    /// Not known.
    Unknown {
        /// Why.
        because: String,
    },
}

impl Standing {
    /// How an instance of a report stands once everything that the report says was done.
    fn of(instance: &ScannedInstance) -> Self {
        let report = &instance.report;
        let options = report.after.or(report.before).unwrap_or_default();
        match report.outcome {
            Outcome::Gone | Outcome::Terminated => Standing::Gone,
            Outcome::Compliant => Standing::Compliant,
            Outcome::Exempt => Standing::Exempt {
                rule: report.rule.clone(),
            },
            Outcome::Enforced if report.refused.is_empty() => Standing::Compliant,
            Outcome::Stopped if report.refused.is_empty() && report.after.is_some() => {
                Standing::Compliant
            }
            Outcome::Enforced | Outcome::Stopped if !report.refused.is_empty() => {
                let refused = report.refused.iter().map(|it| it.option);
                Standing::non_compliant(refused, &options, &report.reason)
            }
            Outcome::Failed if report.violations.is_empty() => Standing::Unknown {
                because: Plain(&report.reason).to_string(),
            },
            Outcome::Reported | Outcome::Failed | Outcome::Enforced | Outcome::Stopped => {
                let violated = |it: &MetadataOption| report.violations.contains(&it.name());
                let violated = MetadataOption::ALL.iter().copied().filter(violated);
                Standing::non_compliant(violated, &options, &report.reason)
            }
        }
    }

    /// An option without a value is not known, so an instance of which no violation is known is unknown.
    fn non_compliant(
        violated: impl Iterator<Item = MetadataOption>,
        options: &MetadataOptions,
        reason: &str,
    ) -> Self {
        let violated: Vec<_> = violated.map(|it| (it.name(), options.get(it))).collect();
        let is_known = violated.is_empty() || violated.iter().any(|(_, value)| value.is_some());
        let violations = violated.into_iter().map(|(name, value)| {
            let value = value.map(OptionSetting::value);
            format!("{name} is {}", value.as_deref().unwrap_or("not known"))
        });
        let violations: Vec<String> = violations.collect();
        if !is_known {
            let because = violations.join(", ");
            return Standing::Unknown { because };
        }
        let reason = violations.is_empty().then(|| Plain(reason).to_string());
        Standing::NonCompliant {
            violations: violations.into_iter().chain(reason).collect(),
        }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Standing::Compliant => f.write_str("compliant"),
            Standing::Exempt { rule: Some(rule) } => write!(f, "exempt: rule {}", Plain(rule)),
            Standing::Exempt { rule: None } => f.write_str("exempt"),
            Standing::NonCompliant { violations } => f.write_str(&violations.join(", ")),
            Standing::Gone => f.write_str("terminated"),
            Standing::Absent => f.write_str("-"),
            Standing::NotListed => f.write_str("not listed"),
            Standing::Unknown { because } => write!(f, "unknown: {}", Plain(because)),
        }
    }
}

/// The account, where it is known, and the region of instances.
type Place<'a> = (Option<&'a str>, &'a str);

/// A report, to look instances up.
pub(super) struct Lookup<'a> {
    report: &'a ReportFile,
    instances: HashMap<(&'a str, &'a InstanceId), &'a ScannedInstance>,
    /// How many instances are listed.
    listed: HashMap<Place<'a>, usize>,
}

impl<'a> Lookup<'a> {
    pub(super) fn new(report: &'a ReportFile) -> Self {
        let mut lookup = Lookup {
            report,
            instances: HashMap::with_capacity(report.instances.len()),
            listed: HashMap::new(),
        };
        for instance in &report.instances {
            let (account, region) = place(instance);
            let key = (region, &instance.report.instance_id);
            lookup.instances.insert(key, instance);
            *lookup.listed.entry((account, region)).or_default() += 1;
        }
        lookup
    }

    /// The instance, if it is listed.
    pub(super) fn get(&self, instance: &ScannedInstance) -> Option<&'a ScannedInstance> {
        let key = (
            instance.report.region.as_str(),
            &instance.report.instance_id,
        );
        self.instances.get(&key).copied()
    }

    /// How an instance stands that is in this report or in another one.
    pub(super) fn standing(&self, instance: &ScannedInstance) -> Standing {
        match self.get(instance) {
            Some(found) => Standing::of(found),
            None => self.missing(place(instance)),
        }
    }

    /// How an instance stands that is not listed.
    fn missing(&self, place: Place) -> Standing {
        let (account, region) = place;
        let unknown = |because| Standing::Unknown { because };
        let is_here = |it: &&Unreachable| {
            (it.region == region || it.region == "all") && same(it.account.as_deref(), account)
        };
        if let Some(unreachable) = self.report.unreachable.iter().find(is_here) {
            return unknown(format!("could not describe: {}", Plain(&unreachable.error)));
        }
        let mut totals = self.report.regions.iter();
        let total = totals.find(|it| it.region == region && it.account.as_deref() == account);
        let Some(total) = total else {
            return unknown("the Region of this account was not examined".to_owned());
        };
        let source = self.report.source(account, region);
        let filter = source.and_then(|source| {
            let mut left_out = source.not_examined.iter();
            left_out.find(|it| it.what == Unexamined::Instances)
        });
        if let Some(filter) = filter {
            return unknown(Plain(&filter.reason).to_string());
        }
        let counted: usize = Outcome::ALL.iter().map(|it| total.summary.get(*it)).sum();
        match self.listed.get(&place) {
            None if counted > 0 => Standing::NotListed,
            Some(listed) if *listed < counted => Standing::NotListed,
            None | Some(_) => Standing::Absent,
        }
    }
}

fn place(instance: &ScannedInstance) -> Place<'_> {
    let report = &instance.report;
    (report.account.as_deref(), &report.region)
}

/// Whether two accounts may be the same.
fn same(one: Option<&str>, other: Option<&str>) -> bool {
    one.is_none() || other.is_none() || one == other
}
