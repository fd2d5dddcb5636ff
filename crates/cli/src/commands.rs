//! The commands.

pub(crate) mod defaults;
pub(crate) mod doctor;
pub(crate) mod enforce;
pub(crate) mod files;
pub(crate) mod interrupt;
pub(crate) mod offline;
pub(crate) mod rollback;
pub(crate) mod scan;
pub(crate) mod shell;
pub(crate) mod usage;
