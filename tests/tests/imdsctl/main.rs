//! The real command `imdsctl`, against the stand-in for AWS.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::disallowed_methods,
    reason = "a test stops at what it did not expect, and lives in the present"
)]

mod defaults;
mod doctor;
mod enforce;
mod journal;
mod login;
mod plan;
mod reading;
mod rollback;
mod scan;
mod shell;
mod templates;
mod terminal;
mod usage;
