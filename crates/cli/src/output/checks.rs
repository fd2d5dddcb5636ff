//! The results of checks, for formats of security findings.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io;

use imds_core::options::MetadataOption;
use imds_core::report::Outcome;
use imds_engine::ScannedInstance;

use super::words::Message;
use crate::document::Document;

/// A control. Its id never changes, so that a finding that is imported again replaces the earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    /// An instance has the metadata options that the policy requires.
    Instance,
    /// Every instance of a region could be described.
    Region,
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CheckStatus {
    Passed,
    /// It does not pass, and is exempt.
    Exempt,
    Failed,
    /// It is not known whether it passes.
    Unknown,
    /// The instance terminates or has terminated, so that earlier findings are over.
    Gone,
}

/// How severe a result is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Severity {
    Informational,
    Low,
    Medium,
    High,
}

/// A check of an instance or of a region.
#[derive(Debug)]
pub(super) struct CheckResult<'a> {
    pub(super) check: Check,
    pub(super) status: CheckStatus,
    /// 12 digits.
    pub(super) account: &'a str,
    pub(super) region: &'a str,
    /// Why, as a sentence.
    pub(super) reason: String,
    pub(super) instance: Option<&'a ScannedInstance>,
}

impl Check {
    /// The id of the control.
    pub(super) fn id(self) -> &'static str {
        match self {
            Check::Instance => "IMDS.1",
            Check::Region => "IMDS.2",
        }
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            Check::Instance => {
                "EC2 instances should have the metadata options that the policy requires"
            }
            Check::Region => "The EC2 instances of every Region should be described",
        }
    }

    /// What to do where the check does not pass.
    pub(super) fn remediation(self) -> &'static str {
        match self {
            Check::Instance => {
                "Find out with `imdsctl usage` whether software on the instance uses IMDSv1, and update \
                 it. Then set the options with `imdsctl enforce` or ModifyInstanceMetadataOptions, and \
                 update what launches the instance."
            }
            Check::Region => {
                "Allow ec2:DescribeInstances in the Region, or exclude the Region with --exclude-region, \
                 and scan again."
            }
        }
    }

    /// The documentation.
    pub(super) fn url(self) -> &'static str {
        match self {
            Check::Instance => {
                "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-IMDS-existing-instances.html"
            }
            Check::Region => {
                "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html"
            }
        }
    }
}

impl CheckResult<'_> {
    /// The same at every scan.
    pub(super) fn id(&self) -> String {
        let (check, account, region) = (self.check.id(), self.account, self.region);
        match self.instance {
            Some(_) => format!("imds-enforcer/{check}/{}", self.resource()),
            None => format!("imds-enforcer/{check}/{account}/{region}"),
        }
    }

    /// The ARN of the instance, or the account as AWS Security Hub writes it.
    pub(super) fn resource(&self) -> String {
        let (account, region) = (self.account, self.region);
        match self.instance {
            Some(instance) => {
                let id = &instance.report.instance_id;
                format!(
                    "arn:{}:ec2:{region}:{account}:instance/{id}",
                    self.partition()
                )
            }
            None => format!("AWS::::Account:{account}"),
        }
    }

    /// <https://docs.aws.amazon.com/general/latest/gr/rande.html>
    pub(super) fn partition(&self) -> &'static str {
        const PREFIXES: [(&str, &str); 7] = [
            ("cn-", "aws-cn"),
            ("us-gov-", "aws-us-gov"),
            ("us-iso-", "aws-iso"),
            ("us-isob-", "aws-iso-b"),
            ("eu-isoe-", "aws-iso-e"),
            ("us-isof-", "aws-iso-f"),
            ("eusc-", "aws-eusc"),
        ];
        let mut prefixes = PREFIXES.iter();
        let found = prefixes.find(|(prefix, _)| self.region.starts_with(prefix));
        found.map_or("aws", |(_, partition)| partition)
    }

    pub(super) fn severity(&self) -> Severity {
        match self.status {
            CheckStatus::Passed | CheckStatus::Gone => Severity::Informational,
            CheckStatus::Exempt => Severity::Low,
            CheckStatus::Unknown => Severity::Medium,
            CheckStatus::Failed => {
                let tokens = MetadataOption::HttpTokens.name();
                let mut violations = self.instance.iter().flat_map(|it| &it.report.violations);
                match violations.any(|it| *it == tokens) {
                    true => Severity::High,
                    false => Severity::Medium,
                }
            }
        }
    }
}

/// The results of a document: one for each instance, and one for each region.
///
/// # Errors
/// If the account is not known, which every finding names.
pub(super) fn results(document: &Document) -> io::Result<Vec<CheckResult<'_>>> {
    let own = document.account.as_deref();
    let unknown = || io::Error::other("findings name the account, which is not known");
    let mut results = Vec::new();
    for instance in &document.instances {
        let report = &instance.report;
        let account = report.account.as_deref().or(own);
        results.push(CheckResult {
            check: Check::Instance,
            status: status(instance),
            account: account.ok_or_else(unknown)?,
            region: &report.region,
            reason: report.reason.clone(),
            instance: Some(instance),
        });
    }
    let mut errors: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for total in &document.regions {
        let account = total.account.as_deref().or(own).ok_or_else(unknown)?;
        errors.entry((account, &total.region)).or_default();
    }
    let first = errors.keys().next().copied();
    for it in &document.unreachable {
        let account = it.account.as_deref().or(own).ok_or_else(unknown)?;
        // What is in none of the regions is reported in the first.
        let everywhere = first.filter(|_| it.region == "all");
        let region = everywhere.unwrap_or((account, &it.region));
        errors.entry(region).or_default().push(&it.error);
    }
    results.extend(errors.into_iter().map(region));
    Ok(results)
}

fn region<'a>(((account, region), errors): ((&'a str, &'a str), Vec<&'a str>)) -> CheckResult<'a> {
    let (status, reason) = match errors.as_slice() {
        [] => (
            CheckStatus::Passed,
            "every instance was described".to_owned(),
        ),
        errors => (CheckStatus::Unknown, errors.join("; ")),
    };
    CheckResult {
        check: Check::Region,
        status,
        account,
        region,
        reason,
        instance: None,
    }
}

fn status(instance: &ScannedInstance) -> CheckStatus {
    let report = &instance.report;
    match report.outcome {
        Outcome::Compliant => CheckStatus::Passed,
        Outcome::Exempt => CheckStatus::Exempt,
        Outcome::Enforced | Outcome::Stopped if report.refused.is_empty() => CheckStatus::Passed,
        Outcome::Reported | Outcome::Failed | Outcome::Enforced | Outcome::Stopped => {
            CheckStatus::Failed
        }
        Outcome::Gone | Outcome::Terminated => CheckStatus::Gone,
    }
}

/// Text for people, at most so many characters.
pub(super) fn text(text: impl Display, most: usize) -> String {
    let text = text.to_string();
    Message(&text).to_string().chars().take(most).collect()
}
