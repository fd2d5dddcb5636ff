//! What is known of an instance. `None` means *not known*, unless the field says otherwise.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::age::Attachments;
use crate::options::MetadataOptions;
use crate::plain::Plain;
use crate::values::ec2_words;

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
    /// The ARN of its instance profile, which holds the IAM role whose credentials the metadata service
    /// provides; `None` also if it has none.
    pub instance_profile: Option<String>,
    /// Its public IPv4 addresses, then its IPv6 addresses except unique local ones. Whether they can be
    /// reached depends on routes and security groups. Events do not show them.
    pub public_addresses: Vec<IpAddr>,
    /// The tags so far; controllers may add more up to a minute after the launch.
    pub tags: BTreeMap<String, String>,
    /// The last start (`launchTime`); EC2 moves it forward whenever a stopped instance starts.
    pub started_at: Option<Timestamp>,
    /// When its network interfaces and volumes were attached; events do not show it.
    pub attachments: Attachments,
    /// The client token of its launch.
    pub client_token: Option<String>,
    /// Where the instance is in its life.
    pub state: Option<State>,
    /// The metadata options.
    pub options: MetadataOptions,
    /// Whether the options have taken effect: EC2 returns `pending` first, and `applied` later.
    pub applied: Option<bool>,
    /// Who launched the instance: the caller's ARN, its role's ARN, the service that made the call.
    /// Only a launch event shows it; empty means not known.
    pub principals: Vec<String>,
    /// The AWS service that manages the instance and may refuse changes
    /// (`Operator.Principal`); `None` also if none manages it.
    pub managed_by: Option<String>,
    /// The Spot request that launched the instance; `None` also if it is not a Spot Instance.
    pub spot: Option<SpotRequest>,
    /// Capacity that is paid for whether or not the instance runs; `None` also if there is none.
    pub dedicated: Option<DedicatedCapacity>,
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
            instance_profile: None,
            public_addresses: Vec::new(),
            tags: BTreeMap::new(),
            started_at: None,
            attachments: Attachments::default(),
            client_token: None,
            state: None,
            options: MetadataOptions::default(),
            applied: None,
            principals: Vec::new(),
            managed_by: None,
            spot: None,
            dedicated: None,
        }
    }

    /// When the instance was first launched; `None`: not known. See [`Attachments::first_launched_at`].
    pub fn first_launched_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.attachments.first_launched_at(self.started_at, now)
    }

    /// The launch template that the instance was launched from, by the tags that EC2 sets.
    pub fn launch_template(&self) -> Option<LaunchTemplate> {
        Some(LaunchTemplate {
            id: self.tags.get("aws:ec2launchtemplate:id")?.clone(),
            version: self.tags.get("aws:ec2launchtemplate:version").cloned(),
        })
    }

    /// The Auto Scaling group that replaces the instance when it terminates.
    pub fn auto_scaling_group(&self) -> Option<&str> {
        self.tags
            .get("aws:autoscaling:groupName")
            .map(String::as_str)
    }
}

/// The request that launched a Spot Instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpotRequest {
    /// `sir-…`, where EC2 shows it.
    pub id: Option<String>,
    /// Whether the request launches another instance after this one has terminated. `DescribeInstances`
    /// does not show it.
    pub is_persistent: Option<bool>,
}

/// Capacity that is paid for whether or not an instance runs on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DedicatedCapacity {
    /// A Capacity Block.
    CapacityBlock,
    /// A Dedicated Host, as every Mac instance has.
    DedicatedHost,
}

/// A launch template, for its owner to update.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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

ec2_words!(State {
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
    /// The instance cannot be started again.
    pub fn is_final(self) -> bool {
        matches!(self, State::ShuttingDown | State::Terminated)
    }

    /// The instance is stopped or stopping.
    pub fn is_stopped(self) -> bool {
        matches!(self, State::Stopping | State::Stopped)
    }
}

/// An instance's id: `i-` and 8 or 17 hexadecimal digits.
///
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/resource-ids.html>
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(extend("pattern" = "^i-([0-9A-Fa-f]{8}|[0-9A-Fa-f]{17})$")))]
#[serde(into = "String", try_from = "String")]
pub struct InstanceId(String);

impl InstanceId {
    /// The id as EC2 writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id for an instance that is not launched yet.
    pub(crate) fn placeholder() -> Self {
        InstanceId("i-00000000".to_owned())
    }
}

impl TryFrom<&str> for InstanceId {
    type Error = MalformedId;
    /// Blanks around the id are dropped: AWS's own samples have them.
    fn try_from(text: &str) -> Result<Self, MalformedId> {
        let id = text.trim();
        let digits = id.strip_prefix("i-").unwrap_or_default();
        if matches!(digits.len(), 8 | 17) && digits.bytes().all(|b| b.is_ascii_hexdigit()) {
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

/// Text that is not an instance id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an instance id (`i-` and 8 or 17 hexadecimal digits)")]
pub struct MalformedId(pub String);
