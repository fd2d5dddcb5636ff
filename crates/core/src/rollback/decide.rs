//! Whether something is restored, and why not.

use super::leave::{Leave, existing};
use super::restore::{OptionsRestore, values_of};
use super::{
    AnswerRecord, ChangeRecord, DefaultsRecord, DefaultsRollback, InstanceRecord, InstanceRollback,
    ObservedInstance, RollbackStep,
};
use crate::defaults::{DefaultsStep, MetadataDefaults};
use crate::options::{HttpTokens, MetadataOption, MetadataOptions};

/// What to do where something else was changed since, or a value before is not recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfChanged {
    /// It is left.
    Leave,
    /// It is restored as far as the values before are recorded.
    Restore,
}

impl<K, T: Clone + PartialEq> ChangeRecord<K, T> {
    /// How the calls may have left it: in one way after an answer; in one more with every call that
    /// has none, because it may have taken effect. The last is the most likely.
    fn left(&self, apply: impl Fn(&T, &T) -> T) -> Vec<T> {
        let mut left = vec![self.before.clone()];
        for call in &self.calls {
            let with_call: Vec<T> = left.iter().map(|left| apply(left, &call.sent)).collect();
            match &call.answer {
                Some(AnswerRecord::After(after)) => {
                    // What the answer leaves out is taken to be as it was sent.
                    let sent = with_call.last().unwrap_or(&self.before);
                    left = vec![apply(sent, after)];
                }
                Some(AnswerRecord::Error(_)) | None => {
                    for state in with_call {
                        if !left.contains(&state) {
                            left.push(state);
                        }
                    }
                }
            }
        }
        left
    }
}

impl InstanceRecord {
    /// Decides about the instance. `defaults`: the region's, as they are when it is restored.
    pub fn step(
        &self,
        found: Option<&ObservedInstance>,
        defaults: Option<&MetadataDefaults>,
        if_changed: IfChanged,
    ) -> InstanceRollback {
        let instance = match found {
            Some(ObservedInstance::Described(instance)) => Some(instance),
            Some(ObservedInstance::NotKnown | ObservedInstance::Unreachable(_)) | None => None,
        };
        RollbackStep {
            key: self.key.clone(),
            name: instance.and_then(|instance| instance.tags.get("Name").cloned()),
            observed: instance.map(|instance| instance.options),
            verdict: existing(found)
                .and_then(|instance| self.verdict(&instance.options, defaults, if_changed)),
        }
    }

    /// Whether its calls have restored, for certain, what was before an earlier record.
    pub fn restored(&self, earlier: &InstanceRecord) -> bool {
        let left = self.left(|before, set| set.or(before));
        left.iter().all(|left| earlier.before.are_in(left))
    }

    fn verdict(
        &self,
        found: &MetadataOptions,
        defaults: Option<&MetadataDefaults>,
        if_changed: IfChanged,
    ) -> Result<OptionsRestore, Leave> {
        let as_before = self.before.are_in(found);
        let not_recorded = self.not_recorded();
        let is_recorded = not_recorded == MetadataOptions::default();
        if !is_recorded && (as_before || if_changed == IfChanged::Leave) {
            return Err(Leave::NotRecorded(not_recorded));
        }
        if as_before {
            return Err(Leave::AsBefore);
        }
        let http_tokens = self.before.differing_from(found).http_tokens;
        let is_enforced = defaults.is_some_and(MetadataDefaults::enforces_tokens);
        if http_tokens == Some(HttpTokens::Optional) && is_enforced {
            return Err(Leave::TokensEnforced);
        }
        match self.changed(found) {
            Some(changed) if if_changed == IfChanged::Leave => Err(changed),
            _ => Ok(OptionsRestore::new(self.before, found, not_recorded)),
        }
    }

    /// The options that were set, and of which the values before are not known.
    fn not_recorded(&self) -> MetadataOptions {
        let sent = self.calls.iter().rev();
        let sent = sent.fold(MetadataOptions::default(), |all, call| all.or(&call.sent));
        sent.retaining(|option| self.before.get(option).is_none())
    }

    /// `None`: it is as the journal may have left it.
    fn changed(&self, found: &MetadataOptions) -> Option<Leave> {
        // An option that was never sent nor answered is only assumed to be as before: where EC2 does
        // not show it now either, it has not changed.
        let is_evident = |option: MetadataOption| {
            let mut calls = self.calls.iter();
            found.get(option).is_some()
                || calls.any(|call| {
                    let after = match &call.answer {
                        Some(AnswerRecord::After(after)) => after.get(option),
                        Some(AnswerRecord::Error(_)) | None => None,
                    };
                    call.sent.get(option).or(after).is_some()
                })
        };
        let left = self.left(|before, set| set.or(before));
        if left
            .iter()
            .any(|left| left.retaining(is_evident).are_in(found))
        {
            return None;
        }
        let recorded = left.last()?.retaining(is_evident).differing_from(found);
        Some(Leave::Changed {
            found: values_of(&recorded, found),
            recorded: recorded.to_string(),
        })
    }
}

impl DefaultsRecord {
    /// Decides about the account defaults of the region.
    pub fn step(
        &self,
        found: &Result<MetadataDefaults, String>,
        if_changed: IfChanged,
    ) -> DefaultsRollback {
        let unreachable = |why: &String| Leave::Unreachable(why.clone());
        let verdict = found.as_ref().map_err(unreachable);
        RollbackStep {
            key: self.key.clone(),
            name: None,
            observed: found.clone().ok(),
            verdict: verdict.and_then(|found| self.verdict(found, if_changed)),
        }
    }

    /// Whether its calls have restored, for certain, what was before an earlier record.
    pub fn restored(&self, earlier: &DefaultsRecord) -> bool {
        let left = self.left(|_, set| set.clone());
        left.iter().all(|left| earlier.before.are_same(left))
    }

    fn verdict(
        &self,
        found: &MetadataDefaults,
        if_changed: IfChanged,
    ) -> Result<DefaultsStep, Leave> {
        if self.before.are_same(found) {
            return Err(Leave::AsBefore);
        }
        if let Some(manager) = found.manager() {
            return Err(Leave::ManagedBy(manager.to_owned()));
        }
        // A call names all defaults.
        let left = self.left(|_, set| set.clone());
        let as_left = left.iter().any(|left| left.are_same(found));
        match left.last() {
            Some(left) if !as_left && if_changed == IfChanged::Leave => Err(Leave::Changed {
                recorded: found.differences(left),
                found: left.differences(found),
            }),
            _ => Ok(DefaultsStep {
                region: self.key.region.clone(),
                from: found.clone(),
                to: MetadataDefaults {
                    managed_by: found.managed_by.clone(),
                    ..self.before.clone()
                },
            }),
        }
    }
}
