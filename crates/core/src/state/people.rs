//! What people write: exemptions and pauses.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{Item, ItemError, Key, Value, text, time};
use crate::plain::Plain;

/// A person's exemption of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exemption {
    /// Until then, for a reason.
    Until(Entry),
    /// It cannot be read, and so it holds.
    Unreadable(ItemError),
}

/// The items that people write, by the beginning of their keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// Exemptions of instances.
    Exemption,
    /// Pauses of accounts and regions.
    Pause,
}

impl EntryKind {
    /// With what the key begins.
    pub fn prefix(self) -> &'static str {
        match self {
            EntryKind::Exemption => "exempt#",
            EntryKind::Pause => "pause#",
        }
    }
}

/// Until when, why and by whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// When it ends.
    pub until: Timestamp,
    /// Why.
    pub reason: Option<String>,
    /// Who wrote it.
    pub by: Option<String>,
}

/// A person's pause: the function reports instead of acting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pause {
    /// When it ends; `None`: the item cannot be read, and so the pause holds.
    pub until: Option<Timestamp>,
    /// Why.
    pub reason: Option<String>,
    /// Who wrote it.
    pub by: Option<String>,
}

impl Exemption {
    /// Reads an `exempt#` item; `None`: it has ended.
    pub fn read(key: &Key, item: &Item, now: Timestamp) -> Option<Self> {
        match Entry::read(key, item) {
            Ok(entry) => (now < entry.until).then_some(Exemption::Until(entry)),
            Err(error) => Some(Exemption::Unreadable(error)),
        }
    }
}

impl Pause {
    /// Reads a `pause#` item; `None`: it has ended.
    pub fn read(key: &Key, item: &Item, now: Timestamp) -> Option<Self> {
        match Entry::read(key, item) {
            Ok(Entry { until, reason, by }) => (now < until).then_some(Pause {
                until: Some(until),
                reason,
                by,
            }),
            Err(error) => Some(Pause {
                until: None,
                reason: Some(error.to_string()),
                by: None,
            }),
        }
    }
}

impl Entry {
    /// One that ends after this time, to the second.
    pub fn lasting(time: SignedDuration, reason: String, by: String, now: Timestamp) -> Self {
        let until = now.checked_add(time).unwrap_or(Timestamp::MAX);
        Entry {
            until: Timestamp::from_second(until.as_second()).unwrap_or(until),
            reason: Some(reason),
            by: Some(by),
        }
    }

    /// The attributes of an `exempt#` or `pause#` item, as [`Entry::read`] reads them.
    pub fn item(&self) -> Item {
        let until = ("until", Some(self.until.to_string()));
        let optional = [("reason", self.reason.clone()), ("by", self.by.clone())];
        let attributes = [until].into_iter().chain(optional);
        attributes
            .filter_map(|(name, text)| Some((name.to_owned(), Value::Text(text?))))
            .collect()
    }

    /// Reads an `exempt#` or `pause#` item, whether it has ended or not.
    ///
    /// # Errors
    /// If `until` is not a time, or another attribute is not a string.
    pub fn read(key: &Key, item: &Item) -> Result<Self, ItemError> {
        let until = time(key, item, "until")?;
        let optional = |attribute| match item.get(attribute) {
            None => Ok(None),
            Some(_) => text(key, item, attribute).map(Some),
        };
        let (reason, by) = (optional("reason")?, optional("by")?);
        Ok(Entry { until, reason, by })
    }
}

impl fmt::Display for Exemption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exemption::Until(Entry { until, reason, by }) => {
                write!(f, "exempt until {until}")?;
                words(f, reason.as_deref(), by.as_deref())
            }
            Exemption::Unreadable(error) => {
                write!(
                    f,
                    "exempt, because its exemption cannot be read: {}",
                    Plain(&error.to_string())
                )
            }
        }
    }
}

impl fmt::Display for Pause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.until {
            Some(until) => write!(f, "paused until {until}")?,
            None => f.write_str("paused, because the pause cannot be read")?,
        }
        words(f, self.reason.as_deref(), self.by.as_deref())
    }
}

fn words(f: &mut fmt::Formatter<'_>, reason: Option<&str>, by: Option<&str>) -> fmt::Result {
    if let Some(by) = by {
        write!(f, " by {}", Plain(by))?;
    }
    match reason {
        Some(reason) => write!(f, " ({})", Plain(reason)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back_and_holds_until_its_end() {
        let now: Timestamp = "2026-03-01T10:00:00.7Z".parse().unwrap();
        let text = |text: &str| text.to_owned();
        let entry = Entry::lasting(SignedDuration::from_hours(2), text("why"), text("ada"), now);
        assert_eq!(entry.until.to_string(), "2026-03-01T12:00:00Z");
        let key = Key::pause("111122223333", Some("eu-central-1"));
        assert_eq!(Entry::read(&key, &entry.item()), Ok(entry.clone()));
        assert_eq!(key.paused(), Some(("111122223333", Some("eu-central-1"))));
        assert_eq!(key.exempt_instance(), None);
        let holds = |at: &str| Pause::read(&key, &entry.item(), at.parse().unwrap()).is_some();
        assert!(holds("2026-03-01T11:59:59.9Z") && !holds("2026-03-01T12:00:00Z"));
    }
}
