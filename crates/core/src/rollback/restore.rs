//! What is sent to restore an instance, and what EC2 must describe before and after.

use std::fmt;

use super::leave::{Leave, existing};
use super::{InstanceRollback, InstanceRow, ObservedInstance, RollbackOutcome};
use crate::instance::{Instance, State};
use crate::options::{MetadataOptions, OptionSetting, Toggle};

/// The most answered calls that a restoration takes.
pub const CALLS: usize = 3;

/// The options to restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OptionsRestore {
    /// All options that are known from before.
    pub wanted: MetadataOptions,
    /// The first call.
    pub send: MetadataOptions,
    /// Options that stay, because their values before are not recorded.
    pub stay: MetadataOptions,
}

impl OptionsRestore {
    /// Restores `wanted` on an instance that has `found`.
    pub fn new(wanted: MetadataOptions, found: &MetadataOptions, stay: MetadataOptions) -> Self {
        let restore = OptionsRestore {
            wanted,
            send: MetadataOptions::default(),
            stay,
        };
        let send = restore.call(0, found);
        OptionsRestore { send, ..restore }
    }

    /// What the `n`th call carries, counted from 0, for an instance that has `found`.
    ///
    /// The first carries only what differs, because EC2 keeps the rest. An endpoint is disabled first
    /// and alone: EC2 has refused other options in the same call, and tokens must not become optional
    /// while it still answers. Should EC2 not have kept the rest, the last calls carry all that is
    /// known.
    pub fn call(&self, n: usize, found: &MetadataOptions) -> MetadataOptions {
        let differing = self.wanted.differing_from(found);
        let disables = self.wanted.http_endpoint == Some(Toggle::Disabled);
        if n > usize::from(disables) {
            return self.wanted;
        }
        if disables && differing.http_endpoint.is_some() {
            let mut only_endpoint = MetadataOptions::default();
            only_endpoint.set(OptionSetting::HttpEndpoint(Toggle::Disabled));
            return only_endpoint;
        }
        differing
    }

    /// The same call once EC2 has refused it: the endpoint may be disabled by now, and is not
    /// enabled only because EC2 wants it named.
    pub fn repeat(&self, send: &MetadataOptions, found: &MetadataOptions) -> MetadataOptions {
        let mut send = *send;
        if send.http_endpoint == Some(Toggle::Enabled) {
            send.http_endpoint = self.wanted.differing_from(found).http_endpoint;
        }
        send
    }

    fn exception(&self) -> String {
        match self.stay {
            stay if stay == MetadataOptions::default() => String::new(),
            stay => format!("; {stay} stays, because the value before is not recorded"),
        }
    }

    /// Why the options are not restored although EC2 has answered all calls.
    pub fn unfulfilled(&self, found: &MetadataOptions) -> String {
        let left = self.wanted.differing_from(found);
        format!(
            "{left} was sent, and EC2 answered {}",
            values_of(&left, found)
        )
    }
}

impl InstanceRollback {
    /// The instance, described again, if it is still as in the plan.
    ///
    /// # Errors
    /// Its outcome where it is gone, could not be described or was changed.
    pub fn recheck<'i>(
        &self,
        found: Option<&'i ObservedInstance>,
    ) -> Result<&'i Instance, InstanceRow> {
        let instance = existing(found).map_err(|leave| self.left(&leave))?;
        if self.observed == Some(instance.options) {
            return Ok(instance);
        }
        let reason = "it was changed while the plan was shown".to_owned();
        Err(self.row(RollbackOutcome::Skipped, None, reason))
    }

    /// The outcome once EC2 has answered `after`.
    pub fn restored(&self, restore: &OptionsRestore, after: MetadataOptions) -> InstanceRow {
        let reason = format!("as before{}", restore.exception());
        self.row(RollbackOutcome::Restored, Some(after), reason)
    }

    /// The outcome of an instance whose options EC2 has answered, by what it describes.
    pub fn check(
        &self,
        restore: &OptionsRestore,
        after: MetadataOptions,
        found: Option<&ObservedInstance>,
    ) -> CheckedRow {
        let restored = self.restored(restore, after);
        let but = |why: &str| {
            CheckedRow::Preliminary(InstanceRow {
                reason: format!("{}; {why}", restored.reason),
                ..restored.clone()
            })
        };
        let instance = match existing(found) {
            Ok(instance) => instance,
            Err(leave @ Leave::Gone(Some(_))) => return CheckedRow::Final(self.left(&leave)),
            // EC2 may not show it for a moment.
            Err(leave) => return but(&leave.to_string()),
        };
        let missing = restore.wanted.differing_from(&instance.options);
        if missing != MetadataOptions::default() {
            let found = values_of(&missing, &instance.options);
            let why = format!("EC2 answered {missing}, and describes {found}");
            return CheckedRow::Preliminary(self.row(RollbackOutcome::Failed, Some(after), why));
        }
        // A stopped instance applies its options when it is started.
        let is_stopped = instance.state.is_some_and(State::is_stopped);
        if instance.applied == Some(false) && !is_stopped {
            return but("EC2 has not applied it yet");
        }
        CheckedRow::Final(restored)
    }
}

/// The outcome of a restored instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckedRow {
    /// Describing it again shows the same.
    Final(InstanceRow),
    /// EC2 may not show what it answered yet.
    Preliminary(InstanceRow),
}

impl fmt::Display for OptionsRestore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.send, self.exception())
    }
}

/// What is found in the place of the expected options.
pub(super) fn values_of(expected: &MetadataOptions, found: &MetadataOptions) -> String {
    let found = found
        .retaining(|option| expected.get(option).is_some())
        .to_string();
    match found.is_empty() {
        true => "not known".to_owned(),
        false => found,
    }
}
