//! Applies a plan that a user confirmed, and waits until EC2 has applied it.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use imds_aws::timing::{self, Backoff};
use imds_core::decide::{Discovery, UsageGate};
use imds_core::instance::{Instance, InstanceId, State};
use imds_core::plan::{Plan, Step};
use imds_core::policy::Policy;
use imds_core::report::{InstanceReport, Outcome};
use jiff::Timestamp;
use tokio::time::Instant;

use crate::apply::ApplyOptions;
use crate::engine::{Deadline, Engine};
use crate::record::{Record, Recorder};
use crate::regions::{OnProgress, Progress};

/// How a plan is enforced.
#[derive(Clone, Copy)]
pub struct EnforceOptions<'a> {
    /// The order of the regions.
    pub order: RegionOrder,
    /// When it is done.
    pub until: Until,
    /// Records every change.
    pub recorder: Recorder<'a>,
    /// Called with the progress.
    pub on_progress: &'a OnProgress,
}

/// The order of the regions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegionOrder {
    /// All concurrently.
    SideBySide,
    /// One is finished before the next begins.
    OneByOne,
}

/// When an enforcement is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// EC2 has answered.
    Answered,
    /// EC2 has applied the options, or two minutes have passed.
    Applied,
}

/// What became of a plan.
#[derive(Debug, Default)]
pub struct Enforced {
    /// The outcome of every instance of the plan.
    pub reports: Vec<InstanceReport>,
    /// How many of them EC2 has not applied yet.
    pub pending: usize,
}

impl Enforced {
    /// Adds what became of another plan.
    pub fn add(&mut self, other: Enforced) {
        self.reports.extend(other.reports);
        self.pending += other.pending;
    }
}

/// Enforces a plan.
pub async fn enforce(
    client: &imds_aws::Client,
    policy: &Policy,
    plan: Plan,
    now: fn() -> Timestamp,
    options: EnforceOptions<'_>,
) -> Enforced {
    (options.on_progress)(Progress::Changes(plan.steps.len()));
    let record = |record: &Record<'_>| {
        (options.recorder)(record)?;
        if let Record::Answer(_, Ok(_)) = record {
            (options.on_progress)(Progress::ChangeDone);
        }
        Ok(())
    };
    let mut enforced = Enforced::default();
    for steps in groups(plan.steps, options.order) {
        let changes = u32::try_from(most_in_a_region(&steps)).unwrap_or(u32::MAX);
        let time = timing::COMMAND_RETRIES + timing::COMMAND_CHANGE.saturating_mul(changes);
        let engine = Engine {
            client,
            policy,
            table: None,
            account: "",
            deadline: Deadline::at(Instant::now() + time),
            now,
        };
        // A stopped instance applies its options when it starts.
        let running = steps.iter().map(|step| &step.instance);
        let running = running.filter(|it| !it.state.is_some_and(State::is_stopped));
        let running: Vec<InstanceId> = running.map(|it| it.id.clone()).collect();
        let apply = ApplyOptions {
            discovery: Discovery::Request(UsageGate::Ignored),
            watch: false,
            recorder: Some(&record),
        };
        let plan = Plan {
            steps,
            observed_at: now(),
        };
        let mut reports = engine.apply(plan, apply).await;
        if options.until == Until::Applied && !client.is_halted() {
            let waited = wait_until_applied(client, &reports, &running, options.on_progress).await;
            enforced.pending += waited.len();
            for report in &mut reports {
                if waited.contains(&report.instance_id) {
                    report.reason.push_str("; EC2 has not applied it yet");
                }
            }
        }
        enforced.reports.extend(reports);
    }
    enforced
}

fn groups(steps: Vec<Step>, order: RegionOrder) -> Vec<Vec<Step>> {
    if order == RegionOrder::SideBySide {
        return vec![steps];
    }
    let mut groups: BTreeMap<String, Vec<Step>> = BTreeMap::new();
    for step in steps {
        let region = step.instance.region.clone();
        groups.entry(region).or_default().push(step);
    }
    groups.into_values().collect()
}

fn most_in_a_region(steps: &[Step]) -> usize {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for step in steps {
        *counts.entry(&step.instance.region).or_default() += 1;
    }
    counts.into_values().max().unwrap_or_default()
}

/// Waits until EC2 describes the options as `applied`, and returns those that it does not.
async fn wait_until_applied(
    client: &imds_aws::Client,
    reports: &[InstanceReport],
    running: &[InstanceId],
    on_progress: &OnProgress,
) -> Vec<InstanceId> {
    let deadline = Instant::now() + timing::COMMAND_APPLIED_WITHIN;
    let mut open: BTreeMap<String, Vec<InstanceId>> = BTreeMap::new();
    for report in reports {
        if report.outcome == Outcome::Enforced && running.contains(&report.instance_id) {
            let ids = open.entry(report.region.clone()).or_default();
            ids.push(report.instance_id.clone());
        }
    }
    let mut backoff = Backoff::default();
    loop {
        let described = open
            .iter()
            .map(|(region, ids)| client.describe_by_id(region, ids));
        let applied: Vec<InstanceId> = join_all(described)
            .await
            .into_iter()
            .flatten()
            .flat_map(|described| described.instances)
            .filter(needs_no_wait)
            .map(|instance| instance.id)
            .collect();
        open.retain(|_, ids| {
            ids.retain(|id| !applied.contains(id));
            !ids.is_empty()
        });
        let left: usize = open.values().map(Vec::len).sum();
        if left == 0 {
            return Vec::new();
        }
        on_progress(Progress::WaitingFor(left));
        if client.is_halted() || !backoff.wait(deadline).await {
            return open.into_values().flatten().collect();
        }
    }
}

/// A terminated instance has nothing to apply.
fn needs_no_wait(instance: &Instance) -> bool {
    instance.applied == Some(true) || instance.state.is_some_and(State::is_final)
}
