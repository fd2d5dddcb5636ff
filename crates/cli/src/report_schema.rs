//! The JSON Schema of reports.

/// The JSON Schema of what `imdsctl scan` and `imdsctl enforce` report as JSON.
pub(crate) fn schema() -> &'static str {
    include_str!("../../../report.schema.json")
}
