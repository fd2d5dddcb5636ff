//! What the names of scripts stand for: variables, functions and aliases.

use std::collections::{HashMap, HashSet};

/// Names by what they stand for: variables of shells and PowerShell with `$`, files with `@`, and
/// the output of a shell's function as `$(name)`.
#[derive(Debug, Default)]
pub(crate) struct ResolvedNames {
    /// The metadata service, or what calls it.
    pub(crate) addresses: HashSet<String>,
    /// The header with a token, or what sends it.
    pub(crate) tokens: HashSet<String>,
    /// Programs that fetch URLs.
    pub(crate) callers: HashSet<String>,
    /// Functions that the scripts define.
    pub(crate) functions: HashSet<String>,
    /// Programs that send the header by their configuration, with the part and the line that set it.
    pub(crate) configured: HashMap<&'static str, (Option<String>, usize)>,
    /// Functions that only print.
    pub(crate) printers: HashSet<String>,
    /// Variables that hold a parameter of a function, which may be a header.
    pub(crate) parameters: HashSet<String>,
    /// Functions that get the header from whatever calls them.
    pub(crate) handed: HashSet<String>,
    /// Functions that return the header with a token.
    pub(crate) header_functions: HashSet<String>,
}
