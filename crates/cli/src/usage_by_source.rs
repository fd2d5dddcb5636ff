//! The use of IMDSv1 by what launched the instances.

use std::collections::BTreeMap;
use std::fmt;

use imds_core::plain::Plain;
use imds_core::usage::Usage;
use imds_engine::ScannedInstance;
use serde::Serialize;

/// What launched an instance, and launches the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum LaunchOrigin<'a> {
    /// An Auto Scaling group.
    AutoScalingGroup {
        /// Its name.
        name: &'a str,
    },
    /// A launch template, of any version.
    LaunchTemplate {
        /// `lt-…`
        id: &'a str,
    },
    /// Neither.
    None,
}

/// How the non-compliant instances of one source use IMDSv1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct OriginUsage<'a> {
    /// The account, 12 digits, where it is known.
    pub(crate) account: Option<&'a str>,
    /// The region.
    pub(crate) region: &'a str,
    /// What launched them.
    pub(crate) launched_from: LaunchOrigin<'a>,
    /// How many used IMDSv1.
    pub(crate) in_use: usize,
    /// How many did not.
    pub(crate) unused: usize,
    /// For how many that is not known.
    pub(crate) unknown: usize,
}

/// Counts the instances whose usage was asked for; those that use IMDSv1 most come first.
pub(crate) fn usage_by_source(instances: &[ScannedInstance]) -> Vec<OriginUsage<'_>> {
    let mut found: BTreeMap<_, OriginUsage> = BTreeMap::new();
    for instance in instances {
        let Some(usage) = &instance.report.usage else {
            continue;
        };
        let report = &instance.report;
        let (account, region) = (report.account.as_deref(), report.region.as_str());
        let launched_from = LaunchOrigin::of(instance);
        let one = found.entry((account, region, launched_from));
        let one = one.or_insert(OriginUsage {
            account,
            region,
            launched_from,
            in_use: 0,
            unused: 0,
            unknown: 0,
        });
        match usage {
            Usage::InUse { .. } => one.in_use += 1,
            Usage::Unused { .. } => one.unused += 1,
            Usage::Unknown { .. } => one.unknown += 1,
        }
    }
    let mut found: Vec<OriginUsage> = found.into_values().collect();
    found.sort_by_key(|one| std::cmp::Reverse((one.in_use, one.unknown)));
    found
}

impl<'a> LaunchOrigin<'a> {
    fn of(instance: &'a ScannedInstance) -> Self {
        let group = instance.auto_scaling_group.as_deref();
        let template = instance.report.launch_template.as_ref();
        match (group, template) {
            (Some(name), _) => LaunchOrigin::AutoScalingGroup { name },
            (None, Some(template)) => LaunchOrigin::LaunchTemplate { id: &template.id },
            (None, None) => LaunchOrigin::None,
        }
    }
}

impl OriginUsage<'_> {
    /// How many instances there are.
    pub(crate) fn instances(&self) -> usize {
        self.in_use + self.unused + self.unknown
    }

    /// What follows for the next launch, as a sentence.
    pub(crate) fn outlook(&self) -> String {
        let (all, in_use) = (self.instances(), self.in_use);
        let uses = if all == 1 { "uses" } else { "use" };
        let unknown = match self.unknown {
            0 => String::new(),
            unknown => format!(", not known for {unknown}"),
        };
        let count = format!("{in_use} of {all} {uses} IMDSv1{unknown}");
        match self.launched_from {
            LaunchOrigin::None => count,
            LaunchOrigin::AutoScalingGroup { .. } | LaunchOrigin::LaunchTemplate { .. }
                if in_use == 0 =>
            {
                count
            }
            LaunchOrigin::AutoScalingGroup { .. } | LaunchOrigin::LaunchTemplate { .. } => {
                format!("{count}: each new one is enforced at its launch")
            }
        }
    }
}

impl fmt::Display for LaunchOrigin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LaunchOrigin::AutoScalingGroup { name } => {
                write!(f, "Auto Scaling group {}", Plain(name))
            }
            LaunchOrigin::LaunchTemplate { id } => Plain(id).fmt(f),
            LaunchOrigin::None => f.write_str("neither group nor template"),
        }
    }
}

#[cfg(test)]
mod tests {
    use imds_core::instance::LaunchTemplate;
    use imds_core::usage::NotKnown;
    use jiff::Timestamp;

    use super::*;
    use crate::output::sample;

    fn used(n: usize, usage: Option<Usage>, group: Option<&str>) -> ScannedInstance {
        let mut instance = sample::non_compliant(n);
        instance.report.usage = usage;
        instance.auto_scaling_group = group.map(str::to_owned);
        instance
    }

    #[test]
    fn use_is_counted_by_group_then_by_template_and_the_busiest_come_first() {
        let at = Timestamp::UNIX_EPOCH;
        let in_use = || {
            Some(Usage::InUse {
                calls: 1,
                last_at: at,
            })
        };
        let unused = Some(Usage::Unused {
            since: at,
            not_started_within_window: false,
        });
        let unknown = Some(Usage::Unknown {
            because: NotKnown::NoData,
        });
        let of_template = |instance: ScannedInstance| {
            let mut instance = instance;
            let (id, version) = ("lt-0123456789abcdef0".to_owned(), None);
            instance.report.launch_template = Some(LaunchTemplate { id, version });
            instance
        };
        let instances = [
            used(1, unused.clone(), None),
            of_template(used(2, unused, None)),
            of_template(used(3, in_use(), None)),
            of_template(used(4, in_use(), Some("web-asg"))),
            used(5, in_use(), Some("web-asg")),
            used(6, unknown, None),
            used(7, None, Some("not-asked")),
        ];
        let found = usage_by_source(&instances);
        let found: Vec<String> = found
            .iter()
            .map(|it| format!("{}: {}", it.launched_from, it.outlook()))
            .collect();
        assert_eq!(
            found,
            [
                "Auto Scaling group web-asg: 2 of 2 use IMDSv1: each new one is enforced at its launch",
                "lt-0123456789abcdef0: 1 of 2 use IMDSv1: each new one is enforced at its launch",
                "neither group nor template: 0 of 2 use IMDSv1, not known for 1",
            ]
        );
    }
}
