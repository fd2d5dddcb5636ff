//! What the function would do with an event, and why: the decision, its trace and its plan, without a
//! call.

mod calls;
mod each;
mod text;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::age::Attachments;
use crate::count::count;
use crate::decide::{Decision, is_decided_by_principals};
use crate::event::{Event, Launch, Malformed, MetadataChange, Origin, Start, Sweep, parse};
use crate::instance::InstanceId;
use crate::options::MetadataOptions;
use crate::plan::{Plan, Step};
use crate::policy::{Action, NewInstances, Policy};
use crate::report::{Outcome, Trigger};
use crate::trace::{KnownFacts, RuleTrace, trace};
pub use each::{ExplainedEvent, ExplainedEvents, explain_each};

/// An event, and what the function would do with it. Its `Display` is for the terminal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// What kind of event it is.
    pub trigger: Trigger,
    /// The account, where the event names it.
    pub account: Option<String>,
    /// The region, where the event names it.
    pub region: Option<String>,
    /// When it happened, where the event says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<Timestamp>,
    /// Who made the call.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub principals: Vec<String>,
    /// Notes on the event as a whole.
    pub notes: Vec<String>,
    /// The instances that the event records, each once.
    pub instances: Vec<ExplainedInstance>,
    /// What the event does not record, so that EC2 would be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_recorded: Option<NotRecorded>,
}

/// One instance as the event records it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExplainedInstance {
    /// The instance.
    pub instance_id: InstanceId,
    /// Its options; `null` where the event does not record them.
    pub options: MetadataOptions,
    /// Every rule of the policy, in its order.
    pub rules: Vec<RuleTrace>,
    /// The rule that decides; `null`: no rule.
    pub rule: Option<String>,
    /// The options that do not satisfy the policy, by their names there.
    pub violations: Vec<&'static str>,
    /// The outcome, unless EC2 describes the instance otherwise or refuses.
    pub outcome: Outcome,
    /// Why, as a sentence.
    pub reason: String,
    /// Until when the function would wait before it describes the instance again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_until: Option<Timestamp>,
    /// The calls that the function would make for it, in their order.
    pub calls: Vec<String>,
    /// What would be done where EC2 refuses the last call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback: Option<String>,
}

/// Instances that the event does not record, or not well enough.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotRecorded {
    /// Which they are.
    pub what: String,
    /// The calls with which the function would observe them.
    pub calls: Vec<String>,
    /// The rules, as far as anything is known.
    pub rules: Vec<RuleTrace>,
    /// What happens to a non-compliant instance that no rule matches.
    pub otherwise: Action,
    /// Why less may be done than the rules say.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub at_most: Vec<String>,
}

impl Explanation {
    /// Whether the event shows an instance that is not compliant.
    pub fn has_violations(&self) -> bool {
        let mut instances = self.instances.iter();
        instances.any(|instance| !instance.violations.is_empty())
    }

    fn new(trigger: Trigger, origin: &Origin) -> Self {
        Explanation {
            trigger,
            account: origin.account.clone(),
            region: Some(origin.region.clone()),
            time: origin.time,
            principals: origin.principals.clone(),
            notes: Vec::new(),
            instances: Vec::new(),
            not_recorded: None,
        }
    }
}

/// Explains an event.
///
/// # Errors
/// When the event is malformed, with the function's own error.
pub fn explain(
    event_json: &str,
    policy: &Policy,
    now: Timestamp,
) -> Result<Explanation, Malformed> {
    Ok(match parse(event_json)? {
        Event::Launch(launch) => launched(launch, policy, now),
        Event::MetadataChange(change) => changed(&change, policy, now),
        Event::Start(start) => started(&start, policy, now),
        Event::Sweep(sweep) => swept(sweep, policy, now),
        Event::Ignored(ignored) => Explanation {
            trigger: Trigger::Ignored,
            account: ignored.account,
            region: ignored.region,
            time: None,
            principals: Vec::new(),
            notes: vec![format!("{NOTHING_DONE}{}", ignored.reason)],
            instances: Vec::new(),
            not_recorded: None,
        },
    })
}

fn launched(mut launch: Launch, policy: &Policy, now: Timestamp) -> Explanation {
    let mut explanation = Explanation::new(Trigger::Launch, &launch.origin);
    let launched_at = assumed_launch(&launch.origin, &policy.new_instances, now);
    for instance in &mut launch.instances {
        instance.started_at = Some(launched_at);
        instance.attachments = Attachments::at_launch(launched_at);
    }
    explanation.notes.push(format!(
        "explained for new instances, first launched at {}: EC2 shows whether they are; {} after its \
         first launch an instance is enforced at most, and where the launch event is older than 15 minutes, \
         only after CloudWatch was asked for calls without a token",
        launched_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        count(policy.new_instances.disrupt_within_minutes, "minute")
    ));
    if launch.is_cut() {
        let note = "CloudTrail left instances out of the record, as it does above 100 KB";
        explanation.notes.push(note.to_owned());
        explanation.not_recorded = Some(cut(&launch, policy, now));
    }
    let mut plan = Plan::for_launch(policy, &launch, now);
    plan.limit_disruptions(policy.limits.disruptions_per_hour);
    let steps = plan.steps.into_iter();
    explanation.instances = steps
        .map(|step| ExplainedInstance::new(step, policy, now))
        .collect();
    explanation
}

/// The time of the event, and of an old event, as if it were delivered when the grace period is over.
fn assumed_launch(origin: &Origin, limits: &NewInstances, now: Timestamp) -> Timestamp {
    let is_new = |time: &Timestamp| *time <= now && now <= limits.disrupt_until(*time);
    let grace_over = now.checked_sub(SignedDuration::from_secs(i64::from(limits.grace())));
    origin
        .time
        .filter(is_new)
        .or(grace_over.ok())
        .unwrap_or(now)
}

impl ExplainedInstance {
    fn new(step: Step, policy: &Policy, now: Timestamp) -> Self {
        let rules = trace(policy, &step.instance, now);
        let waits_until = step.waits_until(policy, now);
        let remembers = is_decided_by_principals(policy, &step.instance, now);
        let non_compliant = step.non_compliant();
        let violations = non_compliant.map_or(&[][..], |it| &it.violations);
        let decides = rules.iter().find(|rule| rule.decides());
        let is_gone = matches!(step.decision, Decision::Gone(_));
        ExplainedInstance {
            rule: decides.filter(|_| !is_gone).map(|rule| rule.rule.clone()),
            rules,
            violations: violations.iter().map(|it| it.option().name()).collect(),
            outcome: step.decision.outcome(),
            reason: step.decision.to_string(),
            waits_until,
            calls: calls::calls(&step, waits_until, remembers),
            fallback: non_compliant.and_then(|it| calls::fallback(it, &policy.limits)),
            instance_id: step.instance.id,
            options: step.instance.options,
        }
    }
}

fn cut(launch: &Launch, policy: &Policy, now: Timestamp) -> NotRecorded {
    let (least, _) = launch.asked.unwrap_or((1, 1));
    let missing = least.saturating_sub(launch.instances.len()).max(1);
    let call = match (launch.client_token_filter(), launch.origin.time) {
        (Some(token), _) => format!("{} client-token={token}", calls::DESCRIBE),
        (None, Some(time)) => format!(
            "{} launch-time={} and the minutes around it; those first launched from 5 s before to \
             120 s after {time} count",
            calls::DESCRIBE,
            time.strftime("%Y-%m-%dT%H:%M")
        ),
        (None, None) => {
            "none: without a client token and a time they cannot be found; the function \
                         fails, and the next sweep finds them"
                .to_owned()
        }
    };
    let mut facts = KnownFacts::from_origin(&launch.origin);
    // Only the token shows that an instance is of this launch.
    if launch.client_token.is_some() {
        facts.principals.clone_from(&launch.origin.principals);
    }
    NotRecorded {
        what: format!("at least {}", count(missing, "launched instance")),
        calls: vec![call],
        rules: facts.trace(policy, now),
        otherwise: policy.on_violation,
        at_most: Vec::new(),
    }
}

fn changed(change: &MetadataChange, policy: &Policy, now: Timestamp) -> Explanation {
    let mut explanation = Explanation::new(Trigger::MetadataChange, &change.origin);
    let id = &change.instance_id;
    let set = calls::parameters(&change.set);
    let set = if set.is_empty() { "nothing" } else { &set };
    explanation
        .notes
        .push(format!("the call set {set} on {id}"));
    let could = policy.could_have_set(&change.set);
    explanation.notes.push(match &change.role {
        Some(role) if could => format!(
            "if the function's role is `{role}`, this is its own change and no call is made: the role \
             made it, and this policy sets such options"
        ),
        Some(_) => {
            "not the function's own change, whoever made it: this policy does not set such options"
                .to_owned()
        }
        None => "not the function's own change: it was not made in a role's session".to_owned(),
    });
    let limit = policy.limits.enforcements_per_hour;
    explanation.not_recorded = Some(NotRecorded {
        what: format!("{id}, its tags and all of its options"),
        calls: vec![
            format!("{} instance-id={id}", calls::DESCRIBE),
            "GetMetricData MetadataNoTokenRejected, if it is not compliant".to_owned(),
        ],
        rules: KnownFacts::from_origin(&change.origin).trace(policy, now),
        otherwise: policy.on_violation,
        at_most: vec![
            "enforce, because only its options changed".to_owned(),
            "report, where calls without a token were rejected in the 24 hours before".to_owned(),
            format!("report, after {limit} enforcements within the hour"),
        ],
    });
    explanation
}

fn started(start: &Start, policy: &Policy, now: Timestamp) -> Explanation {
    let mut explanation = Explanation::new(Trigger::Start, &start.origin);
    let ids: Vec<&str> = start.instance_ids.iter().map(InstanceId::as_str).collect();
    let note = format!(
        "starts {}; such an event records no options",
        ids.join(", ")
    );
    explanation.notes.push(note);
    explanation.not_recorded = Some(NotRecorded {
        what: format!("{}, their tags and their options", ids.join(", ")),
        calls: vec![
            format!("{} instance-id={}", calls::DESCRIBE, ids.join(",")),
            USAGE_CALL.to_owned(),
        ],
        rules: KnownFacts::from_origin(&start.origin).trace(policy, now),
        otherwise: policy.on_violation,
        at_most: by_age(policy),
    });
    explanation
}

const NOTHING_DONE: &str = "nothing is done and no call is made: ";

const USAGE_CALL: &str = "GetMetricData MetadataNoToken and MetadataNoTokenRejected, for those that \
                          are neither new nor compliant";

/// The table of what may be done at most, for events that do not tell of a launch.
fn by_age(policy: &Policy) -> Vec<String> {
    let NewInstances {
        disrupt_within_minutes,
        enforce_within_hours,
        in_use,
        ..
    } = policy.new_instances;
    let existing = &policy.existing;
    let days = count(existing.usage_window_days, "day");
    let minutes = count(disrupt_within_minutes, "minute");
    let hours = count(enforce_within_hours, "hour");
    vec![
        format!("what the policy says, within {minutes} of the first launch"),
        format!("enforce, within {hours} of it, or {in_use} where IMDSv1 was used"),
        format!("enforce, later or where the age is not known, if IMDSv1 was not used for {days}"),
        format!("{}, if it was used", existing.in_use),
        format!("{}, if that is not known", existing.unknown),
    ]
}

fn swept(sweep: Sweep, policy: &Policy, now: Timestamp) -> Explanation {
    let (what, first) = match &sweep.regions {
        Some(regions) => (format!("every instance of {}", regions.join(", ")), None),
        None => (
            "every instance of all enabled regions".to_owned(),
            Some("DescribeRegions".to_owned()),
        ),
    };
    let calls = first.into_iter().chain([
        format!("{}, page by page in each region", calls::DESCRIBE),
        USAGE_CALL.to_owned(),
    ]);
    let facts = KnownFacts {
        account: sweep.account.clone(),
        regions: sweep.regions.clone(),
        principals: Vec::new(),
    };
    Explanation {
        trigger: Trigger::Sweep,
        account: sweep.account,
        region: None,
        time: None,
        principals: Vec::new(),
        notes: vec!["a sweep observes what exists, which only EC2 and CloudWatch know".to_owned()],
        instances: Vec::new(),
        not_recorded: Some(NotRecorded {
            what,
            calls: calls.collect(),
            rules: facts.trace(policy, now),
            otherwise: policy.on_violation,
            at_most: by_age(policy),
        }),
    }
}
