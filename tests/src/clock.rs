//! The time of day, for launch times and deadlines.

use jiff::Timestamp;

/// Now.
#[expect(clippy::disallowed_methods, reason = "fakes of AWS keep AWS's time")]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}
