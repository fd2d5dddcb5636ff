//! Rolls back what a journal recorded: observes, plans, restores and checks.

use std::collections::BTreeMap;

use futures_util::future::{join, join_all};
use imds_aws::Client;
use imds_aws::timing::{self, Backoff};
use imds_core::defaults::DefaultsStep;
use imds_core::instance::{Instance, InstanceId};
use imds_core::options::MetadataOptions;
use imds_core::plain::Plain;
use imds_core::rollback::{
    CALLS, CheckedRow, DefaultsRollback, DefaultsRow, IfChanged, InstanceKey, InstanceRollback,
    InstanceRow, ObservedInstance, ObservedInstances, OptionsRestore, RecordedChanges,
    RollbackObservations, RollbackOutcome, RollbackPlan, RollbackReport,
};
use tokio::time::Instant;

use crate::attempt::in_flight;
use crate::changer::Changer;
use crate::defaults::set_defaults;
use crate::record::Recorder;
use crate::regions::{OnProgress, Progress};

/// How a rollback is applied.
#[derive(Clone, Copy)]
pub struct RollbackOptions<'a> {
    /// The account, 12 digits.
    pub account: &'a str,
    /// Records every change.
    pub recorder: Recorder<'a>,
    /// Called after every change.
    pub on_progress: &'a OnProgress,
}

/// Observes everything that was recorded, all regions side by side, and plans.
pub async fn plan_rollback(
    client: &Client,
    recorded: &RecordedChanges,
    if_changed: IfChanged,
) -> RollbackPlan {
    let regions = recorded.regions_of_defaults().into_iter();
    let defaults = regions.map(|region| async move {
        let answer = client.metadata_defaults(&region).await;
        (region, answer.map_err(|error| error.cause()))
    });
    let keys = recorded.instances.iter().map(|record| &record.key);
    let (instances, defaults) = join(describe(client, keys), join_all(defaults)).await;
    let observed = RollbackObservations {
        instances,
        defaults: defaults.into_iter().collect(),
    };
    RollbackPlan::new(recorded, &observed, if_changed)
}

/// Restores what the plan says, first account defaults, because they decide what EC2 accepts for
/// instances. What is no longer as in the plan is left.
pub async fn roll_back(
    client: &Client,
    plan: &RollbackPlan,
    options: RollbackOptions<'_>,
) -> RollbackReport {
    let changes = plan.to_restore();
    (options.on_progress)(Progress::Changes(changes));
    let defaults = restore_all_defaults(client, &plan.defaults, options).await;
    let calls = u32::try_from(changes.saturating_mul(CALLS)).unwrap_or(u32::MAX);
    let time = timing::COMMAND_RETRIES + timing::COMMAND_CHANGE.saturating_mul(calls);
    let restorer = Restorer {
        changer: Changer {
            client,
            deadline: Instant::now() + time,
            recorder: Some(options.recorder),
        },
        on_progress: options.on_progress,
    };
    let instances = restorer.restore_all(&plan.instances).await;
    RollbackReport::new(options.account.to_owned(), instances, defaults)
}

async fn restore_all_defaults(
    client: &Client,
    steps: &[DefaultsRollback],
    options: RollbackOptions<'_>,
) -> Vec<DefaultsRow> {
    let calls = steps.iter().map(|step| async move {
        let restore = match &step.verdict {
            Ok(restore) => restore,
            Err(leave) => return step.left(leave),
        };
        let row = restore_defaults(client, step, restore, options.recorder).await;
        (options.on_progress)(Progress::ChangeDone);
        row
    });
    join_all(calls).await
}

async fn restore_defaults(
    client: &Client,
    step: &DefaultsRollback,
    restore: &DefaultsStep,
    recorder: Recorder<'_>,
) -> DefaultsRow {
    match client.metadata_defaults(&restore.region).await {
        Ok(now) if now.are_same(&restore.from) => {}
        Ok(_) => {
            let reason = "they were changed while the plan was shown".to_owned();
            return step.row(RollbackOutcome::Skipped, None, reason);
        }
        Err(error) => {
            let why = format!("could not be described: {}", Plain(&error.cause()));
            return step.failed(None, &why);
        }
    }
    match set_defaults(client, restore, recorder).await {
        Ok(after) => {
            let reason = "as before".to_owned();
            step.row(RollbackOutcome::Restored, Some(after), reason)
        }
        Err(error) => step.failed(error.found, &Plain(&error.why).to_string()),
    }
}

/// Restores the options of instances.
struct Restorer<'a> {
    changer: Changer<'a>,
    on_progress: &'a OnProgress,
}

impl Restorer<'_> {
    async fn restore_all(&self, steps: &[InstanceRollback]) -> Vec<InstanceRow> {
        let restored = steps.iter().filter(|step| step.verdict.is_ok());
        // Described again, because people take their time to agree.
        let found = &describe(self.changer.client, restored.map(|step| &step.key)).await;
        let calls = steps.iter().enumerate().map(|(place, step)| async move {
            let row = match &step.verdict {
                Ok(restore) => {
                    let found = found.get(&step.key);
                    let row = self.restore(step, restore, found).await;
                    (self.on_progress)(Progress::ChangeDone);
                    row
                }
                Err(leave) => step.left(leave),
            };
            (place, row)
        });
        let mut rows: BTreeMap<usize, InstanceRow> = in_flight(calls).await.into_iter().collect();
        self.check(steps, &mut rows).await;
        rows.into_values().collect()
    }

    async fn restore(
        &self,
        step: &InstanceRollback,
        restore: &OptionsRestore,
        found: Option<&ObservedInstance>,
    ) -> InstanceRow {
        match step.recheck(found) {
            Ok(instance) => match self.restore_options(instance, restore).await {
                Ok(after) => step.restored(restore, after),
                Err(why) => step.failed(None, &why),
            },
            Err(row) => row,
        }
    }

    /// Sets the options in as few calls as EC2 allows, and returns all options.
    async fn restore_options(
        &self,
        instance: &Instance,
        restore: &OptionsRestore,
    ) -> Result<MetadataOptions, String> {
        let deadline = Instant::now() + timing::ROLLBACK_RETRIES;
        let mut backoff = Backoff::default();
        let mut now = instance.clone();
        for n in 0..CALLS {
            let mut send = restore.call(n, &now.options);
            let after = loop {
                match self.changer.set_options(&now, &send).await {
                    Ok(after) => break after,
                    Err(error) if error.is_retryable() && backoff.wait(deadline).await => {
                        send = restore.repeat(&send, &now.options);
                    }
                    Err(error) => return Err(error.to_string()),
                }
            };
            if restore.wanted.are_in(&after) {
                return Ok(after);
            }
            now.options = after.or(&send).or(&now.options);
        }
        Err(restore.unfulfilled(&now.options))
    }

    /// Describes the restored instances until EC2 shows what it answered.
    async fn check(&self, steps: &[InstanceRollback], rows: &mut BTreeMap<usize, InstanceRow>) {
        let deadline = Instant::now() + timing::ROLLBACK_RETRIES;
        let mut backoff = Backoff::default();
        let open = steps.iter().zip(rows.values_mut());
        let open = open.filter_map(|(step, row)| {
            let after = row
                .after
                .filter(|_| row.outcome == RollbackOutcome::Restored)?;
            Some((step, step.verdict.as_ref().ok()?, after, row))
        });
        let mut open: Vec<_> = open.collect();
        while !open.is_empty() {
            let found =
                describe(self.changer.client, open.iter().map(|(step, ..)| &step.key)).await;
            open.retain_mut(|(step, restore, after, row)| {
                match step.check(restore, *after, found.get(&step.key)) {
                    CheckedRow::Final(checked) => {
                        **row = checked;
                        false
                    }
                    CheckedRow::Preliminary(checked) => {
                        **row = checked;
                        true
                    }
                }
            });
            let is_over = open.is_empty() || self.changer.client.is_halted();
            if is_over || !backoff.wait(deadline).await {
                return;
            }
        }
    }
}

/// Describes the instances, all regions side by side.
async fn describe(client: &Client, keys: impl Iterator<Item = &InstanceKey>) -> ObservedInstances {
    let mut regions: BTreeMap<&String, Vec<InstanceId>> = BTreeMap::new();
    for key in keys {
        let ids = regions.entry(&key.region).or_default();
        ids.push(key.id.clone());
    }
    let calls = regions
        .iter()
        .map(|(region, ids)| client.describe_by_id(region, ids));
    let mut observed = ObservedInstances::new();
    for ((region, ids), answer) in regions.iter().zip(join_all(calls).await) {
        let mut add = |id: InstanceId, instance| {
            let region = (*region).clone();
            observed.insert(InstanceKey { id, region }, instance);
        };
        match answer {
            Ok(described) => {
                for instance in described.instances {
                    let id = instance.id.clone();
                    add(id, ObservedInstance::Described(Box::new(instance)));
                }
                for unreadable in described.unreadable {
                    if let Some(id) = unreadable.instance_id() {
                        add(id, ObservedInstance::Unreachable(unreadable.to_string()));
                    }
                }
            }
            Err(error) => {
                for id in ids {
                    add(id.clone(), ObservedInstance::Unreachable(error.cause()));
                }
            }
        }
    }
    observed
}
