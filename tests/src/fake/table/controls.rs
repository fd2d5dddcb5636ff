//! What tests do with the table.

use std::collections::BTreeMap;

use serde_json::Value;

use super::KEY;
use super::value::{AttributeValue, Item};
use crate::fake::{FakeAws, Settle};

/// The region in which tests run the function.
const REGION: &str = "eu-central-1";

/// The table of one region. Items are plain JSON, without their key.
#[derive(Debug)]
pub struct StateTable<'a> {
    fake: &'a FakeAws,
    region: String,
}

impl StateTable<'_> {
    /// Writes a whole item.
    ///
    /// # Panics
    /// When it is not an object.
    pub fn put_item(&self, key: &str, item: Value) {
        let AttributeValue::M(mut item) = AttributeValue::from_plain(item) else {
            panic!("an item is an object");
        };
        item.insert(KEY.to_owned(), AttributeValue::S(key.to_owned()));
        self.write(key, Some(item));
    }

    /// An item as it is, whatever reads find.
    #[must_use]
    pub fn item(&self, key: &str) -> Option<Value> {
        let mut fake = self.fake.shared.lock();
        fake.region(&self.region).table.item(key).map(plain)
    }

    /// All items, by key.
    #[must_use]
    pub fn items(&self) -> BTreeMap<String, Value> {
        let mut fake = self.fake.shared.lock();
        let items = fake.region(&self.region).table.items();
        items
            .map(|(key, item)| (key.clone(), plain(item)))
            .collect()
    }

    /// Deletes an item, if it exists.
    pub fn remove_item(&self, key: &str) {
        self.write(key, None);
    }

    fn write(&self, key: &str, item: Option<Item>) {
        let mut fake = self.fake.shared.lock();
        let visible = fake.table.written;
        fake.region(&self.region).table.write(key, item, visible);
    }
}

/// The table that keeps the function's state: `imds-enforcer`, in every region.
impl FakeAws {
    /// The table of a region.
    #[must_use]
    pub fn table(&self, region: &str) -> StateTable<'_> {
        StateTable {
            fake: self,
            region: region.to_owned(),
        }
    }

    /// As [`StateTable::put_item`], in `eu-central-1`.
    ///
    /// # Panics
    /// When it is not an object.
    pub fn put_item(&self, key: &str, item: Value) {
        self.table(REGION).put_item(key, item);
    }

    /// As [`StateTable::item`], in `eu-central-1`.
    #[must_use]
    pub fn item(&self, key: &str) -> Option<Value> {
        self.table(REGION).item(key)
    }

    /// As [`StateTable::items`], in `eu-central-1`.
    #[must_use]
    pub fn items(&self) -> BTreeMap<String, Value> {
        self.table(REGION).items()
    }

    /// As [`StateTable::remove_item`], in `eu-central-1`.
    pub fn remove_item(&self, key: &str) {
        self.table(REGION).remove_item(key);
    }

    /// When reads that are not consistent find what was written, counted in such reads of the item; until
    /// then they find what was there before the last write. The default is after one.
    pub fn set_written(&self, settle: Settle) {
        self.shared.lock().table.written = settle;
    }

    /// Makes BatchGetItem leave this key unprocessed so many times.
    pub fn leave_unprocessed(&self, key: &str, times: u32) {
        let mut fake = self.shared.lock();
        fake.table.unprocessed.insert(key.to_owned(), times);
    }

    /// The most items that a page of Scan reads; the default is what fits into 1 MB.
    pub fn set_scan_page(&self, most: usize) {
        self.shared.lock().table.scan_page = most.max(1);
    }

    /// Allows everything in the table to whoever has this access key. All others have the rights of the
    /// function's role: they may read everything, and update the function's own items.
    pub fn allow_people(&self, access_key: &str) {
        let mut fake = self.shared.lock();
        fake.table.people.insert(access_key.to_owned());
    }
}

fn plain(item: &Item) -> Value {
    let attributes = item.iter().filter(|(name, _)| *name != KEY);
    attributes
        .map(|(name, value)| (name.clone(), value.plain()))
        .collect()
}
