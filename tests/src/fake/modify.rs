//! ModifyInstanceMetadataOptions: options that a call does not name keep their values, unless a test
//! says otherwise.

use super::api_error::ApiError;
use super::instance::Options;
use super::instance_xml::write_options;
use super::managed;
use super::option_refusals::refusal_of;
use super::request::ApiRequest;
use super::state::FakeState;
use super::xml::Xml;

const SWITCH: &[&str] = &["enabled", "disabled"];

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyInstanceMetadataOptions.html>
pub(super) fn modify_options(
    fake: &mut FakeState,
    request: &ApiRequest,
    xml: &mut Xml,
) -> Result<(), ApiError> {
    let id = request.require("InstanceId")?;
    let named = named_options(request, "")?;
    if named == TemplateOptions::default() {
        return Err(ApiError::missing("HttpTokens"));
    }
    if fake.settings.demands_endpoint
        && (named.tokens.is_some() || named.hop_limit.is_some())
        && named.endpoint.as_deref() != Some("enabled")
    {
        return Err(ApiError::new(
            "InvalidParameterValue",
            "HttpEndpoint must be enabled to set HttpTokens or HttpPutResponseHopLimit",
        ));
    }
    let account = fake.account.clone();
    let applied = fake.settings.applied;
    let forgets_options = fake.settings.forgets_options;
    let region = fake.region(&request.region);
    if named.metadata_tags.is_some() && region.refuses_metadata_tags {
        return Err(ApiError::unsupported(
            "Specifying InstanceMetadataTags is not yet supported",
        ));
    }
    let enforced = region.defaults.enforces_tokens();
    let machine = region.one(id)?;
    let denial = managed::denial(machine, request, &account);
    if let Some(refusal) = denial.or_else(|| managed::refusal(machine)) {
        return Err(refusal);
    }
    if machine.is_terminated() {
        return Err(ApiError::state(id));
    }
    if machine.refused_modifies > 0 {
        machine.refused_modifies -= u32::from(!request.flag("DryRun")?);
        return Err(ApiError::state(id));
    }
    if enforced && named.tokens.as_deref() == Some("optional") {
        return Err(ApiError::unsupported(
            "httpTokensEnforced is enabled for this account.",
        ));
    }
    if let Some(refusal) = refusal_of(&named, machine) {
        return Err(refusal);
    }
    request.end_rehearsal()?;
    let mut options = match forgets_options {
        true => Options::default(),
        false => machine.instance.options.clone(),
    };
    named.apply_to(&mut options);
    "pending".clone_into(&mut options.state);
    xml.text("instanceId", id)
        .within("instanceMetadataOptions", |xml| {
            write_options(xml, &options, "pending")
        });
    if !machine.discards_changes {
        machine.instance.options = options;
        machine.applied = applied.begin();
    }
    Ok(())
}

/// The options that a launch, a template or a change names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TemplateOptions {
    /// `HttpTokens`.
    pub tokens: Option<String>,
    /// `HttpEndpoint`.
    pub endpoint: Option<String>,
    /// `HttpPutResponseHopLimit`.
    pub hop_limit: Option<u8>,
    /// `HttpProtocolIpv6`.
    pub ipv6: Option<String>,
    /// `InstanceMetadataTags`.
    pub metadata_tags: Option<String>,
}

/// Reads options whose names begin with a prefix, such as `MetadataOptions.`.
pub(super) fn named_options(
    request: &ApiRequest,
    prefix: &str,
) -> Result<TemplateOptions, ApiError> {
    let name = |name: &str| format!("{prefix}{name}");
    Ok(TemplateOptions {
        tokens: request.word(&name("HttpTokens"), &["optional", "required"])?,
        endpoint: request.word(&name("HttpEndpoint"), SWITCH)?,
        hop_limit: hop_limit(request, &name("HttpPutResponseHopLimit"))?,
        ipv6: request.word(&name("HttpProtocolIpv6"), SWITCH)?,
        metadata_tags: request.word(&name("InstanceMetadataTags"), SWITCH)?,
    })
}

impl TemplateOptions {
    /// Sets the named options and no others.
    pub(super) fn apply_to(&self, options: &mut Options) {
        let put = |named: &Option<String>, option: &mut String| {
            if let Some(named) = named {
                named.clone_into(option);
            }
        };
        put(&self.tokens, &mut options.tokens);
        put(&self.endpoint, &mut options.endpoint);
        put(&self.ipv6, &mut options.ipv6);
        put(&self.metadata_tags, &mut options.metadata_tags);
        options.hop_limit = self.hop_limit.unwrap_or(options.hop_limit);
    }
}

fn hop_limit(request: &ApiRequest, name: &str) -> Result<Option<u8>, ApiError> {
    match request.number::<i64>(name)? {
        None => Ok(None),
        Some(hops) => match u8::try_from(hops) {
            Ok(hops @ 1..=64) => Ok(Some(hops)),
            _ => Err(ApiError::value(
                name,
                hops,
                "Expecting an integer from 1 to 64.",
            )),
        },
    }
}
