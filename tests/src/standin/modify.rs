//! ModifyInstanceMetadataOptions: what the call leaves out is kept.

use super::instance::Options;
use super::instance_xml::write_options;
use super::refusal::Refusal;
use super::request::Request;
use super::world::World;
use super::xml::Xml;

const SWITCH: &[&str] = &["enabled", "disabled"];

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyInstanceMetadataOptions.html>
pub(super) fn modify_options(
    world: &mut World,
    request: &Request,
    xml: &mut Xml,
) -> Result<(), Refusal> {
    let id = request.require("InstanceId")?;
    let wish = wish(request, "")?;
    if wish == Wish::default() {
        return Err(Refusal::missing("HttpTokens"));
    }
    if world.settings.demands_endpoint
        && (wish.tokens.is_some() || wish.hop_limit.is_some())
        && wish.endpoint.as_deref() != Some("enabled")
    {
        return Err(Refusal::new(
            "InvalidParameterValue",
            "HttpEndpoint must be enabled to set HttpTokens or HttpPutResponseHopLimit",
        ));
    }
    let applied = world.settings.applied;
    let region = world.region(&request.region);
    if wish.metadata_tags.is_some() && region.refuses_metadata_tags {
        return Err(Refusal::unsupported(
            "Specifying InstanceMetadataTags is not yet supported",
        ));
    }
    let enforced = region.defaults.enforces_tokens();
    let machine = region.one(id)?;
    if machine.refuses_changes {
        return Err(Refusal::not_permitted(format!(
            "The instance '{id}' is managed by a service."
        )));
    }
    if machine.is(&["shutting-down", "terminated"]) {
        return Err(Refusal::state(id));
    }
    if machine.refused_modifies > 0 {
        machine.refused_modifies -= u32::from(!request.flag("DryRun")?);
        return Err(Refusal::state(id));
    }
    if enforced && wish.tokens.as_deref() == Some("optional") {
        return Err(Refusal::unsupported(
            "httpTokensEnforced is enabled for this account.",
        ));
    }
    request.end_rehearsal()?;
    wish.fulfil(&mut machine.instance.options);
    "pending".clone_into(&mut machine.instance.options.state);
    machine.applied = applied.begin();
    xml.text("instanceId", id)
        .within("instanceMetadataOptions", |xml| {
            write_options(xml, &machine.instance.options, "pending")
        });
    Ok(())
}

/// The options that somebody names.
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

pub(super) use TemplateOptions as Wish;

/// Reads options whose names begin with a prefix, such as `MetadataOptions.`.
pub(super) fn wish(request: &Request, prefix: &str) -> Result<Wish, Refusal> {
    let name = |name: &str| format!("{prefix}{name}");
    Ok(Wish {
        tokens: request.word(&name("HttpTokens"), &["optional", "required"])?,
        endpoint: request.word(&name("HttpEndpoint"), SWITCH)?,
        hop_limit: hop_limit(request, &name("HttpPutResponseHopLimit"))?,
        ipv6: request.word(&name("HttpProtocolIpv6"), SWITCH)?,
        metadata_tags: request.word(&name("InstanceMetadataTags"), SWITCH)?,
    })
}

impl Wish {
    /// Changes what is named, and nothing else.
    pub(super) fn fulfil(&self, options: &mut Options) {
        let put = |wish: &Option<String>, option: &mut String| {
            if let Some(wish) = wish {
                wish.clone_into(option);
            }
        };
        put(&self.tokens, &mut options.tokens);
        put(&self.endpoint, &mut options.endpoint);
        put(&self.ipv6, &mut options.ipv6);
        put(&self.metadata_tags, &mut options.metadata_tags);
        options.hop_limit = self.hop_limit.unwrap_or(options.hop_limit);
    }
}

fn hop_limit(request: &Request, name: &str) -> Result<Option<u8>, Refusal> {
    match request.number::<i64>(name)? {
        None => Ok(None),
        Some(hops) => match u8::try_from(hops) {
            Ok(hops @ 1..=64) => Ok(Some(hops)),
            _ => Err(Refusal::value(
                name,
                hops,
                "Expecting an integer from 1 to 64.",
            )),
        },
    }
}
