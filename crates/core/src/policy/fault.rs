//! Faults in a policy document, with what its author needs to correct them.

use std::fmt;

use crate::plain::Plain;

/// All faults of a document, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyFaults(pub Vec<PolicyFault>);

/// One value that is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} is {}; expected {}", Plain(path), Plain(value), Plain(expected))]
pub struct PolicyFault {
    /// The value's JSON path, for example `$.rules[1].when.accounts[0]`.
    pub path: String,
    /// The value as compact JSON, cut at 80 characters; `missing` where there is none.
    pub value: String,
    /// What is expected in its place.
    pub expected: String,
}

impl std::error::Error for PolicyFaults {}

/// One line for each fault.
impl fmt::Display for PolicyFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            fault.fmt(f)?;
        }
        Ok(())
    }
}
