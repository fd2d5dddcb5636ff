//! The ways in which a call goes wrong.

use std::time::Duration;

use imds_tests::Fault;

use crate::scenes::Scene;

/// One way in which calls of an action go wrong.
pub(crate) struct Trouble {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// `None`: until it is cleared.
    pub(crate) times: Option<u32>,
    /// The actions that it can befall.
    pub(crate) befalls: Befalls,
}

#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// Answered, or cut off, before anything is done.
    Plain(fn() -> Fault),
    /// Done, and the answer is lost.
    Lost(fn() -> Fault),
    /// Done, but only when the function's time is over.
    TimeOut,
    /// Throttled for so long, and the function has twice that time.
    ThrottledFor(Duration),
    /// The instances are not seen at first.
    NotVisible,
}

#[derive(Clone, Copy)]
pub(crate) enum Befalls {
    All,
    /// Those that name instances to EC2, outside a filter.
    Named,
    /// Those that need an instance in a certain state.
    Stateful,
    /// The first look at the instances.
    Seeing,
    /// The actions named here, for the sake of the time it takes.
    Only(&'static [&'static str]),
}

impl Befalls {
    pub(crate) fn includes(self, scene: &Scene) -> bool {
        let action = scene.action;
        let stateful = [
            "ModifyInstanceMetadataOptions",
            "TerminateInstances",
            "StopInstances",
        ];
        match self {
            Befalls::All => true,
            Befalls::Named => stateful.contains(&action) || action == "CreateTags",
            Befalls::Stateful => stateful.contains(&action),
            Befalls::Seeing => action == "DescribeInstances" && scene.spared == 0,
            Befalls::Only(actions) => actions.contains(&action),
        }
    }
}

impl Trouble {
    /// Whether a call may have taken effect without the function's knowledge.
    pub(crate) fn loses_answers(&self) -> bool {
        matches!(self.kind, Kind::Lost(_) | Kind::TimeOut)
    }

    /// A region that is closed to the account or to the role: what a sweep of all may leave out.
    pub(crate) fn closes_a_region(&self) -> bool {
        ["unauthorised", "not opted in", "AuthFailure"].contains(&self.name)
    }
}

use Befalls::{All, Named, Only, Seeing, Stateful};
use Kind::{Lost, NotVisible, Plain, ThrottledFor, TimeOut};

pub(crate) const TROUBLES: &[Trouble] = &[
    of(
        "throttled for 30 s",
        ThrottledFor(Duration::from_secs(30)),
        None,
        Only(&["DescribeInstances", "ModifyInstanceMetadataOptions"]),
    ),
    of("throttled 5 times", Plain(Fault::throttle), Some(5), All),
    of("throttled on and on", Plain(Fault::throttle), None, All),
    of("500 once", Plain(|| Fault::status(500)), Some(1), All),
    of("500 on and on", Plain(|| Fault::status(500)), None, All),
    of("reset before, once", Plain(Fault::reset), Some(1), All),
    of("reset before, on and on", Plain(Fault::reset), None, All),
    of("reset after, once", Lost(Fault::reset_after), Some(1), All),
    of(
        "reset after, on and on",
        Lost(Fault::reset_after),
        None,
        All,
    ),
    of("time-out", TimeOut, None, All),
    of("malformed once", Lost(Fault::malformed), Some(1), All),
    of("malformed on and on", Lost(Fault::malformed), None, All),
    of("unauthorised", Plain(Fault::unauthorised), None, All),
    of("unknown id once", Plain(Fault::not_found), Some(1), Named),
    of("unknown id on and on", Plain(Fault::not_found), None, Named),
    of("not visible at first", NotVisible, None, Seeing),
    of("wrong state once", Plain(wrong_state), Some(1), Stateful),
    of("wrong state on and on", Plain(wrong_state), None, Stateful),
    of(
        "not opted in",
        Plain(|| Fault::error("OptInRequired", 403)),
        None,
        All,
    ),
    of(
        "AuthFailure",
        Plain(|| Fault::error("AuthFailure", 401)),
        None,
        All,
    ),
    of(
        "clock skew: RequestExpired",
        Plain(Fault::expired),
        None,
        All,
    ),
    of(
        "clock skew: SignatureDoesNotMatch",
        Plain(|| Fault::error("SignatureDoesNotMatch", 403)),
        None,
        All,
    ),
    of(
        "credentials: ExpiredToken",
        Plain(|| Fault::error("ExpiredToken", 400)),
        None,
        All,
    ),
];

const fn of(name: &'static str, kind: Kind, times: Option<u32>, befalls: Befalls) -> Trouble {
    Trouble {
        name,
        kind,
        times,
        befalls,
    }
}

fn wrong_state() -> Fault {
    Fault::error("IncorrectInstanceState", 400)
}
