//! Messages before and after the changes.

use std::path::Path;

use imds_core::plan::{Plan, Step};
use imds_engine::ScannedInstance;

use super::act::Enforcement;
use crate::args::Connection;
use crate::commands::journals::rollback_command;
use crate::document::{CommandTrigger, Document};
use crate::journal::Ending;

/// The plan that is applied, as a scan shows it.
pub(super) fn plan(document: &Document, plan: &Plan) -> Document {
    let step = |step: &Step| ScannedInstance::new(&step.instance, &step.decision, None, Vec::new());
    Document {
        trigger: CommandTrigger::Scan,
        is_plan: true,
        instances: plan.steps.iter().map(step).collect(),
        ..document.clone()
    }
}

/// Prints what is left undone, and how to roll back.
pub(super) fn afterwards(done: &Enforcement, journal: &Path, connection: &Connection) {
    let summary = done.document.summary();
    let enforced = summary.enforced;
    if done.ending == Ending::Interrupted {
        eprintln!(
            "interrupted: {enforced} instances were changed, {} were not; calls in flight were finished and are in the journal",
            summary.failed
        );
    }
    if done.pending > 0 {
        eprintln!(
            "EC2 has not applied {} of the changes yet: check with `imdsctl scan`",
            done.pending
        );
    }
    if enforced > 0 {
        let connection_words = connection.words();
        eprintln!("roll back with: {}", rollback_command(journal, connection));
        eprintln!(
            "check whose calls are rejected now: imdsctl usage --rejected --days 1{connection_words}"
        );
    }
}
