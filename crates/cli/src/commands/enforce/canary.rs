//! Observes the instances that are enforced first.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use imds_aws::Client;
use imds_core::canary::runs;
use imds_core::instance::InstanceId;
use imds_core::plan::Step;
use imds_core::report::{InstanceReport, Outcome, Unreachable};
use imds_engine::{CanaryCheck, check_canaries};
use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, sleep};

use crate::progress::ProgressLine;

/// How often the time that is left is shown.
const TICK: Duration = Duration::from_millis(200);

/// The instances that are enforced first, by region, as far as their calls can be observed.
#[derive(Debug, Default)]
pub(super) struct Canaries {
    running: BTreeMap<String, Vec<InstanceId>>,
}

/// Why the other instances are not enforced.
#[derive(Debug)]
pub(super) struct Stopped {
    /// For the reason of each of them.
    pub(super) why: String,
    /// What is not known of the canaries.
    pub(super) unknown: Vec<Unreachable>,
}

impl Stopped {
    fn because(why: impl Into<String>) -> Self {
        Stopped {
            why: why.into(),
            unknown: Vec::new(),
        }
    }
}

impl Canaries {
    /// Of the steps of the plan that are enforced first.
    pub(super) fn of(steps: &[Step]) -> Self {
        let mut canaries = Canaries::default();
        for step in steps.iter().filter(|step| runs(&step.instance)) {
            let ids = canaries.running.entry(step.instance.region.clone());
            ids.or_default().push(step.instance.id.clone());
        }
        canaries
    }

    /// Waits, and asks whether calls without a token were rejected on them since.
    ///
    /// # Errors
    /// Why the others must not be enforced.
    pub(super) async fn observe(
        mut self,
        (client, progress): (&Client, &Arc<ProgressLine>),
        reports: &[InstanceReport],
        (since, pause): (Timestamp, SignedDuration),
        now: fn() -> Timestamp,
    ) -> Result<(), Stopped> {
        let enforced = |id: &InstanceId| {
            let is_enforced = |it: &InstanceReport| it.outcome == Outcome::Enforced;
            reports
                .iter()
                .any(|it| it.instance_id == *id && is_enforced(it))
        };
        if client.is_halted() || reports.iter().any(|it| it.outcome == Outcome::Failed) {
            return Err(Stopped::because("because not all canaries were enforced"));
        }
        self.running.retain(|_, ids| {
            ids.retain(|id| enforced(id));
            !ids.is_empty()
        });
        if self.running.is_empty() {
            let error = "no canary was enforced and runs, so that no call can be observed";
            return Err(Stopped {
                why: "because no canary could be observed".to_owned(),
                unknown: vec![Unreachable::fatal("all", error.to_owned())],
            });
        }
        if !wait(client, progress, pause.unsigned_abs()).await {
            let why = "because the command was interrupted while the canaries were observed";
            return Err(Stopped::because(why));
        }
        let CanaryCheck { rejected, unknown } =
            check_canaries(client, &self.running, (since, now())).await;
        if let Some((id, calls)) = rejected.first() {
            let why = format!(
                "because {} calls without a token were rejected on canary {id}, the last at {}",
                calls.calls, calls.last_at
            );
            return Err(Stopped { why, unknown });
        }
        if unknown.is_empty() {
            return Ok(());
        }
        Err(Stopped {
            why: "because it is not known whether calls are rejected on the canaries".to_owned(),
            unknown,
        })
    }
}

/// Waits, unless the client is halted before the time is over.
async fn wait(client: &Client, progress: &ProgressLine, pause: Duration) -> bool {
    client.extend_time(pause);
    let until = Instant::now() + pause;
    loop {
        if client.is_halted() {
            return false;
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return true;
        }
        progress.show_wait(left);
        sleep(left.min(TICK)).await;
    }
}
