//! Wording that the formats share.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use imds_core::change::Change;
use imds_core::count::{count, thousands};
use imds_core::options::{MetadataOption, OptionSetting, Toggle};
use imds_core::plain::{Plain, write_plain};
use imds_core::report::Outcome;
use imds_core::usage::{NotKnown, Usage};
use imds_engine::{ScanDecision, ScannedInstance};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;

use crate::document::{CommandTrigger, Document};

/// An untrusted message: like [`Plain`], but truncated to 2,000 characters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Message<'a>(pub(crate) &'a str);

const LONGEST: usize = 2000;

impl fmt::Display for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_plain(self.0, LONGEST, f)
    }
}

/// The decision and its reason, longest version first. The shorter one leaves the usage to the column that
/// shows it.
pub(super) fn decision(instance: &ScannedInstance) -> Vec<String> {
    let report = &instance.report;
    let word = instance.decision.as_str();
    let rule = report.rule.as_deref().map(Plain);
    let endpoint = report.before.and_then(|before| before.http_endpoint);
    let reasons = match (instance.decision, rule) {
        (ScanDecision::Exempt, _) => return vec![Message(&report.reason).to_string()],
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
        let change = Change::setting(set);
        let brief = change.transitions(&before).into_iter();
        let brief = brief.map(|(option, values)| format!("{} {values}", brief_name(option)));
        return vec![
            change.from_to(&before),
            brief.collect::<Vec<_>>().join(", "),
        ];
    }
    let violated = |option: &&MetadataOption| report.violations.contains(&option.name());
    let (found, briefly): (Vec<String>, Vec<String>) = MetadataOption::ALL
        .iter()
        .filter(violated)
        .map(|option| {
            let value = before.get(*option).map(OptionSetting::value);
            let value = value.as_deref().unwrap_or("not known");
            let brief = brief_name(*option);
            (
                format!("{} is {value}", option.name()),
                format!("{brief} {value}"),
            )
        })
        .unzip();
    let is_reported = instance.decision == ScanDecision::Report;
    let usage = match report.usage.as_ref().filter(|_| is_reported) {
        Some(Usage::InUse { .. }) => "; IMDSv1 is in use",
        Some(Usage::Unknown { .. }) => "; usage is unknown",
        Some(Usage::Unused { .. }) | None => "",
    };
    vec![found.join(", ") + usage, briefly.join(", ")]
}

/// The option as the titles of columns call it.
fn brief_name(option: MetadataOption) -> &'static str {
    match option {
        MetadataOption::HttpTokens => "tokens",
        MetadataOption::HttpEndpoint => "endpoint",
        MetadataOption::HopLimit => "hops",
        MetadataOption::HttpProtocolIpv6 => "IPv6",
        MetadataOption::InstanceMetadataTags => "tags",
    }
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
            let calls = count(*calls, "call");
            let all = format!("{calls}, last {}", day(*last_at));
            let texts = [
                &format!("in use: {all}"),
                &all,
                &format!("{calls}…"),
                "in use…",
            ];
            texts.map(str::to_owned).to_vec()
        }
        Some(Usage::Unknown { because }) => {
            let because = not_known(because).replace('_', " ");
            vec![format!("unknown: {because}"), "unknown…".to_owned()]
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
        (Outcome::Reported, CommandTrigger::Scan | CommandTrigger::Report) => "to remediate",
        (Outcome::Reported, CommandTrigger::Enforce) => "left unchanged",
        (outcome, _) => outcome.as_str(),
    }
}

/// The regions without instances in one sentence, if there are any. `list` lists their names.
pub(super) fn empty_regions(
    document: &Document,
    list: impl FnOnce(&[String]) -> String,
) -> Option<String> {
    let (empty, _) = document.split_regions();
    let several = document.has_several_accounts();
    let names = empty
        .iter()
        .map(|it| place(it.account.as_deref(), &it.region, several));
    let names: Vec<String> = names.collect();
    let have = if empty.len() == 1 { "has" } else { "have" };
    let such = match document.scope.instance_words().is_empty() {
        true => "no instances",
        false => "no instances that match",
    };
    let regions = count(empty.len(), "region");
    (!empty.is_empty()).then(|| format!("{regions} {have} {such}: {}", list(&names)))
}

/// The region, with its account if there are several.
pub(super) fn place(account: Option<&str>, region: &str, several_accounts: bool) -> String {
    let region = Plain(region);
    match account.filter(|_| several_accounts) {
        Some(account) => format!("{region} of account {}", Plain(account)),
        None => region.to_string(),
    }
}

/// How many regions there are, and how many accounts if there are several.
pub(super) fn extent(document: &Document) -> String {
    let names: BTreeSet<&str> = document.regions.iter().map(|it| &*it.region).collect();
    let regions = count(names.len(), "region");
    match document.accounts().len() {
        0 | 1 => regions,
        several => format!("{}, {regions}", count(several, "account")),
    }
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
    use imds_core::report::Summary;
    use imds_engine::RegionTotal;

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
                "report: tokens not known, hops 64",
            ]
        );
    }

    #[test]
    fn regions_without_instances_are_one_sentence_and_unknown_ones_are_not_among_them() {
        let joined = |names: &[String]| names.join(", ");
        let mut document = sample::document(vec![sample::non_compliant(1)]);
        let total = RegionTotal {
            account: document.account.clone(),
            region: "me-south-1".to_owned(),
            summary: Summary::default(),
        };
        document.regions.push(total);
        let text = empty_regions(&document, joined);
        let expected = "2 regions have no instances: eu-central-1, us-east-1";
        assert_eq!(text.as_deref(), Some(expected));
        document.regions.remove(0);
        document.scope.instances.tags = vec![("team".to_owned(), "web".to_owned())];
        let text = empty_regions(&document, joined);
        let expected = "1 region has no instances that match: us-east-1";
        assert_eq!(text.as_deref(), Some(expected));
        document.regions.clear();
        assert_eq!(empty_regions(&document, joined), None);
    }

    #[test]
    fn durations_have_their_unit() {
        assert_eq!(duration(Duration::from_millis(4240)), "4.2 s");
        assert_eq!(duration(Duration::from_secs(133)), "2 min 13 s");
    }
}
