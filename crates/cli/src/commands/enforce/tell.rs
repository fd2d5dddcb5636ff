//! What a person is told before and after.

use std::collections::HashSet;
use std::path::Path;

use imds_core::instance::InstanceId;
use imds_core::plan::Step;

use super::act::Done;
use crate::args::Connection;
use crate::document::Document;
use crate::quote::quoted;

/// The rows that are to be changed, as a scan shows them.
pub(super) fn plan(seen: &Document, steps: &[Step]) -> Document {
    let ids: HashSet<&InstanceId> = steps.iter().map(|step| &step.instance.id).collect();
    let rows = seen.rows.iter();
    let rows = rows.filter(|row| ids.contains(&row.report.instance_id));
    Document {
        trigger: "scan",
        account: seen.account.clone(),
        at: seen.at,
        took: seen.took,
        summary: seen.summary,
        regions: seen.regions.clone(),
        unseen: seen.unseen.clone(),
        rows: rows.cloned().collect(),
        usage_days: seen.usage_days,
        user_data: false,
        templates: None,
        defaults: None,
    }
}

/// The way back, and what is left.
pub(super) fn afterwards(done: &Done, journal: &Path, connection: &Connection) {
    let summary = &done.document.summary;
    if done.interrupted {
        eprintln!(
            "interrupted: {} were changed, {} were not; calls under way were finished and are in the journal",
            summary.enforced, summary.failed
        );
    }
    if done.pending > 0 {
        eprintln!(
            "{} are changed, and EC2 has not applied it yet: look again with `imdsctl scan`",
            done.pending
        );
    }
    if summary.enforced > 0 {
        let (journal, connection) = (quoted(journal), connection.words());
        eprintln!("take it back with: imdsctl rollback {journal}{connection}");
        eprintln!("see whose calls are refused now: imdsctl usage --rejected --days 1{connection}");
    }
}
