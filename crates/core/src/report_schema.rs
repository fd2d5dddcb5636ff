//! How the fields of a report read in its JSON Schema, where the Rust type does not say it.

use schemars::JsonSchema;

/// A time in UTC, such as `2026-11-23T15:11:57Z`.
#[derive(JsonSchema)]
#[schemars(inline, transparent)]
#[expect(dead_code, reason = "stands in for the type of a field")]
pub struct Time(#[schemars(extend("format" = "date-time"))] String);

/// A date, such as `2027-03-31`.
#[derive(JsonSchema)]
#[schemars(inline, transparent)]
#[expect(dead_code, reason = "stands in for the type of a field")]
pub struct Day(#[schemars(extend("format" = "date"))] String);
