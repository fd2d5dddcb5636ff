//! Every time-out, number of attempts and wait of the project, with its source.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// The longest time to connect; the SDK's default is 3.1 s.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// The longest time of one attempt, from sending the request to reading all of the answer.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(15);

/// The SDK's first wait before it retries; it doubles with each attempt, with jitter.
///
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html>
pub const FIRST_RETRY: Duration = Duration::from_millis(500);

/// How many permits a throttled call takes from the rate limiter before it fails.
pub const PERMITS: u32 = 20;

/// The longest wait between two permits: twenty of them outlast half a minute in which EC2 refuses
/// every call.
pub(crate) const LONGEST_PERMIT_GAP: Duration = Duration::from_secs(2);

/// The share of an invocation's time after which no instance is waited for.
pub const OBSERVE_SHARE: f64 = 0.6;

/// The share of an invocation's time after which no call is made, so that the report gets out.
pub const ACT_SHARE: f64 = 0.85;

/// EC2's API is eventually consistent; an id that it does not know so many minutes after the launch is
/// gone.
///
/// <https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html>
pub const VISIBLE_AFTER_MINUTES: i64 = 15;

/// How often a change is tried before it is checked whether the instance still exists.
pub const ROUNDS_BEFORE_GONE: usize = 3;

/// A claim to terminate that took longer to write is void: others may have read the claims already.
pub const CLAIM_WRITTEN_WITHIN: Duration = Duration::from_secs(1);

/// How long a claim is given to become visible to all.
pub const CLAIM_VISIBLE_AFTER: Duration = Duration::from_secs(3);

/// The command's time for one change: EC2 takes five a second in a region, and other software may use
/// four of them.
///
/// <https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html>
pub const COMMAND_CHANGE: Duration = Duration::from_secs(1);

/// The command's time for retries, on top of [`COMMAND_CHANGE`] for each change.
pub const COMMAND_RETRIES: Duration = Duration::from_secs(180);

/// How long the command waits for EC2 to apply what it answered.
pub const COMMAND_APPLIED_WITHIN: Duration = Duration::from_secs(120);

/// How long a rollback retries a call, and waits for EC2 to describe what it answered.
pub const ROLLBACK_RETRIES: Duration = Duration::from_secs(30);

/// How long a change of account defaults is given to be visible.
pub const DEFAULTS_VISIBLE_WITHIN: Duration = Duration::from_secs(8);

/// Waits between attempts: from 0.2 s, doubling, to 5 s. Each is shortened by up to a quarter at random,
/// so that many who failed together do not try again together.
///
/// <https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/>
#[derive(Debug, Clone, Copy)]
pub struct Backoff(Duration);

impl Default for Backoff {
    fn default() -> Self {
        Backoff(Duration::from_millis(200))
    }
}

impl Backoff {
    const LONGEST: Duration = Duration::from_secs(5);
    const JITTER: f64 = 0.25;

    /// When to try again; `None`: that would be after the deadline.
    pub fn next(&mut self, deadline: Instant) -> Option<Instant> {
        let wait = self.0.mul_f64(1.0 - Self::JITTER * fastrand::f64());
        let due = Instant::now() + wait;
        self.0 = (self.0 * 2).min(Self::LONGEST);
        (due < deadline).then_some(due)
    }

    /// Waits until then; `false`, at once, where that would be after the deadline.
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
