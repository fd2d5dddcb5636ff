//! Changes as reports tell of them, of which there may be several of one instance or region.

use jiff::Timestamp;

use super::{AnswerRecord, CallRecord, ChangeRecord, InstanceKey, RecordedChanges, RegionKey};
use crate::defaults::MetadataDefaults;
use crate::options::MetadataOptions;

/// An entry of a report whose options or account defaults were changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportedChange<K, T> {
    /// Which instance, or which region.
    pub key: K,
    /// Everything before.
    pub before: T,
    /// Everything after.
    pub after: T,
    /// When; `None`: the report does not say so.
    pub at: Option<Timestamp>,
}

/// A reported change of an instance's options.
pub type ReportedOptions = ReportedChange<InstanceKey, MetadataOptions>;

/// A reported change of a region's account defaults.
pub type ReportedDefaults = ReportedChange<RegionKey, MetadataDefaults>;

impl RecordedChanges {
    /// The changes by instance and region, oldest first, each once: what was before the oldest is restored, if
    /// what the newest left is still there. Changes are in the given order unless all of an instance have a time.
    pub fn reported(instances: Vec<ReportedOptions>, defaults: Vec<ReportedDefaults>) -> Self {
        RecordedChanges {
            instances: records(instances, |change| {
                change.after.differing_from(&change.before)
            }),
            defaults: records(defaults, |change| change.after.clone()),
        }
    }
}

fn records<K: Clone + PartialEq, T: Clone + PartialEq>(
    changes: Vec<ReportedChange<K, T>>,
    sent: impl Fn(&ReportedChange<K, T>) -> T,
) -> Vec<ChangeRecord<K, T>> {
    let mut by_key: Vec<(K, Vec<ReportedChange<K, T>>)> = Vec::new();
    for change in changes {
        match by_key.iter_mut().find(|(key, _)| *key == change.key) {
            Some((_, known)) if known.contains(&change) => {}
            Some((_, known)) => known.push(change),
            None => by_key.push((change.key.clone(), vec![change])),
        }
    }
    let records = by_key.into_iter().filter_map(|(key, mut changes)| {
        if changes.iter().all(|change| change.at.is_some()) {
            changes.sort_by_key(|change| change.at);
        }
        let before = changes.first()?.before.clone();
        let calls = changes.into_iter().map(|change| CallRecord {
            sent: sent(&change),
            answer: Some(AnswerRecord::After(change.after)),
        });
        let calls = calls.collect();
        Some(ChangeRecord { key, before, calls })
    });
    records.collect()
}
