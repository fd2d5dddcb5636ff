//! What counts towards an hourly limit: an id, and when it was counted.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::{Item, ItemError, Key, Value, error};

/// The entries of a `limit#`, `existing#` or `drift#` item.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Entries {
    /// Counts the writes; `None`: there is no item.
    version: Option<i64>,
    /// When each id was counted, in milliseconds since 1970.
    entries: BTreeMap<String, i64>,
}

/// What is granted, and the entries to write before it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The granted ids.
    pub granted: BTreeSet<String>,
    /// How many others count within the window.
    pub counted: usize,
    /// The entries with those of the granted ids; `None`: nothing is granted.
    pub write: Option<Entries>,
}

impl Entries {
    /// How long an entry counts. A call is made within a minute of its entry, so that any 60 minutes of
    /// calls lie within 61 minutes of entries; one more is for clocks and the network.
    pub const COUNT: SignedDuration = SignedDuration::from_mins(62);

    /// Reads an item.
    ///
    /// # Errors
    /// If it has other attributes than the function writes. What cannot be counted must not be overwritten.
    pub fn read(key: &Key, item: Option<&Item>) -> Result<Self, ItemError> {
        let Some(item) = item else {
            return Ok(Entries::default());
        };
        let Some(Value::Number(version)) = item.get("version") else {
            return Err(error(key, "version", "a whole number"));
        };
        let Some(Value::Numbers(entries)) = item.get("entries") else {
            return Err(error(key, "entries", "a map of whole numbers"));
        };
        Ok(Entries {
            version: Some(*version),
            entries: entries.clone(),
        })
    }

    /// Grants the first of the wanted ids, up to `limit` entries that count at `now`. An id counts once: one
    /// that counts already is granted again, with the time of now.
    pub fn grant(&self, wanted: &[String], limit: u32, now: Timestamp) -> Grant {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let now_ms = now.as_millisecond();
        let oldest =
            now_ms.saturating_sub(i64::try_from(Self::COUNT.as_millis()).unwrap_or(i64::MAX));
        // An entry from the future counts: another clock is ahead.
        let counts = self.entries.iter().filter(|(_, at)| **at > oldest);
        let mut entries: BTreeMap<String, i64> = counts.map(|(id, at)| (id.clone(), *at)).collect();
        let counted = entries.len();
        let mut granted = BTreeSet::new();
        for id in wanted {
            let has_room = entries.len() < limit || (limit > 0 && entries.contains_key(id));
            if has_room {
                entries.insert(id.clone(), now_ms);
                granted.insert(id.clone());
            }
        }
        let write = (!granted.is_empty()).then(|| Entries {
            version: Some(self.version.unwrap_or_default().saturating_add(1)),
            entries,
        });
        Grant {
            granted,
            counted,
            write,
        }
    }

    /// Whether these are the entries that `written` has, for its ids: the answer to a write may be lost, and
    /// another invocation may have written since.
    pub fn includes(&self, granted: &BTreeSet<String>, written: &Entries) -> bool {
        let mut ids = granted.iter();
        ids.all(|id| {
            self.entries.contains_key(id) && self.entries.get(id) == written.entries.get(id)
        })
    }

    /// The version that a write must find; `None`: no item.
    pub fn version(&self) -> Option<i64> {
        self.version
    }

    /// The attributes of the item.
    pub fn item(&self) -> Item {
        Item::from([
            (
                "version".to_owned(),
                Value::Number(self.version.unwrap_or_default()),
            ),
            ("entries".to_owned(), Value::Numbers(self.entries.clone())),
        ])
    }
}
