//! Wording that the formats share.

use std::fmt;
use std::time::Duration;

use imds_core::change::Change;
use imds_core::options::{MetadataOption, OptionSetting, Toggle};
use imds_core::plain::{Plain, misleads};
use imds_core::report::Outcome;
use imds_core::usage::{NotKnown, Usage};
use imds_engine::{ScanDecision, ScannedInstance};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;

use crate::document::CommandTrigger;

/// An untrusted message: like [`Plain`], but truncated to 2,000 characters.
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

/// The decision and its reason, longest version first.
pub(super) fn decision(instance: &ScannedInstance) -> Vec<String> {
    let report = &instance.report;
    let word = instance.decision.as_str();
    let rule = report.rule.as_deref().map(Plain);
    let endpoint = report.before.and_then(|before| before.http_endpoint);
    let reasons = match (instance.decision, rule) {
        (ScanDecision::Exempt, _) => {
            return vec![Message(&report.reason).to_string(), word.to_owned()];
        }
        (ScanDecision::Compliant, _) if endpoint == Some(Toggle::Disabled) => {
            vec!["the endpoint is disabled".to_owned(), "disabled".to_owned()]
        }
        (ScanDecision::Compliant, Some(rule)) => vec![format!("as rule {rule} requires")],
        (ScanDecision::Compliant, None) | (ScanDecision::Gone, _) => return vec![word.to_owned()],
        (ScanDecision::Report | ScanDecision::Enforce, _) if report.violations.is_empty() => {
            vec![Message(&report.reason).to_string()]
        }
        (ScanDecision::Report | ScanDecision::Enforce, _) => violations(instance),
    };
    let reasons = reasons.iter();
    reasons.map(|reason| format!("{word}: {reason}")).collect()
}

/// The options that are to be set, or that violate the policy, with their values and without.
fn violations(instance: &ScannedInstance) -> Vec<String> {
    let report = &instance.report;
    let before = report.before.unwrap_or_default();
    if let (ScanDecision::Enforce, Some(set)) = (instance.decision, instance.set) {
        let change = Change::setting(set).transitions(&before).join(", ");
        return vec![change, report.violations.join(", ")];
    }
    let violated = |option: &&MetadataOption| report.violations.contains(&option.name());
    let found = MetadataOption::ALL.iter().filter(violated).map(|option| {
        let value = before.get(*option).map(OptionSetting::value);
        let value = value.as_deref().unwrap_or("not known");
        format!("{} is {value}", option.name())
    });
    let found = found.collect::<Vec<_>>().join(", ");
    let names = report.violations.join(", ");
    let is_reported = instance.decision == ScanDecision::Report;
    let (long, short) = match report.usage.as_ref().filter(|_| is_reported) {
        Some(Usage::InUse { .. }) => ("; IMDSv1 is in use", "; in use"),
        Some(Usage::Unknown { .. }) => ("; usage is unknown", "; usage unknown"),
        Some(Usage::Unused { .. }) | None => ("", ""),
    };
    vec![found + long, names + short]
}

/// Whether the instance uses IMDSv1, longest version first.
pub(super) fn usage(usage: Option<&Usage>) -> Vec<String> {
    match usage {
        None => vec![],
        Some(Usage::Unused {
            not_started_within_window: true,
            ..
        }) => vec!["unused; start not observed".to_owned(), "unused".to_owned()],
        Some(Usage::Unused { .. }) => vec!["unused".to_owned()],
        Some(Usage::InUse { calls, last_at }) => {
            let calls = format!("in use: {}", count(*calls, "call"));
            let last = format!("{calls}, last {}", day(*last_at));
            vec![last, calls, "in use".to_owned()]
        }
        Some(Usage::Unknown { because }) => {
            let because = not_known(because).replace('_', " ");
            vec![format!("unknown: {because}"), "unknown".to_owned()]
        }
    }
}

/// Why usage is not known, as the word used in the JSON.
pub(crate) fn not_known(because: &NotKnown) -> &'static str {
    match because {
        NotKnown::NoData => "no_data",
        NotKnown::TooLittleData(_) => "too_little_data",
        NotKnown::Incomplete(_) => "incomplete",
        NotKnown::Unreadable(_) => "unreadable",
    }
}

/// The word for an outcome in a summary. A scan changes nothing, so its reported instances are still to
/// be remediated.
pub(super) fn outcome(outcome: Outcome, trigger: CommandTrigger) -> &'static str {
    match (outcome, trigger) {
        (Outcome::Reported, CommandTrigger::Scan) => "to remediate",
        (Outcome::Reported, CommandTrigger::Enforce) => "left unchanged",
        (outcome, CommandTrigger::Scan | CommandTrigger::Enforce) => outcome.as_str(),
    }
}

/// A number with thousands separators, for example `1,204`.
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

/// A number and its noun, for example `1 region` or `17 regions`.
pub(crate) fn count(n: impl TryInto<u64>, one: &str) -> String {
    let n = n.try_into().unwrap_or(u64::MAX);
    let plural = if n == 1 { "" } else { "s" };
    format!("{} {one}{plural}", thousands(n))
}

/// The day, in UTC.
pub(super) fn day(at: Timestamp) -> Date {
    Offset::UTC.to_datetime(at).date()
}

/// A duration, for example `4.2 s` or `2 min 13 s`.
pub(super) fn duration(took: Duration) -> String {
    match took.as_secs() {
        0..60 => format!("{:.1} s", took.as_secs_f64()),
        seconds => format!("{} min {} s", thousands(seconds / 60), seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use imds_core::options::MetadataOptions;

    use super::*;
    use crate::output::sample;

    #[test]
    fn an_option_without_a_value_is_not_known() {
        let mut instance = sample::non_compliant(1);
        instance.decision = ScanDecision::Report;
        instance.report.violations = vec!["http_tokens", "hop_limit"];
        instance.report.before = Some(MetadataOptions {
            hop_limit: Some(64.try_into().unwrap()),
            ..MetadataOptions::default()
        });
        instance.report.usage = Some(Usage::Unknown {
            because: NotKnown::NoData,
        });
        assert_eq!(
            decision(&instance),
            [
                "report: http_tokens is not known, hop_limit is 64; usage is unknown",
                "report: http_tokens, hop_limit; usage unknown",
            ]
        );
    }

    #[test]
    fn numbers_have_commas_and_durations_their_unit() {
        let written = [0_u64, 999, 1000, 1_234_567].map(thousands);
        assert_eq!(written, ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(duration(Duration::from_millis(4240)), "4.2 s");
        assert_eq!(duration(Duration::from_secs(133)), "2 min 13 s");
    }
}
