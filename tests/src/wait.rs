//! Waits for conditions.

use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long a condition may take, so that a busy machine does not fail a test.
const DEADLINE: Duration = Duration::from_secs(60);

/// The time between two checks of a condition.
pub(crate) const CHECK_INTERVAL: Duration = Duration::from_millis(10);

/// Waits until a condition holds.
///
/// # Panics
/// When it does not hold within a minute.
#[track_caller]
pub fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(
            started.elapsed() < DEADLINE,
            "waited {DEADLINE:?} for {what}"
        );
        sleep(CHECK_INTERVAL);
    }
}
