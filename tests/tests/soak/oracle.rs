//! What may be done to an instance, and what must have been done, written down from the project's plan and
//! not from its code.

use imds_core::instance::{DedicatedCapacity, Instance, State};
use imds_core::options::{HttpTokens, MetadataOptions, Toggle};

use crate::cloudwatch::Metered;
use crate::ec2::{DAY, HOUR, MINUTE, SimInstance, Time, is_exempt};
use crate::events::PIPELINE;

/// What told the function of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ToldBy {
    Launch(Time),
    Start,
    /// Somebody set these options then.
    Drift(Time, MetadataOptions),
    Sweep,
}

/// Who told, and when the function began to handle it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told {
    pub(crate) by: ToldBy,
    pub(crate) begun: Time,
    /// CloudWatch was asked and did not answer.
    pub(crate) in_vain: bool,
}

/// How an instance uses IMDSv1, as far as it is sure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Used,
    Unused,
    /// It ran for too short a time, or not at all.
    TooLittleData,
    /// CloudWatch does not tell.
    NotTold,
    /// At the edge of what it runs for.
    Either,
}

/// The longest that an instance is new.
const NEW: Time = 15 * MINUTE;

/// The longest that it is recent.
const RECENT: Time = DAY;

/// EC2's clock may be ahead by this.
const AHEAD: Time = 5 * MINUTE;

/// How long an observation counts.
const OBSERVED: Time = MINUTE;

/// The times in which use counts, and that must be known.
const WINDOW: Time = 14 * DAY;
const KNOWN: Time = 24 * HOUR;

/// When an instance was first launched, by what EC2 shows; `None`: not known.
pub(crate) fn first_launched(machine: &SimInstance, now: Time) -> Option<Time> {
    let started = machine.instance.started_at.unwrap().as_millisecond();
    let attached = &machine.attached;
    let is_shown = now >= attached.shown;
    let interface = is_shown.then_some(attached.interface);
    let times = || {
        interface
            .into_iter()
            .chain(attached.volumes(now))
            .chain([started])
    };
    let is_ahead = times().any(|time| time > now + AHEAD);
    times().min().filter(|_| is_shown && !is_ahead)
}

/// Why nobody may stop or terminate an instance now.
pub(crate) fn may_disrupt(
    machine: &SimInstance,
    (told, action): (&Told, &str),
    now: Time,
) -> Result<(), &'static str> {
    let age = first_launched(machine, now).map(|first| now - first);
    let tags = &machine.instance.tags;
    let has = |key: &str| tags.contains_key(key);
    let in_us = machine.instance.region.starts_with("us-");
    let asked = match action {
        "terminate" => has("sandbox") && in_us,
        _ => has("batch"),
    };
    let opened = matches!(told.by, ToldBy::Drift(_, set) if opens(&set));
    let checks = [
        (age.is_none(), "of unknown age"),
        (age.is_some_and(|age| age > NEW), "that is not new"),
        (!asked, "that the policy does not disrupt"),
        (machine.will_be_exempt(), "that is exempt"),
        (
            is_launched_exempt(machine),
            "that is exempt by its launcher",
        ),
        (opened, "whose options somebody changed"),
        (is_replaced(machine), "that would be replaced"),
        (is_restored(machine, now - OBSERVED), "that was restored"),
        (
            machine.instance.dedicated == Some(DedicatedCapacity::DedicatedHost),
            "of a dedicated host",
        ),
    ];
    let broken = checks.into_iter().find(|(holds, _)| *holds);
    broken.map_or(Ok(()), |(_, what)| Err(what))
}

fn is_replaced(machine: &SimInstance) -> bool {
    let keys = machine.instance.tags.iter();
    let mut keys = keys.filter(|(key, value)| {
        let is_of_any_launch = [
            "aws:backup:",
            "aws:cloudformation:",
            "aws:ec2launchtemplate:",
            "aws:servicecatalog:",
        ]
        .iter()
        .any(|prefix| key.starts_with(prefix));
        let owned = [
            "kubernetes.io/cluster/",
            "sigs.k8s.io/cluster-api-provider-aws/cluster/",
        ]
        .iter()
        .any(|prefix| key.starts_with(prefix) && *value == "owned");
        let named = [
            "karpenter.sh/nodepool",
            "karpenter.sh/provisioner-name",
            "spotinst:aws:ec2:group:id",
        ];
        key.starts_with("aws:") && !is_of_any_launch || owned || named.contains(&key.as_str())
    });
    machine.is_persistent || machine.instance.managed_by.is_some() || keys.next().is_some()
}

fn is_restored(machine: &SimInstance, now: Time) -> bool {
    let launched = machine.attached.interface + 2 * MINUTE;
    let mut keys = machine.instance.tags.keys();
    let marks = [
        "aws:backup:",
        "AWSElasticDisasterRecovery",
        "AWSApplicationMigrationService",
    ];
    keys.any(|key| marks.iter().any(|mark| key.starts_with(mark)))
        || machine
            .attached
            .volumes(now)
            .any(|volume| volume > launched)
}

/// The hourly limit that setting options counts towards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counts {
    Existing,
    /// When they were changed: an event that comes twice counts once.
    Drift(Time),
}

/// Towards which limit it counts to set an instance's options now, as far as that is sure: an instance may
/// have become old since it was observed.
pub(crate) fn counts_towards(machine: &SimInstance, told: &Told, now: Time) -> Option<Counts> {
    if let ToldBy::Drift(at, set) = told.by
        && has_caused(machine, &set)
    {
        return Some(Counts::Drift(at));
    }
    let is_old = |at| first_launched(machine, at).is_none_or(|first| at - first > RECENT);
    (is_old(told.begun) && is_old(now)).then_some(Counts::Existing)
}

/// Whether a launch event names an instance that was new when it began to be handled, which nobody can have
/// exempted yet.
pub(crate) fn is_new_launch(machine: &SimInstance, told: &Told, now: Time) -> bool {
    let mut ages = [told.begun, now]
        .into_iter()
        .filter_map(|at| Some(at - first_launched(machine, at)?));
    matches!(told.by, ToldBy::Launch(_)) && ages.any(|age| age <= NEW)
}

/// Whether it was launched by somebody whose launches are exempt.
fn is_launched_exempt(machine: &SimInstance) -> bool {
    machine
        .instance
        .tags
        .get(PIPELINE)
        .is_some_and(|user| user == "ci")
}

/// Why nobody may set the options of an instance now. What was asked for when the function began to handle
/// the event counts until it has ended.
pub(crate) fn may_enforce(
    machine: &SimInstance,
    told: &Told,
    now: Time,
) -> Result<(), &'static str> {
    let then = may_enforce_at(machine, told.by, told.begun);
    let now = then.or_else(|_| may_enforce_at(machine, told.by, now));
    match (now, told.by) {
        // Without an answer nothing keeps what somebody opened from being enforced.
        (Err(_), ToldBy::Drift(_, set)) if told.in_vain && has_caused(machine, &set) => Ok(()),
        (now, _) => now,
    }
}

fn may_enforce_at(machine: &SimInstance, by: ToldBy, now: Time) -> Result<(), &'static str> {
    if let ToldBy::Drift(at, set) = by
        && has_caused(machine, &set)
    {
        // CloudWatch's hours begin on whole ones.
        let surely = (at - DAY + HOUR, at);
        let is_rejected = calls(machine, surely, &[Metered::Rejected]);
        return match is_rejected && machine.software.is_told(now) {
            true => Err("that somebody opened after calls were rejected"),
            false => Ok(()),
        };
    }
    let age = first_launched(machine, now).map(|first| now - first);
    let usage = usage(machine, now);
    match (age, by) {
        (Some(..=NEW), _) => Ok(()),
        (Some(..=RECENT), ToldBy::Launch(at)) if is_of_now(at, now) => Ok(()),
        (Some(..=RECENT), _) => match usage {
            Use::Unused | Use::TooLittleData | Use::Either => Ok(()),
            Use::Used => Err("recent, in use"),
            Use::NotTold => Err("recent, of unknown use"),
        },
        (Some(_) | None, _) => match usage {
            Use::Unused | Use::Either => Ok(()),
            Use::Used => Err("old, in use"),
            Use::TooLittleData | Use::NotTold => Err("old, of unknown use"),
        },
    }
}

/// Whether an event is of the last 15 minutes. One from the future proves nothing.
fn is_of_now(at: Time, now: Time) -> bool {
    (-AHEAD..=15 * MINUTE).contains(&(now - at))
}

fn opens(options: &MetadataOptions) -> bool {
    options.http_tokens == Some(HttpTokens::Optional)
}

/// Whether one of the options that somebody set is not as required, and tokens were before.
fn has_caused(machine: &SimInstance, set: &MetadataOptions) -> bool {
    let [tokens, hops, _] = violations(machine);
    let has_set_hops = hops && set.hop_limit == machine.instance.options.hop_limit;
    match tokens {
        true => opens(set),
        false => has_set_hops,
    }
}

fn usage(machine: &SimInstance, now: Time) -> Use {
    let window = (now - WINDOW, now);
    let is_told = machine.software.is_told(now);
    let spans = machine.software.spans(window);
    let ran: Time = spans.map(|(from, to, _)| to - from).sum();
    if calls(machine, window, &[Metered::Accepted, Metered::Rejected]) {
        // Datapoints of the hour before the window may be left out, or of an answer that is not whole.
        let surely = (now - WINDOW + HOUR, now);
        let surely = calls(machine, surely, &[Metered::Accepted, Metered::Rejected]);
        return if surely { Use::Used } else { Use::Either };
    }
    match ran {
        _ if !is_told => Use::NotTold,
        ran if ran >= KNOWN + HOUR => Use::Unused,
        ran if ran < KNOWN - 2 * HOUR => Use::TooLittleData,
        _ => Use::Either,
    }
}

/// Whether its software called without a token, and it was counted like this.
fn calls(machine: &SimInstance, window: (Time, Time), like: &[Metered]) -> bool {
    let (first, last) = machine.software.calls;
    let mut spans = machine.software.spans(window);
    spans.any(|(from, to, metered)| like.contains(&metered) && from.max(first) < to.min(last))
}

/// Whether there is no IMDSv1 to attack, or nobody may change that, after everything that EC2 shows was
/// asked for at a time.
pub(crate) fn is_as_required_after(machine: &SimInstance, asked: Time) -> bool {
    let launched_now = machine.instance.started_at.unwrap().as_millisecond() > asked - 5 * MINUTE;
    machine.ended.is_some()
        || machine.is_exempt()
        || is_compliant(machine)
        || machine.touched >= asked - MINUTE
        || launched_now
        // By its launcher, who is not always known.
        || machine.instance.tags.contains_key(PIPELINE)
        || machine.denies
        || may_enforce_at(machine, ToldBy::Sweep, asked).is_err()
        || usage(machine, asked) == Use::Either
}

fn is_compliant(machine: &SimInstance) -> bool {
    machine.instance.options.http_endpoint == Some(Toggle::Disabled)
        || violations(machine) == [false; 3]
}

/// Whether tokens, the hop limit and the tags shown are not as the policy requires. Tags cannot be shown
/// where a key has a slash.
fn violations(machine: &SimInstance) -> [bool; 3] {
    let Instance { options, tags, .. } = &machine.instance;
    let has = |key: &str| tags.contains_key(key);
    let hops = u8::from(options.hop_limit.unwrap());
    let in_us = machine.instance.region.starts_with("us-");
    let decided_before = has("sandbox") && in_us || has("batch");
    let kubernetes = !decided_before && has("eks:cluster-name");
    let edge = !decided_before && !kubernetes && has("edge");
    let shows = !decided_before && !kubernetes && !edge && has("shows-tags");
    let refused = tags.keys().any(|key| key.contains('/'));
    let shown = options.instance_metadata_tags == Some(Toggle::Enabled);
    [
        options.http_tokens != Some(HttpTokens::Required),
        kubernetes && hops < 2 || edge && hops > 1,
        shows && !shown && !refused,
    ]
}

/// What stands at the end.
pub(crate) fn final_state(machine: &SimInstance) -> &'static str {
    let is_stopped = machine.instance.state == Some(State::Stopped);
    match () {
        () if machine.ended.is_some() => "ended",
        () if machine.is_exempt() => "exempt",
        () if machine.instance.options.http_endpoint == Some(Toggle::Disabled) => {
            "endpoint disabled"
        }
        () if is_compliant(machine) && is_stopped => "as required, stopped",
        () if is_compliant(machine) => "as required",
        () if machine.denies => "managed, and denied",
        () => "reported",
    }
}

/// What a change of options must not do to an instance that was described like this.
pub(crate) fn widens(
    machine: &SimInstance,
    set: &MetadataOptions,
    described: &Instance,
) -> Option<&'static str> {
    let has = &machine.instance.options;
    let edge = machine.instance.tags.contains_key("edge");
    let lowers = set.hop_limit.is_some_and(|to| Some(to) < has.hop_limit) && !edge;
    let shows = set.instance_metadata_tags == Some(Toggle::Enabled)
        && !machine.instance.tags.contains_key("shows-tags");
    let broken = [
        (
            set.http_endpoint == Some(Toggle::Enabled),
            "endpoint enabled",
        ),
        (
            set.http_tokens == Some(HttpTokens::Optional),
            "tokens made optional",
        ),
        (lowers, "hop limit lowered"),
        (shows, "tags shown that the policy does not show"),
        (
            set.http_protocol_ipv6.is_some(),
            "an option set that the policy does not name",
        ),
        (is_exempt(&described.tags), "exempt instance enforced"),
        (
            is_launched_exempt(machine),
            "enforced, and exempt by its launcher",
        ),
    ];
    let broken = broken.into_iter().find(|(holds, _)| *holds);
    broken.map(|(_, what)| what)
}
