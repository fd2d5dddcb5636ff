//! The lines of a journal.

use std::fmt;

use imds_aws::Client;
use imds_core::defaults::MetadataDefaults;
use imds_core::instance::InstanceId;
use imds_core::options::MetadataOptions;
use imds_core::rollback::AnswerRecord;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The version of the format; it increases whenever an older reader would misunderstand a line. Version 1 is
/// read too: it does not say by whom.
pub(super) const VERSION: u32 = 2;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Line {
    /// The first line.
    Journal {
        version: u32,
        act: RecordedCommand,
        account: String,
        /// The ARN of the credentials.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
        /// The version of the command.
        imdsctl: String,
        started_at: Timestamp,
    },
    /// A call that is about to be made for an instance.
    Intent {
        at: Timestamp,
        region: String,
        instance_id: InstanceId,
        before: MetadataOptions,
        send: MetadataOptions,
    },
    /// The answer to the last call for an instance.
    Answer {
        at: Timestamp,
        region: String,
        instance_id: InstanceId,
        answer: AnswerRecord<MetadataOptions>,
    },
    /// A call that is about to be made for the account defaults of a region.
    DefaultsIntent {
        at: Timestamp,
        region: String,
        before: MetadataDefaults,
        /// All defaults; only those that differ are sent.
        to: MetadataDefaults,
    },
    /// The answer to the last call for the account defaults of a region.
    DefaultsAnswer {
        at: Timestamp,
        region: String,
        answer: AnswerRecord<MetadataDefaults>,
    },
    /// The last line; without it the command was killed.
    End { at: Timestamp, how: Ending },
}

/// What a journal is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    /// The command that made the changes.
    pub(crate) act: RecordedCommand,
    /// The account that was changed, 12 digits.
    pub(crate) account: String,
    /// By whom: the ARN of the credentials; `None`: an older journal does not say so.
    pub(crate) by: Option<String>,
    /// When the command began.
    pub(crate) started_at: Timestamp,
}

/// A command that makes changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RecordedCommand {
    /// The options of instances were enforced.
    Enforce,
    /// The changes of another journal were rolled back.
    Rollback,
    /// The account's metadata defaults were set.
    Defaults,
}

impl fmt::Display for RecordedCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RecordedCommand::Enforce => "enforce",
            RecordedCommand::Rollback => "rollback",
            RecordedCommand::Defaults => "defaults",
        })
    }
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Ending {
    /// Every call was made.
    Done,
    /// It was interrupted and made no further calls.
    Interrupted,
}

impl Ending {
    /// The ending of a command that used this client: interrupted if the client is halted.
    pub(crate) fn after(client: &Client) -> Self {
        match client.is_halted() {
            true => Ending::Interrupted,
            false => Ending::Done,
        }
    }
}
