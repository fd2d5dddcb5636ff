//! Events, policy, decision, plan and report of imds-enforcer: pure functions over plain values.
//! Nothing here knows the SDK, the clock, files or async.
#![deny(clippy::wildcard_enum_match_arm)]

pub mod chain;
pub mod change;
pub mod decide;
pub mod defaults;
pub mod event;
pub mod instance;
pub mod launcher;
pub mod marks;
mod own;
pub mod plain;
pub mod plan;
pub mod policy;
pub mod replacer;
pub mod report;
pub mod standing;
pub mod usage;
pub mod violation;
