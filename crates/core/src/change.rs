//! The options that one `ModifyInstanceMetadataOptions` call sets.

use std::fmt;

use crate::options::{MetadataOption, MetadataOptions};
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
