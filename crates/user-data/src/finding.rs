//! What a search finds.

use serde::{Deserialize, Serialize};

/// A call without a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Finding {
    /// The line, counted from 1, in the decoded part.
    pub line: usize,
    /// The words of the call, and nothing else of the line: at most 120 characters, as they were
    /// written. Whoever shows them has to replace control characters.
    pub words: String,
    /// The part of the user data, or the file that it writes, as it is named there; where the user
    /// data has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
}
