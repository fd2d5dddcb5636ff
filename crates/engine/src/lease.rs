//! One sweep at a time for an account.

use std::time::Duration;

use imds_aws::{Condition, Written};
use imds_core::plain::Plain;
use imds_core::state::{Item, Key, Value};
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::attempt::in_time;
use crate::engine::Engine;
use crate::state::later;

/// How long a lease outlives the time of its holder.
const AFTER: SignedDuration = SignedDuration::from_secs(60);

/// How long a release may take, where the time for calls is over.
const RELEASED_WITHIN: Duration = Duration::from_millis(500);

/// The lease also knows the day of the last complete sweep.
const EXPIRES: SignedDuration = SignedDuration::from_hours(72);

/// Who sweeps an account.
pub(crate) enum Lease {
    /// This sweep; the day of the last complete sweep, if one is known.
    Ours(Option<String>),
    /// Another sweep, in words.
    Held(String),
    /// Not known: what a sweep does is limited by what it can count.
    Unknown,
}

impl Engine<'_> {
    pub(crate) async fn lease(&self, holder: &str) -> Lease {
        let Some(table) = self.table else {
            return Lease::Unknown;
        };
        let now = (self.now)();
        let left = self.deadline.act.saturating_duration_since(Instant::now());
        let until = later(now.checked_add(left).unwrap_or(now), AFTER);
        let lease = Item::from([
            ("holder".to_owned(), Value::Text(holder.to_owned())),
            ("until".to_owned(), Value::Number(until.as_millisecond())),
        ]);
        let key = Key::lease(self.account);
        let condition = Condition::LeaseFree(holder, now);
        let call = self
            .client
            .update_item(table, &key, &lease, later(now, EXPIRES), condition);
        match in_time(self.state_deadline(self.deadline.observe), call).await {
            Ok(Written::Done(before)) => Lease::Ours(day(before.as_ref())),
            Ok(Written::ConditionFailed(item)) => Lease::Held(held(item.as_ref())),
            Err(error) => {
                tracing::warn!("could not take the lease of the account: {error}");
                Lease::Unknown
            }
        }
    }

    /// Returns whether this is the first complete sweep of the day.
    pub(crate) async fn release(&self, lease: Lease, holder: &str, complete: bool) -> bool {
        let (Lease::Ours(last), Some(table)) = (lease, self.table) else {
            return false;
        };
        let now = (self.now)();
        let today = Offset::UTC.to_datetime(now).date().to_string();
        let mut lease = Item::from([("until".to_owned(), Value::Number(now.as_millisecond()))]);
        if complete {
            lease.insert("day".to_owned(), Value::Text(today.clone()));
        }
        let key = Key::lease(self.account);
        let condition = Condition::LeaseHeld(holder);
        let call = self
            .client
            .update_item(table, &key, &lease, later(now, EXPIRES), condition);
        // A lease that is not released ends by itself.
        let deadline = self.deadline.act.max(Instant::now()) + RELEASED_WITHIN;
        let released = in_time(deadline, call).await;
        matches!(released, Ok(Written::Done(_))) && complete && last.as_ref() != Some(&today)
    }
}

fn day(item: Option<&Item>) -> Option<String> {
    match item?.get("day")? {
        Value::Text(day) => Some(day.clone()),
        _ => None,
    }
}

fn held(item: Option<&Item>) -> String {
    let attribute = |name| item.and_then(|item| item.get(name));
    let holder = match attribute("holder") {
        Some(Value::Text(holder)) => Plain(holder).to_string(),
        _ => "another".to_owned(),
    };
    let until = match attribute("until") {
        Some(Value::Number(until)) => Timestamp::from_millisecond(*until).ok(),
        _ => None,
    };
    let until = until.map(|until| format!(" until {until} at the latest"));
    format!(
        "sweep {holder} of this account runs{}",
        until.unwrap_or_default()
    )
}
