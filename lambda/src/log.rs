//! Log lines as JSON on standard output.

use imds_core::decide::BecauseWord;
use imds_core::report::{InstanceReport, Outcome, Report, Trigger};
use imds_engine::SweptRegion;
use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// A log filter that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogFilterError {
    #[error("`RUST_LOG` is `{value}`: expected a level, or targets with levels")]
    Filter {
        value: String,
        source: tracing_subscriber::filter::ParseError,
    },
    #[error("`AWS_LAMBDA_LOG_LEVEL` is `{0}`: expected TRACE, DEBUG, INFO, WARN, ERROR or FATAL")]
    Level(String),
}

/// Starts logging. With an invalid filter it logs at `INFO`; the configuration reports the error.
pub(crate) fn init(var: impl Fn(&str) -> Option<String>) {
    let given = |name: &str| var(name).filter(|value| !value.is_empty());
    let targets = filter(given).unwrap_or_else(|_| Targets::new().with_default(Level::INFO));
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_target(false);
    tracing_subscriber::registry()
        .with(lines)
        .with(without_runtime_noise(targets))
        .init();
}

/// The target of lines that are the only record of what was done. No level hides them.
const RECORD: &str = "record";

/// The runtime also logs every failed invocation as a debug dump of the error, and opens a span for each
/// invocation that appears in no line.
fn without_runtime_noise(targets: Targets) -> Targets {
    targets
        .with_target("lambda_runtime::layers::panic", LevelFilter::OFF)
        .with_target("lambda_runtime::layers::trace", LevelFilter::OFF)
        .with_target(RECORD, LevelFilter::INFO)
}

/// `AWS_LAMBDA_LOG_LEVEL`, or `RUST_LOG` (targets and levels), or `INFO`.
pub(crate) fn filter(given: impl Fn(&str) -> Option<String>) -> Result<Targets, LogFilterError> {
    if let Some(level) = given("AWS_LAMBDA_LOG_LEVEL") {
        let parsed = match level.as_str() {
            "FATAL" => Some(Level::ERROR),
            other => other.parse().ok(),
        };
        let parsed: Level = parsed.ok_or(LogFilterError::Level(level))?;
        return Ok(Targets::new().with_default(parsed));
    }
    match given("RUST_LOG") {
        Some(value) => value
            .parse()
            .map_err(|source| LogFilterError::Filter { value, source }),
        None => Ok(Targets::new().with_default(Level::INFO)),
    }
}

/// Logs one line for each instance and region, and the complete report if something is left undone.
pub(crate) fn report(report: &Report, request_id: &str) {
    let trigger = report.trigger.as_str();
    if let Some(reason) = &report.reason {
        tracing::info!(request_id, trigger, region = report.region, "{reason}");
    }
    if report.trigger != Trigger::Sweep {
        instances(&report.instances, report.trigger, request_id);
    }
    for unreachable in &report.unreachable {
        let region = unreachable.region.as_str();
        tracing::error!(
            request_id,
            trigger,
            region,
            outcome = "unreachable",
            "{}",
            unreachable.error
        );
    }
    if report.is_incomplete() {
        let whole = serde_json::to_string(report).unwrap_or_default();
        tracing::error!(request_id, trigger, report = whole, "left undone");
    }
}

/// Logs the instances of a region that was swept.
pub(crate) fn region(swept: &SweptRegion, request_id: &str) {
    instances(&swept.instances, Trigger::Sweep, request_id);
}

/// Logs one line for each instance; a sweep does so as soon as a region is done. Where something was done
/// or refused, the line has the whole entry of the report, because it is the only record.
fn instances(instances: &[InstanceReport], trigger: Trigger, request_id: &str) {
    let trigger = trigger.as_str();
    for instance in instances {
        let region = instance.region.as_str();
        let outcome = instance.outcome.as_str();
        let id = instance.instance_id.as_str();
        let rule = instance.rule.as_deref().unwrap_or_default();
        let reason = &instance.reason;
        let entry =
            is_record(instance).then(|| serde_json::to_string(instance).unwrap_or_default());
        macro_rules! line {
            ($level:ident, $($target:tt)*) => {
                tracing::$level!(
                    $($target)*
                    request_id,
                    trigger,
                    region,
                    instance = id,
                    outcome,
                    rule,
                    entry,
                    "{reason}"
                )
            };
        }
        match (instance.outcome, entry.is_some()) {
            (Outcome::Failed, _) => line!(error, target: RECORD,),
            (Outcome::Reported, true) => line!(warn, target: RECORD,),
            (Outcome::Reported, false) => line!(warn,),
            (_, true) => line!(info, target: RECORD,),
            (_, false) => line!(info,),
        }
    }
}

fn is_record(instance: &InstanceReport) -> bool {
    let is_done = match instance.outcome {
        Outcome::Enforced | Outcome::Stopped | Outcome::Terminated | Outcome::Failed => true,
        Outcome::Compliant | Outcome::Exempt | Outcome::Reported | Outcome::Gone => false,
    };
    let is_refused = !instance.refused.is_empty() || instance.because == Some(BecauseWord::Managed);
    is_done || is_refused || instance.rejected_calls.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn lets_through(vars: &[(&str, &str)], level: Level, expected: bool) {
        let targets = filter(|name| {
            vars.iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        });
        assert_eq!(targets.unwrap().would_enable("enforcer", &level), expected);
    }

    #[test]
    fn the_level_is_info_where_nothing_is_said() {
        lets_through(&[], Level::INFO, true);
        lets_through(&[], Level::DEBUG, false);
    }

    #[test]
    fn lambda_s_level_wins_over_rust_log() {
        lets_through(
            &[("AWS_LAMBDA_LOG_LEVEL", "ERROR"), ("RUST_LOG", "debug")],
            Level::INFO,
            false,
        );
        lets_through(&[("AWS_LAMBDA_LOG_LEVEL", "DEBUG")], Level::DEBUG, true);
        lets_through(&[("AWS_LAMBDA_LOG_LEVEL", "FATAL")], Level::WARN, false);
    }

    #[test]
    fn rust_log_sets_levels_by_target() {
        lets_through(&[("RUST_LOG", "warn,enforcer=debug")], Level::DEBUG, true);
    }
}
