//! Entries of reports, wherever they are: in reports, in what Lambda, EventBridge and CloudWatch Logs put
//! around them, and in strings of these.

use std::collections::{BTreeMap, BTreeSet};

use imds_core::defaults::MetadataDefaults;
use imds_core::instance::InstanceId;
use imds_core::options::MetadataOptions;
use imds_core::rollback::{
    InstanceKey, RegionKey, ReportedChange, ReportedDefaults, ReportedOptions,
};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::values::{Values, values};

/// How deep strings within strings are read: a message of a queue has a result, which has a payload.
const DEEPEST: usize = 8;

/// What is said of JSON that cannot be read.
const DAMAGED: &str = "its JSON is cut off or was changed";

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// How many reports, or entries alone.
    pub(super) reports: usize,
    /// The entries whose options were changed.
    pub(super) changes: Vec<ReportedOptions>,
    /// The account defaults that were changed.
    pub(super) defaults: Vec<ReportedDefaults>,
    /// The accounts of what was changed, as reports name them.
    pub(super) accounts: ReportedAccounts,
    /// Instances whose change failed or was refused.
    pub(super) left: BTreeSet<InstanceId>,
    /// Regions where the change of the account defaults failed.
    pub(super) left_defaults: BTreeSet<String>,
    /// Lines without a report.
    pub(super) skipped: usize,
    /// What could not be read, and why.
    pub(super) damaged: Vec<String>,
}

/// The accounts of what was changed; `None`: a report does not name it.
#[derive(Debug, Default)]
pub(super) struct ReportedAccounts {
    /// By instance.
    pub(super) instances: BTreeMap<InstanceKey, BTreeSet<Option<String>>>,
    /// By the region of account defaults.
    pub(super) defaults: BTreeMap<String, BTreeSet<Option<String>>>,
}

/// Where an entry stands.
#[derive(Debug, Clone, Copy)]
struct Place<'a> {
    line: usize,
    depth: usize,
    /// Of the report.
    account: Option<&'a str>,
}

/// The fields of an entry that a rollback needs.
#[derive(Deserialize)]
struct ReportedInstance {
    instance_id: InstanceId,
    account: Option<String>,
    region: String,
    outcome: String,
    #[serde(default)]
    refused: Vec<Value>,
    before: Option<MetadataOptions>,
    after: Option<MetadataOptions>,
    changed_at: Option<Timestamp>,
}

/// The fields of an entry about the account defaults of a region.
#[derive(Deserialize)]
struct ReportedRegion {
    region: String,
    outcome: String,
    before: Option<MetadataDefaults>,
    after: Option<MetadataDefaults>,
}

/// Finds all entries.
pub(super) fn find(text: &str) -> Found {
    let mut found = Found::default();
    let Values {
        values,
        skipped,
        damaged,
    } = values(text);
    found.skipped = skipped;
    for line in damaged {
        found.damaged.push(format!("line {line}: {DAMAGED}"));
    }
    for (line, value) in &values {
        let before = found.reports + found.damaged.len();
        let place = Place {
            line: *line,
            depth: 0,
            account: None,
        };
        found.walk(value, place);
        if found.reports + found.damaged.len() == before {
            found.skipped += 1;
        }
    }
    found
}

impl Found {
    fn walk(&mut self, value: &Value, place: Place<'_>) {
        match value {
            Value::Object(fields) if is_entry(fields) => {
                self.reports += 1;
                self.entry(value, place);
            }
            Value::Object(fields) if is_defaults_entry(fields) => {
                self.reports += 1;
                self.defaults_entry(value, place);
            }
            Value::Object(fields) => {
                self.reports += usize::from(is_report(fields));
                let account = fields.get("account").and_then(Value::as_str);
                let account = account.or(place.account);
                for field in fields.values() {
                    self.walk(field, Place { account, ..place });
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.walk(item, place)),
            Value::String(text) if text.contains('{') && place.depth < DEEPEST => {
                let inner = values(text);
                for _ in inner.damaged {
                    let line = place.line;
                    self.damaged.push(format!("line {line}: {DAMAGED}"));
                }
                let depth = place.depth + 1;
                for (_, value) in &inner.values {
                    self.walk(value, Place { depth, ..place });
                }
            }
            Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn entry(&mut self, value: &Value, place: Place<'_>) {
        let line = place.line;
        let entry: ReportedInstance = match serde_path_to_error::deserialize(value) {
            Ok(entry) => entry,
            Err(error) => {
                let id = value.get("instance_id").and_then(Value::as_str);
                let id = id.unwrap_or("an entry");
                self.damaged.push(format!("line {line}: {id}: {error}"));
                return;
            }
        };
        let is_changed = match entry.outcome.as_str() {
            "enforced" | "stopped" | "restored" => true,
            "failed" => {
                self.left.insert(entry.instance_id);
                return;
            }
            _ => false,
        };
        if !is_changed {
            if !entry.refused.is_empty() {
                self.left.insert(entry.instance_id);
            }
            return;
        }
        let (Some(before), Some(after)) = (entry.before, entry.after) else {
            let id = entry.instance_id;
            self.damaged.push(format!(
                "line {line}: {id}: expected `before` and `after` of an instance that was changed"
            ));
            return;
        };
        let key = InstanceKey {
            id: entry.instance_id,
            region: entry.region,
        };
        let account = entry.account.or(place.account.map(str::to_owned));
        self.accounts
            .instances
            .entry(key.clone())
            .or_default()
            .insert(account);
        self.changes.push(ReportedChange {
            key,
            before,
            after,
            at: entry.changed_at,
        });
    }

    fn defaults_entry(&mut self, value: &Value, place: Place<'_>) {
        let line = place.line;
        let entry: ReportedRegion = match serde_path_to_error::deserialize(value) {
            Ok(entry) => entry,
            Err(error) => {
                let region = value.get("region").and_then(Value::as_str);
                let region = region.unwrap_or("a region");
                self.damaged.push(format!(
                    "line {line}: account defaults of {region}: {error}"
                ));
                return;
            }
        };
        let region = entry.region;
        match entry.outcome.as_str() {
            "set" | "restored" => {}
            "failed" => {
                self.left_defaults.insert(region);
                return;
            }
            _ => return,
        }
        let (Some(before), Some(after)) = (entry.before, entry.after) else {
            self.damaged.push(format!(
                "line {line}: account defaults of {region}: expected `before` and `after` where they were \
                 changed"
            ));
            return;
        };
        let accounts = self.accounts.defaults.entry(region.clone()).or_default();
        accounts.insert(place.account.map(str::to_owned));
        self.defaults.push(ReportedChange {
            key: RegionKey { region },
            before,
            after,
            at: None,
        });
    }
}

/// A report, or the function's line about an instance.
fn is_report(fields: &Map<String, Value>) -> bool {
    let has = |name| fields.contains_key(name);
    has("summary") && has("instances") || has("trigger") && has("instance") && has("outcome")
}

fn is_entry(fields: &Map<String, Value>) -> bool {
    let has = |name| fields.contains_key(name);
    has("instance_id") && has("outcome") && has("before")
}

/// An entry about the account defaults of a region, which names no instance.
fn is_defaults_entry(fields: &Map<String, Value>) -> bool {
    let has = |name| fields.contains_key(name);
    let names_instance = has("instance_id") || has("instance");
    !names_instance
        && ["region", "outcome", "before", "after"]
            .into_iter()
            .all(has)
}
