//! One invocation: read the event, let the engine handle it, log and emit metrics.

use std::time::Duration;

use imds_core::chain::chain;
use imds_core::event::{Event, parse};
use imds_core::report::{Report, Trigger};
use imds_engine::{Deadline, Engine};
use jiff::Timestamp;
use lambda_runtime::Context;
use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::config::Config;
use crate::error::Failure;
use crate::{log, metrics};

/// The function with its configuration, ready to handle events.
pub(crate) struct App {
    config: Config,
}

impl App {
    pub(crate) fn new(config: Config) -> Self {
        App { config }
    }

    /// Most events come from the function's own region.
    pub(crate) fn prepare(&self) {
        self.config.client.prepare(&self.config.region);
    }

    /// Answers an event with the report, logs it and emits its metrics.
    ///
    /// # Errors
    /// If the event is malformed, or if something that should have been done was not.
    pub(crate) async fn answer(
        &self,
        payload: Box<RawValue>,
        context: &Context,
        now: fn() -> Timestamp,
    ) -> Result<Report, Failure> {
        let request_id = context.request_id.as_str();
        let event = read(payload.get(), &context.invoked_function_arn)
            .inspect_err(|error| tracing::error!(request_id, "{}", chain(error)))?;
        // Frees the event's memory, up to 1 MB, before EC2's responses need it.
        drop(payload);
        let start = Instant::now();
        let left = time_left(context.deadline, now());
        let engine = Engine {
            client: &self.config.client,
            policy: &self.config.policy,
            deadline: Deadline::within(start, start + left),
            now,
        };
        let report = self.handle(engine, event, request_id).await;
        log::report(&report, request_id);
        if report.trigger != Trigger::Sweep {
            metrics::event(&report, now());
        }
        if report.is_incomplete() {
            return Err(Failure::Incomplete(Box::new(report)));
        }
        Ok(report)
    }

    async fn handle(&self, engine: Engine<'_>, event: Event, request_id: &str) -> Report {
        match event {
            Event::Launch(launch) => engine.launch(launch).await,
            Event::Start(start) => engine.start(start).await,
            Event::MetadataChange(change) => {
                let own_role = self.config.role.as_deref();
                engine.metadata_change(change, own_role).await
            }
            Event::Sweep(sweep) => {
                let on_region = |region: &_| {
                    log::region(region, request_id);
                    metrics::region(region, (engine.now)());
                };
                engine.sweep(sweep, &self.config.region, on_region).await
            }
            Event::Ignored(ignored) => {
                let reason = ignored.reason.to_string();
                Report::ignored(ignored.account, ignored.region, reason)
            }
        }
    }
}

/// Parses the event; fails if it is from another account.
fn read(event: &str, function_arn: &str) -> Result<Event, Failure> {
    let event = parse(event)?;
    let own = function_arn.split(':').nth(4).filter(|own| is_account(own));
    match (event.account().filter(|of_event| is_account(of_event)), own) {
        (Some(of_event), Some(own)) if of_event != own => Err(Failure::OtherAccount {
            event: of_event.to_owned(),
            own: own.to_owned(),
        }),
        _ => Ok(event),
    }
}

/// Emulators of Lambda put other values into the function's ARN.
fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

/// Lambda sends the deadline in milliseconds since 1970; `cargo lambda watch` sends the remaining
/// milliseconds.
fn time_left(deadline_ms: u64, now: Timestamp) -> Duration {
    const A_DAY: u64 = 24 * 60 * 60 * 1000;
    let now = u64::try_from(now.as_millisecond()).unwrap_or_default();
    let lasts = if deadline_ms < A_DAY {
        deadline_ms
    } else {
        deadline_ms.saturating_sub(now)
    };
    Duration::from_millis(lasts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_a_time_or_how_long_the_invocation_lasts() {
        let now = Timestamp::from_millisecond(1_772_359_200_000).unwrap();
        assert_eq!(time_left(1_772_359_203_000, now), Duration::from_secs(3));
        assert_eq!(time_left(1_772_359_199_000, now), Duration::ZERO);
        assert_eq!(time_left(600_000, now), Duration::from_secs(600));
    }
}
