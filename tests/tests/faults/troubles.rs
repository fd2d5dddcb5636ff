//! The faults of the matrix.

use std::time::Duration;

use imds_tests::{InjectedFault, LaunchBuilder, Settle};

use crate::scenes::{Purpose, Scene, SceneTrigger};

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
    /// EC2 does not show all of the instances.
    Shown(fn(LaunchBuilder) -> LaunchBuilder),
    /// CloudWatch's answer about the instances has this status code.
    Status(&'static str),
    /// CloudWatch has no datapoints of the instances.
    NoData,
    /// While the calls wait, the instances' owners disable the endpoints.
    OwnersDisable,
    /// The item of the state table is not as the function writes it.
    Item,
    /// DynamoDB leaves the keys unprocessed so many times.
    Unprocessed(u32),
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
    /// The first describe, where the age of the instances is not known from the event's time.
    FirstDescribeWithoutLaunch,
    /// The question whether IMDSv1 is used.
    Questions,
    /// Other scenes than these have a fault like it already.
    Usual,
    /// The describes and changes of these, because the fault takes long.
    UsualLong,
    /// This action only.
    Only(&'static str),
    /// The calls of the state table.
    Table,
    /// The reads and the writes of what is counted before it is done.
    Counts(&'static str),
}

impl AffectedActions {
    pub(crate) fn includes(self, scene: &Scene) -> bool {
        let action = scene.action;
        let stateful = [
            "ModifyInstanceMetadataOptions",
            "TerminateInstances",
            "StopInstances",
        ];
        let first_describe = action == "DescribeInstances" && scene.earlier_calls == 0;
        match self {
            AffectedActions::All => true,
            AffectedActions::Named | AffectedActions::Stateful => stateful.contains(&action),
            AffectedActions::FirstDescribe => first_describe,
            AffectedActions::FirstDescribeWithoutLaunch => {
                let is_launch = [SceneTrigger::Launch, SceneTrigger::CutLaunch];
                first_describe && !is_launch.contains(&scene.trigger)
            }
            AffectedActions::Questions => scene.purpose == Purpose::Usage,
            AffectedActions::Usual => is_usual(scene),
            AffectedActions::UsualLong => {
                let actions = ["DescribeInstances", "ModifyInstanceMetadataOptions"];
                is_usual(scene) && (actions.contains(&action) || scene.is_of_table())
            }
            AffectedActions::Only(one) => action == one,
            AffectedActions::Table => scene.is_of_table(),
            AffectedActions::Counts(one) => action == one && scene.purpose.counts(),
        }
    }
}

fn is_usual(scene: &Scene) -> bool {
    let rare = [
        Purpose::Again,
        Purpose::TokensAlone,
        Purpose::RejectedCalls,
        Purpose::Release,
    ];
    !rare.contains(&scene.purpose)
        && !scene.trigger.is_of_old_instances()
        && scene.on_violation != "stop"
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

    /// Whether EC2 does not show how old the instances are, at first or ever.
    pub(crate) fn hides_age(&self) -> bool {
        [INTERFACE_LATE, INTERFACE_NEVER, INTERFACE_WITHOUT_TIME].contains(&self.name)
    }

    /// Whether EC2 never shows how old the instances are.
    pub(crate) fn hides_age_for_ever(&self) -> bool {
        self.hides_age() && self.name != INTERFACE_LATE
    }

    /// The instance as EC2 shows it.
    pub(crate) fn applied_to(&self, instance: LaunchBuilder) -> LaunchBuilder {
        match self.kind {
            TroubleKind::Shown(change) => change(instance),
            _ => instance,
        }
    }
}

pub(crate) const NOT_VISIBLE: &str = "not visible at first";
const INTERFACE_LATE: &str = "interface not visible at first";
const INTERFACE_NEVER: &str = "interface never visible";
const INTERFACE_WITHOUT_TIME: &str = "interface without a time";

use AffectedActions::{
    All, Counts, FirstDescribe, FirstDescribeWithoutLaunch, Named, Only, Questions, Stateful,
    Table, Usual, UsualLong,
};
use TroubleKind::{
    Item, Lost, NoData, OwnersDisable, Plain, Shown, Status, ThrottledFor, TimeOut, Unprocessed,
};

pub(crate) const TROUBLES: &[Trouble] = &[
    trouble(
        "throttled for 30 s",
        ThrottledFor(Duration::from_secs(30)),
        None,
        UsualLong,
    ),
    trouble(
        "throttled 5 times",
        Plain(InjectedFault::throttle),
        Some(5),
        Usual,
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
        Usual,
    ),
    trouble(
        "500 every time",
        Plain(|| InjectedFault::status(500)),
        None,
        Usual,
    ),
    trouble(
        "reset before, once",
        Plain(InjectedFault::reset),
        Some(1),
        Usual,
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
        Usual,
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
        Usual,
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
    trouble(
        NOT_VISIBLE,
        Shown(|instance| instance.visible(Settle::Describes(1))),
        None,
        FirstDescribe,
    ),
    trouble(
        INTERFACE_LATE,
        Shown(|instance| instance.interface_visible(Settle::Describes(1))),
        None,
        FirstDescribe,
    ),
    // A launch waits for it until the function's time ends.
    trouble(
        INTERFACE_NEVER,
        Shown(LaunchBuilder::no_interface),
        None,
        FirstDescribeWithoutLaunch,
    ),
    trouble(
        INTERFACE_WITHOUT_TIME,
        Shown(LaunchBuilder::no_interface_time),
        None,
        FirstDescribeWithoutLaunch,
    ),
    trouble("PartialData", Status("PartialData"), None, Questions),
    trouble("InternalError", Status("InternalError"), None, Questions),
    trouble("Forbidden", Status("Forbidden"), None, Questions),
    trouble("no datapoints", NoData, None, Questions),
    trouble(
        "endpoints disabled meanwhile",
        OwnersDisable,
        None,
        Only("ModifyInstanceMetadataOptions"),
    ),
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
        Usual,
    ),
    trouble(
        "AuthFailure",
        Plain(|| InjectedFault::error("AuthFailure", 401)),
        None,
        Usual,
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
        Usual,
    ),
    trouble(
        "credentials: ExpiredToken",
        Plain(|| InjectedFault::error("ExpiredToken", 400)),
        None,
        Usual,
    ),
    trouble(
        "no table",
        Plain(|| InjectedFault::error("ResourceNotFoundException", 400)),
        None,
        Table,
    ),
    trouble(
        "written by others once",
        Plain(written_by_others),
        Some(1),
        Counts("UpdateItem"),
    ),
    trouble(
        "written by others every time",
        Plain(written_by_others),
        None,
        Counts("UpdateItem"),
    ),
    trouble("item of another form", Item, None, Counts("GetItem")),
    trouble(
        "unprocessed once",
        Unprocessed(1),
        Some(1),
        Only("BatchGetItem"),
    ),
    trouble(
        "unprocessed every time",
        Unprocessed(u32::MAX),
        None,
        Only("BatchGetItem"),
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

fn written_by_others() -> InjectedFault {
    InjectedFault::error("ConditionalCheckFailedException", 400)
}

fn incorrect_state() -> InjectedFault {
    InjectedFault::error("IncorrectInstanceState", 400)
}
