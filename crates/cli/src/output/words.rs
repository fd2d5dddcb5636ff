//! Words that the formats share.

use std::fmt;
use std::time::Duration;

use imds_core::instance::MetadataOptions;
use imds_core::plain::{Plain, misleads};
use imds_core::report::Outcome;
use imds_core::usage::{NotKnown, Usage};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;

use crate::row::{Row, Verdict};

/// A message from outside in a place of its own: as [`Plain`], but cut to 2,000 characters only.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Message<'a>(pub(crate) &'a str);

const LONGEST: usize = 2000;

impl fmt::Display for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        for (n, letter) in self.0.chars().enumerate() {
            if n == LONGEST {
                return f.write_char('…');
            }
            f.write_char(if misleads(letter) { '\u{fffd}' } else { letter })?;
        }
        Ok(())
    }
}

/// The decision with its reason in a few words, in full and ever shorter.
pub(super) fn decision(row: &Row) -> Vec<String> {
    let word = row.decision.as_str();
    let reasons = match row.decision {
        Verdict::Exempt => return exemption(row),
        Verdict::Compliant if is_disabled(row) => {
            vec!["the endpoint is disabled".to_owned(), "disabled".to_owned()]
        }
        Verdict::Compliant => match &row.report.rule {
            Some(rule) => vec![format!("as rule {} requires", Plain(rule))],
            None => vec![],
        },
        Verdict::Gone => vec![],
        Verdict::Report | Verdict::Enforce if row.report.violations.is_empty() => {
            vec![Message(&row.report.reason).to_string()]
        }
        Verdict::Report | Verdict::Enforce => violations(row).into(),
    };
    if reasons.is_empty() {
        return vec![word.to_owned()];
    }
    let reasons = reasons.iter();
    reasons.map(|reason| format!("{word}: {reason}")).collect()
}

/// How it uses IMDSv1, in full and ever shorter.
pub(super) fn usage(usage: Option<&Usage>) -> Vec<String> {
    match usage {
        None => vec![String::new()],
        Some(Usage::Unused { .. }) => vec!["unused".to_owned()],
        Some(Usage::InUse { calls, last_at }) => {
            let calls = count(*calls, "call");
            vec![
                format!("in use: {calls}, last {}", day(*last_at)),
                format!("in use: {calls}"),
                "in use".to_owned(),
            ]
        }
        Some(Usage::Unknown { because }) => {
            let because = match because {
                NotKnown::NoData => "no data",
                NotKnown::StartedInWindow => "started since",
                NotKnown::Stopped => "stopped",
                NotKnown::Unreadable(_) => "not readable",
            };
            vec![format!("unknown: {because}"), "unknown".to_owned()]
        }
    }
}

/// What would launch the next wrong instance.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    /// A launch template, by id and version.
    LaunchTemplate(String, Option<String>),
    /// An Auto Scaling group, by name.
    AutoScalingGroup(String),
}

impl Source {
    /// What is to be mended so that the next instance is right.
    pub(super) fn of(row: &Row) -> Option<Self> {
        if !row.is_wrong() {
            return None;
        }
        let group = row.auto_scaling_group.clone();
        match &row.report.launch_template {
            Some(from) => Some(Source::LaunchTemplate(
                from.id.clone(),
                from.version.clone(),
            )),
            None => group.map(Source::AutoScalingGroup),
        }
    }
}

impl Source {
    /// In full and ever shorter.
    pub(super) fn shortening(&self) -> Vec<String> {
        let shorter = match self {
            Source::LaunchTemplate(id, _) => Plain(id).to_string(),
            Source::AutoScalingGroup(name) => format!("group {}", Plain(name)),
        };
        vec![self.to_string(), shorter]
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::LaunchTemplate(id, None) => Plain(id).fmt(f),
            Source::LaunchTemplate(id, Some(version)) => {
                write!(f, "{} version {}", Plain(id), Plain(version))
            }
            Source::AutoScalingGroup(name) => write!(f, "Auto Scaling group {}", Plain(name)),
        }
    }
}

/// The options that are not as required, with what was seen and without.
fn violations(row: &Row) -> [String; 2] {
    let before = row.report.before.unwrap_or_default();
    let options = || row.report.violations.iter().map(|option| option.as_ref());
    let found = options().map(|option| {
        let value = value(&before, option).unwrap_or("not known".to_owned());
        format!("{} is {value}", Plain(option))
    });
    let found = found.collect::<Vec<_>>().join(", ");
    let names = options().collect::<Vec<_>>().join(", ");
    let usage = row.report.usage.as_ref();
    match usage.filter(|_| row.decision == Verdict::Report) {
        Some(Usage::InUse { .. }) => [
            format!("{found}; IMDSv1 is in use"),
            format!("{names}; in use"),
        ],
        Some(Usage::Unknown { .. }) => [
            format!("{found}; usage is unknown"),
            format!("{names}; usage unknown"),
        ],
        Some(Usage::Unused { .. }) | None => [found, names],
    }
}

fn value(options: &MetadataOptions, option: &str) -> Option<String> {
    match option {
        "http_tokens" => options.http_tokens.map(|v| v.to_string()),
        "hop_limit" => options.hop_limit.map(|v| v.to_string()),
        "http_endpoint" => options.http_endpoint.map(|v| v.to_string()),
        "http_protocol_ipv6" => options.http_protocol_ipv6.map(|v| v.to_string()),
        "instance_metadata_tags" => options.instance_metadata_tags.map(|v| v.to_string()),
        _ => None,
    }
}

fn is_disabled(row: &Row) -> bool {
    let endpoint = row.report.before.and_then(|before| before.http_endpoint);
    endpoint == Some(imds_core::instance::Toggle::Disabled)
}

/// The last day stands at the end of the reason that [`imds_core::decide::Exempt`] gives.
fn exemption(row: &Row) -> Vec<String> {
    let rule = Plain(row.report.rule.as_deref().unwrap_or_default());
    let until = row.report.reason.rsplit_once(", through ");
    match until.and_then(|(_, day)| day.parse::<Date>().ok()) {
        Some(until) => vec![
            format!("exempt by rule {rule} through {until}"),
            format!("exempt through {until}"),
            format!("exempt to {until}"),
        ],
        None => vec![format!("exempt by rule {rule}"), "exempt".to_owned()],
    }
}

/// An outcome as a person counts it; before anything was done, a wrong instance is to be mended.
pub(super) fn outcome(outcome: Outcome, scan: bool) -> &'static str {
    match outcome {
        Outcome::Reported if scan => "to mend",
        Outcome::Reported => "left as they are",
        Outcome::Compliant
        | Outcome::Exempt
        | Outcome::Enforced
        | Outcome::Stopped
        | Outcome::Terminated
        | Outcome::Spared
        | Outcome::Gone
        | Outcome::Failed => outcome.as_str(),
    }
}

/// With commas: `1,204`.
pub(crate) fn thousands(n: impl TryInto<u64>) -> String {
    let digits = n.try_into().unwrap_or(u64::MAX).to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// For example `1 region`, `17 regions`.
pub(crate) fn count(n: impl TryInto<u64>, one: &str) -> String {
    let n = n.try_into().unwrap_or(u64::MAX);
    let plural = if n == 1 { "" } else { "s" };
    format!("{} {one}{plural}", thousands(n))
}

/// The day, in UTC.
pub(super) fn day(at: Timestamp) -> Date {
    Offset::UTC.to_datetime(at).date()
}

/// For example `4.2 s` or `2 min 13 s`.
pub(super) fn took(took: Duration) -> String {
    match took.as_secs() {
        0..60 => format!("{:.1} s", took.as_secs_f64()),
        seconds => format!("{} min {} s", thousands(seconds / 60), seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use imds_core::decide::{Decision, Exempt};

    use super::*;
    use crate::output::sample;

    #[test]
    fn an_exemption_is_told_with_its_last_day() {
        let exempt = |until: Option<&str>| {
            let mut row = sample::row(1);
            row.decision = Verdict::Exempt;
            row.report.rule = Some("legacy scanner".to_owned());
            row.report.reason = Decision::Exempt(Exempt {
                rule: "legacy scanner".to_owned(),
                because: Some("vendor ticket 4711, through June".to_owned()),
                until: until.map(|until| until.parse().unwrap()),
            })
            .to_string();
            decision(&row).remove(0)
        };
        assert_eq!(
            exempt(Some("2027-03-31")),
            "exempt by rule legacy scanner through 2027-03-31"
        );
        assert_eq!(exempt(None), "exempt by rule legacy scanner");
    }

    #[test]
    fn an_option_that_is_not_known_is_said_to_be_so() {
        let mut row = sample::row(1);
        row.decision = Verdict::Report;
        row.report.violations = vec!["http_tokens".into(), "hop_limit".into()];
        row.report.before = Some(MetadataOptions {
            hop_limit: Some(64.try_into().unwrap()),
            ..MetadataOptions::default()
        });
        row.report.usage = Some(Usage::Unknown {
            because: NotKnown::NoData,
        });
        assert_eq!(
            decision(&row),
            [
                "report: http_tokens is not known, hop_limit is 64; usage is unknown",
                "report: http_tokens, hop_limit; usage unknown",
            ]
        );
    }

    #[test]
    fn numbers_have_commas_and_times_their_unit() {
        let written = [0_u64, 999, 1000, 1_234_567].map(thousands);
        assert_eq!(written, ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(took(Duration::from_millis(4240)), "4.2 s");
        assert_eq!(took(Duration::from_secs(133)), "2 min 13 s");
    }
}
