//! Events, policy, decision, plan and report of imds-enforcer: pure functions over plain values.
//! Nothing here uses the SDK, the clock, files or async.
#![deny(clippy::wildcard_enum_match_arm)]

pub mod age;
pub mod by_day;
pub mod canary;
pub mod chain;
pub mod change;
pub mod count;
pub mod decide;
pub mod defaults;
pub mod evaluation;
pub mod event;
pub mod explain;
pub mod instance;
pub mod launcher;
pub mod launcher_use;
pub mod options;
mod own;
pub mod plain;
pub mod plan;
pub mod policy;
#[cfg(feature = "schema")]
pub mod policy_schema;
pub mod region_name;
pub mod replacer;
pub mod report;
#[cfg(feature = "schema")]
pub mod report_schema;
pub mod require;
pub mod requirement;
pub mod restored;
pub mod rollback;
pub mod state;
pub mod trace;
pub mod usage;
mod values;
pub mod violation;
