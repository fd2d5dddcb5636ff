//! What people write: exemptions and pauses.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;

use super::{Item, ItemError, Key, text, time};
use crate::plain::Plain;

/// A person's exemption of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exemption {
    /// Until then, for a reason.
    Until(Entry),
    /// It cannot be read, and so it holds.
    Unreadable(ItemError),
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
    fn read(key: &Key, item: &Item) -> Result<Self, ItemError> {
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
