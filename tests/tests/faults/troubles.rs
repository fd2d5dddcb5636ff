//! The faults of the matrix.

use std::time::Duration;

use imds_tests::InjectedFault;

use crate::scenes::Scene;

/// A fault of the calls of an action.
pub(crate) struct Trouble {
    pub(crate) name: &'static str,
    pub(crate) kind: TroubleKind,
    /// How many calls it hits; `None`: all until it is cleared.
    pub(crate) times: Option<u32>,
    /// The actions that it can hit.
    pub(crate) affects: AffectedActions,
}

#[derive(Clone, Copy)]
pub(crate) enum TroubleKind {
    /// The call is rejected, or reset before it takes effect.
    Plain(fn() -> InjectedFault),
    /// The call takes effect, and its answer is lost.
    Lost(fn() -> InjectedFault),
    /// The call takes effect after the function's timeout.
    TimeOut,
    /// Throttled for this time; the function has twice as long.
    ThrottledFor(Duration),
    /// The instances are not visible at first.
    NotVisible,
}

#[derive(Clone, Copy)]
pub(crate) enum AffectedActions {
    All,
    /// Actions with instance ids outside a filter.
    Named,
    /// Actions that need an instance in a certain state.
    Stateful,
    /// The first describe of the instances.
    FirstDescribe,
    /// These actions only, because the fault takes long.
    Only(&'static [&'static str]),
}

impl AffectedActions {
    pub(crate) fn includes(self, scene: &Scene) -> bool {
        let action = scene.action;
        let stateful = [
            "ModifyInstanceMetadataOptions",
            "TerminateInstances",
            "StopInstances",
        ];
        match self {
            AffectedActions::All => true,
            AffectedActions::Named => stateful.contains(&action) || action == "CreateTags",
            AffectedActions::Stateful => stateful.contains(&action),
            AffectedActions::FirstDescribe => {
                action == "DescribeInstances" && scene.earlier_calls == 0
            }
            AffectedActions::Only(actions) => actions.contains(&action),
        }
    }
}

impl Trouble {
    /// Whether a call may take effect without an answer.
    pub(crate) fn loses_answers(&self) -> bool {
        matches!(self.kind, TroubleKind::Lost(_) | TroubleKind::TimeOut)
    }

    /// Whether it closes a region to the account or the role, so that a sweep of all regions may leave it out.
    pub(crate) fn closes_a_region(&self) -> bool {
        ["unauthorized", "not opted in", "AuthFailure"].contains(&self.name)
    }
}

use AffectedActions::{All, FirstDescribe, Named, Only, Stateful};
use TroubleKind::{Lost, NotVisible, Plain, ThrottledFor, TimeOut};

pub(crate) const TROUBLES: &[Trouble] = &[
    trouble(
        "throttled for 30 s",
        ThrottledFor(Duration::from_secs(30)),
        None,
        Only(&["DescribeInstances", "ModifyInstanceMetadataOptions"]),
    ),
    trouble(
        "throttled 5 times",
        Plain(InjectedFault::throttle),
        Some(5),
        All,
    ),
    trouble(
        "throttled every time",
        Plain(InjectedFault::throttle),
        None,
        All,
    ),
    trouble(
        "500 once",
        Plain(|| InjectedFault::status(500)),
        Some(1),
        All,
    ),
    trouble(
        "500 every time",
        Plain(|| InjectedFault::status(500)),
        None,
        All,
    ),
    trouble(
        "reset before, once",
        Plain(InjectedFault::reset),
        Some(1),
        All,
    ),
    trouble(
        "reset before, every time",
        Plain(InjectedFault::reset),
        None,
        All,
    ),
    trouble(
        "reset after, once",
        Lost(InjectedFault::reset_after),
        Some(1),
        All,
    ),
    trouble(
        "reset after, every time",
        Lost(InjectedFault::reset_after),
        None,
        All,
    ),
    trouble("time-out", TimeOut, None, All),
    trouble(
        "malformed once",
        Lost(InjectedFault::malformed),
        Some(1),
        All,
    ),
    trouble(
        "malformed every time",
        Lost(InjectedFault::malformed),
        None,
        All,
    ),
    trouble(
        "unauthorized",
        Plain(InjectedFault::unauthorized),
        None,
        All,
    ),
    trouble(
        "unknown id once",
        Plain(InjectedFault::not_found),
        Some(1),
        Named,
    ),
    trouble(
        "unknown id every time",
        Plain(InjectedFault::not_found),
        None,
        Named,
    ),
    trouble("not visible at first", NotVisible, None, FirstDescribe),
    trouble(
        "incorrect state once",
        Plain(incorrect_state),
        Some(1),
        Stateful,
    ),
    trouble(
        "incorrect state every time",
        Plain(incorrect_state),
        None,
        Stateful,
    ),
    trouble(
        "not opted in",
        Plain(|| InjectedFault::error("OptInRequired", 403)),
        None,
        All,
    ),
    trouble(
        "AuthFailure",
        Plain(|| InjectedFault::error("AuthFailure", 401)),
        None,
        All,
    ),
    trouble(
        "clock skew: RequestExpired",
        Plain(InjectedFault::expired),
        None,
        All,
    ),
    trouble(
        "clock skew: SignatureDoesNotMatch",
        Plain(|| InjectedFault::error("SignatureDoesNotMatch", 403)),
        None,
        All,
    ),
    trouble(
        "credentials: ExpiredToken",
        Plain(|| InjectedFault::error("ExpiredToken", 400)),
        None,
        All,
    ),
];

const fn trouble(
    name: &'static str,
    kind: TroubleKind,
    times: Option<u32>,
    affects: AffectedActions,
) -> Trouble {
    Trouble {
        name,
        kind,
        times,
        affects,
    }
}

fn incorrect_state() -> InjectedFault {
    InjectedFault::error("IncorrectInstanceState", 400)
}
