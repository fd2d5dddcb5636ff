//! Calls that may be given up.

use std::fmt;

use futures_util::{StreamExt, stream};
use imds_aws::{CallError, Fault};
use imds_core::plain::Plain;
use tokio::time::{Instant, timeout_at};

/// Calls of `ModifyInstanceMetadataOptions` in flight; its bucket holds 100 and refills 5 a second.
const MODIFIES_IN_FLIGHT: usize = 32;

/// Why a call has no answer.
#[derive(Debug, Clone)]
pub(crate) struct FailedCall {
    pub(crate) why: String,
    /// `None`: AWS did not say so.
    pub(crate) fault: Option<Fault>,
}

impl FailedCall {
    /// It may succeed later.
    pub(crate) fn for_now(why: &str) -> Self {
        FailedCall {
            why: why.to_owned(),
            fault: None,
        }
    }

    /// It is not sent again.
    pub(crate) fn for_good(why: String) -> Self {
        FailedCall {
            why,
            fault: Some(Fault::Halted),
        }
    }

    pub(crate) fn is_retryable(&self) -> bool {
        self.fault.is_none_or(Fault::is_retryable)
    }

    /// EC2 does not support an option of the call.
    pub(crate) fn is_unsupported(&self) -> bool {
        self.fault == Some(Fault::Unsupported)
    }

    /// If a service manages the instance, it refuses the call.
    pub(crate) fn is_refused_by_service(&self) -> bool {
        matches!(
            self.fault,
            Some(Fault::Protected | Fault::Unauthorized | Fault::Unsupported | Fault::Refused)
        )
    }

    /// The state of the instance does not allow the call yet, or no longer.
    pub(crate) fn is_state(&self) -> bool {
        matches!(self.fault, Some(Fault::IncorrectState | Fault::NotFound))
    }

    /// The instance, or another of the call, is protected.
    pub(crate) fn is_protected(&self) -> bool {
        self.fault == Some(Fault::Protected)
    }

    /// AWS said why.
    pub(crate) fn is_answered(&self) -> bool {
        self.fault.is_some() && !self.may_have_worked()
    }

    /// The call was sent, and its answer did not come or could not be read.
    pub(crate) fn may_have_worked(&self) -> bool {
        matches!(self.fault, Some(Fault::Unreadable | Fault::Transient))
    }
}

impl From<CallError> for FailedCall {
    fn from(error: CallError) -> Self {
        FailedCall {
            why: error.cause(),
            fault: Some(error.fault),
        }
    }
}

impl fmt::Display for FailedCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Plain(&self.why).fmt(f)
    }
}

/// The answer of a call, if it comes before the deadline.
pub(crate) async fn in_time<T>(
    deadline: Instant,
    call: impl Future<Output = Result<T, CallError>>,
) -> Result<T, FailedCall> {
    // A call that begins after the deadline would be sent before it is given up.
    if Instant::now() >= deadline {
        return Err(FailedCall::for_now("left at the deadline"));
    }
    match timeout_at(deadline, call).await {
        Ok(answer) => Ok(answer?),
        Err(_elapsed) => Err(FailedCall::for_now("no answer before the deadline")),
    }
}

pub(crate) async fn in_flight<F: Future>(calls: impl Iterator<Item = F>) -> Vec<F::Output> {
    stream::iter(calls)
        .buffer_unordered(MODIFIES_IN_FLIGHT)
        .collect()
        .await
}
