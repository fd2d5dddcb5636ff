//! Calls that may be given up.

use std::fmt;

use futures_util::{StreamExt, stream};
use imds_core::plain::Plain;
use tokio::time::{Instant, timeout_at};

use crate::error::{CallError, Fault};

/// Calls of `ModifyInstanceMetadataOptions` in flight; its bucket holds 100 and refills 5 a second.
const MODIFIES_IN_FLIGHT: usize = 32;

/// Why there is no answer to a call.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) why: String,
    /// `None`: it was not EC2 that said so.
    pub(crate) fault: Option<Fault>,
}

impl Failed {
    pub(crate) fn by(why: &str) -> Self {
        Failed {
            why: why.to_owned(),
            fault: None,
        }
    }

    pub(crate) fn for_good(why: String) -> Self {
        Failed {
            why,
            fault: Some(Fault::Halted),
        }
    }

    pub(crate) fn may_pass(&self) -> bool {
        self.fault.is_none_or(Fault::may_pass)
    }

    /// The call was sent, and its answer was not understood or did not come.
    pub(crate) fn may_have_worked(&self) -> bool {
        matches!(self.fault, Some(Fault::Unreadable | Fault::Passing))
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Plain(&self.why).fmt(f)
    }
}

/// The answer of a call, if it comes before the deadline.
pub(crate) async fn in_time<T>(
    until: Instant,
    call: impl Future<Output = Result<T, CallError>>,
) -> Result<T, Failed> {
    // A call that begins after the deadline would be sent before it is given up.
    if Instant::now() >= until {
        return Err(Failed::by("left at the deadline"));
    }
    match timeout_at(until, call).await {
        Ok(answer) => answer.map_err(|e| Failed {
            why: e.cause(),
            fault: Some(e.fault),
        }),
        Err(_elapsed) => Err(Failed::by("no answer before the deadline")),
    }
}

pub(crate) async fn in_flight<F: Future>(calls: impl Iterator<Item = F>) -> Vec<F::Output> {
    stream::iter(calls)
        .buffer_unordered(MODIFIES_IN_FLIGHT)
        .collect()
        .await
}
