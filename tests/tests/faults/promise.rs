//! What holds where the state table fails: nothing is disrupted, a new launch is enforced, and nothing else
//! is changed.

use imds_tests::FakeInstance;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::calls::naming;
use crate::scenes::{Purpose, SceneTrigger};
use crate::support::REGION;
use crate::verdict::{CellRun, is_closed};

impl CellRun<'_> {
    /// Whether it could not be remembered who launched the instances. Their options are set all the same.
    pub(crate) fn forgets_launchers(&self) -> bool {
        self.scene.purpose == Purpose::Launchers && self.scene.launches()
    }

    /// Whether the sweep could not find out on which of the watched instances calls are rejected.
    pub(crate) fn lacks_watch(&self) -> bool {
        self.scene.purpose == Purpose::Watch && self.delivery.is_unreachable(REGION)
    }

    /// Existing instances that were changed all the same.
    fn changed_without_watch(&self) -> Vec<String> {
        let ids = self.fleet.to_change().iter().filter(|_| self.lacks_watch());
        let changed = ids.filter(|id| self.is_changed(id));
        changed
            .map(|id| format!("{id} is changed, and nobody knows whether calls are rejected"))
            .collect()
    }

    /// Instances that were handled otherwise, while the table was not available.
    pub(crate) fn faults_of_promise(&self) -> Vec<String> {
        let mut faults = self.changed_without_watch();
        if !self.is_unavailable() {
            return faults;
        }
        if [Purpose::Lease, Purpose::Release].contains(&self.scene.purpose) {
            let open = self.open().into_iter();
            let open = open.map(|it| format!("without a lease {} is left open", it.id));
            faults.extend(open);
        }
        let concerned = self.scene.concerned(self.fleet).into_iter();
        let instances = concerned.map(|id| self.ec2.instance(&id));
        let depending = instances.filter(|instance| self.depends(instance));
        faults.extend(depending.filter_map(|it| self.broken(&it)));
        faults
    }

    fn is_changed(&self, id: &str) -> bool {
        let calls = self.ec2.calls();
        naming(&calls, id).any(imds_tests::RecordedCall::changes)
    }

    /// Whether an item that decides what is done could not be read or written at all.
    fn is_unavailable(&self) -> bool {
        self.scene.is_of_table() && self.trouble.times.is_none()
    }

    /// Whether what is done to the instance depends on the item.
    fn depends(&self, instance: &FakeInstance) -> bool {
        let fleet = self.fleet;
        let is_non_compliant = fleet.to_change().contains(&instance.id);
        let is_new = self.is_new_launch(instance);
        match self.scene.purpose {
            Purpose::Limit => fleet.disrupts(&instance.id),
            Purpose::Existing => is_non_compliant && age(instance) > SignedDuration::from_hours(24),
            Purpose::Launchers if self.forgets_launchers() => instance.id != fleet.exempt,
            Purpose::Exemptions | Purpose::Pauses | Purpose::Launchers => {
                let may_disrupt = fleet.disrupts(&instance.id);
                let is_held = fleet.held.contains(&instance.id);
                (is_non_compliant || is_held) && (!is_new || may_disrupt)
            }
            // A read only tells of compliant instances.
            Purpose::Watch => is_non_compliant && self.scene.action == "UpdateItem",
            Purpose::DriftLimit => is_non_compliant,
            _ => false,
        }
    }

    fn broken(&self, instance: &FakeInstance) -> Option<String> {
        let entries = self.delivery.entries(&instance.id);
        let [entry] = entries.as_slice() else {
            return Some(format!("{} has no outcome of its own", instance.id));
        };
        let changed = self.is_changed(&instance.id);
        let is_new = self.is_new_launch(instance);
        let holds = entry["because"] == "state_unavailable"
            && match (self.forgets_launchers(), is_new) {
                (true, _) => is(entry, "failed") && is_closed(instance),
                (false, true) => is(entry, "enforced") && is_closed(instance),
                (false, false) => is(entry, "failed") && !changed,
            };
        (!holds).then(|| {
            format!(
                "without the table {} is {} ({}), changed: {changed}",
                instance.id, entry["outcome"], entry["reason"]
            )
        })
    }

    /// Whether an event tells of its launch in time.
    fn is_new_launch(&self, instance: &FakeInstance) -> bool {
        let launches = [SceneTrigger::Launch, SceneTrigger::CutLaunch];
        launches.contains(&self.scene.trigger) && age(instance) < SignedDuration::from_mins(15)
    }
}

fn age(instance: &FakeInstance) -> SignedDuration {
    Timestamp::now().duration_since(instance.first_launched)
}

fn is(entry: &Value, outcome: &str) -> bool {
    entry["outcome"] == outcome
}
