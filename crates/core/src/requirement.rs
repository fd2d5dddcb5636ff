//! What a policy may require of a metadata option: which values it allows, and which allowed value
//! is nearest to the current one.

use std::fmt;

#[cfg(feature = "schema")]
use crate::policy::schema;
use crate::values::{HopLimit, HttpTokens, Toggle};

/// What a policy requires of an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requirement {
    /// Of `http_tokens`.
    Tokens(RequiredTokens),
    /// Of `http_endpoint`.
    Endpoint(RequiredEndpoint),
    /// Of `hop_limit`.
    Hops(HopRange),
    /// Of an option that is on or off.
    Toggle(Toggle),
}

macro_rules! from_each {
    ($($variant:ident($type:ident)),+) => {$(
        impl From<$type> for Requirement {
            fn from(required: $type) -> Self {
                Requirement::$variant(required)
            }
        }
    )+};
}

from_each!(
    Tokens(RequiredTokens),
    Endpoint(RequiredEndpoint),
    Hops(HopRange),
    Toggle(Toggle)
);

/// Session tokens (IMDSv2) are required. A policy cannot require IMDSv1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename_all = "lowercase"))]
pub enum RequiredTokens {
    /// The service answers IMDSv2 only.
    Required,
}

/// The metadata endpoint is disabled. A policy cannot require that it is enabled, because nothing may
/// enable it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename_all = "lowercase"))]
pub enum RequiredEndpoint {
    /// The service does not answer.
    Disabled,
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

impl RequiredTokens {
    pub(crate) fn allows(self, tokens: HttpTokens) -> bool {
        tokens == HttpTokens::Required
    }

    pub(crate) fn nearest(self, _: Option<HttpTokens>) -> HttpTokens {
        HttpTokens::Required
    }
}

impl RequiredEndpoint {
    pub(crate) fn allows(self, endpoint: Toggle) -> bool {
        endpoint == Toggle::Disabled
    }

    pub(crate) fn nearest(self, _: Option<Toggle>) -> Toggle {
        Toggle::Disabled
    }
}

impl HopRange {
    /// Whether a hop limit is allowed.
    pub fn allows(self, hops: HopLimit) -> bool {
        self.nearest(Some(hops)) == hops
    }

    /// The allowed hop limit that is nearest; to one that is not known, the smallest.
    pub fn nearest(self, hops: Option<HopLimit>) -> HopLimit {
        let hops = hops.unwrap_or(HopLimit::MIN);
        let raised = self.at_least.map_or(hops, |least| hops.max(least));
        self.at_most.map_or(raised, |most| raised.min(most))
    }
}

impl Toggle {
    pub(crate) fn allows(self, toggle: Toggle) -> bool {
        self == toggle
    }

    pub(crate) fn nearest(self, _: Option<Toggle>) -> Toggle {
        self
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Requirement::Tokens(RequiredTokens::Required) => HttpTokens::Required.fmt(f),
            Requirement::Endpoint(RequiredEndpoint::Disabled) => Toggle::Disabled.fmt(f),
            Requirement::Hops(range) => range.fmt(f),
            Requirement::Toggle(toggle) => toggle.fmt(f),
        }
    }
}

impl fmt::Display for HopRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.at_least, self.at_most) {
            (Some(least), Some(most)) if least == most => write!(f, "{least}"),
            (Some(least), Some(most)) => write!(f, "{least} to {most}"),
            (Some(least), None) => write!(f, "at least {least}"),
            (None, Some(most)) => write!(f, "at most {most}"),
            (None, None) => f.write_str("any"),
        }
    }
}
