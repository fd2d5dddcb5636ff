//! The policy that the function serves, read once at start.

use std::time::Duration;

use imds_aws::{CallError, Client, StateTable};
use imds_core::policy::{Policy, PolicyFaults};
use imds_core::state::{self, ItemError, Key};
use sha2::{Digest, Sha256};
use tokio::time::timeout;

use crate::config::PolicySource;

/// Lambda gives a start ten seconds.
const READ_WITHIN: Duration = Duration::from_secs(8);

/// Why the policy in the state table cannot be served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoredPolicyError {
    #[error("could not read item `{key}` of `IMDS_STATE_TABLE`")]
    Read { key: String, source: CallError },
    #[error("could not read item `{key}` of `IMDS_STATE_TABLE` within 8 seconds")]
    Late { key: String },
    #[error("there is no item `{key}` in `IMDS_STATE_TABLE`")]
    Missing { key: String },
    #[error("the policy that `IMDS_POLICY_SHA256` names cannot be read")]
    Item(#[from] ItemError),
    #[error(
        "the document in item `{key}` has the SHA-256 `{found}`, not that of `IMDS_POLICY_SHA256`"
    )]
    OtherHash { key: String, found: String },
    #[error("the policy that `IMDS_POLICY_SHA256` names is not valid")]
    Policy(#[from] PolicyFaults),
}

/// Reads the policy.
///
/// # Errors
/// If the state table has no such policy, or cannot be read.
pub(crate) async fn read(
    source: PolicySource,
    client: &Client,
    table: Option<&StateTable>,
) -> Result<Policy, StoredPolicyError> {
    let (sha256, table) = match (source, table) {
        (PolicySource::Read(policy), _) => return Ok(policy),
        (PolicySource::InTable(sha256), Some(table)) => (sha256, table),
        // The configuration has refused it.
        (PolicySource::InTable(key), None) => return Err(StoredPolicyError::Missing { key }),
    };
    let item_key = Key::policy(&sha256);
    let key = item_key.as_str().to_owned();
    let item = match timeout(READ_WITHIN, client.get_item(table, &item_key)).await {
        Ok(Ok(read)) => read.item,
        Ok(Err(source)) => return Err(StoredPolicyError::Read { key, source }),
        Err(_elapsed) => return Err(StoredPolicyError::Late { key }),
    };
    let Some(item) = item else {
        return Err(StoredPolicyError::Missing { key });
    };
    let document = state::policy_document(&item_key, &item)?;
    let digest = Sha256::digest(document.as_bytes());
    let found: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    if found != sha256 {
        return Err(StoredPolicyError::OtherHash { key, found });
    }
    Ok(Policy::parse(&document)?)
}
