//! The account's defaults for metadata options, of a region.

use super::api_error::ApiError;
use super::modify::TemplateOptions;
use super::request::ApiRequest;
use super::state::FakeState;
use super::xml::Xml;

/// The options of launches that name none; `None` is no preference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Defaults {
    /// `HttpTokens`.
    pub tokens: Option<String>,
    /// `HttpEndpoint`.
    pub endpoint: Option<String>,
    /// `HttpPutResponseHopLimit`.
    pub hop_limit: Option<u8>,
    /// `InstanceMetadataTags`.
    pub metadata_tags: Option<String>,
    /// `HttpTokensEnforced`: with `enabled`, no instance can be launched with IMDSv1 or changed to it.
    pub tokens_enforced: Option<String>,
    /// `account` or `declarative-policy`; the account cannot change the latter.
    pub managed_by: Option<String>,
}

impl Defaults {
    pub(super) fn enforces_tokens(&self) -> bool {
        self.tokens_enforced.as_deref() == Some("enabled")
    }

    /// As options of a launch.
    pub(super) fn named_options(&self) -> TemplateOptions {
        TemplateOptions {
            tokens: self.tokens.clone(),
            endpoint: self.endpoint.clone(),
            hop_limit: self.hop_limit,
            ipv6: None,
            metadata_tags: self.metadata_tags.clone(),
        }
    }
}

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetInstanceMetadataDefaults.html>
pub(super) fn get_defaults(
    fake: &mut FakeState,
    request: &ApiRequest,
    xml: &mut Xml,
) -> Result<(), ApiError> {
    let defaults = &fake.region(&request.region).defaults;
    xml.within("accountLevel", |xml| {
        xml.maybe("httpTokens", defaults.tokens.as_ref())
            .maybe(
                "httpPutResponseHopLimit",
                defaults.hop_limit.map(|hops| hops.to_string()),
            )
            .maybe("httpEndpoint", defaults.endpoint.as_ref())
            .maybe("instanceMetadataTags", defaults.metadata_tags.as_ref())
            .maybe("httpTokensEnforced", defaults.tokens_enforced.as_ref())
            .text(
                "managedBy",
                defaults.managed_by.as_deref().unwrap_or("account"),
            );
    });
    Ok(())
}

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyInstanceMetadataDefaults.html>
pub(super) fn modify_defaults(
    fake: &mut FakeState,
    request: &ApiRequest,
    xml: &mut Xml,
) -> Result<(), ApiError> {
    let switch = &["enabled", "disabled", "no-preference"];
    let tokens = request.word("HttpTokens", &["optional", "required", "no-preference"])?;
    let endpoint = request.word("HttpEndpoint", switch)?;
    let metadata_tags = request.word("InstanceMetadataTags", switch)?;
    let tokens_enforced = request.word("HttpTokensEnforced", switch)?;
    let hop_limit = request.number::<i64>("HttpPutResponseHopLimit")?;
    if let Some(hops) = hop_limit.filter(|hops| *hops != -1 && !(1..=64).contains(hops)) {
        return Err(ApiError::value(
            "HttpPutResponseHopLimit",
            hops,
            "Expecting -1 or 1 to 64.",
        ));
    }
    let defaults = &mut fake.region(&request.region).defaults;
    if defaults.managed_by.as_deref() == Some("declarative-policy") {
        let message = "This functionality has been disabled by a Declarative Policy.";
        return Err(ApiError::new("DeclarativePolicyViolation", message));
    }
    request.end_rehearsal()?;
    prefer(&mut defaults.tokens, tokens);
    prefer(&mut defaults.endpoint, endpoint);
    prefer(&mut defaults.metadata_tags, metadata_tags);
    prefer(&mut defaults.tokens_enforced, tokens_enforced);
    if let Some(hops) = hop_limit {
        defaults.hop_limit = u8::try_from(hops).ok();
    }
    xml.plain("return", true);
    Ok(())
}

fn prefer(default: &mut Option<String>, word: Option<String>) {
    if let Some(word) = word {
        *default = Some(word).filter(|word| word != "no-preference");
    }
}
