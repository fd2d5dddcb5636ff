//! What acts, and with what.

use imds_aws::{Client, StateTable, timing};
use imds_core::policy::Policy;
use jiff::Timestamp;
use tokio::time::Instant;

/// Acts on one account by one policy.
#[derive(Debug, Clone, Copy)]
pub struct Engine<'a> {
    /// Calls AWS.
    pub client: &'a Client,
    /// Decides.
    pub policy: &'a Policy,
    /// What is kept from one invocation to the next; `None`: nothing.
    pub table: Option<&'a StateTable>,
    /// The account that it acts on, 12 digits.
    pub account: &'a str,
    /// When to give up.
    pub deadline: Deadline,
    /// The clock.
    pub now: fn() -> Timestamp,
}

/// When to give up: well before Lambda ends the function, so that the report gets out.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    /// No more waiting for instances that EC2 does not know yet.
    pub observe: Instant,
    /// No more calls.
    pub act: Instant,
}

impl Deadline {
    /// The deadline of an invocation.
    pub fn within(start: Instant, end: Instant) -> Self {
        let whole = end.saturating_duration_since(start);
        Deadline {
            observe: start + whole.mul_f64(timing::OBSERVE_SHARE),
            act: start + whole.mul_f64(timing::ACT_SHARE),
        }
    }

    /// No more questions, so that there is time to do what may be done without an answer.
    pub(crate) fn ask(&self) -> Instant {
        self.observe + self.act.saturating_duration_since(self.observe) / 2
    }

    /// One deadline for everything.
    pub fn at(end: Instant) -> Self {
        Deadline {
            observe: end,
            act: end,
        }
    }
}
