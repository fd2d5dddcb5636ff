//! What calls do to the instances, and whether they may.

use imds_core::instance::{Instance, InstanceId, State};
use imds_core::options::{MetadataOptions, Toggle};
use imds_core::policy::Action;

use crate::ec2::{SimEc2, SimError, Time};
use crate::oracle::{
    Counts, Told, counts_towards, is_new_launch, may_disrupt, may_enforce, widens,
};

impl SimEc2 {
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
        let counts = counts_towards(machine, told, now).filter(|_| after != has);
        let is_new_launch = is_new_launch(machine, told, now);
        machine.instance.options = after;
        machine.options_set(now);
        let region = machine.instance.region.clone();
        self.needless += usize::from(after == has);
        self.raced += usize::from(raced);
        if let Some(what) = broken {
            self.forbid(what, "", &described.id, now);
        }
        if let Some(what) = unasked {
            self.forbid("options set of an instance", what, &described.id, now);
        }
        let id = &described.id;
        match counts {
            None => {}
            Some(Counts::Drift(at)) => {
                let drifted = self.drifted.entry(id.clone()).or_default();
                drifted.push((now, at));
            }
            Some(Counts::Existing) => {
                let existing = self.existing.entry(region.clone()).or_default();
                existing.push((now, id.clone()));
            }
        }
        if after != has
            && !is_new_launch
            && let Some(what) = self.written.forbids(id, &region, told.begun, now)
        {
            self.forbid("options set of an instance", what, id, now);
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
            } else {
                machine.set_state(State::Stopped, now);
            }
            let region = machine.instance.region.clone();
            let written = self.written.forbids(id, &region, told.begun, now);
            let broken = broken.or(written);
            self.disruptions
                .entry(region)
                .or_default()
                .push((now, id.clone()));
            if let Some(what) = broken {
                self.forbid("disrupted an instance", what, id, now);
            }
        }
        Ok(())
    }
}
