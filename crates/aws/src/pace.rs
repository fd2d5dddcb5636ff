//! Keeps to EC2's rates once EC2 has said that they are reached.
//!
//! <https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html>

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// The pace of every action in every region, shared by all calls of the process.
///
/// Other software draws from the same buckets, so nobody can know how full they are: calls go out
/// freely until one is throttled. From then on they queue at the bucket's documented refill, each
/// in its own slot, and are free again once the bucket has had the time to fill up. A call that is
/// throttled in its own slot shares the bucket with others, such as other invocations: it doubles the
/// gap to the next, and each call that passes takes a tenth of the gap back.
#[derive(Debug, Default)]
pub(crate) struct Pacer {
    queues: Mutex<HashMap<(&'static str, String), Arc<Queue>>>,
}

/// Calls wait for the lock in the order of their coming, and one that is given up leaves its place.
#[derive(Debug)]
struct Queue {
    /// When the next call may go out.
    next: tokio::sync::Mutex<Instant>,
    /// Between calls; at least the bucket's own.
    gap: Mutex<Duration>,
    least: Duration,
}

/// A call's slot; `None` where nothing was throttled before it.
#[derive(Debug)]
pub(crate) struct Turn(Option<Arc<Queue>>);

/// The widest gap: twenty turns of a call then outlast half a minute in which EC2 refuses everything.
const WIDEST: Duration = Duration::from_secs(2);

impl Queue {
    fn after(gap: Duration) -> Self {
        Queue {
            next: tokio::sync::Mutex::new(Instant::now() + gap),
            gap: Mutex::new(gap),
            least: gap,
        }
    }

    fn scale_gap(&self, by: f64) {
        let mut gap = self.gap();
        *gap = gap.mul_f64(by).clamp(self.least, WIDEST.max(self.least));
    }

    fn gap(&self) -> MutexGuard<'_, Duration> {
        self.gap.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// EC2 has taken the call.
    pub(crate) fn passed(self) {
        if let Some(queue) = self.0 {
            queue.scale_gap(0.9);
        }
    }
}

/// What a bucket holds, and how much flows in every second.
struct Bucket {
    size: f64,
    refill: f64,
}

impl Bucket {
    fn of(action: &str) -> Self {
        let (size, refill) = match action {
            "DescribeInstances" => (100.0, 20.0),
            "ModifyInstanceMetadataOptions"
            | "StopInstances"
            | "StartInstances"
            | "TerminateInstances" => (100.0, 5.0),
            "CreateTags" | "DeleteTags" => (100.0, 10.0),
            "GetMetricData" => (50.0, 50.0),
            _ => (50.0, 10.0),
        };
        Bucket { size, refill }
    }

    fn between_calls(&self) -> Duration {
        Duration::from_secs_f64(1.0 / self.refill)
    }

    fn fills_up_in(&self) -> Duration {
        Duration::from_secs_f64(self.size / self.refill)
    }
}

impl Pacer {
    /// Waits for the call's slot; at once where nothing is throttled.
    pub(crate) async fn turn(&self, action: &'static str, region: &str) -> Turn {
        let key = (action, region.to_owned());
        let Some(queue) = self.lock().get(&key).map(Arc::clone) else {
            return Turn(None);
        };
        let bucket = Bucket::of(action);
        let mut next = queue.next.lock().await;
        if next.elapsed() >= bucket.fills_up_in() {
            self.lock().remove(&key);
            return Turn(None);
        }
        sleep_until(*next).await;
        *next = Instant::now() + *queue.gap();
        drop(next);
        Turn(Some(queue))
    }

    /// EC2 has said no: the bucket is empty.
    pub(crate) fn throttled(&self, action: &'static str, region: &str, turn: Turn) {
        if let Turn(Some(queue)) = turn {
            queue.scale_gap(2.0);
            return;
        }
        // Calls that were under way together are throttled together; they mean one empty bucket.
        self.lock()
            .entry((action, region.to_owned()))
            .or_insert_with(|| Arc::new(Queue::after(Bucket::of(action).between_calls())));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(&'static str, String), Arc<Queue>>> {
        // A poisoned map is whole: nothing panics while it is held.
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODIFY: &str = "ModifyInstanceMetadataOptions";

    async fn took(pacer: &Pacer, region: &str) -> Duration {
        let start = Instant::now();
        pacer.turn(MODIFY, region).await;
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn calls_go_out_freely_until_one_is_throttled() {
        let pacer = Pacer::default();
        for _ in 0..1000 {
            assert_eq!(took(&pacer, "eu-central-1").await, Duration::ZERO);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn throttled_calls_queue_at_the_refill_of_their_bucket() {
        let pacer = Pacer::default();
        for _ in 0..32 {
            pacer.throttled(MODIFY, "eu-central-1", Turn(None));
        }
        let start = Instant::now();
        for _ in 0..50 {
            pacer.turn(MODIFY, "eu-central-1").await;
        }
        assert!(start.elapsed().abs_diff(Duration::from_secs(10)) < Duration::from_millis(20));
        assert_eq!(
            took(&pacer, "us-east-1").await,
            Duration::ZERO,
            "other regions are free"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn calls_throttled_in_their_slot_come_less_often_until_they_pass() {
        let pacer = Pacer::default();
        pacer.throttled(MODIFY, "eu-central-1", Turn(None));
        for _ in 0..3 {
            let turn = pacer.turn(MODIFY, "eu-central-1").await;
            pacer.throttled(MODIFY, "eu-central-1", turn);
        }
        took(&pacer, "eu-central-1").await;
        let slow = took(&pacer, "eu-central-1").await;
        assert!(
            slow.abs_diff(Duration::from_millis(1600)) < Duration::from_millis(20),
            "{slow:?}"
        );
        for _ in 0..25 {
            pacer.turn(MODIFY, "eu-central-1").await.passed();
        }
        let again = took(&pacer, "eu-central-1").await;
        assert!(
            again.abs_diff(Duration::from_millis(200)) < Duration::from_millis(20),
            "{again:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn calls_are_free_again_once_the_bucket_is_full() {
        let pacer = Pacer::default();
        pacer.throttled(MODIFY, "eu-central-1", Turn(None));
        took(&pacer, "eu-central-1").await;
        tokio::time::sleep(Duration::from_secs(21)).await;
        for _ in 0..100 {
            assert_eq!(took(&pacer, "eu-central-1").await, Duration::ZERO);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_is_given_up_leaves_its_place_to_the_next() {
        let pacer = Pacer::default();
        pacer.throttled(MODIFY, "eu-central-1", Turn(None));
        let waiting = (0..100).map(|_| pacer.turn(MODIFY, "eu-central-1"));
        let all = futures_util::future::join_all(waiting);
        assert!(
            tokio::time::timeout(Duration::from_secs(1), all)
                .await
                .is_err()
        );
        assert!(took(&pacer, "eu-central-1").await <= Duration::from_millis(201));
    }
}
