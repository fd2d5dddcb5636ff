//! What the function keeps from one invocation to the next, as items of one DynamoDB table: one item for
//! one purpose, each with its own expiry.

mod entries;
mod people;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::instance::InstanceId;
use crate::options::MetadataOptions;
use crate::policy::Existing;
pub use entries::{Entries, Grant};
pub use people::{Entry, EntryKind, Exemption, Pause};

/// The attributes of an item, without its key.
pub type Item = BTreeMap<String, Value>;

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A string.
    Text(String),
    /// A whole number.
    Number(i64),
    /// A list of strings.
    Texts(Vec<String>),
    /// A map of whole numbers.
    Numbers(BTreeMap<String, i64>),
    /// Anything else, which the function never writes.
    Other,
}

/// An item that is not as the function or a person would write it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("attribute `{attribute}` of item `{key}` is not {expected}")]
pub struct ItemError {
    key: String,
    attribute: &'static str,
    expected: &'static str,
}

/// The key of an item. The part before `#` says what it holds, and who may write it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(String);

impl Key {
    /// The disruptions of the last hour in an account and region.
    pub fn limit(account: &str, region: &str) -> Self {
        Key(format!("limit#{account}#{region}"))
    }

    /// The enforcements of existing instances in the last hour in an account and region.
    pub fn existing(account: &str, region: &str) -> Self {
        Key(format!("existing#{account}#{region}"))
    }

    /// The enforcements of the last hour after somebody changed the options of an instance.
    pub fn drift(id: &InstanceId) -> Self {
        Key(format!("drift#{id}"))
    }

    /// When the options of an instance were enforced, and what they were before.
    pub fn watch(id: &InstanceId) -> Self {
        Key(format!("watch#{id}"))
    }

    /// Who launched an instance.
    pub fn launcher(id: &InstanceId) -> Self {
        Key(format!("launcher#{id}"))
    }

    /// Who sweeps an account.
    pub fn lease(account: &str) -> Self {
        Key(format!("lease#{account}"))
    }

    /// A person's exemption of an instance.
    pub fn exemption(id: &InstanceId) -> Self {
        Key(format!("exempt#{id}"))
    }

    /// A person's pause of an account, or of one of its regions.
    pub fn pause(account: &str, region: Option<&str>) -> Self {
        Key(match region {
            None => format!("pause#{account}"),
            Some(region) => format!("pause#{account}#{region}"),
        })
    }

    /// The key of an item that was found in the table.
    pub fn found(key: String) -> Self {
        Key(key)
    }

    /// The instance that an exemption is of.
    pub fn exempt_instance(&self) -> Option<&str> {
        self.0.strip_prefix(EntryKind::Exemption.prefix())
    }

    /// The account that a pause is of, and the region unless it is of all.
    pub fn paused(&self) -> Option<(&str, Option<&str>)> {
        let paused = self.0.strip_prefix(EntryKind::Pause.prefix())?;
        Some(match paused.split_once('#') {
            Some((account, region)) => (account, Some(region)),
            None => (paused, None),
        })
    }

    /// A policy, by the SHA-256 of its document in hexadecimal.
    pub fn policy(sha256: &str) -> Self {
        Key(format!("policy#{sha256}"))
    }

    /// How long an entry of the item counts towards an hourly limit. A disruption is called within a minute of
    /// its entry, so that any 60 minutes of calls lie within 61 minutes of entries; one more is for clocks and
    /// the network. What a sweep enforced must not count for the sweep an hour later.
    pub(crate) fn counts(&self) -> SignedDuration {
        SignedDuration::from_mins(if self.0.starts_with("existing#") {
            59
        } else {
            62
        })
    }

    /// The key as a string.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The principals in a `launcher#` item.
///
/// # Errors
/// If `principals` is not a list of strings.
pub fn principals(key: &Key, item: &Item) -> Result<Vec<String>, ItemError> {
    match item.get("principals") {
        Some(Value::Texts(principals)) => Ok(principals.clone()),
        _ => Err(error(key, "principals", "a list of strings")),
    }
}

/// The attributes of a `launcher#` item.
pub fn launcher_item(principals: Vec<String>) -> Item {
    Item::from([("principals".to_owned(), Value::Texts(principals))])
}

/// The attributes of a `watch#` item.
pub fn watch_item(enforced_at: Timestamp, before: &MetadataOptions) -> Item {
    let before = serde_json::to_string(before).unwrap_or_default();
    Item::from([
        (
            "enforced_at".to_owned(),
            Value::Text(enforced_at.to_string()),
        ),
        ("before".to_owned(), Value::Text(before)),
    ])
}

/// Since when an instance is watched for calls that are rejected after its options were enforced, by its
/// `watch#` item; `None`: not, or no longer.
///
/// # Errors
/// If `enforced_at` is not a time.
pub fn watched_since(
    key: &Key,
    item: &Item,
    existing: &Existing,
    now: Timestamp,
) -> Result<Option<Timestamp>, ItemError> {
    let since = time(key, item, "enforced_at")?;
    let watched = SignedDuration::from_hours(24 * i64::from(existing.watch_days));
    Ok((now.duration_since(since) < watched).then_some(since))
}

/// The document in a `policy#` item.
///
/// # Errors
/// If `document` is not a string.
pub fn policy_document(key: &Key, item: &Item) -> Result<String, ItemError> {
    text(key, item, "document")
}

fn text(key: &Key, item: &Item, attribute: &'static str) -> Result<String, ItemError> {
    match item.get(attribute) {
        Some(Value::Text(text)) => Ok(text.clone()),
        _ => Err(error(key, attribute, "a string")),
    }
}

fn time(key: &Key, item: &Item, attribute: &'static str) -> Result<Timestamp, ItemError> {
    let expected = "a time such as `2026-03-01T10:00:00Z`";
    match item.get(attribute) {
        Some(Value::Text(text)) => text.parse().ok(),
        _ => None,
    }
    .ok_or_else(|| error(key, attribute, expected))
}

fn error(key: &Key, attribute: &'static str, expected: &'static str) -> ItemError {
    ItemError {
        key: key.0.clone(),
        attribute,
        expected,
    }
}
