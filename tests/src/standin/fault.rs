//! Faults: what goes wrong, for which calls, how often.

use std::time::Duration;

use super::refusal::Refusal;
use super::request::Request;

/// A rule that makes calls go wrong. Unnarrowed, it hits every call for ever.
#[derive(Clone, Debug)]
#[must_use]
pub struct Fault {
    effect: Effect,
    action: Option<String>,
    region: Option<String>,
    instance: Option<String>,
    spared: u32,
    left: Option<u32>,
}

/// What happens to a call.
#[derive(Clone, Debug)]
pub(super) enum Effect {
    /// EC2's throttling, or `Throttling` where another service is asked.
    Throttle,
    /// Refused with this error.
    Refuse(Refusal),
    /// A gateway's answer, which is neither XML nor CBOR.
    Gateway(u16),
    /// Reset, and not done.
    Reset,
    /// Done, then reset.
    ResetAfter,
    /// Done, then half of the answer.
    Malformed,
    /// Later, then as it would have gone.
    Delay(Duration),
}

impl Fault {
    /// `RequestLimitExceeded` (503).
    pub fn throttle() -> Self {
        Fault::of(Effect::Throttle)
    }

    /// `Unavailable` (503).
    pub fn unavailable() -> Self {
        Fault::error("Unavailable", 503)
    }

    /// `InternalError` with this status; 502 and 504 come as a gateway's HTML.
    pub fn status(status: u16) -> Self {
        match status {
            502 | 504 => Fault::of(Effect::Gateway(status)),
            _ => Fault::error("InternalError", status),
        }
    }

    /// The connection is reset and nothing is done.
    pub fn reset() -> Self {
        Fault::of(Effect::Reset)
    }

    /// The call takes effect, then the connection is reset.
    pub fn reset_after() -> Self {
        Fault::of(Effect::ResetAfter)
    }

    /// The call is carried out so much later, even where the client has gone by then. Delays add up,
    /// and other faults still hold.
    pub fn delay(delay: Duration) -> Self {
        Fault::of(Effect::Delay(delay))
    }

    /// The call takes effect; the answer is a 200 that ends in the middle.
    pub fn malformed() -> Self {
        Fault::of(Effect::Malformed)
    }

    /// `UnauthorizedOperation` (403).
    pub fn unauthorised() -> Self {
        Fault::error("UnauthorizedOperation", 403)
    }

    /// `RequestExpired` (400): credentials that are out of date.
    pub fn expired() -> Self {
        Fault::error("RequestExpired", 400)
    }

    /// `InvalidInstanceID.NotFound` (400).
    pub fn not_found() -> Self {
        Fault::error("InvalidInstanceID.NotFound", 400)
    }

    /// Any error code with any status.
    pub fn error(code: &str, status: u16) -> Self {
        let message = format!("{code}, as the test wished.");
        Fault::of(Effect::Refuse(Refusal {
            code: code.to_owned(),
            status,
            message,
        }))
    }

    /// Only calls of this action.
    pub fn action(mut self, action: &str) -> Self {
        self.action = Some(action.to_owned());
        self
    }

    /// Only calls to this region.
    pub fn region(mut self, region: &str) -> Self {
        self.region = Some(region.to_owned());
        self
    }

    /// Only calls that name this instance, anywhere.
    pub fn instance(mut self, id: &str) -> Self {
        self.instance = Some(id.to_owned());
        self
    }

    /// Only so many calls.
    pub fn times(mut self, times: u32) -> Self {
        self.left = Some(times);
        self
    }

    /// Not the first so many calls that match.
    pub fn after(mut self, calls: u32) -> Self {
        self.spared = calls;
        self
    }

    /// Whether this call is hit; counts it.
    fn hits(&mut self, request: &Request) -> bool {
        let one_of = |wanted: &Option<String>, given: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted == given)
        };
        let matches = one_of(&self.action, &request.action)
            && one_of(&self.region, &request.region)
            && self
                .instance
                .as_ref()
                .is_none_or(|id| request.params.values().any(|value| value == id));
        if !matches || self.left == Some(0) {
            return false;
        }
        if self.spared > 0 {
            self.spared -= 1;
            return false;
        }
        self.left = self.left.map(|left| left - 1);
        true
    }

    fn of(effect: Effect) -> Self {
        Fault {
            effect,
            action: None,
            region: None,
            instance: None,
            spared: 0,
            left: None,
        }
    }
}

/// What befalls a call: the sum of its delays, and the first other fault that hits it.
pub(super) fn befall(faults: &mut [Fault], request: &Request) -> (Duration, Option<Effect>) {
    let mut delay = Duration::ZERO;
    let mut effect = None;
    for fault in faults {
        if let Effect::Delay(more) = fault.effect {
            if fault.hits(request) {
                delay += more;
            }
        } else if effect.is_none() && fault.hits(request) {
            effect = Some(fault.effect.clone());
        }
    }
    (delay, effect)
}
