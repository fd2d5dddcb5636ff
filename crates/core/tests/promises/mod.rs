//! What the parsers promise, for `cargo fuzz` and for the inputs that it has left.

pub(crate) mod event;
pub(crate) mod policy;
