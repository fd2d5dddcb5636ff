//! The options that one `ModifyInstanceMetadataOptions` call sets.

use std::fmt;

use crate::instance::{HopLimit, HttpTokens, MetadataOptions, Toggle};
use crate::violation::Violation;

/// Only what is to be mended; EC2 keeps every option that a call leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    set: MetadataOptions,
}

impl Change {
    /// Sets these options and leaves the others alone.
    pub fn setting(set: MetadataOptions) -> Self {
        Change { set }
    }

    /// The least that mends the violations.
    pub fn mending(violations: &[Violation]) -> Self {
        let mut set = MetadataOptions::default();
        for violation in violations {
            match *violation {
                Violation::HttpTokens { .. } => set.http_tokens = Some(HttpTokens::Required),
                Violation::HopLimit { found, allowed } => {
                    set.hop_limit = Some(allowed.nearest(found.unwrap_or(HopLimit::MIN)));
                }
                Violation::HttpEndpoint { .. } => {
                    // With the service off nothing else is left to mend, and EC2 has refused other
                    // options beside a disabled endpoint.
                    let http_endpoint = Some(Toggle::Disabled);
                    return Change {
                        set: MetadataOptions {
                            http_endpoint,
                            ..Default::default()
                        },
                    };
                }
                Violation::HttpProtocolIpv6 { required, .. } => {
                    set.http_protocol_ipv6 = Some(required);
                }
                Violation::InstanceMetadataTags { required, .. } => {
                    set.instance_metadata_tags = Some(required);
                }
            }
        }
        Change { set }
    }

    /// The options to mend; `None`: leave alone.
    pub fn set(&self) -> &MetadataOptions {
        &self.set
    }

    /// What the call must carry for an instance that has `before`.
    ///
    /// EC2 has demanded `HttpEndpoint=enabled` beside `HttpTokens`; where the endpoint is known to
    /// be enabled that changes nothing, and nowhere else is it sent.
    pub fn to_send(&self, before: &MetadataOptions) -> MetadataOptions {
        let demanded =
            self.set.http_tokens.is_some() && before.http_endpoint == Some(Toggle::Enabled);
        let http_endpoint = self
            .set
            .http_endpoint
            .or(demanded.then_some(Toggle::Enabled));
        MetadataOptions {
            http_endpoint,
            ..self.set
        }
    }

    /// Whether an instance with these options needs no more of this change.
    pub fn is_in(&self, options: &MetadataOptions) -> bool {
        let set = &self.set;
        (set.http_tokens.is_none() || set.http_tokens == options.http_tokens)
            && (set.http_endpoint.is_none() || set.http_endpoint == options.http_endpoint)
            && (set.hop_limit.is_none() || set.hop_limit == options.hop_limit)
            && (set.http_protocol_ipv6.is_none()
                || set.http_protocol_ipv6 == options.http_protocol_ipv6)
            && (set.instance_metadata_tags.is_none()
                || set.instance_metadata_tags == options.instance_metadata_tags)
    }

    /// The options of an instance that had `before`, once the change is made.
    pub fn applied_to(&self, before: &MetadataOptions) -> MetadataOptions {
        let set = &self.set;
        MetadataOptions {
            http_tokens: set.http_tokens.or(before.http_tokens),
            http_endpoint: set.http_endpoint.or(before.http_endpoint),
            hop_limit: set.hop_limit.or(before.hop_limit),
            http_protocol_ipv6: set.http_protocol_ipv6.or(before.http_protocol_ipv6),
            instance_metadata_tags: set.instance_metadata_tags.or(before.instance_metadata_tags),
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set = &self.set;
        let options = [
            ("http_tokens", set.http_tokens.map(|v| v.to_string())),
            ("http_endpoint", set.http_endpoint.map(|v| v.to_string())),
            ("hop_limit", set.hop_limit.map(|v| v.to_string())),
            (
                "http_protocol_ipv6",
                set.http_protocol_ipv6.map(|v| v.to_string()),
            ),
            (
                "instance_metadata_tags",
                set.instance_metadata_tags.map(|v| v.to_string()),
            ),
        ];
        let given = options
            .into_iter()
            .filter_map(|(name, value)| Some(format!("{name}={}", value?)));
        f.write_str(&given.collect::<Vec<_>>().join(" "))
    }
}
