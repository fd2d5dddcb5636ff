//! The JSON Schemas of reports and comparisons.

/// The JSON Schema of what `imdsctl scan`, `enforce` and `report` print as JSON.
pub(crate) fn schema() -> &'static str {
    include_str!("../../../report.schema.json")
}

/// The JSON Schema of what `imdsctl diff` prints as JSON.
pub(crate) fn of_comparisons() -> &'static str {
    include_str!("../../../diff.schema.json")
}
