//! Finds calls to the instance metadata service in user data that send no token (IMDSv1).
//!
//! User data is unpacked into scripts, and scripts are split into statements. What names stand for
//! is resolved, and each statement that calls the service is judged. This is a search, not a proof:
//! in doubt, a call is a finding.

mod address;
mod analysis;
mod assignments;
mod calls;
mod cloud_config;
mod error;
mod finding;
mod language;
mod names;
mod patterns;
mod resolution;
mod script;
mod split;
mod statement;
mod unpack;
mod uses;
mod words;

pub use error::NotRead;
pub use finding::Finding;

/// Finds the calls in user data, which is given as EC2 stores it (not in base64).
///
/// # Errors
/// When a part cannot be read and no other part has a finding, because unread data is not known to
/// be clean.
pub fn search(user_data: &[u8]) -> Result<Vec<Finding>, NotRead> {
    let unpacked = unpack::unpack(user_data);
    let findings = calls::find(&unpacked.scripts);
    match unpacked.not_read {
        Some(error) if findings.is_empty() => Err(error),
        _ => Ok(findings),
    }
}

#[cfg(test)]
mod tests;
