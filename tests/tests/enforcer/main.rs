//! The real function under the Runtime API, against the stand-in for EC2.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test stops at what it did not expect, and lives in the present"
)]

mod actions;
mod answers;
mod launch;
mod limits;
mod process;
mod support;
mod sweep;
