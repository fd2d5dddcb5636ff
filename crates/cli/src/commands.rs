//! The commands.

mod chosen_policy;
pub(crate) mod defaults;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod enforce;
pub(crate) mod files;
mod fleet;
pub(crate) mod interrupt;
mod journals;
pub(crate) mod offline;
pub(crate) mod report;
pub(crate) mod rollback;
pub(crate) mod scan;
pub(crate) mod shell;
pub(crate) mod usage;
