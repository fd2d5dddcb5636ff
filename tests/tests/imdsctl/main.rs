//! The command `imdsctl` as a person runs it, against the stand-in.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test support"
)]

mod defaults;
mod doctor;
mod shell;
mod usage;
