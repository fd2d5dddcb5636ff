//! One invocation: read the event, let the engine handle it, log and emit metrics.

use std::cell::RefCell;
use std::time::Duration;

use imds_aws::{Client, StateTable};
use imds_core::chain::chain;
use imds_core::event::{Event, parse};
use imds_core::policy::Policy;
use imds_core::report::{Report, Trigger};
use imds_engine::{Deadline, Engine};
use jiff::Timestamp;
use lambda_runtime::Context;
use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::config::Config;
use crate::error::Failure;
use crate::log;
use crate::metrics::{self, SweepMetrics};
use crate::policy::{self, StoredPolicyError};

/// The function with its configuration, ready to handle events.
pub(crate) struct App {
    client: Client,
    policy: Policy,
    table: Option<StateTable>,
    role: Option<String>,
    region: String,
    namespace: String,
}

impl App {
    /// Reads the policy, where it is in the state table.
    ///
    /// # Errors
    /// If it cannot be read from there.
    pub(crate) async fn new(config: Config) -> Result<Self, StoredPolicyError> {
        let Config {
            policy,
            client,
            table,
            role,
            region,
            namespace,
        } = config;
        let policy = policy::read(policy, &client, table.as_ref()).await?;
        Ok(App {
            client,
            policy,
            table,
            role,
            region,
            namespace,
        })
    }

    /// Most events come from the function's own region.
    pub(crate) fn prepare(&self) {
        self.client.prepare(&self.region);
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
        let (event, account) = read(payload.get(), &context.invoked_function_arn)
            .inspect_err(|error| tracing::error!(request_id, "{}", chain(error)))?;
        // Frees the event's memory, up to 1 MB, before EC2's responses need it.
        drop(payload);
        let start = Instant::now();
        let left = time_left(context.deadline, now());
        let engine = Engine {
            client: &self.client,
            policy: &self.policy,
            table: self.table.as_ref(),
            account: &account,
            deadline: Deadline::within(start, start + left),
            now,
        };
        let report = self.handle(engine, event, request_id).await;
        log::report(&report, request_id);
        if report.trigger == Trigger::Sweep {
            // Its next run is its retry, and gauges tell what is left.
            return Ok(report);
        }
        metrics::event(&report, &self.namespace, now());
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
                let own_role = self.role.as_deref();
                engine.metadata_change(change, own_role).await
            }
            Event::Sweep(sweep) => {
                let metrics = RefCell::new(SweepMetrics::default());
                let on_region = |region: &_| {
                    log::region(region, request_id);
                    let mut metrics = metrics.borrow_mut();
                    metrics.add(region, &self.policy, (engine.now)());
                };
                let swept = engine.sweep(sweep, &self.region, request_id, on_region);
                let report = swept.await;
                if report.trigger == Trigger::Sweep {
                    let metrics = metrics.into_inner();
                    metrics.write(&report, &self.namespace, (engine.now)());
                }
                report
            }
            Event::Ignored(ignored) => {
                let reason = ignored.reason.to_string();
                Report::ignored(ignored.account, ignored.region, reason)
            }
        }
    }
}

/// Parses the event; fails if it is from another account, or names none: only a sweep may, which is then of
/// the function's own. Returns the account too.
fn read(event: &str, function_arn: &str) -> Result<(Event, String), Failure> {
    let event = parse(event)?;
    let own = function_arn.split(':').nth(4).filter(|own| is_account(own));
    let accounts: Vec<&str> = event.accounts().collect();
    let Some(own) = own else {
        let account = accounts.first().copied().unwrap_or_default().to_owned();
        return Ok((event, account));
    };
    if let Some(other) = accounts.iter().find(|it| is_account(it) && **it != own) {
        return Err(Failure::OtherAccount {
            event: (*other).to_owned(),
            own: own.to_owned(),
        });
    }
    let may_name_none = matches!(event, Event::Sweep(_) | Event::Ignored(_));
    if accounts.is_empty() && !may_name_none {
        return Err(Failure::NoAccount {
            own: own.to_owned(),
        });
    }
    Ok((event, own.to_owned()))
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
