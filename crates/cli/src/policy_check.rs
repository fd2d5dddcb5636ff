//! Whether a policy is valid, and what it says, in words.

use std::fmt::Write;

use imds_core::plain::Plain;
use imds_core::policy::{Condition, Faults, Policy, Rule};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;

use crate::explain::{does, required};

/// An exemption that ends within this many days is pointed out.
const SOON: i32 = 30;

/// The JSON Schema of policies.
pub(crate) fn schema() -> &'static str {
    include_str!("../../../policy.schema.json")
}

/// What a policy says: what it requires, its rules with their last days, its limits.
///
/// # Errors
/// All faults of the document, each with its path.
pub(crate) fn check(text: &str, now: Timestamp) -> Result<String, Faults> {
    let policy = Policy::parse(text)?;
    let today = Offset::UTC.to_datetime(now).date();
    let mut summary = String::new();
    // Writing to a string cannot fail.
    let _ = describe(&mut summary, &policy, today);
    Ok(summary)
}

fn describe(out: &mut String, policy: &Policy, today: Date) -> std::fmt::Result {
    writeln!(out, "The policy is valid.")?;
    writeln!(out, "requires: {}", required(&policy.require))?;
    writeln!(out, "on violation: {}", policy.on_violation)?;
    if policy.rules.is_empty() {
        writeln!(out, "rules: none")?;
    } else {
        writeln!(out, "rules, of which the first that matches decides:")?;
    }
    for (n, rule) in policy.rules.iter().enumerate() {
        writeln!(out, "  {}. {}", n + 1, described(rule, today))?;
    }
    let limits = &policy.limits;
    writeln!(
        out,
        "limits: {} terminations an hour, {} s of grace, {} mends of an instance an hour",
        limits.terminations_per_hour, limits.grace_seconds, limits.mends_per_hour
    )?;
    let existing = &policy.existing;
    writeln!(
        out,
        "existing instances: no more than {} where IMDSv1 was used within {} days, {} where that is \
         not known",
        existing.in_use, existing.usage_window_days, existing.unknown
    )?;
    match existing.watch_days {
        0 => Ok(()),
        days => writeln!(out, "mended ones are watched for {days} days"),
    }
}

fn described(rule: &Rule, today: Date) -> String {
    let conditions: Vec<String> = rule.when.conditions().map(|c| condition(&c)).collect();
    let mut text = format!(
        "`{}`: {} where {}",
        Plain(&rule.name),
        does(rule),
        conditions.join(" and ")
    );
    if rule.even_if_replaced {
        text.push_str(", even if replaced");
    }
    if let Some(because) = &rule.because {
        text.push_str(&format!(", because of {}", Plain(because)));
    }
    if let Some(until) = rule.until {
        text.push_str(&last_day(until, today));
    }
    text
}

fn condition(condition: &Condition) -> String {
    let wanted = condition.wanted();
    let wanted = wanted.iter().map(|wanted| format!("`{}`", Plain(wanted)));
    let wanted: Vec<String> = wanted.collect();
    format!("{} is {}", Plain(&condition.name()), wanted.join(" or "))
}

fn last_day(until: Date, today: Date) -> String {
    let days = today.until(until).map_or(i32::MAX, |span| span.get_days());
    match days {
        ..0 => format!("; EXPIRED: it held through {until}"),
        0 => format!("; EXPIRES today, {until}"),
        1..=SOON => format!("; EXPIRES in {days} days: it holds through {until}"),
        _ => format!("; through {until}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = r#"{
      "require": { "http_tokens": "required", "hop_limit": { "at_most": 2 } },
      "on_violation": "enforce",
      "rules": [
        { "name": "old", "when": { "tags": { "app": "a-*" } }, "then": "exempt", "until": "2026-06-14" },
        { "name": "today", "when": { "tags": { "app": "b-*" } }, "then": "exempt", "until": "2026-06-15" },
        { "name": "soon", "when": { "tags": { "app": "c-*" } }, "then": "exempt", "until": "2026-07-15" },
        { "name": "later", "when": { "tags": { "app": "d-*" } }, "then": "exempt", "until": "2026-07-16", "because": "ticket 7" },
        { "name": "sandbox\u001b[31m", "when": { "accounts": ["111122223333", "444455556666"], "regions": "us-*" },
          "then": "terminate", "even_if_replaced": true, "require": { "hop_limit": { "at_least": 1, "at_most": 1 } } }
      ],
      "limits": { "terminations_per_hour": 3, "grace_seconds": 90 },
      "existing": { "in_use": "enforce", "watch_days": 7 }
    }"#;

    fn now() -> Timestamp {
        "2026-06-15T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_valid_policy_is_told_in_words_with_what_expires() {
        let expected = "\
The policy is valid.
requires: http_tokens required, hop_limit at most 2
on violation: enforce
rules, of which the first that matches decides:
  1. `old`: exempt where tags.app is `a-*`; EXPIRED: it held through 2026-06-14
  2. `today`: exempt where tags.app is `b-*`; EXPIRES today, 2026-06-15
  3. `soon`: exempt where tags.app is `c-*`; EXPIRES in 30 days: it holds through 2026-07-15
  4. `later`: exempt where tags.app is `d-*`, because of ticket 7; through 2026-07-16
  5. `sandbox\u{fffd}[31m`: terminate, require hop_limit 1 where accounts is `111122223333` or `444455556666` and regions is `us-*`, even if replaced
limits: 3 terminations an hour, 90 s of grace, 6 mends of an instance an hour
existing instances: no more than enforce where IMDSv1 was used within 14 days, report where that is not known
mended ones are watched for 7 days
";
        assert_eq!(check(POLICY, now()).unwrap(), expected);
    }

    #[test]
    fn all_faults_are_told_with_their_paths() {
        let wrong = POLICY.replace(
            "\"on_violation\": \"enforce\"",
            "\"on_violation\": \"explode\"",
        );
        let wrong = wrong.replace("\"grace_seconds\": 90", "\"grace_seconds\": -1");
        let faults = check(&wrong, now()).unwrap_err();
        let paths: Vec<&str> = faults.0.iter().map(|fault| fault.path.as_str()).collect();
        assert_eq!(paths, ["$.on_violation", "$.limits.grace_seconds"]);
    }

    #[test]
    fn the_schema_is_that_of_the_repository() {
        let schema: serde_json::Value = serde_json::from_str(schema()).unwrap();
        assert_eq!(schema["title"], "imds-enforcer policy");
    }
}
