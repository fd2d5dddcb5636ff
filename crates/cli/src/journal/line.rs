//! The lines of a journal.

use std::fmt;

use imds_core::defaults::MetadataDefaults;
use imds_core::instance::{InstanceId, MetadataOptions};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The version of the format: raised whenever an older reader would misunderstand a line.
pub(super) const VERSION: u32 = 1;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "kebab-case")]
pub(super) enum Line {
    Journal(Begin),
    Intent(Intent),
    Answer(Answer),
    DefaultsIntent(DefaultsIntent),
    DefaultsAnswer(DefaultsAnswer),
    End(End),
}

/// What a journal is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    /// What was done.
    pub(crate) act: Act,
    /// The account in which it was done, 12 digits.
    pub(crate) account: String,
    /// When it began.
    pub(crate) started_at: Timestamp,
}

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Begin {
    pub(super) version: u32,
    pub(super) act: Act,
    pub(super) account: String,
    /// The version of the command.
    pub(super) imdsctl: String,
    pub(super) started_at: Timestamp,
}

/// What a command does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Act {
    /// Options of instances were set as required.
    Enforce,
    /// What another journal tells was undone.
    Rollback,
    /// The account's metadata defaults were set.
    Defaults,
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Act::Enforce => "enforce",
            Act::Rollback => "rollback",
            Act::Defaults => "defaults",
        })
    }
}

/// A call that is about to be made for an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Intent {
    pub(super) at: Timestamp,
    pub(super) region: String,
    pub(super) instance_id: InstanceId,
    pub(super) before: MetadataOptions,
    pub(super) send: MetadataOptions,
}

/// What came of the last call for an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Answer {
    pub(super) at: Timestamp,
    pub(super) region: String,
    pub(super) instance_id: InstanceId,
    pub(super) answer: Answered<MetadataOptions>,
}

/// A call that is about to be made for the account's defaults of a region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DefaultsIntent {
    pub(super) at: Timestamp,
    pub(super) region: String,
    pub(super) before: MetadataDefaults,
    /// All that is to be there; only what differs is sent.
    pub(super) to: MetadataDefaults,
}

/// What came of the last call for the account's defaults of a region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DefaultsAnswer {
    pub(super) at: Timestamp,
    pub(super) region: String,
    pub(super) answer: Answered<MetadataDefaults>,
}

/// All that is there after a call, or why that is not known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Answered<T> {
    After(T),
    Error(String),
}

impl<T> Answered<T> {
    pub(super) fn of(answer: Result<&T, &str>) -> Self
    where
        T: Clone,
    {
        match answer {
            Ok(after) => Answered::After(after.clone()),
            Err(why) => Answered::Error(why.to_owned()),
        }
    }

    pub(super) fn into_result(self) -> Result<T, String> {
        match self {
            Answered::After(after) => Ok(after),
            Answered::Error(why) => Err(why),
        }
    }
}

/// The last line: the command ended of its own accord.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct End {
    pub(super) at: Timestamp,
    pub(super) how: How,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum How {
    /// Every call that it was to make was made.
    Done,
    /// It was told to stop, and left the rest.
    Interrupted,
}
