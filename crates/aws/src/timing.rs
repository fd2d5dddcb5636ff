//! The project's time-outs, numbers of attempts and waits, with their sources.

use std::time::Duration;

use jiff::SignedDuration;
use tokio::time::{Instant, sleep_until};

/// The time-out for connecting; the SDK's default is 3.1 s.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// The time-out for one attempt, from sending the request to reading the complete response.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(15);

/// The SDK's first wait before it retries; it doubles with each attempt, with jitter.
///
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html>
pub const FIRST_RETRY: Duration = Duration::from_millis(500);

/// How many permits a throttled call takes from the rate limiter before it fails.
pub const PERMITS: u32 = 20;

/// The longest wait between two permits: `PERMITS` of them outlast 30 s in which EC2 throttles
/// every call.
pub(crate) const LONGEST_PERMIT_GAP: Duration = Duration::from_secs(2);

/// The shortest wait between two permits.
pub(crate) const LEAST_PERMIT_GAP: Duration = Duration::from_millis(5);

/// The share of an invocation's time after which the function no longer waits for instances.
pub const OBSERVE_SHARE: f64 = 0.6;

/// The share of an invocation's time after which the function makes no calls, so that it can still
/// report.
pub const ACT_SHARE: f64 = 0.85;

/// Minutes after the launch from which an id that EC2 does not know is considered gone: EC2's API is
/// eventually consistent.
///
/// <https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html>
pub const VISIBLE_AFTER_MINUTES: i64 = 15;

/// How long an observation of an instance allows to stop or terminate it.
pub const OBSERVATION_COUNTS: SignedDuration = SignedDuration::from_secs(60);

/// How long before an instance stops being new a call that stops or terminates it must be sent.
pub const CALL_ARRIVES_WITHIN: SignedDuration = SignedDuration::from_secs(5);

/// How long after a change of options EC2 may still show the options before it.
pub const CHANGE_VISIBLE_WITHIN: SignedDuration = SignedDuration::from_secs(60);

/// When an instance is described again whose options are not those that were just set.
pub const DESCRIBE_CHANGED_AGAIN: Duration = Duration::from_secs(5);

/// How often a change is tried before checking whether the instance still exists.
pub const ROUNDS_BEFORE_GONE: usize = 3;

/// How long a permit to stop or terminate is good, from the time of its entry in the state table.
pub const PERMIT_COUNTS: Duration = Duration::from_secs(60);

/// How long the state table is tried.
pub const STATE_WITHIN: Duration = Duration::from_secs(5);

/// The time-out for one attempt of a call of DynamoDB.
pub(crate) const STATE_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);

/// The first wait before a call of DynamoDB is tried again.
pub(crate) const STATE_FIRST_RETRY: Duration = Duration::from_millis(50);

/// The longest wait between attempts.
pub(crate) const STATE_LONGEST_RETRY: Duration = Duration::from_secs(1);

/// The waits between them take 4.6 s at most of [`STATE_WITHIN`], so that the last error is told.
pub(crate) const STATE_ATTEMPTS: u32 = 9;

/// The command's time for one change: EC2 accepts five changes per second in a region, of which other
/// software may use four.
///
/// <https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html>
pub const COMMAND_CHANGE: Duration = Duration::from_secs(1);

/// The command's time for retries, on top of [`COMMAND_CHANGE`] for each change.
pub const COMMAND_RETRIES: Duration = Duration::from_secs(180);

/// How long the command waits for EC2 to apply the options that it accepted.
pub const COMMAND_APPLIED_WITHIN: Duration = Duration::from_secs(120);

/// How long a rollback retries a call, and how long it waits until EC2 describes the new options.
pub const ROLLBACK_RETRIES: Duration = Duration::from_secs(30);

/// How long to wait until a change of account defaults becomes visible.
pub const DEFAULTS_VISIBLE_WITHIN: Duration = Duration::from_secs(8);

/// Waits between attempts: from 0.2 s, doubling, to 5 s. Each is shortened by up to a quarter at random,
/// so that callers that failed together do not retry together.
///
/// <https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/>
#[derive(Debug, Clone, Copy)]
pub struct Backoff(Duration);

impl Backoff {
    /// From 20 ms, for writers of one item: one of them succeeds in each round.
    pub fn short() -> Self {
        Backoff(Duration::from_millis(20))
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Backoff(Duration::from_millis(200))
    }
}

impl Backoff {
    const LONGEST: Duration = Duration::from_secs(5);
    const JITTER: f64 = 0.25;

    /// When to try again; `None` if that would be after the deadline.
    pub fn next(&mut self, deadline: Instant) -> Option<Instant> {
        let wait = self.0.mul_f64(1.0 - Self::JITTER * fastrand::f64());
        let due = Instant::now() + wait;
        self.0 = (self.0 * 2).min(Self::LONGEST);
        (due < deadline).then_some(due)
    }

    /// Waits until the next attempt. Returns `false` without waiting if that would be after the deadline.
    pub async fn wait(&mut self, deadline: Instant) -> bool {
        match self.next(deadline) {
            Some(due) => {
                sleep_until(due).await;
                true
            }
            None => false,
        }
    }
}
