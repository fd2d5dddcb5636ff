//! The intended changes and the scan that they are based on.

use imds_core::plan::Plan;

use crate::commands::chosen_policy::ChosenPolicy;
use crate::document::Document;

/// The state before the confirmation.
pub(super) struct Intended {
    /// Every instance that was found.
    pub(super) document: Document,
    /// The changes to make.
    pub(super) plan: Plan,
    /// The policy that decided them.
    pub(super) chosen: ChosenPolicy,
}
