//! Finds calls to the metadata service that carry no token in user data.
//!
//! Scripts are split into commands, names are followed to what they stand for, and each command
//! that reaches the service is judged. It is a search, not a proof: in doubt a call is a finding.

mod address;
mod braces;
mod calls;
mod cloud_config;
mod command;
mod error;
mod finding;
mod language;
mod names;
mod patterns;
mod python;
mod script;
mod shell;
mod split;
mod unpack;
mod words;

pub use error::NotRead;
pub use finding::Finding;

/// Finds the calls in user data as EC2 holds it (not in base64).
///
/// # Errors
/// When a part cannot be read and the others hold no finding: what is not read is not clean.
pub fn search(user_data: &[u8]) -> Result<Vec<Finding>, NotRead> {
    let unpacked = unpack::scripts(user_data);
    let findings = calls::find(&unpacked.scripts);
    match unpacked.not_read {
        Some(why) if findings.is_empty() => Err(why),
        _ => Ok(findings),
    }
}

#[cfg(test)]
mod tests;
