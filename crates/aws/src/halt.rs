//! Why a client sends no further call, and the time that its calls may take together.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::SignedDuration;
use tokio::time::{Instant, sleep_until};

/// Why a client sends no further call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Halt {
    /// A person interrupted it.
    Interrupted,
    /// This time is over.
    TimeOver(SignedDuration),
}

impl fmt::Display for Halt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Halt::Interrupted => f.write_str("interrupted"),
            Halt::TimeOver(limit) => write!(f, "the time limit of {limit:#} passed"),
        }
    }
}

/// Waits for something until the time is over.
#[cfg(feature = "command")]
pub(crate) async fn within<T>(
    limit: Option<SignedDuration>,
    done: impl Future<Output = T>,
) -> Result<T, Halt> {
    let time_limit = TimeLimit::default();
    if let Some(limit) = limit {
        time_limit.begin(limit);
    }
    tokio::select! {
        biased;
        done = done => Ok(done),
        limit = time_limit.over() => Err(Halt::TimeOver(limit)),
    }
}

/// The time that all calls of a client may take together; by default without a limit.
#[derive(Debug, Default)]
pub(crate) struct TimeLimit(Mutex<Option<Running>>);

#[derive(Debug, Clone, Copy)]
struct Running {
    limit: SignedDuration,
    end: Instant,
}

impl TimeLimit {
    /// Begins to count; a limit beyond what the clock can represent is none.
    pub(crate) fn begin(&self, limit: SignedDuration) {
        let time = Duration::try_from(limit).unwrap_or_default();
        let end = Instant::now().checked_add(time);
        *self.running() = end.map(|end| Running { limit, end });
    }

    pub(crate) fn extend(&self, by: Duration) {
        if let Some(running) = &mut *self.running() {
            running.end += by;
        }
    }

    /// The limit, if it is exceeded.
    pub(crate) fn exceeded(&self) -> Option<SignedDuration> {
        let running = (*self.running()).filter(|running| running.end <= Instant::now());
        running.map(|running| running.limit)
    }

    /// Waits until the limit is exceeded, and returns it.
    pub(crate) async fn over(&self) -> SignedDuration {
        let running = *self.running();
        match running {
            Some(Running { limit, end }) => {
                sleep_until(end).await;
                limit
            }
            None => std::future::pending().await,
        }
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        // Nothing panics while the lock is held, so that its value is consistent even if poisoned.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
