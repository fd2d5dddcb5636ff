//! What a scan or an enforcement found, as a whole.

use std::time::Duration;

use imds_core::report::{Summary, Unseen};
use imds_user_data::Finding;
use jiff::Timestamp;
use serde::Serialize;

use crate::row::Row;

/// All that a command has to tell.
#[derive(Debug)]
pub(crate) struct Document {
    /// `scan` or `enforce`.
    pub(crate) trigger: &'static str,
    /// The account, 12 digits.
    pub(crate) account: Option<String>,
    /// When it was done.
    pub(crate) at: Timestamp,
    /// How long it took.
    pub(crate) took: Duration,
    /// How many instances had which outcome, over all regions.
    pub(crate) summary: Summary,
    /// The same by region, in the order of their names; also those without instances.
    pub(crate) regions: Vec<RegionTotal>,
    /// What could not be seen.
    pub(crate) unseen: Vec<Unseen>,
    /// Every instance that passed the filters, region by region.
    pub(crate) rows: Vec<Row>,
    /// The days of the usage window, where usage was asked.
    pub(crate) usage_days: Option<u8>,
    /// Whether user data was searched.
    pub(crate) user_data: bool,
    /// What would launch the next instances, where that was asked.
    pub(crate) templates: Option<Vec<TemplateRow>>,
    /// The account's metadata defaults, where they were asked.
    pub(crate) defaults: Option<Vec<DefaultsRow>>,
}

/// What a region holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct RegionTotal {
    /// The region.
    pub(crate) region: String,
    /// By outcome; before anything was done, a wrong instance is `reported`.
    pub(crate) summary: Summary,
}

/// A launch template's version or a launch configuration, and what it would launch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct TemplateRow {
    /// The region.
    pub(crate) region: String,
    /// `launch template` or `launch configuration`.
    pub(crate) kind: &'static str,
    /// `lt-…`, or the configuration's name.
    pub(crate) id: String,
    /// The template's name.
    pub(crate) name: Option<String>,
    /// For example `3 (default, latest)`.
    pub(crate) version: Option<String>,
    /// `required`, `wrong` or `unknown`.
    pub(crate) verdict: &'static str,
    /// Why, in words.
    pub(crate) because: String,
    /// Calls to the metadata service without a token in its user data, where that was asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) user_data: Vec<Finding>,
}

/// A region's metadata defaults; `None` is no preference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct DefaultsRow {
    /// The region.
    pub(crate) region: String,
    /// `optional` or `required`.
    pub(crate) http_tokens: Option<String>,
    /// 1 to 64.
    pub(crate) hop_limit: Option<u8>,
    /// `enabled` or `disabled`.
    pub(crate) http_endpoint: Option<String>,
    /// `enabled` or `disabled`.
    pub(crate) instance_metadata_tags: Option<String>,
    /// `HttpTokensEnforced`: `enabled` or `disabled`.
    pub(crate) http_tokens_enforced: Option<String>,
    /// `account`, or `declarative-policy` where the account cannot change it.
    pub(crate) managed_by: Option<String>,
}
