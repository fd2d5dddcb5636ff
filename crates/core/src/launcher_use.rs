//! Launch templates, their versions, and what launches instances from them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::plain::Plain;

/// A launch template and the numbers of two of its versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaunchTemplateSummary {
    /// `lt-…`
    pub id: String,
    /// Its name, unique in the account and region.
    pub name: String,
    /// The number of the default version.
    pub default: i64,
    /// The number of the latest version.
    pub latest: i64,
}

/// What launches instances from a version of a launch template or from a launch configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LauncherUser {
    /// An Auto Scaling group.
    AutoScalingGroup {
        /// Its name.
        name: String,
    },
    /// An EC2 Fleet that still launches instances.
    Ec2Fleet {
        /// `fleet-…`
        id: String,
    },
    /// A Spot Fleet request that still launches instances.
    SpotFleet {
        /// `sfr-…`
        id: String,
    },
    /// Instances that were launched from it and have not terminated.
    Instances {
        /// How many.
        count: usize,
    },
}

/// What a user launches from, in the user's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UsedLauncher {
    /// A launch template; it is named by its id, its name, or both.
    Template {
        /// `lt-…`
        id: Option<String>,
        /// The name.
        name: Option<String>,
        /// A number, `$Default` or `$Latest`; `None` is the default version.
        version: Option<String>,
    },
    /// A launch configuration, by its name.
    Configuration(String),
}

/// That something launches instances from a launcher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LauncherUse {
    /// What launches them.
    pub user: LauncherUser,
    /// From what.
    pub launcher: UsedLauncher,
    /// The image that it launches instead of the launcher's.
    pub image: Option<String>,
}

impl LaunchTemplateSummary {
    /// Whether this is the template that a user names.
    pub fn is(&self, id: Option<&str>, name: Option<&str>) -> bool {
        match (id, name) {
            (Some(id), _) => self.id == id,
            (None, Some(name)) => self.name == name,
            (None, None) => false,
        }
    }

    /// The number of a version that a user names; `None`: it is not one that EC2 accepts.
    ///
    /// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_LaunchTemplateSpecification.html>
    pub fn number(&self, version: Option<&str>) -> Option<i64> {
        match version {
            None | Some("" | "$Default") => Some(self.default),
            Some("$Latest") => Some(self.latest),
            Some(number) => number.parse().ok(),
        }
    }

    /// The version with its aliases, such as `3 (default, latest)`.
    pub fn label(&self, number: i64) -> String {
        match (number == self.default, number == self.latest) {
            (true, true) => format!("{number} (default, latest)"),
            (true, false) => format!("{number} (default)"),
            (false, true) => format!("{number} (latest)"),
            (false, false) => number.to_string(),
        }
    }
}

impl fmt::Display for LauncherUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LauncherUser::AutoScalingGroup { name } => {
                write!(f, "Auto Scaling group {}", Plain(name))
            }
            LauncherUser::Ec2Fleet { id } => write!(f, "EC2 Fleet {}", Plain(id)),
            LauncherUser::SpotFleet { id } => write!(f, "Spot Fleet {}", Plain(id)),
            LauncherUser::Instances { count: 1 } => f.write_str("1 instance"),
            LauncherUser::Instances { count } => write!(f, "{count} instances"),
        }
    }
}
