//! What is known of an instance. `None` always means *not known*, never *not set*.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::plain::Plain;

/// An EC2 instance as an event or `DescribeInstances` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// The instance's id.
    pub id: InstanceId,
    /// The region that the instance is in.
    pub region: String,
    /// The account that owns the instance, 12 digits.
    pub account: Option<String>,
    /// The AMI's id.
    pub image: Option<String>,
    /// For example `m7g.large`.
    pub instance_type: Option<String>,
    /// The tags so far; controllers may add more up to a minute after the launch.
    pub tags: BTreeMap<String, String>,
    /// The latest launch; EC2 moves it forward whenever a stopped instance starts.
    pub launched_at: Option<Timestamp>,
    /// Where the instance is in its life.
    pub state: Option<State>,
    /// The metadata options.
    pub options: MetadataOptions,
    /// Whether the options have taken effect: EC2 answers `pending` first, and `applied` later.
    pub applied: Option<bool>,
    /// Who launched the instance: the caller's ARN, its role's ARN, the service that called for it.
    /// Only a launch event tells; empty means not known.
    pub principals: Vec<String>,
    /// The AWS service that manages the instance and may refuse changes (`Operator.Principal`).
    pub managed_by: Option<String>,
}

impl Instance {
    /// An instance of which nothing is known but its id and region.
    pub fn unknown(id: InstanceId, region: impl Into<String>) -> Self {
        Instance {
            id,
            region: region.into(),
            account: None,
            image: None,
            instance_type: None,
            tags: BTreeMap::new(),
            launched_at: None,
            state: None,
            options: MetadataOptions::default(),
            applied: None,
            principals: Vec::new(),
            managed_by: None,
        }
    }

    /// The launch template that the instance was launched from, by the tags that EC2 sets.
    pub fn launch_template(&self) -> Option<LaunchTemplate> {
        Some(LaunchTemplate {
            id: self.tags.get("aws:ec2launchtemplate:id")?.clone(),
            version: self.tags.get("aws:ec2launchtemplate:version").cloned(),
        })
    }

    /// The Auto Scaling group that replaces the instance when it ends.
    pub fn auto_scaling_group(&self) -> Option<&str> {
        self.tags
            .get("aws:autoscaling:groupName")
            .map(String::as_str)
    }
}

/// A launch template, to be mended by its owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchTemplate {
    /// `lt-…`
    pub id: String,
    /// The version that the instance was launched from.
    pub version: Option<String>,
}

impl fmt::Display for LaunchTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            Some(version) => write!(f, "{} version {}", Plain(&self.id), Plain(version)),
            None => Plain(&self.id).fmt(f),
        }
    }
}

/// The metadata options of an instance, named as in the policy.
///
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_InstanceMetadataOptionsResponse.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetadataOptions {
    /// Whether a session token (IMDSv2) is demanded.
    pub http_tokens: Option<HttpTokens>,
    /// Whether the metadata service answers at all.
    pub http_endpoint: Option<Toggle>,
    /// How many network hops the answer to a token request may travel.
    pub hop_limit: Option<HopLimit>,
    /// Whether the service answers on its IPv6 address too.
    pub http_protocol_ipv6: Option<Toggle>,
    /// Whether the instance's tags can be read from the service.
    pub instance_metadata_tags: Option<Toggle>,
}

/// Whether a session token is demanded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HttpTokens {
    /// IMDSv1 is answered.
    Optional,
    /// Only IMDSv2 is answered.
    Required,
}

/// An option that is on or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Toggle {
    /// On.
    Enabled,
    /// Off.
    Disabled,
}

/// A hop limit: 1 to 64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "i64")]
pub struct HopLimit(u8);

impl HopLimit {
    /// The smallest that EC2 accepts.
    pub const MIN: HopLimit = HopLimit(1);
    /// The largest that EC2 accepts.
    pub const MAX: HopLimit = HopLimit(64);
}

impl TryFrom<i64> for HopLimit {
    type Error = OutOfRange;
    fn try_from(value: i64) -> Result<Self, OutOfRange> {
        match u8::try_from(value) {
            Ok(hops @ 1..=64) => Ok(HopLimit(hops)),
            _ => Err(OutOfRange(value)),
        }
    }
}

impl From<HopLimit> for u8 {
    fn from(value: HopLimit) -> u8 {
        value.0
    }
}

impl fmt::Display for HopLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A hop limit that EC2 does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("hop limit `{0}` is not between 1 and 64")]
pub struct OutOfRange(i64);

macro_rules! words {
    ($type:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        impl $type {
            /// The word that EC2 uses, in small letters.
            pub fn as_str(self) -> &'static str {
                match self { $($type::$variant => $word),+ }
            }
            /// Reads EC2's word in any case; `None` for a word that is not known.
            pub fn from_word(word: &str) -> Option<Self> {
                let word = word.trim();
                $(if word.eq_ignore_ascii_case($word) { return Some($type::$variant); })+
                None
            }
        }
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words!(HttpTokens { Optional = "optional", Required = "required" });
words!(Toggle { Enabled = "enabled", Disabled = "disabled" });
words!(State {
    Pending = "pending",
    Running = "running",
    Stopping = "stopping",
    Stopped = "stopped",
    ShuttingDown = "shutting-down",
    Terminated = "terminated",
});

/// Where an instance is in its life.
///
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "EC2's own words")]
pub enum State {
    Pending,
    Running,
    Stopping,
    Stopped,
    ShuttingDown,
    Terminated,
}

impl State {
    /// Nothing brings the instance back, so nothing about it is left to judge.
    pub fn is_final(self) -> bool {
        matches!(self, State::ShuttingDown | State::Terminated)
    }
    /// The instance is not running and was not told to end.
    pub fn is_stopped(self) -> bool {
        matches!(self, State::Stopping | State::Stopped)
    }
}

/// An instance's id: `i-` and, in EC2, 8 or 17 hexadecimal digits.
///
/// Only the characters are checked, not the digits: samples carry `i-EXAMPLE…`, and whether an id
/// exists is EC2's to say.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct InstanceId(String);

impl InstanceId {
    /// The id as EC2 writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Stands for an instance that is not launched yet.
    pub(crate) fn of_the_next() -> Self {
        InstanceId("i-next".to_owned())
    }
}

impl TryFrom<&str> for InstanceId {
    type Error = MalformedId;
    /// Blanks around the id are dropped: AWS's own samples have them.
    fn try_from(text: &str) -> Result<Self, MalformedId> {
        let id = text.trim();
        let digits = id.strip_prefix("i-").unwrap_or_default();
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if (1..=62).contains(&digits.len()) && digits.bytes().all(plain) {
            Ok(InstanceId(id.to_owned()))
        } else {
            Err(MalformedId(text.to_owned()))
        }
    }
}

impl TryFrom<String> for InstanceId {
    type Error = MalformedId;
    fn try_from(text: String) -> Result<Self, MalformedId> {
        InstanceId::try_from(text.as_str())
    }
}

impl From<InstanceId> for String {
    fn from(id: InstanceId) -> String {
        id.0
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Text that is no instance id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no instance id (`i-` and hexadecimal digits)")]
pub struct MalformedId(pub String);
