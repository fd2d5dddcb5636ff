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
mod drift;
mod endpoint;
mod evidence_age;
mod evidence_age_late;
mod evidence_use;
mod grace;
mod launch;
mod launch_retries;
mod launch_without_ids;
mod limits;
mod managed;
mod order;
mod process;
mod record;
mod refused_options;
mod replaced;
mod starts;
mod state_drift;
mod state_entries;
mod state_exempt;
mod state_existing;
mod state_launcher;
mod state_lease;
mod state_limit;
mod state_metrics;
mod state_pause;
mod state_policy;
mod state_unavailable;
mod state_watch;
mod stop;
mod support;
mod support_state;
mod sweep;
