//! What a search finds.

use serde::{Deserialize, Serialize};

/// A call without a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The line, counted from 1, of the part once it is decoded.
    pub line: usize,
    /// The words of the call, and nothing else of the line: at most 120 characters, as they
    /// were written: control characters are the reader's to hide.
    pub words: String,
    /// Which part, where the user data has several, or a file that it writes; as it is
    /// named there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
}
