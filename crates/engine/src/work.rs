//! What an observer does, and what came of it.

use std::collections::{BTreeMap, BTreeSet};

use imds_aws::timing::Backoff;
use imds_aws::{CallError, DescribedIds, DescribedPage};
use imds_core::event::Launch;
use imds_core::instance::{Instance, InstanceId};
use imds_core::plan::Plan;
use imds_core::report::InstanceReport;
use imds_core::state::Pause;
use tokio::time::Instant;

/// Work, and when it is due.
pub(crate) struct Work<'a> {
    pub(crate) due: Instant,
    pub(crate) task: WorkTask<'a>,
}

pub(crate) enum WorkTask<'a> {
    /// Describe these instances.
    Describe(Vec<Instance>, Backoff),
    /// Find the instances that the launch's record leaves out; these are known.
    Find(&'a Launch, BTreeSet<InstanceId>, Backoff),
    /// Ask what the plan depends on.
    Ask(Plan),
    /// Apply the plan.
    Apply(Plan),
    /// Remember who launched these instances.
    Remember(Vec<InstanceId>),
}

/// What came of work; without an answer in time, `None`.
pub(crate) enum Finished<'a> {
    Described(
        Vec<Instance>,
        Backoff,
        Option<Result<DescribedIds, CallError>>,
    ),
    Found(
        &'a Launch,
        BTreeSet<InstanceId>,
        Backoff,
        Option<Result<DescribedPage, CallError>>,
    ),
    Asked(Plan, Option<Pause>),
    Applied(Vec<InstanceReport>),
    Remembered(BTreeMap<InstanceId, String>),
}

impl<'a> Work<'a> {
    pub(crate) fn now(task: WorkTask<'a>) -> Self {
        let due = Instant::now();
        Work { due, task }
    }

    pub(crate) fn at(due: Instant, task: WorkTask<'a>) -> Vec<Self> {
        vec![Work { due, task }]
    }
}

impl WorkTask<'_> {
    pub(crate) fn first_describe(instances: Vec<Instance>) -> Self {
        WorkTask::Describe(instances, Backoff::default())
    }
}
