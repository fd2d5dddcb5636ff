//! What launches the next instance, and whether that instance will be compliant.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::change::Change;
use crate::defaults::MetadataDefaults;
use crate::options::{HopLimit, HttpTokens, MetadataOptions, Toggle};
use crate::plain::Plain;
use crate::policy::Policy;

/// What decides about the options of an instance that a template launches.
#[derive(Debug, Clone, Copy)]
pub struct LaunchSource<'a> {
    /// The template's own options.
    pub own: &'a MetadataOptions,
    /// The account's defaults in the region; `None`: not known.
    pub defaults: Option<&'a MetadataDefaults>,
    /// The image's id, where the template names one.
    pub image: Option<&'a str>,
    /// Whether the image has `ImdsSupport=v2.0`; `None`: not known.
    pub image_requires_tokens: Option<bool>,
}

/// What the next instance will be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextInstance {
    /// Compliant; what decides about tokens.
    Compliant(DecidedBy),
    /// Compliant, because its endpoint is disabled; what disables it.
    EndpointDisabled(DecidedBy),
    /// Not compliant; the violations, as a sentence.
    NonCompliant(String),
    /// The region enforces tokens, so that the launch fails.
    LaunchFails,
    /// Not known, and why.
    Unknown(MissingFact),
    /// What it would be launched from does not exist, so that the launch fails.
    NoSuchVersion,
}

/// Whether the next instance will be compliant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "named as in `NextInstance`")]
pub enum TemplateCompliance {
    Compliant,
    NonCompliant,
    Unknown,
}

/// What decides about tokens and is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MissingFact {
    /// The account's defaults.
    Defaults,
    /// The image with this id.
    Image(String),
    /// The image, because the template names none.
    NoImage,
}

/// What decides about an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecidedBy {
    /// The template itself.
    Template,
    /// The account's defaults in the region.
    Defaults,
    /// The image's `ImdsSupport`.
    Image,
    /// EC2's own default.
    Ec2,
}

impl LaunchSource<'_> {
    /// What the next instance will be. The template's own options come first, then the account's
    /// defaults, then the image's, then EC2's; enforcement comes last. Rules do not count, because
    /// the next instance's tags are not known.
    ///
    /// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-options.html#instance-metadata-options-order-of-precedence>
    pub fn next_instance(&self, policy: &Policy) -> NextInstance {
        let enforces = self.defaults.is_some_and(MetadataDefaults::enforces_tokens);
        if enforces && self.http_tokens() == Some(HttpTokens::Optional) {
            return NextInstance::LaunchFails;
        }
        if let Some(decided_by) = self.disables_endpoint() {
            return NextInstance::EndpointDisabled(decided_by);
        }
        let no_defaults = MetadataDefaults::default();
        let defaults = match self.defaults {
            Some(defaults) => defaults,
            None if self.own.http_tokens.is_some() => &no_defaults,
            None => return NextInstance::Unknown(MissingFact::Defaults),
        };
        let (http_tokens, decided_by) = self.tokens(defaults);
        let options = self.options(defaults);
        let violations = policy.require.violations(&options);
        if violations.is_empty() {
            return NextInstance::Compliant(decided_by);
        }
        if http_tokens.is_none() {
            return NextInstance::Unknown(match self.image {
                Some(image) => MissingFact::Image(image.to_owned()),
                None => MissingFact::NoImage,
            });
        }
        let violations = violations.iter().map(ToString::to_string);
        let violations = violations.collect::<Vec<_>>().join(", ");
        NextInstance::NonCompliant(format!("{violations} ({decided_by})"))
    }

    /// Whether the next instance requires tokens; `None`: not known.
    pub fn http_tokens(&self) -> Option<HttpTokens> {
        self.own
            .http_tokens
            .or_else(|| self.tokens(self.defaults?).0)
    }

    /// The launcher's own options, with those that make its next instance compliant.
    pub fn remediated(&self, policy: &Policy) -> MetadataOptions {
        let defaults = self.defaults.cloned().unwrap_or_default();
        let violations = policy.require.violations(&self.options(&defaults));
        let mut options = Change::remediating(&violations).applied_to(self.own);
        if self.next_instance(policy) == NextInstance::LaunchFails {
            options.http_tokens = Some(HttpTokens::Required);
        }
        options
    }

    /// Whether the image decides about an option that the policy requires.
    pub fn depends_on_image(&self, policy: &Policy) -> bool {
        let defaults = self.defaults.map(MetadataDefaults::options);
        let decided = self.own.or(&defaults.unwrap_or_default());
        decided.http_tokens.is_none()
            || decided.hop_limit.is_none() && policy.require.hop_limit.is_some()
    }

    /// What disables the endpoint of the next instance.
    fn disables_endpoint(&self) -> Option<DecidedBy> {
        let disabled = Some(Toggle::Disabled);
        let by_defaults = self.defaults.and_then(|defaults| defaults.http_endpoint);
        match self.own.http_endpoint {
            Some(_) => (self.own.http_endpoint == disabled).then_some(DecidedBy::Template),
            None => (by_defaults == disabled).then_some(DecidedBy::Defaults),
        }
    }

    /// What the next instance has, as far as it is known.
    fn options(&self, defaults: &MetadataDefaults) -> MetadataOptions {
        MetadataOptions {
            http_tokens: self.tokens(defaults).0,
            ..self
                .own
                .or(&defaults.options())
                .or(&self.image_or_ec2_options())
        }
    }

    fn tokens(&self, defaults: &MetadataDefaults) -> (Option<HttpTokens>, DecidedBy) {
        if self.own.http_tokens.is_some() {
            return (self.own.http_tokens, DecidedBy::Template);
        }
        if defaults.http_tokens.is_some() {
            return (defaults.http_tokens, DecidedBy::Defaults);
        }
        match self.image_requires_tokens {
            Some(true) => (Some(HttpTokens::Required), DecidedBy::Image),
            Some(false) => (Some(HttpTokens::Optional), DecidedBy::Ec2),
            None => (None, DecidedBy::Image),
        }
    }

    /// The options but for tokens that an instance has where neither its template nor the account
    /// sets them.
    fn image_or_ec2_options(&self) -> MetadataOptions {
        let hops = self
            .image_requires_tokens
            .map(|requires| if requires { 2 } else { 1 });
        MetadataOptions {
            http_tokens: None,
            http_endpoint: Some(Toggle::Enabled),
            hop_limit: hops.and_then(|hops| HopLimit::try_from(hops).ok()),
            http_protocol_ipv6: Some(Toggle::Disabled),
            instance_metadata_tags: Some(Toggle::Disabled),
        }
    }
}

impl NextInstance {
    /// Whether it will be compliant.
    pub fn compliance(&self) -> TemplateCompliance {
        match self {
            NextInstance::Compliant(_) | NextInstance::EndpointDisabled(_) => {
                TemplateCompliance::Compliant
            }
            NextInstance::NonCompliant(_) | NextInstance::LaunchFails => {
                TemplateCompliance::NonCompliant
            }
            NextInstance::Unknown(_) | NextInstance::NoSuchVersion => TemplateCompliance::Unknown,
        }
    }
}

impl fmt::Display for NextInstance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NextInstance::Compliant(decided_by) => write!(f, "as required {decided_by}"),
            NextInstance::EndpointDisabled(decided_by) => {
                write!(f, "its endpoint is disabled {decided_by}")
            }
            NextInstance::NonCompliant(violations) => f.write_str(violations),
            NextInstance::LaunchFails => {
                f.write_str("http_tokens is optional and HttpTokensEnforced is on: launches fail")
            }
            NextInstance::NoSuchVersion => f.write_str("does not exist: launches fail"),
            NextInstance::Unknown(missing) => {
                f.write_str("does not set http_tokens, and ")?;
                match missing {
                    MissingFact::Defaults => f.write_str("the account's defaults are not known"),
                    MissingFact::Image(image) => {
                        write!(f, "its image {} cannot be described", Plain(image))
                    }
                    MissingFact::NoImage => f.write_str("names no image"),
                }
            }
        }
    }
}

impl fmt::Display for DecidedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DecidedBy::Template => "by the template",
            DecidedBy::Defaults => "by the account's defaults",
            DecidedBy::Image => "by its image",
            DecidedBy::Ec2 => "by EC2's default",
        })
    }
}
