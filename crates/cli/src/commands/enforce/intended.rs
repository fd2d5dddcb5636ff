//! What is to be done, and what was seen beside it.

use imds_core::plan::Step;

use crate::commands::scan::Chosen;
use crate::document::Document;

/// Before anything is asked or done.
pub(super) struct Intended {
    /// Every instance that was seen.
    pub(super) document: Document,
    /// Those whose options are to be set.
    pub(super) steps: Vec<Step>,
    /// By what they were judged.
    pub(super) chosen: Chosen,
}
