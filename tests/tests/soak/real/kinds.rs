//! The kinds of instances, what tells of each, and what must become of it.

use std::time::Duration;

use fastrand::Rng;
use imds_tests::{FakeAws, LaunchBuilder, Settle, launch};

use super::tell::Tell;
use super::{GRACE, PAUSED};
use crate::support::{DAY, HOUR, MINUTE, REGION, ago, hourly, in_use, seconds, unused};

/// Instances of one launch.
pub(super) struct RealKind {
    pub(super) what: LaunchBuilder,
    pub(super) count: usize,
    pub(super) use_of: UseOf,
    pub(super) tell: Tell,
    pub(super) expected: Expected,
    /// How long an invocation about it may take.
    pub(super) timeout: Duration,
}

/// What must be true of an instance at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// It runs, and tokens are required.
    Enforced,
    /// Tokens are required, or it was terminated.
    Terminated,
    /// It is enforced, and it may have been stopped or terminated.
    Disrupted,
    /// It is the same if an event was answered that told more than EC2 shows; else it may be terminated.
    EnforcedIfTold,
    /// Tokens are required, and it may be stopped.
    Stopped,
    /// No changing call names it.
    Left,
    /// The same, because a person exempts it.
    ExemptByEntry,
    /// The same, because a person has paused its region.
    Paused,
    /// The same, but where CloudWatch gave no answer, so that most of them are left.
    MostlyLeft,
    /// It is as it was; EC2 denies every change.
    Denied,
    /// Its owner has disabled the endpoint, and it runs.
    EndpointDisabled,
    /// It runs, and either is right.
    EnforcedOrLeft,
}

/// What CloudWatch tells of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum UseOf {
    NoData,
    Unused,
    InUse,
    /// Until four days ago.
    WasInUse,
    /// Calls were rejected within the last hours.
    Rejected,
    /// A status code, and no call in what is shown.
    Status(&'static str),
    /// CloudWatch has data for half a day.
    TooLittle,
}

impl UseOf {
    pub(super) fn tell(self, ec2: &FakeAws, id: &str) {
        match self {
            UseOf::NoData => {}
            UseOf::Unused => unused(ec2, id),
            UseOf::InUse => in_use(ec2, id),
            UseOf::WasInUse => {
                unused(ec2, id);
                hourly(ec2, id, "MetadataNoToken", 4, 90, 50.0);
            }
            UseOf::Rejected => {
                unused(ec2, id);
                hourly(ec2, id, "MetadataNoTokenRejected", 3, 2, 7.0);
            }
            UseOf::Status(code) => {
                unused(ec2, id);
                ec2.set_status_code(id, "MetadataNoToken", code);
            }
            UseOf::TooLittle => hourly(ec2, id, "MetadataNoToken", 12, 1, 0.0),
        }
    }

    /// What becomes of an instance that is old, or of unknown age.
    fn of_old(self) -> Expected {
        match self {
            UseOf::Unused => Expected::Enforced,
            UseOf::NoData
            | UseOf::InUse
            | UseOf::WasInUse
            | UseOf::Rejected
            | UseOf::Status(_)
            | UseOf::TooLittle => Expected::Left,
        }
    }
}

const USES: &[UseOf] = &[
    UseOf::NoData,
    UseOf::Unused,
    UseOf::Unused,
    UseOf::InUse,
    UseOf::WasInUse,
    UseOf::Status("PartialData"),
    UseOf::Status("InternalError"),
    UseOf::Status("Forbidden"),
    UseOf::TooLittle,
];

/// What may tell of an old instance.
const TOLD_OF_OLD: &[Tell] = &[
    Tell::Start,
    Tell::StateChange("pending"),
    Tell::StateChange("running"),
    Tell::ReplayedLaunch,
    Tell::ReplayedStart,
    Tell::ForgedLaunch,
    Tell::LaunchOfTomorrow,
    Tell::CutLaunch,
];

/// What may tell of an instance that was launched hours ago, but does not say that it is new.
const TOLD_OF_RECENT: &[Tell] = &[
    Tell::StateChange("running"),
    Tell::LaunchOfTomorrow,
    Tell::LateLaunch,
];

impl RealKind {
    fn new(what: LaunchBuilder, expected: Expected) -> Self {
        RealKind {
            what,
            count: 2,
            use_of: UseOf::NoData,
            tell: Tell::Launch,
            expected,
            timeout: Duration::from_secs(30),
        }
    }

    fn told_by(self, tell: Tell) -> Self {
        RealKind { tell, ..self }
    }

    fn using(self, use_of: UseOf) -> Self {
        RealKind { use_of, ..self }
    }
}

/// One of something.
fn one_of<T: Copy>(rng: &mut Rng, all: &[T]) -> T {
    all[rng.usize(0..all.len())]
}

/// What the policy disrupts, if it is new.
fn tempting(rng: &mut Rng) -> LaunchBuilder {
    let tag = one_of(rng, &["sandbox", "batch"]);
    launch(REGION).tag(tag, "x")
}

pub(super) fn kind(rng: &mut Rng) -> RealKind {
    match rng.u32(0..100) {
        0..40 => ordinary(rng),
        40..62 => old(rng),
        62..78 => milder(rng),
        78..83 => refused(rng),
        83..90 => hard_to_see(rng),
        90..94 => recent(rng),
        94..97 => left_by_people(rng),
        _ => tagged_late_or_early(rng),
    }
}

/// New instances that an event tells of.
fn ordinary(rng: &mut Rng) -> RealKind {
    let new = launch(REGION)
        .hop_limit(rng.u8(1..5))
        .tokens(if rng.bool() { "required" } else { "optional" });
    let (new, expected) = match rng.u8(0..20) {
        0 => (new.tag("app", "scanner-9"), Expected::Left),
        1 => (new.endpoint("disabled"), Expected::Left),
        2 | 3 => (new.tag("sandbox", "x"), Expected::Terminated),
        4 => (new.tag("batch", "x"), Expected::Stopped),
        5 => (new.tag("sandbox", "x").spot(), Expected::Terminated),
        6 => (new.refuse_modify(2), Expected::Enforced),
        7 | 8 => (new.tokens("optional"), Expected::EndpointDisabled),
        _ => (new, Expected::Enforced),
    };
    let tell = match rng.u8(0..20) {
        0 => Tell::CutLaunch,
        1 => Tell::CutLaunchWithoutToken,
        2 => Tell::StateChange("running"),
        _ => Tell::Launch,
    };
    RealKind {
        count: rng.usize(1..10),
        ..RealKind::new(new, expected).told_by(tell)
    }
}

/// Old instances that were started, or that a replayed or a forged event names.
fn old(rng: &mut Rng) -> RealKind {
    let what = tempting(rng).launched(seconds(90 * DAY));
    let what = match rng.u8(0..3) {
        0 => what,
        1 => what.started(seconds(30)).state("pending"),
        _ => what.started(seconds(30)),
    };
    let use_of = one_of(rng, USES);
    let old = RealKind::new(what, use_of.of_old()).using(use_of);
    match rng.u8(0..10) {
        // Somebody opened it after software had failed.
        0 => RealKind {
            expected: Expected::MostlyLeft,
            ..old.told_by(Tell::Drift).using(UseOf::Rejected)
        },
        // Somebody says so, and nothing had failed.
        1 => RealKind {
            expected: Expected::EnforcedOrLeft,
            ..old.told_by(Tell::Drift)
        },
        _ => old.told_by(one_of(rng, TOLD_OF_OLD)),
    }
}

/// New instances that are enforced at most, because something stands behind them.
fn milder(rng: &mut Rng) -> RealKind {
    let new = tempting(rng);
    let a_while_ago = || new.clone().launched(seconds(9 * MINUTE));
    let what = match rng.u8(0..13) {
        0 => new.in_group("web"),
        1 => new.tag("aws:elasticmapreduce:job-flow-id", "j-1"),
        2 => new.tag("aws:batch:compute-environment", "b"),
        3 => new.tag("kubernetes.io/cluster/a", "owned"),
        4 => new.tag("karpenter.sh/provisioner-name", "default"),
        5 => new.tag("aws:backup:source-resource", "vol-1"),
        6 => new.tag("Name", "Packer Builder"),
        7 => a_while_ago().second_volume_at(ago(MINUTE)),
        8 => new.persistent_spot(),
        9 => new.tenancy("host"),
        10 => new.capacity_block(),
        11 => new.managed_by("ecs.amazonaws.com"),
        _ => {
            let managed = new.managed_by("eks.amazonaws.com");
            let denying = managed.denies_changes();
            let tell = one_of(rng, &[Tell::Launch, Tell::StateChange("running")]);
            return RealKind::new(denying, Expected::Denied).told_by(tell);
        }
    };
    RealKind::new(what, Expected::Enforced)
}

/// Instances on which EC2 refuses one of two options.
fn refused(rng: &mut Rng) -> RealKind {
    let new = launch(REGION);
    let what = match rng.u8(0..4) {
        0 => new.tag("shows-tags", "x").tag("example.com/team", "a"),
        1 => new.tag("shows-tags", "x"),
        2 => new.tag("ipv6", "x").instance_type("m4.large"),
        _ => new.tag("ipv6", "x").instance_type("m7g.large"),
    };
    RealKind::new(what, Expected::Enforced)
}

/// Instances that EC2 shows late, or never wholly, or with strange times.
fn hard_to_see(rng: &mut Rng) -> RealKind {
    let new = tempting(rng);
    let expected = Expected::Left;
    match rng.u8(0..9) {
        0 => RealKind {
            // A launch waits for the interface until the time of the function ends.
            timeout: Duration::from_secs(3),
            count: 1,
            ..RealKind::new(new.no_interface(), expected)
        },
        1 => {
            let tell = Tell::StateChange("running");
            RealKind::new(new.no_interface(), expected).told_by(tell)
        }
        2 => {
            let tell = Tell::StateChange("running");
            RealKind::new(new.no_interface_time().no_volumes(), expected).told_by(tell)
        }
        3 => RealKind::new(new.root_volume_attached_at(ago(90 * DAY)), expected),
        4 => RealKind::new(new.second_interface_at(ago(30 * DAY)), Expected::Enforced)
            .using(UseOf::Unused),
        5 | 6 => {
            let shown = new.interface_visible(Settle::Describes(2));
            RealKind::new(shown.in_group("web"), Expected::Enforced)
        }
        _ => {
            // It turns 15 minutes old while the events are handled.
            let nearly_old = new.launched(seconds(15 * MINUTE - rng.u64(1..40)));
            RealKind::new(nearly_old, Expected::Disrupted)
        }
    }
}

/// Instances that were launched hours ago, and missed until now.
fn recent(rng: &mut Rng) -> RealKind {
    let use_of = one_of(rng, &[UseOf::NoData, UseOf::TooLittle, UseOf::InUse]);
    let expected = match use_of {
        UseOf::InUse => Expected::Left,
        _ => Expected::Enforced,
    };
    let recent = tempting(rng).launched(seconds(20 * HOUR));
    RealKind::new(recent, expected)
        .using(use_of)
        .told_by(one_of(rng, TOLD_OF_RECENT))
}

/// Instances that people exempt, or in a region that they have paused.
fn left_by_people(rng: &mut Rng) -> RealKind {
    let new = tempting(rng);
    let old = new.clone().launched(seconds(90 * DAY));
    match rng.u8(0..4) {
        // A launch is enforced where the table is not available.
        0 => RealKind::new(new, Expected::ExemptByEntry).told_by(Tell::StateChange("running")),
        1 => RealKind::new(old, Expected::ExemptByEntry)
            .using(UseOf::Unused)
            .told_by(one_of(rng, TOLD_OF_OLD)),
        _ => {
            let old = launch(PAUSED)
                .tag("sandbox", "x")
                .launched(seconds(90 * DAY));
            let tells = [Tell::ForgedLaunch, Tell::ReplayedLaunch];
            RealKind::new(old, Expected::Paused)
                .using(UseOf::Unused)
                .told_by(one_of(rng, &tells))
        }
    }
}

/// Instances whose tags come after the launch, or are in its record only.
fn tagged_late_or_early(rng: &mut Rng) -> RealKind {
    let new = tempting(rng);
    match rng.u8(0..3) {
        0 => {
            let late = Settle::After(GRACE / 2);
            let new = new.launched(seconds(2));
            RealKind::new(new.late_tag("app", "scanner-9", late), Expected::Left)
        }
        1 => RealKind::new(new, Expected::EnforcedIfTold)
            .told_by(Tell::LaunchWithTag("aws:autoscaling:groupName", "web")),
        _ => {
            let plain = launch(REGION);
            RealKind::new(plain, Expected::Enforced)
                .told_by(Tell::LaunchWithTag("app", "scanner-9"))
        }
    }
}
