//! What a scan finds.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use imds_core::decide::{Decision, NonCompliant};
use imds_core::defaults::MetadataDefaults;
use imds_core::instance::{Instance, InstanceId, State};
use imds_core::launcher::TemplateCompliance;
use imds_core::launcher_use::LauncherUser;
use imds_core::options::{HttpTokens, MetadataOptions};
use imds_core::plain::Plain;
use imds_core::policy::{Action, Rule};
use imds_core::report::{InstanceReport, Outcome, Summary};
use imds_core::state::Exemption;
use imds_core::usage::Usage;
use imds_user_data::Finding;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// An instance of a scan. As JSON it is the report's instance with a few fields more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ScannedInstance {
    /// As the function reports it; before anything was done, a non-compliant instance is `reported`.
    #[serde(flatten)]
    pub report: InstanceReport,
    /// The tag `Name`.
    pub name: Option<String>,
    /// Where it is in its lifecycle.
    pub state: Option<State>,
    /// What the command would do about it.
    pub decision: ScanDecision,
    /// The options to set, where it is not compliant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set: Option<MetadataOptions>,
    /// The AMI's id.
    pub image: Option<String>,
    /// Such as `m7g.large`.
    pub instance_type: Option<String>,
    /// The ARN of its instance profile, which holds its IAM role; `None`: it has none.
    pub instance_profile: Option<String>,
    /// Its public IPv4 addresses, and its IPv6 addresses except unique local ones.
    #[serde(default)]
    pub public_addresses: Vec<IpAddr>,
    /// When it was last started.
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<imds_core::report_schema::Time>")
    )]
    pub started_at: Option<Timestamp>,
    /// All of its tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// The Auto Scaling group that would replace it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_scaling_group: Option<String>,
    /// Calls to the metadata service without a token in its user data, where that was searched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub user_data: Vec<Finding>,
}

/// What the command would do about an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum ScanDecision {
    /// Nothing: it is compliant.
    Compliant,
    /// Nothing: a rule exempts it.
    Exempt,
    /// Nothing: it terminates or has terminated.
    Gone,
    /// It is not compliant, and is only reported.
    Report,
    /// Its options are to be set.
    Enforce,
}

impl ScanDecision {
    /// The word in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            ScanDecision::Compliant => "compliant",
            ScanDecision::Exempt => "exempt",
            ScanDecision::Gone => "gone",
            ScanDecision::Report => "report",
            ScanDecision::Enforce => "enforce",
        }
    }
}

impl From<&Decision> for ScanDecision {
    fn from(decision: &Decision) -> Self {
        match decision {
            Decision::Compliant(_) => ScanDecision::Compliant,
            Decision::Exempt(_) => ScanDecision::Exempt,
            Decision::Gone(_) => ScanDecision::Gone,
            Decision::NonCompliant(NonCompliant { action, .. }) => match action {
                Action::Enforce => ScanDecision::Enforce,
                Action::Report | Action::Stop | Action::Terminate => ScanDecision::Report,
            },
        }
    }
}

impl ScannedInstance {
    /// An instance about which was decided, and to which nothing was done.
    pub fn new(
        instance: &Instance,
        decision: &Decision,
        usage: Option<Usage>,
        user_data: Vec<Finding>,
    ) -> Self {
        let is_non_compliant = matches!(decision, Decision::NonCompliant(_));
        let outcome = if is_non_compliant {
            Outcome::Reported
        } else {
            decision.outcome()
        };
        let mut report = InstanceReport::decided(instance.clone(), decision, outcome, None);
        report.usage = report.usage.or(usage);
        let group = instance.auto_scaling_group().filter(|_| is_non_compliant);
        ScannedInstance {
            report,
            name: instance.tags.get("Name").cloned(),
            state: instance.state,
            decision: decision.into(),
            set: decision.non_compliant().map(|it| *it.change.set()),
            image: instance.image.clone(),
            instance_type: instance.instance_type.clone(),
            instance_profile: instance.instance_profile.clone(),
            public_addresses: instance.public_addresses.clone(),
            started_at: instance.started_at,
            tags: instance.tags.clone(),
            auto_scaling_group: group.map(str::to_owned),
            user_data,
        }
    }

    /// Whether its user data calls IMDS without a token although it requires tokens: the call fails.
    pub fn has_failing_calls(&self) -> bool {
        let options = self.report.before.unwrap_or_default();
        options.http_tokens == Some(HttpTokens::Required) && !self.user_data.is_empty()
    }

    /// Whether it was not compliant when it was scanned.
    pub fn is_non_compliant(&self) -> bool {
        match self.decision {
            ScanDecision::Report | ScanDecision::Enforce => true,
            ScanDecision::Compliant | ScanDecision::Exempt | ScanDecision::Gone => false,
        }
    }
}

/// The outcomes of a region.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RegionTotal {
    /// The account, 12 digits, where it is known.
    pub account: Option<String>,
    /// The region.
    pub region: String,
    /// By outcome.
    pub summary: Summary,
}

impl RegionTotal {
    /// The totals of these regions of an account, which may have no instances, and of all others that have
    /// some.
    pub fn count<'a>(
        account: Option<&str>,
        regions: impl IntoIterator<Item = &'a str>,
        instances: &[ScannedInstance],
    ) -> Vec<RegionTotal> {
        let mut totals: BTreeMap<&str, Summary> = regions
            .into_iter()
            .map(|region| (region, Summary::default()))
            .collect();
        for instance in instances {
            let summary = totals.entry(&instance.report.region).or_default();
            summary.add(Summary::count([&instance.report]));
        }
        let totals = totals.into_iter().map(|(region, summary)| RegionTotal {
            account: account.map(str::to_owned),
            region: region.to_owned(),
            summary,
        });
        totals.collect()
    }
}

/// What launches instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum TemplateKind {
    /// A version of a launch template.
    #[serde(rename = "launch template")]
    LaunchTemplate,
    /// A launch configuration.
    #[serde(rename = "launch configuration")]
    LaunchConfiguration,
}

impl TemplateKind {
    /// The word in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            TemplateKind::LaunchTemplate => "launch template",
            TemplateKind::LaunchConfiguration => "launch configuration",
        }
    }
}

/// A launch template's version or a launch configuration, and what it would launch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ScannedTemplate {
    /// The account, 12 digits, where it is known.
    pub account: Option<String>,
    /// The region.
    pub region: String,
    /// What it is.
    pub kind: TemplateKind,
    /// `lt-…`, or the configuration's name.
    pub id: String,
    /// The template's name.
    pub name: Option<String>,
    /// Such as `3 (default, latest)`; `None`: a launch configuration.
    pub version: Option<String>,
    /// The version's number; `None`: it does not exist, or is a launch configuration.
    #[serde(
        rename = "version_number",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub number: Option<i64>,
    /// Whether it is the default version of its template.
    pub is_default: bool,
    /// Whether it is the latest version of its template.
    pub is_latest: bool,
    /// What launches instances from it, and the instances that were launched from it.
    pub used_by: Vec<LauncherUser>,
    /// The options that it sets itself.
    pub options: MetadataOptions,
    /// Those options, with the ones that make its next instance compliant.
    pub required_options: MetadataOptions,
    /// Whether its next instance requires tokens; `None`: not known.
    pub http_tokens: Option<HttpTokens>,
    /// Whether its next instance will be compliant.
    #[serde(rename = "verdict")]
    pub compliance: TemplateCompliance,
    /// Why, as a sentence.
    pub reason: String,
    /// Calls to the metadata service without a token in its user data, where that was searched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub user_data: Vec<Finding>,
}

impl ScannedTemplate {
    /// Whether its next instance will be compliant.
    pub fn is_compliant(&self) -> bool {
        self.compliance == TemplateCompliance::Compliant
    }

    /// Whether it is to be changed: its next instance is not compliant, or its user data fails there.
    pub fn is_violation(&self) -> bool {
        !self.is_compliant() || self.has_failing_calls()
    }

    /// Whether its user data calls IMDS without a token although its next instance requires tokens: the call
    /// fails.
    pub fn has_failing_calls(&self) -> bool {
        self.http_tokens == Some(HttpTokens::Required) && !self.user_data.is_empty()
    }
}

/// A region's account defaults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RegionDefaults {
    /// The account, 12 digits, where it is known.
    pub account: Option<String>,
    /// The region.
    pub region: String,
    /// Its defaults; `None` is no preference.
    #[serde(flatten)]
    pub defaults: MetadataDefaults,
}

/// An exemption that no instance of the account needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum UnneededExemption {
    /// A rule of the policy.
    Rule {
        /// The rule's name.
        rule: String,
        /// The last day on which it holds; `None`: it does not expire.
        #[cfg_attr(
            feature = "schema",
            schemars(with = "Option<imds_core::report_schema::Day>")
        )]
        expires: Option<Date>,
        /// The rule's reason.
        reason: Option<String>,
    },
    /// A person's entry in the state table.
    Entry {
        /// The instance, which is compliant, or no longer exists.
        instance_id: InstanceId,
        /// When it ends; `None`: the entry cannot be read, and so it holds.
        #[cfg_attr(
            feature = "schema",
            schemars(with = "Option<imds_core::report_schema::Time>")
        )]
        until: Option<Timestamp>,
        /// Why it was written.
        reason: Option<String>,
    },
}

impl From<&Rule> for UnneededExemption {
    fn from(rule: &Rule) -> Self {
        UnneededExemption::Rule {
            rule: rule.name.clone(),
            expires: rule.expires,
            reason: rule.reason.clone(),
        }
    }
}

impl UnneededExemption {
    /// The entry of an instance.
    pub(crate) fn entry(instance_id: InstanceId, exemption: Exemption) -> Self {
        let (until, reason) = match exemption {
            Exemption::Until(entry) => (Some(entry.until), entry.reason),
            Exemption::Unreadable(_) => (None, None),
        };
        UnneededExemption::Entry {
            instance_id,
            until,
            reason,
        }
    }
}

impl fmt::Display for UnneededExemption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (reason, end) = match self {
            UnneededExemption::Rule {
                rule,
                expires,
                reason,
            } => {
                write!(f, "rule `{}`", Plain(rule))?;
                (reason, expires.map(|day| format!("expires after {day}")))
            }
            UnneededExemption::Entry {
                instance_id,
                until,
                reason,
            } => {
                write!(f, "the entry of {instance_id}")?;
                (reason, until.map(|time| format!("until {time}")))
            }
        };
        if let Some(reason) = reason {
            write!(f, " ({})", Plain(reason))?;
        }
        end.map_or(Ok(()), |end| write!(f, ", {end}"))
    }
}
