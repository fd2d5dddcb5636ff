//! Recognises changes that the function may have made itself.

use crate::options::{MetadataOptions, OptionSetting, Toggle};
use crate::policy::Policy;
use crate::require::Require;

impl Policy {
    /// Whether an enforcement of this policy could have set just these options.
    ///
    /// The session name of a caller alone proves nothing, because anyone who may assume a role
    /// chooses it. The function checks a change that the policy would not make, whoever made it.
    pub fn could_have_set(&self, set: &MetadataOptions) -> bool {
        let rules = self.rules.iter().map(Some).chain([None]);
        rules
            .map(|rule| self.required_by(rule))
            .any(|require| could_set(&require, set))
    }
}

fn could_set(require: &Require, set: &MetadataOptions) -> bool {
    // `enabled` is sent only together with tokens, to an endpoint that is enabled.
    let enable = OptionSetting::HttpEndpoint(Toggle::Enabled);
    *set != MetadataOptions::default()
        && set.settings().all(|setting| match setting == enable {
            true => set.http_tokens.is_some(),
            false => require.allows(setting),
        })
}
