//! Finds calls to the metadata service that carry no token in user data.
//!
//! Scripts are split into commands, names are followed to what they stand for, and each command
//! that reaches the service is judged. It is a search, not a proof: in doubt a call is a finding.

mod address;
mod braces;
mod calls;
mod cloud_config;
mod command;
mod names;
mod patterns;
mod python;
mod script;
mod shell;
mod unpack;
mod words;

use serde::{Deserialize, Serialize};

/// A call without a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Finding {
    /// The line, counted from 1, of the part once it is decoded.
    pub(crate) line: usize,
    /// The words of the call, and nothing else of the line: at most 120 characters, fit to show.
    pub(crate) words: String,
    /// Which part, where the user data has several, or a file that it writes; fit to show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) part: Option<String>,
}

/// Why user data could not be searched, and so is not known to be free of such calls.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotRead {
    /// A bomb, or far more than an instance could use.
    #[error("the user data unpacks to more than {} MB", LARGEST / 1024 / 1024)]
    TooLarge,
    /// Packed again and again.
    #[error("the user data is packed more than {DEEPEST} times")]
    TooDeep,
    /// Not gzip, or cut.
    #[error("could not unpack the user data as gzip")]
    Gzip(#[source] std::io::Error),
    /// Not MIME.
    #[error("could not read the user data as MIME multipart")]
    Mime(#[source] mailparse::MailParseError),
    /// The content of a file that is written.
    #[error("could not decode the content of a file in cloud-config as base64")]
    Base64(#[source] base64::DecodeError),
}

/// Bytes, unpacked, of all parts together.
const LARGEST: usize = 16 * 1024 * 1024;

/// Parts within parts.
const DEEPEST: usize = 8;

/// Finds the calls in user data as EC2 holds it (not in base64).
///
/// # Errors
/// When a part cannot be read and the others hold no finding: what is not read is not clean.
pub(crate) fn search(user_data: &[u8]) -> Result<Vec<Finding>, NotRead> {
    let unpacked = unpack::scripts(user_data);
    let findings = calls::find(&unpacked.scripts);
    match unpacked.not_read {
        Some(why) if findings.is_empty() => Err(why),
        _ => Ok(findings),
    }
}

#[cfg(test)]
mod tests;
