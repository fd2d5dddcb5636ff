//! What is wrong with a policy, told so that its author can mend it.

use std::fmt;

use crate::plain::Plain;

/// All faults of a document, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

/// One value that cannot stand.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} is {}; expected {}", Plain(path), Plain(value), Plain(expected))]
pub struct Fault {
    /// The value's JSON path, for example `$.rules[1].when.accounts[0]`.
    pub path: String,
    /// The value as compact JSON, cut at 80 characters; `missing` where there is none.
    pub value: String,
    /// What would have been right.
    pub expected: String,
}

impl std::error::Error for Faults {}

/// One line a fault.
impl fmt::Display for Faults {
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
