//! Sets the options of instances, in rounds: what may succeed later is tried again until the deadline.

use std::collections::BTreeMap;

use imds_aws::timing::{self, Backoff};
use imds_aws::{FILTER_VALUES, Fault, Filter};
use imds_core::decide::{Because, Decision};
use imds_core::instance::{Instance, InstanceId};
use imds_core::options::MetadataOptions;
use imds_core::plain::Plain;
use imds_core::report::RefusedOption;

use crate::apply::ApplyOptions;
use crate::attempt::{FailedCall, in_flight, in_time};
use crate::changer::Changer;
use crate::engine::Engine;
use crate::task::{Placed, Setting, Task};

impl Engine<'_> {
    /// Sets the options of all, and reports.
    pub(crate) async fn enforce_all(
        &self,
        tasks: Vec<Task>,
        options: ApplyOptions<'_>,
    ) -> Vec<Placed> {
        let set = self.set_all(tasks, options).await;
        set.into_iter()
            .map(|(task, setting)| task.set(setting))
            .collect()
    }

    /// Sets the options of all.
    pub(crate) async fn set_all(
        &self,
        mut open: Vec<Task>,
        options: ApplyOptions<'_>,
    ) -> Vec<(Task, Setting)> {
        let mut done = Vec::new();
        let mut backoff = Backoff::default();
        for round in 1.. {
            let (set, mut failed) = self.set_round(open, options).await;
            done.extend(set);
            if failed.is_empty() {
                break;
            }
            let again = backoff.wait(self.deadline.act).await;
            if round >= timing::ROUNDS_BEFORE_GONE || !again {
                failed = self.without_gone(failed, &mut done).await;
            }
            if !again {
                let failed = failed.into_iter();
                done.extend(failed.map(|(task, error)| (task, Setting::Failed(error))));
                break;
            }
            open = failed.into_iter().map(|(task, _)| task).collect();
        }
        done
    }

    /// One call for each: those that are settled, and those that failed for now.
    pub(crate) async fn set_round(
        &self,
        open: Vec<Task>,
        options: ApplyOptions<'_>,
    ) -> (Vec<(Task, Setting)>, Vec<(Task, FailedCall)>) {
        let changer = Changer {
            client: self.client,
            deadline: self.deadline.act,
            recorder: options.recorder,
        };
        let calls = open.into_iter().map(|task| async move {
            let setting = self.set_one(&changer, &task).await;
            (task, setting)
        });
        let (mut settled, mut failed) = (Vec::new(), Vec::new());
        for (task, setting) in in_flight(calls).await {
            match setting {
                Setting::Failed(error) if error.is_retryable() => failed.push((task, error)),
                setting => settled.push((task, setting)),
            }
        }
        (settled, failed)
    }

    /// All options in one call. EC2 refuses the whole call where it does not support one of them: then
    /// tokens alone, and the others one by one.
    async fn set_one(&self, changer: &Changer<'_>, task: &Task) -> Setting {
        let Task {
            instance,
            non_compliant,
            ..
        } = task;
        let change = *non_compliant.change.set();
        let (mut set, mut refused) = (MetadataOptions::default(), Vec::new());
        let mut after = None;
        let several = change.settings().count() > 1;
        match changer.set_options(instance, &change).await {
            Ok(answer) => (set, after) = (change, Some(answer)),
            Err(error) if several && error.is_unsupported() => {
                for setting in change.settings() {
                    let mut alone = MetadataOptions::default();
                    alone.set(setting);
                    match changer.set_options(instance, &alone).await {
                        Ok(answer) => {
                            set.set(setting);
                            after = Some(answer);
                        }
                        Err(error) if error.is_unsupported() => {
                            refused.extend(refused_option(&alone, &error));
                        }
                        Err(error) => return failed(instance, error),
                    }
                }
            }
            Err(error) if error.is_unsupported() => refused.extend(refused_option(&change, &error)),
            Err(error) => return failed(instance, error),
        }
        match after {
            Some(after) if !set.are_in(&after) => {
                Setting::Failed(FailedCall::for_now("EC2 answered other options"))
            }
            Some(after) if set.http_tokens == change.http_tokens => {
                let at = (self.now)();
                Setting::Set { after, refused, at }
            }
            after => Setting::Refused {
                because: refused_because(instance, &refused),
                refused,
                after,
            },
        }
    }

    /// Settles those of the failed that have terminated, and returns the others.
    async fn without_gone(
        &self,
        failed: Vec<(Task, FailedCall)>,
        done: &mut Vec<(Task, Setting)>,
    ) -> Vec<(Task, FailedCall)> {
        let mut gone = self.gone(&failed).await;
        let mut left = Vec::new();
        for (task, error) in failed {
            match gone.remove(&task.instance.id) {
                Some(decision) => done.push((task, Setting::Gone(decision))),
                None => left.push((task, error)),
            }
        }
        left
    }

    /// Those of the instances in a state that refuses changes, or not known, that have terminated.
    async fn gone(&self, failed: &[(Task, FailedCall)]) -> BTreeMap<InstanceId, Decision> {
        let mut by_region: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (task, error) in failed {
            if matches!(error.fault, Some(Fault::IncorrectState | Fault::NotFound)) {
                let Instance { id, region, .. } = &task.instance;
                by_region.entry(region).or_default().push(id.as_str());
            }
        }
        let mut gone = BTreeMap::new();
        for (region, ids) in by_region {
            for ids in ids.chunks(FILTER_VALUES) {
                let filter = Filter::by_ids(ids);
                // Without an answer nothing is known to be gone, and so it stays a failure.
                let answer =
                    in_time(self.deadline.act, self.client.describe(region, &filter)).await;
                for instance in answer.unwrap_or_default().instances {
                    if let Some(state) = instance.state.filter(|state| state.is_final()) {
                        gone.insert(instance.id, Decision::Gone(state));
                    }
                }
            }
        }
        gone
    }
}

/// What a managing service refuses, it refuses for good.
fn failed(instance: &Instance, error: FailedCall) -> Setting {
    match &instance.managed_by {
        Some(service) if error.is_refused_by_service() => Setting::Refused {
            because: Because::Managed(service.clone()),
            refused: Vec::new(),
            after: None,
        },
        _ => Setting::Failed(error),
    }
}

fn refused_because(instance: &Instance, refused: &[RefusedOption]) -> Because {
    match &instance.managed_by {
        Some(service) => Because::Managed(service.clone()),
        None => {
            let error = refused.first().map(|refused| refused.error.clone());
            Because::Refused(error.unwrap_or_default())
        }
    }
}

/// The first of the options is named; the call was refused because of one of them.
fn refused_option(options: &MetadataOptions, error: &FailedCall) -> Option<RefusedOption> {
    options.settings().next().map(|setting| RefusedOption {
        option: setting.option(),
        error: Plain(&error.why).to_string(),
    })
}
