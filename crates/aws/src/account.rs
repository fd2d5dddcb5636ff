//! The account: the caller's identity, and the metadata defaults of its launches.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetInstanceMetadataDefaults.html>

use std::convert::Infallible;
use std::str::FromStr;

use imds_core::defaults::MetadataDefaults;
use imds_core::options::{HopLimit, HttpTokens, Toggle};

use crate::client::Client;
use crate::error::CallError;

/// The identity of the caller's credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// 12 digits.
    pub account: String,
    /// The caller's ARN.
    pub arn: String,
}

impl Client {
    /// Gets the identity of the credentials. No IAM permission is required.
    ///
    /// # Errors
    /// If STS does not answer or rejects the call.
    pub async fn identity(&self, region: &str) -> Result<Identity, CallError> {
        const ACTION: &str = "GetCallerIdentity";
        let answer = self
            .call(ACTION, region, |services| {
                services.sts().get_caller_identity().send()
            })
            .await?;
        match (answer.account, answer.arn) {
            (Some(account), Some(arn)) => Ok(Identity { account, arn }),
            _ => {
                let why = "no `Account` or no `Arn`";
                Err(CallError::unreadable(ACTION, region, why))
            }
        }
    }

    /// Gets the account's metadata defaults in a region.
    ///
    /// # Errors
    /// If EC2 does not answer or rejects the call.
    pub async fn metadata_defaults(&self, region: &str) -> Result<MetadataDefaults, CallError> {
        let answer = self
            .call("GetInstanceMetadataDefaults", region, |services| {
                services.ec2().get_instance_metadata_defaults().send()
            })
            .await?;
        // For an account without defaults, the element is empty or missing.
        let Some(has) = answer.account_level else {
            return Ok(MetadataDefaults::default());
        };
        let toggle = |word: Option<&str>| word.and_then(Toggle::from_word);
        let tokens = has.http_tokens.as_ref().map(|word| word.as_str());
        let hops = has.http_put_response_hop_limit.map(i64::from);
        let enforced = has.http_tokens_enforced.as_ref();
        let tags = has.instance_metadata_tags.as_ref();
        Ok(MetadataDefaults {
            http_tokens: tokens.and_then(HttpTokens::from_word),
            hop_limit: hops.and_then(|hops| HopLimit::try_from(hops).ok()),
            http_endpoint: toggle(has.http_endpoint.as_ref().map(|word| word.as_str())),
            instance_metadata_tags: toggle(tags.map(|word| word.as_str())),
            http_tokens_enforced: toggle(enforced.map(|word| word.as_str())),
            managed_by: has.managed_by.map(|word| word.as_str().to_owned()),
        })
    }

    /// Sets the account's metadata defaults that differ; `None` means no preference.
    ///
    /// # Errors
    /// If EC2 does not answer or rejects the call, for example because a declarative policy manages the
    /// defaults.
    pub async fn set_metadata_defaults(
        &self,
        region: &str,
        from: &MetadataDefaults,
        to: &MetadataDefaults,
    ) -> Result<(), CallError> {
        fn differs<T: PartialEq + ToString, W: FromStr<Err = Infallible>>(
            from: Option<T>,
            to: Option<T>,
        ) -> Option<W> {
            let word = |to: Option<T>| to.map_or("no-preference".to_owned(), |it| it.to_string());
            (from != to).then(|| word(to).parse().unwrap_or_else(|never| match never {}))
        }
        let hops = |to: Option<HopLimit>| to.map_or(-1, |hops| i32::from(u8::from(hops)));
        self.call("ModifyInstanceMetadataDefaults", region, |services| {
            services
                .ec2()
                .modify_instance_metadata_defaults()
                .set_http_tokens(differs(from.http_tokens, to.http_tokens))
                .set_http_put_response_hop_limit(
                    (from.hop_limit != to.hop_limit).then(|| hops(to.hop_limit)),
                )
                .set_http_endpoint(differs(from.http_endpoint, to.http_endpoint))
                .set_instance_metadata_tags(differs(
                    from.instance_metadata_tags,
                    to.instance_metadata_tags,
                ))
                .set_http_tokens_enforced(differs(
                    from.http_tokens_enforced,
                    to.http_tokens_enforced,
                ))
                .send()
        })
        .await
        .map(drop)
    }
}
