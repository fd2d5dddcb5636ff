//! Options that are not as the policy requires.

use std::fmt;

use crate::instance::{HopLimit, HttpTokens, Instance, Toggle};
use crate::policy::{HopRange, Require};

/// One option that is not as the policy requires; `found: None` is not known, and never compliant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Violation {
    /// Tokens must be required.
    HttpTokens {
        /// What the instance has.
        found: Option<HttpTokens>,
    },
    /// The hop limit is outside its range.
    HopLimit {
        /// What the instance has.
        found: Option<HopLimit>,
        /// What the policy allows.
        allowed: HopRange,
    },
    /// The endpoint must be disabled.
    HttpEndpoint {
        /// What the instance has.
        found: Option<Toggle>,
    },
    /// The IPv6 endpoint is not as required.
    HttpProtocolIpv6 {
        /// What the instance has.
        found: Option<Toggle>,
        /// What the policy requires.
        required: Toggle,
    },
    /// Access to the instance's tags is not as required.
    InstanceMetadataTags {
        /// What the instance has.
        found: Option<Toggle>,
        /// What the policy requires.
        required: Toggle,
    },
}

impl Violation {
    /// The option's name, as in the policy.
    pub fn option(&self) -> &'static str {
        match self {
            Violation::HttpTokens { .. } => "http_tokens",
            Violation::HopLimit { .. } => "hop_limit",
            Violation::HttpEndpoint { .. } => "http_endpoint",
            Violation::HttpProtocolIpv6 { .. } => "http_protocol_ipv6",
            Violation::InstanceMetadataTags { .. } => "instance_metadata_tags",
        }
    }
}

/// Judges every option that is required; one that is not known is not as required.
pub(crate) fn violations(require: &Require, instance: &Instance) -> Vec<Violation> {
    let has = &instance.options;
    let mut violations = Vec::new();
    if require.http_tokens.is_some() && has.http_tokens != Some(HttpTokens::Required) {
        violations.push(Violation::HttpTokens {
            found: has.http_tokens,
        });
    }
    if let Some(allowed) = require.hop_limit
        && !has.hop_limit.is_some_and(|hops| allowed.contains(hops))
    {
        violations.push(Violation::HopLimit {
            found: has.hop_limit,
            allowed,
        });
    }
    // A requirement of `enabled` is met by not touching it: a disabled one was judged above.
    if require.http_endpoint == Some(Toggle::Disabled) {
        violations.push(Violation::HttpEndpoint {
            found: has.http_endpoint,
        });
    }
    if let Some(required) = require.http_protocol_ipv6
        && has.http_protocol_ipv6 != Some(required)
    {
        violations.push(Violation::HttpProtocolIpv6 {
            found: has.http_protocol_ipv6,
            required,
        });
    }
    if let Some(required) = require.instance_metadata_tags
        && has.instance_metadata_tags != Some(required)
    {
        let found = has.instance_metadata_tags;
        violations.push(Violation::InstanceMetadataTags { found, required });
    }
    violations
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn found<T: fmt::Display>(found: &Option<T>) -> String {
            found.as_ref().map_or("not known".to_owned(), T::to_string)
        }
        let option = self.option();
        match self {
            Violation::HttpTokens { found: has } => {
                write!(f, "{option} is {}, not required", found(has))
            }
            Violation::HopLimit {
                found: has,
                allowed,
            } => {
                write!(f, "{option} is {}, not {allowed}", found(has))
            }
            Violation::HttpEndpoint { found: has } => {
                write!(f, "{option} is {}, not disabled", found(has))
            }
            Violation::HttpProtocolIpv6 {
                found: has,
                required,
            }
            | Violation::InstanceMetadataTags {
                found: has,
                required,
            } => {
                write!(f, "{option} is {}, not {required}", found(has))
            }
        }
    }
}
