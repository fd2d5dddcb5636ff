//! The policy of a command.

use std::path::Path;

use imds_core::policy::Policy;
use sha2::{Digest, Sha256};

use super::files;
use crate::args::Required;
use crate::document::PolicyIdentity;
use crate::error::Problem;

/// A policy and the text of its document.
#[derive(Debug, Clone)]
pub(crate) struct ChosenPolicy {
    pub(crate) policy: Policy,
    pub(crate) text: String,
}

impl ChosenPolicy {
    /// How reports name it.
    pub(crate) fn identity(&self) -> PolicyIdentity {
        let digest = Sha256::digest(&self.text);
        PolicyIdentity {
            sha256: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
            requires: self.policy.require.to_string(),
        }
    }
}

/// Reads a policy.
pub(super) fn load(path: &Path) -> Result<ChosenPolicy, Problem> {
    parse(path, files::read("the policy", path)?)
}

/// Reads the given policy; without one, only tokens are required, and at least the hop limit if one is given.
pub(super) fn read(required: &Required) -> Result<ChosenPolicy, Problem> {
    match &required.policy {
        Some(path) => load(path),
        None => {
            let hops = required.hop_limit.map_or_else(String::new, |hops| {
                format!(r#", "hop_limit": {{ "at_least": {hops} }}"#)
            });
            let text = format!(
                r#"{{ "version": 1, "require": {{ "http_tokens": "required"{hops} }}, "on_violation": "enforce" }}"#
            );
            parse(Path::new("the command's own"), text)
        }
    }
}

fn parse(path: &Path, text: String) -> Result<ChosenPolicy, Problem> {
    let path = path.to_owned();
    let policy = Policy::parse(&text).map_err(|source| Problem::Policy { path, source })?;
    Ok(ChosenPolicy { policy, text })
}
