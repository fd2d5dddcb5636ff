//! The real function under the Runtime API, against the fake of AWS.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests panic on the unexpected and read the clock"
)]

mod actions;
mod answers;
mod launch;
mod launch_retries;
mod launch_without_ids;
mod limits;
mod process;
mod support;
mod sweep;
