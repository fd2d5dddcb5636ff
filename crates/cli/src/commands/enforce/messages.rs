//! Messages before and after the changes.

use std::path::Path;

use imds_core::plan::{Plan, Step};
use imds_engine::ScannedInstance;

use super::act::Enforcement;
use crate::args::Connection;
use crate::commands::journals::rollback_command;
use crate::document::{CommandTrigger, Document};
use crate::journal::Ending;
use crate::output::{count, thousands};
use crate::terminal;

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
        let (changed, failed) = (count(enforced, "instance"), thousands(summary.failed));
        terminal::say(format!(
            "interrupted: {changed} changed, {failed} not changed; calls in flight were finished and are in the journal"
        ));
    }
    if done.pending > 0 {
        let pending = count(done.pending, "change");
        terminal::say(format!(
            "EC2 has not applied {pending} yet: check with `imdsctl scan{}`",
            done.document.scope.words()
        ));
    }
    if enforced > 0 {
        let words = done.document.scope.observed_words();
        let usage = format!("imdsctl usage --rejected --days 1{words}");
        terminal::offer("roll back with:", &rollback_command(journal, connection));
        terminal::offer("check whose calls are rejected now:", &usage);
    }
}
