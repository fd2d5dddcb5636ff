//! What a policy asks of an instance's metadata options.

#[cfg(feature = "schema")]
use super::schema;
use crate::instance::{HopLimit, Toggle};

/// The metadata options asked for, at least one. An option that is left out is not judged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(deny_unknown_fields, extend("minProperties" = 1)))]
pub struct Require {
    /// Session tokens, so that IMDSv1 is not answered.
    pub http_tokens: Option<RequiredTokens>,
    /// How many network hops an answer may travel. Containers on a bridge network need 2, some
    /// overlays 3; below that they lose their credentials.
    pub hop_limit: Option<HopRange>,
    /// Whether the metadata service answers at all. A disabled endpoint is never enabled and counts
    /// as compliant, also where `enabled` is asked for: there is nothing to attack.
    pub http_endpoint: Option<Toggle>,
    /// Whether the service answers on its IPv6 address too.
    pub http_protocol_ipv6: Option<Toggle>,
    /// Whether the instance's tags can be read from the service.
    pub instance_metadata_tags: Option<Toggle>,
}

impl Require {
    /// These requirements, but each option that the rule names as the rule names it. A rule's
    /// `hop_limit` replaces the whole range.
    #[must_use]
    pub fn overridden_by(&self, rule: &Require) -> Require {
        Require {
            http_tokens: rule.http_tokens.or(self.http_tokens),
            hop_limit: rule.hop_limit.or(self.hop_limit),
            http_endpoint: rule.http_endpoint.or(self.http_endpoint),
            http_protocol_ipv6: rule.http_protocol_ipv6.or(self.http_protocol_ipv6),
            instance_metadata_tags: rule.instance_metadata_tags.or(self.instance_metadata_tags),
        }
    }
}

/// Session tokens are asked for, or left out of the policy; nothing asks for IMDSv1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename_all = "lowercase"))]
pub enum RequiredTokens {
    /// Only IMDSv2 is answered.
    Required,
}

/// The hop limits allowed, both ends included; at least one end is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(deny_unknown_fields, extend("minProperties" = 1)))]
pub struct HopRange {
    /// The smallest hop limit allowed, 1 to 64 and no more than `at_most`.
    #[cfg_attr(feature = "schema", schemars(with = "Option<schema::Hops>"))]
    pub at_least: Option<HopLimit>,
    /// The largest hop limit allowed, 1 to 64.
    #[cfg_attr(feature = "schema", schemars(with = "Option<schema::Hops>"))]
    pub at_most: Option<HopLimit>,
}

impl HopRange {
    /// Whether a hop limit is allowed.
    pub fn contains(self, hops: HopLimit) -> bool {
        self.nearest(hops) == hops
    }

    /// The allowed hop limit that is nearest.
    pub fn nearest(self, hops: HopLimit) -> HopLimit {
        let raised = self.at_least.map_or(hops, |least| hops.max(least));
        self.at_most.map_or(raised, |most| raised.min(most))
    }
}

impl std::fmt::Display for HopRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.at_least, self.at_most) {
            (Some(least), Some(most)) if least == most => write!(f, "{least}"),
            (Some(least), Some(most)) => write!(f, "{least} to {most}"),
            (Some(least), None) => write!(f, "at least {least}"),
            (None, Some(most)) => write!(f, "at most {most}"),
            (None, None) => f.write_str("any"),
        }
    }
}
