//! The account: who we are in it, and what its launches get where they do not say.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetInstanceMetadataDefaults.html>

use imds_core::defaults::MetadataDefaults;
use imds_core::instance::{HopLimit, HttpTokens, Toggle};
use serde::Deserialize;

use crate::client::{Client, Request, Service};
use crate::error::CallError;

/// Whose credentials these are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// 12 digits.
    pub account: String,
    /// The caller's ARN.
    pub arn: String,
}

impl Client {
    /// Whose credentials these are; nobody needs a permission to ask.
    ///
    /// # Errors
    /// When STS does not answer, or refuses.
    pub async fn identity(&self, region: &str) -> Result<Identity, CallError> {
        let request = Request::new("GetCallerIdentity");
        let answer: Caller = self.read(Service::Sts, region, request).await?;
        let Identified { account, arn } = answer.result;
        Ok(Identity { account, arn })
    }

    /// The account's metadata defaults in a region.
    ///
    /// # Errors
    /// When EC2 does not answer, or refuses.
    pub async fn metadata_defaults(&self, region: &str) -> Result<MetadataDefaults, CallError> {
        let request = Request::new("GetInstanceMetadataDefaults");
        let answer: Defaults = self.read(Service::Ec2, region, request).await?;
        let has = answer.account_level;
        let toggle = |word: Option<String>| word.and_then(|word| Toggle::from_word(&word));
        Ok(MetadataDefaults {
            http_tokens: has
                .http_tokens
                .and_then(|word| HttpTokens::from_word(&word)),
            hop_limit: has
                .http_put_response_hop_limit
                .and_then(|n| HopLimit::try_from(n).ok()),
            http_endpoint: toggle(has.http_endpoint),
            instance_metadata_tags: toggle(has.instance_metadata_tags),
            http_tokens_enforced: toggle(has.http_tokens_enforced),
            managed_by: has.managed_by,
        })
    }

    /// Sets those of the account's metadata defaults that differ; `None` is no preference.
    ///
    /// # Errors
    /// When EC2 does not answer, or refuses, as it does where a declarative policy manages them.
    pub async fn set_metadata_defaults(
        &self,
        region: &str,
        from: &MetadataDefaults,
        to: &MetadataDefaults,
    ) -> Result<(), CallError> {
        fn differs<T: PartialEq + ToString>(
            from: Option<T>,
            to: Option<T>,
            none: &str,
        ) -> Option<String> {
            (from != to).then(|| to.map_or(none.to_owned(), |value| value.to_string()))
        }
        const NONE: &str = "no-preference";
        let request = Request::new("ModifyInstanceMetadataDefaults")
            .with_some(
                "HttpTokens",
                differs(from.http_tokens, to.http_tokens, NONE),
            )
            .with_some(
                "HttpPutResponseHopLimit",
                differs(from.hop_limit, to.hop_limit, "-1"),
            )
            .with_some(
                "HttpEndpoint",
                differs(from.http_endpoint, to.http_endpoint, NONE),
            )
            .with_some(
                "InstanceMetadataTags",
                differs(from.instance_metadata_tags, to.instance_metadata_tags, NONE),
            )
            .with_some(
                "HttpTokensEnforced",
                differs(from.http_tokens_enforced, to.http_tokens_enforced, NONE),
            );
        self.call(Service::Ec2, region, request).await.map(drop)
    }
}

#[derive(Debug, Deserialize)]
struct Caller {
    #[serde(rename = "GetCallerIdentityResult")]
    result: Identified,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Identified {
    account: String,
    arn: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Defaults {
    #[serde(default)]
    account_level: AccountLevel,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AccountLevel {
    #[serde(default)]
    http_tokens: Option<String>,
    #[serde(default)]
    http_put_response_hop_limit: Option<i64>,
    #[serde(default)]
    http_endpoint: Option<String>,
    #[serde(default)]
    instance_metadata_tags: Option<String>,
    #[serde(default)]
    http_tokens_enforced: Option<String>,
    #[serde(default)]
    managed_by: Option<String>,
}
