//! Changes as reports tell of them, of which there may be several of one instance.

use jiff::Timestamp;

use super::{AnswerRecord, CallRecord, ChangeRecord, InstanceKey, RecordedChanges};
use crate::options::MetadataOptions;

/// An entry of a report whose options were changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportedChange {
    /// Which instance.
    pub key: InstanceKey,
    /// All options before.
    pub before: MetadataOptions,
    /// All options after.
    pub after: MetadataOptions,
    /// When; `None`: the report does not say so.
    pub at: Option<Timestamp>,
}

impl RecordedChanges {
    /// The changes by instance, oldest first, each once: what was before the oldest is restored, if what the
    /// newest left is still there. Changes are in the given order unless all of an instance have a time.
    pub fn reported(changes: Vec<ReportedChange>) -> Self {
        let mut instances: Vec<(InstanceKey, Vec<ReportedChange>)> = Vec::new();
        for change in changes {
            match instances.iter_mut().find(|(key, _)| *key == change.key) {
                Some((_, known)) if known.contains(&change) => {}
                Some((_, known)) => known.push(change),
                None => instances.push((change.key.clone(), vec![change])),
            }
        }
        let instances = instances.into_iter().filter_map(|(key, mut changes)| {
            if changes.iter().all(|change| change.at.is_some()) {
                changes.sort_by_key(|change| change.at);
            }
            let before = changes.first()?.before;
            let calls = changes.into_iter().map(|change| CallRecord {
                sent: change.after.differing_from(&change.before),
                answer: Some(AnswerRecord::After(change.after)),
            });
            let calls = calls.collect();
            Some(ChangeRecord { key, before, calls })
        });
        RecordedChanges {
            instances: instances.collect(),
            defaults: Vec::new(),
        }
    }
}
