//! What the command takes from outside: the clock and the environment variables.

use jiff::Timestamp;

/// The clock and the variables; only `main` reads them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Environment {
    pub(crate) now: fn() -> Timestamp,
    pub(crate) var: fn(&str) -> Option<String>,
}
