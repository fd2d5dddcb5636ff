//! Checks a policy and describes it.

use std::fmt::{self, Write};

use imds_core::count::count;
use imds_core::plain::Plain;
use imds_core::policy::{Condition, Policy, Rule, RuleAction};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;

/// An exemption that expires within this many days is marked.
const SOON: i32 = 30;

/// The JSON Schema of policies.
pub(crate) fn schema() -> &'static str {
    include_str!("../../../policy.schema.json")
}

/// Describes what a policy requires, its rules with their last days, and its limits.
pub(crate) fn describe(policy: &Policy, now: Timestamp) -> String {
    let today = Offset::UTC.to_datetime(now).date();
    let mut description = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut description, policy, today);
    description
}

fn write(out: &mut String, policy: &Policy, today: Date) -> fmt::Result {
    let (new, existing, limits) = (policy.new_instances, policy.existing, policy.limits);
    writeln!(
        out,
        "The policy is valid.\nrequires: {}\non violation: {}",
        policy.require, policy.on_violation
    )?;
    match policy.rules.len() {
        0 => writeln!(out, "rules: none")?,
        _ => writeln!(out, "rules, of which the first that matches decides:")?,
    }
    for (n, rule) in policy.rules.iter().enumerate() {
        writeln!(out, "  {}. {}", n + 1, rule_text(rule, today))?;
    }
    writeln!(
        out,
        "new instances: stopped or terminated within {} of the first launch, and no earlier than {} s \
         after it; enforced no earlier than {} s after it
recent instances: for {}, at most {} if IMDSv1 was used
existing instances: at most {} if IMDSv1 was used in the last {}, at most {} if CloudWatch has data for \
         less than {}
limits: {} per hour, account and region; {} per hour and instance",
        count(new.disrupt_within_minutes, "minute"),
        new.grace_seconds,
        new.enforce_grace_seconds,
        count(new.enforce_within_hours, "hour"),
        new.in_use,
        existing.in_use,
        count(existing.usage_window_days, "day"),
        existing.unknown,
        count(existing.usage_data_hours, "hour"),
        count(limits.disruptions_per_hour, "disruption"),
        count(limits.enforcements_per_hour, "enforcement")
    )?;
    for advice in advice(policy) {
        writeln!(out, "note: {advice}")?;
    }
    match existing.watch_days {
        0 => Ok(()),
        days => writeln!(
            out,
            "watch for rejected calls: {} after an enforcement",
            count(days, "day")
        ),
    }
}

/// What a valid policy may do against its author's expectation.
fn advice(policy: &Policy) -> Vec<String> {
    let exempts_by_tags = |rule: &&Rule| {
        rule.action == Some(RuleAction::Exempt) && rule.when.conditions().any(|it| it.is_by_tags())
    };
    let names = |rules: Vec<&Rule>| {
        let names = rules.iter().map(|rule| format!("`{}`", Plain(&rule.name)));
        names.collect::<Vec<String>>().join(", ")
    };
    let mut advice = Vec::new();
    let by_tags: Vec<&Rule> = policy.rules.iter().filter(exempts_by_tags).collect();
    if !by_tags.is_empty() && policy.new_instances.enforce_grace_seconds == 0 {
        advice.push(format!(
            "rules that exempt by tags: {}. If these tags are added after the launch, set \
             `new_instances.enforce_grace_seconds` (for example 60), or the options are enforced before",
            names(by_tags)
        ));
    }
    let by_principals = |rule: &&Rule| rule.when.principals.is_some();
    let by_principals: Vec<&Rule> = policy.rules.iter().filter(by_principals).collect();
    if !by_principals.is_empty() {
        advice.push(format!(
            "rules by `principals`: {}. Only the launch event shows who launched an instance: a start, a \
             sweep, a change of options, and a launch whose record is cut and has no client token do not, \
             and where such a rule may match, the milder action is taken",
            names(by_principals)
        ));
    }
    advice
}

fn rule_text(rule: &Rule, today: Date) -> String {
    let conditions: Vec<String> = rule.when.conditions().map(|it| condition(&it)).collect();
    let conditions = conditions.join(" and ");
    let replaced = match rule.even_if_replaced {
        true => ", even if replaced",
        false => "",
    };
    let reason = rule.reason.as_deref();
    let reason = reason.map_or_else(String::new, |it| format!(" ({})", Plain(it)));
    let expires = rule
        .expires
        .map_or_else(String::new, |it| last_day(it, today));
    let (name, effect) = (Plain(&rule.name), rule.effect());
    format!("`{name}`: {effect} where {conditions}{replaced}{reason}{expires}")
}

fn condition(condition: &Condition) -> String {
    let wanted = condition.wanted();
    let wanted = wanted.iter().map(|wanted| format!("`{}`", Plain(wanted)));
    let wanted: Vec<String> = wanted.collect();
    format!("{} is {}", Plain(&condition.name()), wanted.join(" or "))
}

fn last_day(expires: Date, today: Date) -> String {
    let days = today
        .until(expires)
        .map_or(i32::MAX, |span| span.get_days());
    match days {
        ..0 => format!("; EXPIRED after {expires}"),
        0 => format!("; EXPIRES after today, {expires}"),
        1..=SOON => format!("; EXPIRES in {}, after {expires}", count(days, "day")),
        _ => format!("; expires after {expires}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = r#"{
      "version": 1, "require": { "http_tokens": "required", "hop_limit": { "at_most": 2 } },
      "on_violation": "enforce",
      "rules": [
        { "name": "old", "when": { "tags": { "app": "a-*" } }, "action": "exempt", "expires": "2026-06-14" },
        { "name": "today", "when": { "tags": { "app": "b-*" } }, "action": "exempt", "expires": "2026-06-15" },
        { "name": "soon", "when": { "tags": { "app": "c-*" } }, "action": "exempt", "expires": "2026-07-15" },
        { "name": "later", "when": { "tags": { "app": "d-*" } }, "action": "exempt", "expires": "2026-07-16", "reason": "ticket 7" },
        { "name": "sandbox\u001b[31m", "when": { "accounts": ["111122223333", "444455556666"], "regions": "us-*" },
          "action": "terminate", "even_if_replaced": true, "require": { "hop_limit": { "at_least": 1, "at_most": 1 } } },
        { "name": "by hand", "when": { "principals": "arn:aws:iam::*:user/*" }, "action": "stop" }
      ],
      "limits": { "disruptions_per_hour": 3 }, "new_instances": { "grace_seconds": 90 },
      "existing": { "in_use": "enforce", "watch_days": 7 }
    }"#;

    fn now() -> Timestamp {
        "2026-06-15T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_valid_policy_is_described_and_what_expires_is_marked() {
        let expected = "\
The policy is valid.
requires: http_tokens required, hop_limit at most 2
on violation: enforce
rules, of which the first that matches decides:
  1. `old`: exempt where tags.app is `a-*`; EXPIRED after 2026-06-14
  2. `today`: exempt where tags.app is `b-*`; EXPIRES after today, 2026-06-15
  3. `soon`: exempt where tags.app is `c-*`; EXPIRES in 30 days, after 2026-07-15
  4. `later`: exempt where tags.app is `d-*` (ticket 7); expires after 2026-07-16
  5. `sandbox\u{fffd}[31m`: terminate, require hop_limit 1 where accounts is `111122223333` or `444455556666` and regions is `us-*`, even if replaced
  6. `by hand`: stop where principals is `arn:aws:iam::*:user/*`
new instances: stopped or terminated within 15 minutes of the first launch, and no earlier than 90 s after it; enforced no earlier than 0 s after it
recent instances: for 24 hours, at most report if IMDSv1 was used
existing instances: at most enforce if IMDSv1 was used in the last 14 days, at most report if CloudWatch has data for less than 24 hours
limits: 3 disruptions per hour, account and region; 6 enforcements per hour and instance
note: rules that exempt by tags: `old`, `today`, `soon`, `later`. If these tags are added after the launch, set `new_instances.enforce_grace_seconds` (for example 60), or the options are enforced before
note: rules by `principals`: `by hand`. Only the launch event shows who launched an instance: a start, a sweep, a change of options, and a launch whose record is cut and has no client token do not, and where such a rule may match, the milder action is taken
watch for rejected calls: 7 days after an enforcement
";
        let policy = Policy::parse(POLICY).unwrap();
        assert_eq!(describe(&policy, now()), expected);
    }

    #[test]
    fn nothing_is_noted_where_enforcement_waits_for_tags_and_no_rule_is_by_principals() {
        let waiting = POLICY.replace(
            r#""grace_seconds": 90"#,
            r#""grace_seconds": 90, "enforce_grace_seconds": 60"#,
        );
        let waiting = waiting.replace(
            r#""principals": "arn:aws:iam::*:user/*""#,
            r#""auto_scaling": false"#,
        );
        let description = describe(&Policy::parse(&waiting).unwrap(), now());
        assert!(!description.contains("note:"), "{description}");
        assert!(
            description.contains("; enforced no earlier than 60 s after it\n"),
            "{description}"
        );
    }

    #[test]
    fn all_faults_are_reported_with_their_paths() {
        let faulty = POLICY.replace(
            r#""on_violation": "enforce""#,
            r#""on_violation": "explode""#,
        );
        let faulty = faulty.replace(r#""grace_seconds": 90"#, r#""grace_seconds": -1"#);
        let faults = Policy::parse(&faulty).unwrap_err();
        let paths: Vec<&str> = faults.0.iter().map(|fault| fault.path.as_str()).collect();
        assert_eq!(paths, ["$.on_violation", "$.new_instances.grace_seconds"]);
    }
}
