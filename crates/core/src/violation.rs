//! An option that does not satisfy the policy.

use std::fmt;

use crate::options::{MetadataOption, MetadataOptions, OptionSetting};
use crate::requirement::Requirement;

/// One option that does not satisfy the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Violation {
    /// What the instance has; `None`: not known, and so never compliant.
    pub found: Option<OptionSetting>,
    /// What the policy requires.
    pub required: Requirement,
    /// The setting that satisfies the policy.
    pub remediation: OptionSetting,
}

impl Violation {
    /// Whether a call that set these options caused it.
    pub fn is_caused_by(&self, set: &MetadataOptions) -> bool {
        self.found.is_some() && set.get(self.option()) == self.found
    }

    /// The option.
    pub fn option(&self) -> MetadataOption {
        self.remediation.option()
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = self.found.map(OptionSetting::value);
        let found = found.as_deref().unwrap_or("not known");
        write!(
            f,
            "{} is {found}, not {}",
            self.option().name(),
            self.required
        )
    }
}
