//! What is to be set where, as a value.

use std::fmt;

use imds_core::defaults::MetadataDefaults;
use imds_core::plain::Plain;

use crate::args::DefaultsWish;

/// One region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) region: String,
    pub(super) from: MetadataDefaults,
    /// What the wish leaves out is as it was.
    pub(super) to: MetadataDefaults,
}

impl Step {
    pub(super) fn new(region: String, from: MetadataDefaults, wish: &DefaultsWish) -> Self {
        let DefaultsWish {
            http_tokens,
            hop_limit,
            http_endpoint,
            instance_metadata_tags,
            http_tokens_enforced,
        } = wish;
        let to = MetadataDefaults {
            http_tokens: http_tokens.map_or(from.http_tokens, |wish| wish.0),
            hop_limit: hop_limit.map_or(from.hop_limit, |wish| wish.0),
            http_endpoint: http_endpoint.map_or(from.http_endpoint, |wish| wish.0),
            instance_metadata_tags: instance_metadata_tags
                .map_or(from.instance_metadata_tags, |wish| wish.0),
            http_tokens_enforced: http_tokens_enforced
                .map_or(from.http_tokens_enforced, |wish| wish.0),
            managed_by: from.managed_by.clone(),
        };
        Step { region, from, to }
    }

    pub(super) fn changes(&self) -> bool {
        self.from != self.to
    }

    /// Whether launches with IMDSv1 fail from then on that did not before.
    pub(super) fn begins_to_enforce(&self) -> bool {
        self.to.enforces_tokens() && !self.from.enforces_tokens()
    }

    /// Whether the account itself cannot change them.
    pub(super) fn is_governed(&self) -> bool {
        self.from.managed_by.as_deref() == Some("declarative-policy")
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = words(&self.from).into_iter().zip(words(&self.to));
        let changes = names.filter(|((_, from), (_, to))| from != to);
        let changes = changes.map(|((name, from), (_, to))| format!("{name}: {from} → {to}"));
        let changes: Vec<String> = changes.collect();
        if changes.is_empty() {
            return write!(f, "{} as it is", Plain(&self.region));
        }
        write!(f, "{} {}", Plain(&self.region), changes.join(", "))?;
        if self.is_governed() {
            f.write_str(" (managed by a declarative policy: EC2 will refuse)")?;
        }
        Ok(())
    }
}

/// Every default, in words.
pub(super) fn words(of: &MetadataDefaults) -> [(&'static str, String); 5] {
    fn word(value: Option<impl ToString>) -> String {
        value.map_or("no preference".to_owned(), |value| value.to_string())
    }
    [
        ("http_tokens", word(of.http_tokens)),
        ("hop_limit", word(of.hop_limit)),
        ("http_endpoint", word(of.http_endpoint)),
        ("instance_metadata_tags", word(of.instance_metadata_tags)),
        ("http_tokens_enforced", word(of.http_tokens_enforced)),
    ]
}

#[cfg(test)]
mod tests {
    use imds_core::instance::{HttpTokens, Toggle};

    use super::*;
    use crate::args::Preference;

    fn required() -> MetadataDefaults {
        MetadataDefaults {
            http_tokens: Some(HttpTokens::Required),
            http_endpoint: Some(Toggle::Enabled),
            managed_by: Some("account".to_owned()),
            ..MetadataDefaults::default()
        }
    }

    fn step(wish: &DefaultsWish) -> Step {
        Step::new("eu-west-1".to_owned(), required(), wish)
    }

    #[test]
    fn what_the_wish_leaves_out_stays_and_what_is_there_is_no_change() {
        let wish = DefaultsWish {
            http_tokens: Some(Preference(Some(HttpTokens::Required))),
            ..DefaultsWish::default()
        };
        let step = step(&wish);
        assert_eq!(step.to, required());
        assert!(!step.changes());
        assert_eq!(step.to_string(), "eu-west-1 as it is");
    }

    #[test]
    fn every_default_is_set_and_taken_away() {
        let set = DefaultsWish {
            http_tokens: Some(Preference(None)),
            hop_limit: Some(Preference(Some(2.try_into().unwrap()))),
            http_endpoint: Some(Preference(None)),
            instance_metadata_tags: Some(Preference(Some(Toggle::Disabled))),
            http_tokens_enforced: Some(Preference(Some(Toggle::Enabled))),
        };
        let step = step(&set);
        assert!(step.changes() && step.begins_to_enforce());
        assert_eq!(
            step.to_string(),
            "eu-west-1 http_tokens: required → no preference, hop_limit: no preference → 2, \
             http_endpoint: enabled → no preference, \
             instance_metadata_tags: no preference → disabled, \
             http_tokens_enforced: no preference → enabled"
        );
    }
}
