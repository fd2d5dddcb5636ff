//! What the function would do with an event, and why, rule by rule and without a call.
//!
//! The decision is the function's own, from `imds_core`; here it is only told.

mod calls;
mod rules;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use imds_core::decide::{Because, Decision, Instead, Occasion, Remedy};
use imds_core::event::{
    Event, Launch, Malformed, MetadataChange, Origin, StateChange, Sweep, parse,
};
use imds_core::instance::{Instance, InstanceId, MetadataOptions};
use imds_core::plan::{Plan, Step};
use imds_core::policy::{Action, Policy};
use imds_core::report::{Outcome, Trigger};
use jiff::Timestamp;
use serde::Serialize;

use crate::error::Exit;
use rules::{Facts, RuleAccount};
pub(crate) use rules::{does, required};

/// An event, and what the function would do with it. Its `Display` is for the terminal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Explanation {
    /// What kind of event it is.
    pub(crate) trigger: Trigger,
    /// The account, where the event tells.
    pub(crate) account: Option<String>,
    /// The region, where the event tells.
    pub(crate) region: Option<String>,
    /// When it happened, where the event tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) time: Option<Timestamp>,
    /// Who made the call.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) principals: Vec<String>,
    /// What is to be said of the event as a whole.
    pub(crate) notes: Vec<String>,
    /// The instances that the event shows, each once.
    pub(crate) instances: Vec<Explained>,
    /// What the event does not show, and EC2 would be asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unseen: Option<Unseen>,
}

/// One instance as the event shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Explained {
    /// The instance.
    pub(crate) instance_id: InstanceId,
    /// Its options; `null` for what the event does not tell.
    pub(crate) options: MetadataOptions,
    /// Every rule of the policy, in its order.
    pub(crate) rules: Vec<RuleAccount>,
    /// The rule that decides; `null`: none of them.
    pub(crate) rule: Option<String>,
    /// The options that are not as required, by their names in the policy.
    pub(crate) violations: Vec<&'static str>,
    /// What would become of it, unless EC2 shows it otherwise or refuses.
    pub(crate) outcome: Outcome,
    /// Why, in words.
    pub(crate) reason: String,
    /// Until when the function would wait before it looks again, because tags come late.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) waits_until: Option<Timestamp>,
    /// The calls that the function would make for it, in their order.
    pub(crate) calls: Vec<String>,
    /// What would be done where the last call is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fallback: Option<String>,
}

/// Instances of which the event does not tell enough.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Unseen {
    /// Which they are.
    pub(crate) what: String,
    /// The calls with which the function would look.
    pub(crate) calls: Vec<String>,
    /// The rules, as far as anything is known.
    pub(crate) rules: Vec<RuleAccount>,
    /// What happens to a wrong instance that no rule matches.
    pub(crate) otherwise: Action,
    /// Why less may be done than the rules say.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) at_most: Vec<String>,
}

impl Explanation {
    /// How the command ends: with violations where an instance is seen to be wrong.
    pub(crate) fn exit(&self) -> Exit {
        let is_wrong = |explained: &Explained| !explained.violations.is_empty();
        if self.instances.iter().any(is_wrong) {
            Exit::Violations
        } else {
            Exit::Fine
        }
    }
}

/// Explains an event.
///
/// # Errors
/// When the event is malformed, as the function would say.
pub(crate) fn explain(
    event_json: &str,
    policy: &Policy,
    now: Timestamp,
) -> Result<Explanation, Malformed> {
    Ok(match parse(event_json)? {
        Event::Launch(launch) => launched(launch, policy, now),
        Event::MetadataChange(change) => changed(&change, policy, now),
        Event::StateChange(change) => started(&change, policy, now),
        Event::Sweep(sweep) => swept(sweep, policy, now),
        Event::Ignored(ignored) => Explanation {
            trigger: Trigger::Ignored,
            account: ignored.account,
            region: ignored.region,
            time: None,
            principals: Vec::new(),
            notes: vec![format!(
                "nothing is done and no call is made: {}",
                ignored.reason
            )],
            instances: Vec::new(),
            unseen: None,
        },
    })
}

fn of(trigger: Trigger, origin: &Origin) -> Explanation {
    Explanation {
        trigger,
        account: origin.account.clone(),
        region: Some(origin.region.clone()),
        time: origin.time,
        principals: origin.principals.clone(),
        notes: Vec::new(),
        instances: Vec::new(),
        unseen: None,
    }
}

fn launched(launch: Launch, policy: &Policy, now: Timestamp) -> Explanation {
    let mut explanation = of(Trigger::Launch, &launch.origin);
    if launch.is_cut() {
        explanation.notes.push(
            "CloudTrail has left instances out of the record, as it does above 100 KB".to_owned(),
        );
        explanation.unseen = Some(cut(&launch, policy, now));
    }
    let mut ids = BTreeSet::new();
    let once = launch.instances.into_iter();
    let once = once.filter(|instance| ids.insert(instance.id.clone()));
    explanation.instances = instances(once, policy, now, &Occasion::Launch);
    explanation
}

/// All of one region.
fn instances(
    seen: impl Iterator<Item = Instance>,
    policy: &Policy,
    now: Timestamp,
    occasion: &Occasion,
) -> Vec<Explained> {
    let mut plan = Plan::new(policy, seen, now, occasion);
    spare(&mut plan, policy.limits.terminations_per_hour);
    let waiting = plan.clone().split_off_waiting(policy, now);
    let waits: BTreeMap<InstanceId, Timestamp> = waiting
        .into_iter()
        .flat_map(|waiting| {
            let until = waiting.until;
            let ids = waiting.instances.into_iter().map(|instance| instance.id);
            ids.map(move |id| (id, until))
        })
        .collect();
    let explained = plan.steps.into_iter().map(|step| {
        let waits_until = waits.get(&step.instance.id).copied();
        explained(step, policy, now, waits_until)
    });
    explained.collect()
}

/// Over the limit, and with no claims of others before, the function mends.
fn spare(plan: &mut Plan, limit: u32) {
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let wrong = plan
        .steps
        .iter_mut()
        .filter_map(|step| match &mut step.decision {
            Decision::Wrong(wrong) if wrong.remedy == Remedy::Terminate => Some(wrong),
            Decision::Wrong(_)
            | Decision::Compliant(_)
            | Decision::Exempt(_)
            | Decision::Gone(_) => None,
        });
    for wrong in wrong.skip(most) {
        wrong.remedy = Remedy::Enforce(Some(Instead {
            of: Action::Terminate,
            because: Because::OverLimit { limit },
        }));
    }
}

fn explained(
    step: Step,
    policy: &Policy,
    now: Timestamp,
    waits_until: Option<Timestamp>,
) -> Explained {
    let rules = rules::of_instance(policy, &step.instance, now);
    let calls = calls::of(&step, waits_until);
    let reason = step.decision.to_string();
    let (rule, violations, outcome) = match &step.decision {
        Decision::Compliant(_) => (None, Vec::new(), Outcome::Compliant),
        Decision::Exempt(exempt) => (Some(exempt.rule.clone()), Vec::new(), Outcome::Exempt),
        Decision::Gone(_) => (None, Vec::new(), Outcome::Gone),
        Decision::Wrong(wrong) => {
            let options = wrong.violations.iter().map(|violation| violation.option());
            (
                wrong.rule.clone(),
                options.collect(),
                outcome(&wrong.remedy),
            )
        }
    };
    let decides = rules.iter().find(|rule| rule.decides());
    Explained {
        instance_id: step.instance.id,
        options: step.instance.options,
        rule: rule.or_else(|| decides.map(|rule| rule.rule.clone())),
        rules,
        violations,
        outcome,
        reason,
        waits_until,
        calls,
        fallback: calls::fallback(outcome, &policy.limits),
    }
}

fn outcome(remedy: &Remedy) -> Outcome {
    match remedy {
        Remedy::Report(_) => Outcome::Reported,
        Remedy::Enforce(Some(Instead {
            because: Because::OverLimit { .. },
            ..
        })) => Outcome::Spared,
        Remedy::Enforce(_) => Outcome::Enforced,
        Remedy::Stop | Remedy::AlreadyStopped => Outcome::Stopped,
        Remedy::Terminate => Outcome::Terminated,
    }
}

fn cut(launch: &Launch, policy: &Policy, now: Timestamp) -> Unseen {
    let (least, _) = launch.asked.unwrap_or((1, 1));
    let missing = least.saturating_sub(launch.instances.len()).max(1);
    let look = match (&launch.client_token, launch.origin.time) {
        (Some(token), _) => format!("DescribeInstances client-token={token}"),
        (None, Some(time)) => format!(
            "DescribeInstances launch-time={} and the minutes before and after it",
            time.strftime("%Y-%m-%dT%H:%M")
        ),
        (None, None) => "none: without a client token and a time there is nothing to look for, \
                         so that the function fails, and the next sweep looks"
            .to_owned(),
    };
    // Only the token shows that an instance is of this launch.
    let principals = launch
        .client_token
        .as_ref()
        .map(|_| launch.origin.principals.clone());
    let facts = Facts {
        principals: principals.unwrap_or_default(),
        ..Facts::of(&launch.origin)
    };
    Unseen {
        what: format!("at least {missing} launched instances"),
        calls: vec![look],
        rules: facts.rules(policy, now),
        otherwise: policy.on_violation,
        at_most: Vec::new(),
    }
}

fn changed(change: &MetadataChange, policy: &Policy, now: Timestamp) -> Explanation {
    let mut explanation = of(Trigger::MetadataChange, &change.origin);
    let set = calls::options(&change.set);
    let set = if set.is_empty() { "nothing" } else { &set };
    explanation
        .notes
        .push(format!("the call set {set} on {}", change.instance_id));
    let could = policy.could_have_set(&change.set);
    explanation.notes.push(match &change.session {
        Some(session) if could => format!(
            "if the function's name is `{session}`, this is taken for its own change, and no call is \
             made: its session is called so, and this policy sets such options"
        ),
        Some(_) => "not taken for the function's own change, whoever made it: this policy sets no \
                    such options"
            .to_owned(),
        None => "not taken for the function's own change: it was not made in a role's session"
            .to_owned(),
    });
    let mends = policy.limits.mends_per_hour;
    explanation.unseen = Some(Unseen {
        what: format!("{}, its tags and all of its options", change.instance_id),
        calls: vec![format!(
            "DescribeInstances instance-id={}",
            change.instance_id
        )],
        rules: Facts::of(&change.origin)
            .without_principals()
            .rules(policy, now),
        otherwise: policy.on_violation,
        at_most: vec![
            "enforce, because only its options were changed".to_owned(),
            format!("report, once it was mended {mends} times within the hour"),
        ],
    });
    explanation
}

fn started(change: &StateChange, policy: &Policy, now: Timestamp) -> Explanation {
    let mut explanation = of(Trigger::StateChange, &change.origin);
    let StateChange {
        instance_id, state, ..
    } = change;
    let note = format!("{instance_id} is {state}; such an event shows no options, so EC2 is asked");
    explanation.notes.push(note);
    explanation.unseen = Some(Unseen {
        what: format!("{instance_id}, its tags and its options"),
        calls: vec![format!("DescribeInstances instance-id={instance_id}")],
        rules: Facts::of(&change.origin)
            .without_principals()
            .rules(policy, now),
        otherwise: policy.on_violation,
        at_most: Vec::new(),
    });
    explanation
}

fn swept(sweep: Sweep, policy: &Policy, now: Timestamp) -> Explanation {
    let existing = &policy.existing;
    let days = existing.usage_window_days;
    let what = match &sweep.regions {
        Some(regions) => format!("every instance of {}", regions.join(", ")),
        None => "every instance of all enabled regions".to_owned(),
    };
    let mut calls = Vec::new();
    if sweep.regions.is_none() {
        calls.push("DescribeRegions".to_owned());
    }
    calls.push("DescribeInstances, page by page in each region".to_owned());
    calls.push("GetMetricData MetadataNoToken, for those that are wrong".to_owned());
    let facts = Facts {
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
        notes: vec!["a sweep looks at what is there; only EC2 and CloudWatch can tell".to_owned()],
        instances: Vec::new(),
        unseen: Some(Unseen {
            what,
            calls,
            rules: facts.rules(policy, now),
            otherwise: policy.on_violation,
            at_most: vec![
                format!("enforce, where IMDSv1 was not used for {days} days"),
                format!("{}, where it was used", existing.in_use),
                format!("{}, where that is not known", existing.unknown),
            ],
        }),
    }
}

#[cfg(test)]
mod tests;
