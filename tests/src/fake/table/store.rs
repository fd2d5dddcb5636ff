//! The table of a region.

use std::collections::{BTreeMap, BTreeSet};

use super::value::Item;
use crate::fake::settle::{PendingChange, Settle};

/// The items of a region, by key.
#[derive(Debug, Default)]
pub(crate) struct Table {
    items: BTreeMap<String, StoredItem>,
}

#[derive(Debug)]
struct StoredItem {
    now: Option<Item>,
    /// Before the last write.
    before: Option<Item>,
    /// Until when reads that are not consistent find `before`.
    visible: PendingChange,
}

/// How the table behaves in every region.
#[derive(Debug)]
pub(crate) struct TableSettings {
    /// When reads that are not consistent find what was written.
    pub(crate) written: Settle,
    /// How often BatchGetItem leaves a key unprocessed.
    pub(crate) unprocessed: BTreeMap<String, u32>,
    /// The most items that a page of Scan reads.
    pub(crate) scan_page: usize,
    /// The access keys of people, who may do everything.
    pub(crate) people: BTreeSet<String>,
}

impl Default for TableSettings {
    fn default() -> Self {
        TableSettings {
            written: Settle::Describes(1),
            unprocessed: BTreeMap::new(),
            scan_page: usize::MAX,
            people: BTreeSet::new(),
        }
    }
}

impl Table {
    /// As it is.
    pub(crate) fn item(&self, key: &str) -> Option<&Item> {
        self.items.get(key)?.now.as_ref()
    }

    pub(crate) fn items(&self) -> impl Iterator<Item = (&String, &Item)> {
        let stored = self.items.iter();
        stored.filter_map(|(key, stored)| Some((key, stored.now.as_ref()?)))
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &String> {
        self.items.keys()
    }

    /// As a read finds it.
    pub(crate) fn read(&mut self, key: &str, consistent: bool) -> Option<&Item> {
        let stored = self.items.get_mut(key)?;
        if consistent || stored.visible.is_over() {
            return stored.now.as_ref();
        }
        stored.visible.described();
        stored.before.as_ref()
    }

    pub(crate) fn write(&mut self, key: &str, item: Option<Item>, visible: Settle) {
        let before = self.items.remove(key).and_then(|stored| stored.now);
        let stored = StoredItem {
            now: item,
            before,
            visible: visible.begin(),
        };
        self.items.insert(key.to_owned(), stored);
    }
}
