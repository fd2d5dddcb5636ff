//! What the parsers promise, for `cargo fuzz` and for the inputs that it has found.

pub(crate) mod event;
pub(crate) mod policy;
