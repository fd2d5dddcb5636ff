//! The real command `imdsctl`, against the fake of AWS.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::disallowed_methods,
    reason = "tests panic on the unexpected and read the clock"
)]

mod defaults;
mod defaults_set;
mod diff;
mod diff_inputs;
mod doctor;
mod doctor_table;
mod enforce;
mod enforce_canary;
mod enforce_confirmation;
mod enforce_errors;
mod enforce_policy;
mod enforce_refused;
mod enforce_unasked;
mod enforce_usage;
mod enforce_watched;
mod exempt;
mod explain;
mod explain_inputs;
mod journal;
mod journal_full_disk;
mod journals;
mod login;
mod managed;
mod mfa;
mod next_steps;
mod outputs;
mod pause;
mod plan;
mod plan_basis;
mod reading;
mod report;
mod report_schema;
mod rollback;
mod rollback_applied;
mod rollback_calls;
mod rollback_changed;
mod rollback_defaults;
mod rollback_errors;
mod rollback_exempt;
mod rollback_interrupted;
mod rollback_reports;
mod scan;
mod scan_details;
mod scan_output;
mod scan_policy;
mod scan_regions;
mod shell;
mod show_tag;
mod template_versions;
mod templates;
mod terminal;
mod time_limit;
mod tour;
mod usage;
mod usage_by_source;
mod usage_evidence;
mod usage_rejected;
mod usage_watch;
mod user_data;
mod verbose;
mod widening;
