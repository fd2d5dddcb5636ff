//! What calls do to the instances, and whether they may.

use imds_core::instance::{Instance, InstanceId, State};
use imds_core::options::{MetadataOptions, Toggle};
use imds_core::policy::Action;

use crate::ec2::{SimEc2, SimError, Time};
use crate::oracle::{Told, may_disrupt, may_enforce, widens};

/// A tag that a call sets.
pub(crate) struct SimTag {
    pub(crate) key: &'static str,
    pub(crate) value: String,
    /// When the call is made.
    pub(crate) now: Time,
    /// When EC2 begins to show it.
    pub(crate) visible_at: Time,
}

impl SimTag {
    pub(crate) fn visible_now(key: &'static str, value: String, now: Time) -> Self {
        SimTag {
            key,
            value,
            now,
            visible_at: now,
        }
    }
}

impl SimEc2 {
    /// Tags all instances or none; EC2 shows the tag from `visible_at` on.
    pub(crate) fn tag(&mut self, ids: &[InstanceId], tag: &SimTag) -> Result<(), SimError> {
        if ids.iter().any(|id| !self.machine(id).is_known(tag.now)) {
            return Err(SimError::NotFound);
        }
        for id in ids {
            let machine = self.machine(id);
            machine.late_tags.retain(|(_, late, _)| late != tag.key);
            let late = (tag.visible_at, tag.key.to_owned(), tag.value.clone());
            machine.late_tags.push(late);
            if tag.key == imds_core::marks::TERMINATE {
                let region = machine.instance.region.clone();
                self.claimed(id, region);
            }
        }
        Ok(())
    }

    /// Sets options of an instance that the function has described.
    pub(crate) fn modify(
        &mut self,
        described: &Instance,
        set: &MetadataOptions,
        told: &Told,
        now: Time,
    ) -> Result<MetadataOptions, SimError> {
        let machine = self.machine(&described.id);
        if !machine.is_known(now) {
            return Err(SimError::NotFound);
        }
        machine.settle(now);
        if machine.denies {
            return Err(SimError::Unauthorized);
        }
        match machine.instance.state {
            Some(State::ShuttingDown | State::Terminated) => return Err(SimError::IncorrectState),
            // Not documented: here every other pending instance rejects it.
            Some(State::Pending) if machine.running % 2 == 0 => {
                return Err(SimError::IncorrectState);
            }
            _ => {}
        }
        let slash = machine.instance.tags.keys().any(|key| key.contains('/'));
        if set.instance_metadata_tags == Some(Toggle::Enabled) && slash {
            return Err(SimError::Unsupported);
        }
        let has = machine.instance.options;
        let closed = has.http_endpoint == Some(Toggle::Disabled);
        let raced = closed && described.options.http_endpoint == Some(Toggle::Enabled);
        let broken = widens(machine, set, described);
        // Where an answer was lost, the call is made again and changes nothing.
        let after = set.or(&has);
        let unasked = may_enforce(machine, told, now)
            .err()
            .filter(|_| after != has);
        machine.instance.options = after;
        machine.options_set(now);
        self.needless += usize::from(after == has);
        self.raced += usize::from(raced);
        if let Some(what) = broken {
            self.forbid(what, "", &described.id, now);
        }
        if let Some(what) = unasked {
            self.forbid("options set of an instance", what, &described.id, now);
        }
        Ok(after)
    }

    /// Stops or terminates all instances or none.
    pub(crate) fn disrupt(
        &mut self,
        action: Action,
        ids: &[InstanceId],
        told: &Told,
        now: Time,
    ) -> Result<(), SimError> {
        for id in ids {
            let machine = self.machine(id);
            if !machine.is_known(now) {
                return Err(SimError::NotFound);
            }
            machine.settle(now);
            if machine.denies {
                return Err(SimError::Unauthorized);
            }
            if machine.protected && machine.ended.is_none() {
                return Err(SimError::Protected);
            }
            let is_pending = machine.instance.state == Some(State::Pending);
            if action == Action::Stop && (is_pending || machine.ended.is_some()) {
                return Err(SimError::IncorrectState);
            }
        }
        for id in ids {
            let machine = self.machine(id);
            if machine.ended.is_some() || machine.instance.state == Some(State::Stopped) {
                continue;
            }
            let broken = may_disrupt(machine, (told, action.as_str()), now).err();
            if action == Action::Terminate {
                machine.end(now);
                let region = machine.instance.region.clone();
                self.terminations.entry(region).or_default().push(now);
            } else {
                machine.set_state(State::Stopped, now);
            }
            if let Some(what) = broken {
                self.forbid("disrupted an instance", what, id, now);
            }
        }
        Ok(())
    }
}
