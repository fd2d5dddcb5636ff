//! What launches the next instance, and whether it will be as the policy requires.

use std::fmt;

use jiff::Timestamp;

use crate::decide::{Decision, Occasion, decide};
use crate::defaults::MetadataDefaults;
use crate::instance::{HopLimit, HttpTokens, Instance, InstanceId, MetadataOptions, Toggle};
use crate::plain::Plain;
use crate::policy::Policy;

/// What the next instance will be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// As the policy requires.
    Right(Source),
    /// Not as the policy requires; what is wrong, in words.
    Wrong(String),
    /// The region enforces tokens, so that the launch fails.
    Fails,
    /// Not known, and why.
    Unknown(NotSeen),
}

/// What decides about tokens and cannot be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotSeen {
    /// The account's defaults.
    Defaults,
    /// The image, as it is named.
    Image(String),
    /// The image, for none is named.
    NoImage,
}

/// What decides about tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The template itself.
    Itself,
    /// The account's defaults in the region.
    Defaults,
    /// The image's `ImdsSupport`.
    Image,
    /// EC2's own default.
    Ec2,
}

const NO_DEFAULTS: MetadataDefaults = MetadataDefaults {
    http_tokens: None,
    hop_limit: None,
    http_endpoint: None,
    instance_metadata_tags: None,
    http_tokens_enforced: None,
    managed_by: None,
};

/// Judges what would be launched: the template's own options come first, then the account's
/// defaults, then the image's, then EC2's; enforcement is judged last. Rules are left out, for the
/// next instance's tags are not known.
///
/// `demands_tokens`: whether the image has `ImdsSupport=v2.0`; `None` is not known, as with
/// `defaults`.
///
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-options.html#instance-metadata-options-order-of-precedence>
pub fn judge(
    policy: &Policy,
    own: &MetadataOptions,
    defaults: Option<&MetadataDefaults>,
    image: Option<&str>,
    demands_tokens: Option<bool>,
    now: Timestamp,
) -> Next {
    let Some(defaults) = defaults.or(own.http_tokens.map(|_| &NO_DEFAULTS)) else {
        return Next::Unknown(NotSeen::Defaults);
    };
    let (http_tokens, source) = if own.http_tokens.is_some() {
        (own.http_tokens, Source::Itself)
    } else if defaults.http_tokens.is_some() {
        (defaults.http_tokens, Source::Defaults)
    } else {
        match demands_tokens {
            Some(true) => (Some(HttpTokens::Required), Source::Image),
            Some(false) => (Some(HttpTokens::Optional), Source::Ec2),
            None => (None, Source::Image),
        }
    };
    let hops_of_image = |demands: bool| {
        let hops = if demands { 2 } else { 1 };
        HopLimit::try_from(hops).ok()
    };
    let options = MetadataOptions {
        http_tokens,
        http_endpoint: own
            .http_endpoint
            .or(defaults.http_endpoint)
            .or(Some(Toggle::Enabled)),
        hop_limit: own
            .hop_limit
            .or(defaults.hop_limit)
            .or(demands_tokens.and_then(hops_of_image)),
        http_protocol_ipv6: own.http_protocol_ipv6.or(Some(Toggle::Disabled)),
        instance_metadata_tags: own
            .instance_metadata_tags
            .or(defaults.instance_metadata_tags)
            .or(Some(Toggle::Disabled)),
    };
    let without_rules = Policy {
        rules: Vec::new(),
        ..policy.clone()
    };
    let instance = Instance {
        options,
        ..Instance::unknown(InstanceId::of_the_next(), String::new())
    };
    let endpoint_off = options.http_endpoint == Some(Toggle::Disabled);
    if defaults.enforces_tokens() && http_tokens == Some(HttpTokens::Optional) && !endpoint_off {
        return Next::Fails;
    }
    match decide(&without_rules, &instance, now, &Occasion::Launch) {
        Decision::Compliant(_) | Decision::Exempt(_) | Decision::Gone(_) => Next::Right(source),
        Decision::Wrong(_) if http_tokens.is_none() => {
            Next::Unknown(image.map_or(NotSeen::NoImage, |image| NotSeen::Image(image.to_owned())))
        }
        Decision::Wrong(wrong) => {
            let violations = wrong.violations.iter().map(ToString::to_string);
            let violations = violations.collect::<Vec<_>>().join(", ");
            Next::Wrong(format!("{violations} ({source})"))
        }
    }
}

impl Next {
    /// `required`, `wrong` or `unknown`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Next::Right(_) => "required",
            Next::Wrong(_) | Next::Fails => "wrong",
            Next::Unknown(_) => "unknown",
        }
    }
}

impl fmt::Display for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Next::Right(source) => write!(f, "as required {source}"),
            Next::Wrong(why) => f.write_str(why),
            Next::Fails => f.write_str(
                "http_tokens is optional, and HttpTokensEnforced is on: its launches fail",
            ),
            Next::Unknown(not_seen) => {
                f.write_str("says nothing of http_tokens, and ")?;
                match not_seen {
                    NotSeen::Defaults => f.write_str("the account's defaults cannot be seen"),
                    NotSeen::Image(image) => write!(f, "its image {} cannot be seen", Plain(image)),
                    NotSeen::NoImage => f.write_str("names no image"),
                }
            }
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Source::Itself => "by itself",
            Source::Defaults => "by the account's defaults",
            Source::Image => "by its image",
            Source::Ec2 => "by EC2's default",
        })
    }
}
