//! Injected faults: what fails, for which calls, how often.

use std::time::Duration;

use super::api_error::ApiError;
use super::request::ApiRequest;

/// A fault that the fake injects. By default it hits every call.
#[derive(Clone, Debug)]
#[must_use]
pub struct InjectedFault {
    effect: FaultEffect,
    action: Option<String>,
    region: Option<String>,
    instance: Option<String>,
    skipped: u32,
    left: Option<u32>,
}

/// What happens to a call.
#[derive(Clone, Debug)]
pub(super) enum FaultEffect {
    /// `RequestLimitExceeded` in EC2, `ThrottlingException` in DynamoDB, `Throttling` in other services.
    Throttle,
    /// Rejected with this error.
    Refuse(ApiError),
    /// A gateway's answer, which is HTML.
    Gateway(u16),
    /// Reset before it takes effect.
    Reset,
    /// Reset after it has taken effect.
    ResetAfter,
    /// It takes effect, and half of the answer is sent.
    Malformed,
    /// Delayed.
    Delay(Duration),
    /// It takes effect at once, and the answer is delayed.
    DelayAnswer(Duration),
}

impl InjectedFault {
    /// `RequestLimitExceeded` (503), or what other services answer.
    pub fn throttle() -> Self {
        InjectedFault::with(FaultEffect::Throttle)
    }

    /// `Unavailable` (503).
    pub fn unavailable() -> Self {
        InjectedFault::error("Unavailable", 503)
    }

    /// `InternalError` with this status; 502 and 504 come as a gateway's HTML.
    pub fn status(status: u16) -> Self {
        match status {
            502 | 504 => InjectedFault::with(FaultEffect::Gateway(status)),
            _ => InjectedFault::error("InternalError", status),
        }
    }

    /// The connection is reset and nothing is done.
    pub fn reset() -> Self {
        InjectedFault::with(FaultEffect::Reset)
    }

    /// The call takes effect, then the connection is reset.
    pub fn reset_after() -> Self {
        InjectedFault::with(FaultEffect::ResetAfter)
    }

    /// The call takes effect after a delay, even if the client disconnects before. Delays add up, and
    /// other faults still apply.
    pub fn delay(delay: Duration) -> Self {
        InjectedFault::with(FaultEffect::Delay(delay))
    }

    /// The call takes effect at once, and its answer comes after a delay. Delays add up, and other faults
    /// still apply.
    pub fn delay_answer(delay: Duration) -> Self {
        InjectedFault::with(FaultEffect::DelayAnswer(delay))
    }

    /// The call takes effect; the answer is a 200 that ends in the middle.
    pub fn malformed() -> Self {
        InjectedFault::with(FaultEffect::Malformed)
    }

    /// `UnauthorizedOperation` (403).
    pub fn unauthorized() -> Self {
        InjectedFault::error("UnauthorizedOperation", 403)
    }

    /// `RequestExpired` (400).
    pub fn expired() -> Self {
        InjectedFault::error("RequestExpired", 400)
    }

    /// `InvalidInstanceID.NotFound` (400).
    pub fn not_found() -> Self {
        InjectedFault::error("InvalidInstanceID.NotFound", 400)
    }

    /// Any error code with any status.
    pub fn error(code: &str, status: u16) -> Self {
        let message = format!("{code}, as the test requested.");
        InjectedFault::with(FaultEffect::Refuse(ApiError {
            code: code.to_owned(),
            status,
            message,
            item: None,
        }))
    }

    /// With this message, if it is an error.
    pub fn message(mut self, message: &str) -> Self {
        if let FaultEffect::Refuse(refusal) = &mut self.effect {
            message.clone_into(&mut refusal.message);
        }
        self
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

    /// Only calls that name this instance, anywhere, or an item of the table that belongs to it.
    pub fn instance(mut self, id: &str) -> Self {
        self.instance = Some(id.to_owned());
        self
    }

    /// Only so many calls.
    pub fn times(mut self, times: u32) -> Self {
        self.left = Some(times);
        self
    }

    /// Not the first so many matching calls.
    pub fn after(mut self, calls: u32) -> Self {
        self.skipped = calls;
        self
    }

    /// Whether this call is hit; counts it.
    fn hits(&mut self, request: &ApiRequest) -> bool {
        let one_of = |wanted: &Option<String>, given: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted == given)
        };
        let matches = one_of(&self.action, &request.action)
            && one_of(&self.region, &request.region)
            && self.instance.as_ref().is_none_or(|id| {
                request
                    .params
                    .values()
                    .any(|value| value.split('#').any(|part| part == id))
            });
        if !matches || self.left == Some(0) {
            return false;
        }
        if self.skipped > 0 {
            self.skipped -= 1;
            return false;
        }
        self.left = self.left.map(|left| left - 1);
        true
    }

    fn with(effect: FaultEffect) -> Self {
        InjectedFault {
            effect,
            action: None,
            region: None,
            instance: None,
            skipped: 0,
            left: None,
        }
    }
}

/// What happens to a call.
#[derive(Debug, Default)]
pub(super) struct Fate {
    /// Before it takes effect.
    pub(super) delay: Duration,
    /// After that.
    pub(super) answer_delay: Duration,
    pub(super) effect: Option<FaultEffect>,
}

/// The sums of a call's delays, and the first other fault that hits it.
pub(super) fn befall(faults: &mut [InjectedFault], request: &ApiRequest) -> Fate {
    let mut fate = Fate::default();
    for fault in faults {
        let delayed = match fault.effect {
            FaultEffect::Delay(more) => Some((&mut fate.delay, more)),
            FaultEffect::DelayAnswer(more) => Some((&mut fate.answer_delay, more)),
            _ => None,
        };
        if let Some((delay, more)) = delayed {
            if fault.hits(request) {
                *delay += more;
            }
        } else if fate.effect.is_none() && fault.hits(request) {
            fate.effect = Some(fault.effect.clone());
        }
    }
    fate
}
