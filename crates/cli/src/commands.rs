//! The commands.

mod chosen_policy;
pub(crate) mod defaults;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod enforce;
mod entries;
pub(crate) mod exempt;
pub(crate) mod files;
mod fleet;
pub(crate) mod interrupt;
pub(crate) mod journals;
pub(crate) mod offline;
pub(crate) mod pause;
pub(crate) mod report;
pub(crate) mod rollback;
pub(crate) mod scan;
pub(crate) mod shell;
mod state_table;
pub(crate) mod usage;
