//! What the command takes from outside: the clock and the environment.

use jiff::Timestamp;

/// Read in `main` alone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct World {
    pub(crate) now: fn() -> Timestamp,
    pub(crate) var: fn(&str) -> Option<String>,
}
