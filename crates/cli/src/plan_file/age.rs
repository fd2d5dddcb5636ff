//! How old a plan is.

use std::fmt;

use jiff::SignedDuration;

use crate::output::count;

/// How long ago a plan was created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PlanAge(pub(super) SignedDuration);

impl fmt::Display for PlanAge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PlanAge(age) = self;
        let (minutes, hours) = (age.as_mins().max(0), age.as_hours());
        let words = match (hours, hours / 24) {
            (0, _) => count(minutes.unsigned_abs(), "minute"),
            (hours, 0..2) => count(hours.unsigned_abs(), "hour"),
            (_, days) => count(days.unsigned_abs(), "day"),
        };
        f.write_str(&words)
    }
}
