//! The metadata options that launches get in a region where they do not set them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::options::{HopLimit, HttpTokens, MetadataOptions, Toggle};
use crate::plain::Plain;
use crate::values::ec2_words;

/// The account's metadata defaults in a region; `None` is no preference.
///
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_InstanceMetadataDefaultsResponse.html>
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct MetadataDefaults {
    /// Whether a session token is required.
    pub http_tokens: Option<HttpTokens>,
    /// How many network hops the response to a token request may travel.
    pub hop_limit: Option<HopLimit>,
    /// Whether the metadata service answers at all.
    pub http_endpoint: Option<Toggle>,
    /// Whether the instance's tags can be read from the service.
    pub instance_metadata_tags: Option<Toggle>,
    /// `HttpTokensEnforced`: whether a launch that would answer IMDSv1 fails, and `optional` cannot
    /// be set again.
    pub http_tokens_enforced: Option<Toggle>,
    /// `account`, or `declarative-policy` where the account cannot change them.
    pub managed_by: Option<String>,
}

impl MetadataDefaults {
    /// Every default with its name and its value as EC2 writes it; `None` is no preference.
    pub fn values(&self) -> [(&'static str, Option<String>); 5] {
        fn word(value: Option<impl ToString>) -> Option<String> {
            value.map(|value| value.to_string())
        }
        [
            ("http_tokens", word(self.http_tokens)),
            ("hop_limit", word(self.hop_limit)),
            ("http_endpoint", word(self.http_endpoint)),
            ("instance_metadata_tags", word(self.instance_metadata_tags)),
            ("http_tokens_enforced", word(self.http_tokens_enforced)),
        ]
    }

    /// Whether all defaults are the same, whoever manages them.
    pub fn are_same(&self, other: &MetadataDefaults) -> bool {
        self.values() == other.values()
    }

    /// Every default that differs in `other`, with the value there, such as `hop_limit is 2`.
    pub fn differences(&self, other: &MetadataDefaults) -> String {
        differences(self, other, |name, _, there| format!("{name} is {there}"))
    }

    /// The options that launches get where they do not set them.
    pub fn options(&self) -> MetadataOptions {
        MetadataOptions {
            http_tokens: self.http_tokens,
            http_endpoint: self.http_endpoint,
            hop_limit: self.hop_limit,
            http_protocol_ipv6: None,
            instance_metadata_tags: self.instance_metadata_tags,
        }
    }

    /// Whether EC2 refuses IMDSv1.
    pub fn enforces_tokens(&self) -> bool {
        self.http_tokens_enforced == Some(Toggle::Enabled)
    }

    /// Who manages them in place of the account, which then cannot change them.
    pub fn manager(&self) -> Option<&str> {
        self.managed_by.as_deref().filter(|by| *by != "account")
    }
}

fn differences(
    from: &MetadataDefaults,
    to: &MetadataDefaults,
    show: impl Fn(&str, &str, &str) -> String,
) -> String {
    let no_preference = || "no preference".to_owned();
    let pairs = from.values().into_iter().zip(to.values());
    let differing = pairs.filter(|((_, from), (_, to))| from != to);
    let shown = differing.map(|((name, from), (_, to))| {
        let [from, to] = [from, to].map(|value| value.unwrap_or_else(no_preference));
        show(name, &from, &to)
    });
    shown.collect::<Vec<_>>().join(", ")
}

/// The account's defaults of a region, and what they are to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefaultsStep {
    /// The region.
    pub region: String,
    /// As they were described.
    pub from: MetadataDefaults,
    /// All defaults; only those that differ are sent.
    pub to: MetadataDefaults,
}

impl DefaultsStep {
    /// Whether there is anything to set.
    pub fn is_change(&self) -> bool {
        !self.from.are_same(&self.to)
    }

    /// Whether launches with IMDSv1 fail from then on that did not before.
    pub fn starts_enforcing_tokens(&self) -> bool {
        self.to.enforces_tokens() && !self.from.enforces_tokens()
    }

    /// The report before anything is done.
    pub fn planned(&self) -> DefaultsReport {
        let outcome = match self.is_change() {
            true => DefaultsOutcome::Planned,
            false => DefaultsOutcome::Unchanged,
        };
        self.report(outcome, Some(self.to.clone()), "")
    }

    /// The report once they are set.
    pub fn set(&self, after: MetadataDefaults) -> DefaultsReport {
        self.report(DefaultsOutcome::Set, Some(after), "")
    }

    /// The report where they could not be set. `after`: as they were described since.
    pub fn failed(&self, after: Option<MetadataDefaults>, why: &str) -> DefaultsReport {
        let why = format!("; failed: {}", Plain(why));
        self.report(DefaultsOutcome::Failed, after, &why)
    }

    fn report(
        &self,
        outcome: DefaultsOutcome,
        after: Option<MetadataDefaults>,
        why: &str,
    ) -> DefaultsReport {
        DefaultsReport {
            region: self.region.clone(),
            outcome,
            before: self.from.clone(),
            after,
            reason: format!("{} {self}{why}", Plain(&self.region)),
        }
    }
}

/// What is set, such as `http_tokens: no preference → required`.
impl fmt::Display for DefaultsStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_change() {
            return f.write_str("no change");
        }
        f.write_str(&differences(&self.from, &self.to, |name, from, to| {
            format!("{name}: {from} → {to}")
        }))?;
        match self.from.manager() {
            Some(manager) => write!(
                f,
                " (managed by {}: the account cannot change them)",
                Plain(manager)
            ),
            None => Ok(()),
        }
    }
}

/// The outcome of a region's account defaults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DefaultsReport {
    /// The region.
    pub region: String,
    /// The outcome.
    pub outcome: DefaultsOutcome,
    /// All defaults as they were described before.
    pub before: MetadataDefaults,
    /// All defaults as they are to be, or as they were described since; `None`: not known.
    pub after: Option<MetadataDefaults>,
    /// Why, as a sentence.
    pub reason: String,
}

/// What became of a region's account defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DefaultsOutcome {
    /// They are to be set; nothing was done.
    Planned,
    /// They are set, and EC2 describes them so.
    Set,
    /// They were so before.
    Unchanged,
    /// They may or may not be set.
    Failed,
}

impl DefaultsOutcome {
    /// All of them.
    pub const ALL: [DefaultsOutcome; 4] = [
        DefaultsOutcome::Planned,
        DefaultsOutcome::Set,
        DefaultsOutcome::Unchanged,
        DefaultsOutcome::Failed,
    ];
}

ec2_words!(DefaultsOutcome {
    Planned = "planned",
    Set = "set",
    Unchanged = "unchanged",
    Failed = "failed",
});
