//! The intended changes and the scan that they are based on.

use imds_core::plan::Plan;

use crate::commands::chosen_policy::ChosenPolicy;
use crate::document::Document;
use crate::plan_file::UsageBasis;

/// The state before the confirmation.
pub(super) struct Intended {
    /// Every instance that was found.
    pub(super) document: Document,
    /// The changes to make.
    pub(super) plan: Plan,
    /// The policy that decided them.
    pub(super) chosen: ChosenPolicy,
    /// What they are based on, as to the use of IMDSv1.
    pub(super) basis: UsageBasis,
}
