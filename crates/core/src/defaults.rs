//! What an account's launches get in a region where they do not say.

use serde::{Deserialize, Serialize};

use crate::instance::{HopLimit, HttpTokens, Toggle};

/// The account's metadata defaults in a region; `None` is no preference.
///
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_InstanceMetadataDefaultsResponse.html>
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetadataDefaults {
    /// Whether a session token is demanded.
    pub http_tokens: Option<HttpTokens>,
    /// How many network hops the answer to a token request may travel.
    pub hop_limit: Option<HopLimit>,
    /// Whether the metadata service answers at all.
    pub http_endpoint: Option<Toggle>,
    /// Whether the instance's tags can be read from the service.
    pub instance_metadata_tags: Option<Toggle>,
    /// `HttpTokensEnforced`: whether a launch that would answer IMDSv1 fails, and `optional` cannot
    /// be set again.
    pub http_tokens_enforced: Option<Toggle>,
    /// `account`, or `declarative-policy` where the account cannot change them.
    pub managed_by: Option<String>,
}

impl MetadataDefaults {
    /// Whether going back to IMDSv1 is refused.
    pub fn enforces_tokens(&self) -> bool {
        self.http_tokens_enforced == Some(Toggle::Enabled)
    }
}
