//! Recognises changes that the function may have made itself.

use crate::instance::{HttpTokens, MetadataOptions, Toggle};
use crate::policy::{Policy, Require};

impl Policy {
    /// Whether a mend under this policy could have set just these options.
    ///
    /// The name of a caller's session alone proves nothing, for anyone who may assume a role
    /// chooses it; a change that the policy would not make is looked at, whoever made it.
    pub fn could_have_set(&self, set: &MetadataOptions) -> bool {
        let of_rules = self.rules.iter().filter_map(|rule| rule.require.as_ref());
        let overridden = of_rules.map(|of_rule| self.require.overridden_by(of_rule));
        std::iter::once(self.require.clone())
            .chain(overridden)
            .any(|require| mends(&require, set))
    }
}

fn mends(require: &Require, set: &MetadataOptions) -> bool {
    let tokens = match set.http_tokens {
        None => true,
        Some(HttpTokens::Required) => require.http_tokens.is_some(),
        Some(HttpTokens::Optional) => false,
    };
    // `enabled` is sent only beside tokens, to an endpoint that is.
    let endpoint = match set.http_endpoint {
        None => true,
        Some(Toggle::Enabled) => set.http_tokens.is_some(),
        Some(Toggle::Disabled) => require.http_endpoint == Some(Toggle::Disabled),
    };
    let hops = set.hop_limit.is_none_or(|hops| {
        require
            .hop_limit
            .is_some_and(|allowed| allowed.contains(hops))
    });
    let as_required = |set: Option<Toggle>, required| set.is_none() || set == required;
    *set != MetadataOptions::default()
        && tokens
        && endpoint
        && hops
        && as_required(set.http_protocol_ipv6, require.http_protocol_ipv6)
        && as_required(set.instance_metadata_tags, require.instance_metadata_tags)
}
