//! Recognises changes that the function may have made itself.

use crate::options::MetadataOptions;
use crate::policy::Policy;

impl Policy {
    /// Whether an enforcement of this policy could have set just these options. A change that the
    /// policy would not make is never taken for the function's own.
    pub fn could_have_set(&self, set: &MetadataOptions) -> bool {
        let rules = self.rules.iter().map(Some).chain([None]);
        let mut required = rules.map(|rule| self.required_by(rule));
        *set != MetadataOptions::default()
            && required.any(|require| set.settings().all(|setting| require.allows(setting)))
    }
}
