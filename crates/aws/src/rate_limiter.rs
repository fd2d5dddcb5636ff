//! Keeps to EC2's rates once EC2 has throttled a call.
//!
//! <https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html>

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::timing::{LEAST_PERMIT_GAP, LONGEST_PERMIT_GAP};

/// The rate of every action in every region, shared by all calls of the process.
///
/// Other software draws from the same token buckets, so their level is not known: calls need no permit
/// until one is throttled. From then on permits are granted at the bucket's documented refill rate, until
/// the bucket has had time to refill. That rate is where it begins, because AWS changes rates and raises
/// them on request: each call that succeeds reduces the gap between permits, by a tenth down to the
/// documented one, and by a hundredth below it. A call that is throttled in spite of its permit sets a
/// smaller gap back to the documented one, and doubles any other: the bucket is shared with others, such as
/// other invocations.
#[derive(Debug, Default)]
pub(crate) struct RateLimiter {
    queues: Mutex<HashMap<(&'static str, String), Arc<Queue>>>,
}

/// Calls acquire the lock in the order of their requests; a cancelled call leaves the queue.
#[derive(Debug)]
struct Queue {
    /// When the next permit is granted.
    next: tokio::sync::Mutex<Instant>,
    /// The time between permits.
    gap: Mutex<Duration>,
    /// The bucket's documented refill interval.
    documented: Duration,
}

/// A permit for a call; `None` where none was needed.
#[derive(Debug)]
pub(crate) struct Permit(Option<Arc<Queue>>);

impl Queue {
    fn after(gap: Duration) -> Self {
        Queue {
            next: tokio::sync::Mutex::new(Instant::now() + gap),
            gap: Mutex::new(gap),
            documented: gap,
        }
    }

    fn accepted(&self) {
        let mut gap = self.gap();
        *gap = if *gap > self.documented {
            gap.mul_f64(0.9).max(self.documented)
        } else {
            gap.mul_f64(0.99).max(LEAST_PERMIT_GAP)
        };
    }

    fn throttled(&self) {
        let mut gap = self.gap();
        *gap = if *gap < self.documented {
            self.documented
        } else {
            (*gap * 2).min(LONGEST_PERMIT_GAP.max(self.documented))
        };
    }

    fn gap(&self) -> MutexGuard<'_, Duration> {
        self.gap.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    /// EC2 accepted the call.
    pub(crate) fn accepted(self) {
        if let Some(queue) = self.0 {
            queue.accepted();
        }
    }
}

/// A bucket's size in tokens, and its refill rate in tokens per second.
struct TokenBucket {
    size: f64,
    refill: f64,
}

impl TokenBucket {
    fn documented(action: &str) -> Self {
        let (size, refill) = match action {
            "DescribeInstances" => (100.0, 20.0),
            "ModifyInstanceMetadataOptions"
            | "StopInstances"
            | "StartInstances"
            | "TerminateInstances" => (100.0, 5.0),
            "GetMetricData" => (50.0, 50.0),
            _ => (50.0, 10.0),
        };
        TokenBucket { size, refill }
    }

    fn between_calls(&self) -> Duration {
        Duration::from_secs_f64(1.0 / self.refill)
    }

    fn fills_up_in(&self) -> Duration {
        Duration::from_secs_f64(self.size / self.refill)
    }
}

impl RateLimiter {
    /// Waits for a permit; returns immediately if no call was throttled.
    pub(crate) async fn permit(&self, action: &'static str, region: &str) -> Permit {
        let key = (action, region.to_owned());
        let Some(queue) = self.lock().get(&key).map(Arc::clone) else {
            return Permit(None);
        };
        let bucket = TokenBucket::documented(action);
        let mut next = queue.next.lock().await;
        if next.elapsed() >= bucket.fills_up_in() {
            self.lock().remove(&key);
            return Permit(None);
        }
        sleep_until(*next).await;
        *next = Instant::now() + *queue.gap();
        drop(next);
        Permit(Some(queue))
    }

    /// EC2 throttled the call: the bucket is empty.
    pub(crate) fn throttled(&self, action: &'static str, region: &str, permit: Permit) {
        if let Permit(Some(queue)) = permit {
            queue.throttled();
            return;
        }
        // Concurrent calls that are throttled together indicate one empty bucket.
        self.lock()
            .entry((action, region.to_owned()))
            .or_insert_with(|| {
                Arc::new(Queue::after(
                    TokenBucket::documented(action).between_calls(),
                ))
            });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(&'static str, String), Arc<Queue>>> {
        // Nothing panics while the lock is held, so that the map is consistent even if poisoned.
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODIFY: &str = "ModifyInstanceMetadataOptions";

    async fn took(rate_limiter: &RateLimiter, region: &str) -> Duration {
        let start = Instant::now();
        rate_limiter.permit(MODIFY, region).await;
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn calls_need_no_permit_until_one_is_throttled() {
        let rate_limiter = RateLimiter::default();
        for _ in 0..1000 {
            assert_eq!(took(&rate_limiter, "eu-central-1").await, Duration::ZERO);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn throttled_calls_get_permits_at_the_refill_rate_of_their_bucket() {
        let rate_limiter = RateLimiter::default();
        for _ in 0..32 {
            rate_limiter.throttled(MODIFY, "eu-central-1", Permit(None));
        }
        let start = Instant::now();
        for _ in 0..50 {
            rate_limiter.permit(MODIFY, "eu-central-1").await;
        }
        assert!(start.elapsed().abs_diff(Duration::from_secs(10)) < Duration::from_millis(20));
        assert_eq!(
            took(&rate_limiter, "us-east-1").await,
            Duration::ZERO,
            "other regions have their own buckets"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn calls_throttled_in_spite_of_a_permit_come_less_often_until_one_is_accepted() {
        let rate_limiter = RateLimiter::default();
        rate_limiter.throttled(MODIFY, "eu-central-1", Permit(None));
        for _ in 0..3 {
            let permit = rate_limiter.permit(MODIFY, "eu-central-1").await;
            rate_limiter.throttled(MODIFY, "eu-central-1", permit);
        }
        took(&rate_limiter, "eu-central-1").await;
        let slow = took(&rate_limiter, "eu-central-1").await;
        assert!(
            slow.abs_diff(Duration::from_millis(1600)) < Duration::from_millis(20),
            "{slow:?}"
        );
        for _ in 0..25 {
            rate_limiter.permit(MODIFY, "eu-central-1").await.accepted();
        }
        let again = took(&rate_limiter, "eu-central-1").await;
        assert!(
            again.abs_diff(Duration::from_millis(200)) < Duration::from_millis(20),
            "{again:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn calls_that_are_accepted_come_faster_than_documented_until_one_is_throttled() {
        let rate_limiter = RateLimiter::default();
        rate_limiter.throttled(MODIFY, "eu-central-1", Permit(None));
        for _ in 0..40 {
            rate_limiter.permit(MODIFY, "eu-central-1").await.accepted();
        }
        took(&rate_limiter, "eu-central-1").await;
        let fast = took(&rate_limiter, "eu-central-1").await;
        let expected = Duration::from_secs_f64(0.2 * 0.99_f64.powi(40));
        assert!(
            fast.abs_diff(expected) < Duration::from_millis(3),
            "{fast:?}"
        );
        let permit = rate_limiter.permit(MODIFY, "eu-central-1").await;
        rate_limiter.throttled(MODIFY, "eu-central-1", permit);
        took(&rate_limiter, "eu-central-1").await;
        let documented = took(&rate_limiter, "eu-central-1").await;
        assert!(
            documented.abs_diff(Duration::from_millis(200)) < Duration::from_millis(3),
            "{documented:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn calls_need_no_permit_once_the_bucket_is_full() {
        let rate_limiter = RateLimiter::default();
        rate_limiter.throttled(MODIFY, "eu-central-1", Permit(None));
        took(&rate_limiter, "eu-central-1").await;
        tokio::time::sleep(Duration::from_secs(21)).await;
        for _ in 0..100 {
            assert_eq!(took(&rate_limiter, "eu-central-1").await, Duration::ZERO);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_is_given_up_leaves_its_place_to_the_next() {
        let rate_limiter = RateLimiter::default();
        rate_limiter.throttled(MODIFY, "eu-central-1", Permit(None));
        let waiting = (0..100).map(|_| rate_limiter.permit(MODIFY, "eu-central-1"));
        let all = futures_util::future::join_all(waiting);
        assert!(
            tokio::time::timeout(Duration::from_secs(1), all)
                .await
                .is_err()
        );
        assert!(took(&rate_limiter, "eu-central-1").await <= Duration::from_millis(201));
    }
}
