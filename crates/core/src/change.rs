//! The options that one `ModifyInstanceMetadataOptions` call sets.

use std::fmt;

use crate::options::{MetadataOption, MetadataOptions, OptionSetting};
use crate::violation::Violation;

/// Only the options to set; EC2 keeps every option that a call leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    set: MetadataOptions,
}

impl Change {
    /// Sets these options and leaves the others as they are.
    pub fn setting(set: MetadataOptions) -> Self {
        Change { set }
    }

    /// The fewest options that remediate the violations.
    pub fn remediating(violations: &[Violation]) -> Self {
        let mut set = MetadataOptions::default();
        let endpoint = violations
            .iter()
            .find(|violation| violation.option() == MetadataOption::HttpEndpoint);
        // With the endpoint disabled no other option matters, and EC2 has refused other options in
        // the same call.
        match endpoint {
            Some(violation) => set.set(violation.remediation),
            None => violations
                .iter()
                .for_each(|violation| set.set(violation.remediation)),
        }
        Change { set }
    }

    /// The options to set.
    pub fn set(&self) -> &MetadataOptions {
        &self.set
    }

    /// Whether an instance with these options needs no change.
    pub fn is_in(&self, options: &MetadataOptions) -> bool {
        self.set.are_in(options)
    }

    /// Whether calls without a token fail once the options are set.
    pub fn ends_v1(&self) -> bool {
        self.set.http_tokens.is_some() || self.set.http_endpoint.is_some()
    }

    /// Every option that it sets, with the value of an instance that has `before` and the new one, such as
    /// `3 → 2`.
    pub fn transitions(&self, before: &MetadataOptions) -> Vec<(MetadataOption, String)> {
        let each = self.set.settings().map(|setting| {
            let option = setting.option();
            let old = before.get(option).map(OptionSetting::value);
            let old = old.as_deref().unwrap_or("not known");
            (option, format!("{old} → {}", setting.value()))
        });
        each.collect()
    }

    /// The same in words, such as `http_tokens optional → required, hop_limit 3 → 2`.
    pub fn from_to(&self, before: &MetadataOptions) -> String {
        let each = self.transitions(before).into_iter();
        let each = each.map(|(option, values)| format!("{} {values}", option.name()));
        each.collect::<Vec<_>>().join(", ")
    }

    /// The options of an instance that had `before`, after the change.
    pub fn applied_to(&self, before: &MetadataOptions) -> MetadataOptions {
        self.set.or(before)
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.set.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::{HopLimit, HttpTokens, Toggle};

    fn hops(n: i64) -> Option<HopLimit> {
        HopLimit::try_from(n).ok()
    }

    #[test]
    fn a_change_shows_the_old_and_the_new_value_of_every_option_that_it_sets() {
        let before = MetadataOptions {
            http_tokens: Some(HttpTokens::Optional),
            hop_limit: hops(3),
            http_endpoint: Some(Toggle::Enabled),
            ..MetadataOptions::default()
        };
        let change = Change::setting(MetadataOptions {
            http_tokens: Some(HttpTokens::Required),
            hop_limit: hops(2),
            http_protocol_ipv6: Some(Toggle::Disabled),
            ..MetadataOptions::default()
        });
        assert_eq!(
            change.from_to(&before),
            "http_tokens optional → required, hop_limit 3 → 2, http_protocol_ipv6 not known → disabled"
        );
    }

    #[test]
    fn only_required_tokens_and_a_disabled_endpoint_end_calls_without_a_token() {
        let ends = |set| Change::setting(set).ends_v1();
        let none = MetadataOptions::default();
        assert!(!ends(MetadataOptions {
            hop_limit: hops(2),
            ..none
        }));
        assert!(ends(MetadataOptions {
            http_tokens: Some(HttpTokens::Required),
            ..none
        }));
        assert!(ends(MetadataOptions {
            http_endpoint: Some(Toggle::Disabled),
            ..none
        }));
    }
}
