//! Whether what a journal recorded was rolled back, by the journals since.

use std::cmp::Reverse;

use imds_core::rollback::ChangeRecord;
use serde::Serialize;

use super::reader::Journal;

/// Whether the changes of a journal were rolled back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RolledBack {
    /// There is nothing to roll back.
    Nothing,
    /// None of them.
    No,
    /// Some of them.
    Partly,
    /// All of them.
    Fully,
}

/// Whether a journal was rolled back: what was before it is what the newest journal since has left. What
/// somebody changed otherwise is in no journal.
pub(crate) fn rolled_back(journal: &Journal, all: &[Journal]) -> RolledBack {
    let is_later = |it: &&Journal| {
        let (it, header) = (&it.header, &journal.header);
        it.account == header.account && it.started_at > header.started_at
    };
    let mut later: Vec<&Journal> = all.iter().filter(is_later).collect();
    later.sort_by_key(|it| Reverse(it.header.started_at));
    let instances = journal.changes.instances.iter();
    let instances = instances.map(|record| {
        let newest = newest(&later, &record.key, |it| &it.changes.instances);
        newest.is_some_and(|newest| newest.restored(record))
    });
    let defaults = journal.changes.defaults.iter();
    let defaults = defaults.map(|record| {
        let newest = newest(&later, &record.key, |it| &it.changes.defaults);
        newest.is_some_and(|newest| newest.restored(record))
    });
    let each: Vec<bool> = instances.chain(defaults).collect();
    match each.iter().filter(|restored| **restored).count() {
        _ if each.is_empty() => RolledBack::Nothing,
        0 => RolledBack::No,
        n if n == each.len() => RolledBack::Fully,
        _ => RolledBack::Partly,
    }
}

/// The newest record of the same.
fn newest<'a, K: PartialEq, T>(
    newest_first: &[&'a Journal],
    key: &K,
    records: impl Fn(&'a Journal) -> &'a [ChangeRecord<K, T>],
) -> Option<&'a ChangeRecord<K, T>> {
    let mut each = newest_first.iter().map(|journal| records(journal));
    each.find_map(|records| records.iter().find(|it| it.key == *key))
}
