//! What is to be done, and what was found.

use imds_core::plan::Plan;

use crate::commands::chosen_policy::ChosenPolicy;
use crate::document::Document;

/// Before anything is asked or done.
pub(super) struct Intended {
    /// Every instance that was found.
    pub(super) document: Document,
    /// What to do.
    pub(super) plan: Plan,
    /// What decided about them.
    pub(super) chosen: ChosenPolicy,
}
