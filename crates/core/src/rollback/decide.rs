//! Whether something is restored, and why not.

use std::fmt;

use super::{
    AnswerRecord, ChangeRecord, DefaultsRecord, DefaultsRollback, InstanceRecord, InstanceRollback,
    ObservedInstance, OptionsRestore, RollbackStep,
};
use crate::defaults::{DefaultsStep, MetadataDefaults};
use crate::instance::{Instance, State};
use crate::options::{HttpTokens, MetadataOption, MetadataOptions};
use crate::plain::Plain;

/// What to do where something else was changed since, or a value before is not recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfChanged {
    /// It is left.
    Leave,
    /// It is restored as far as the values before are recorded.
    Restore,
}

/// Why something is left as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leave {
    /// It is as it was before.
    AsBefore,
    /// It is not as the journal left it.
    Changed {
        /// What the journal left, where it differs.
        recorded: String,
        /// What is there instead.
        found: String,
    },
    /// These options were set, and their values before are not recorded.
    NotRecorded(MetadataOptions),
    /// The account enforces tokens in the region, so that EC2 refuses to make them optional.
    TokensEnforced,
    /// The account cannot change its defaults, because this manages them.
    ManagedBy(String),
    /// The instance terminates or has terminated; `None`: EC2 no longer knows it.
    Gone(Option<State>),
    /// It could not be described, and why.
    Unreachable(String),
}

impl fmt::Display for Leave {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Leave::AsBefore => f.write_str("already as before"),
            Leave::Changed { recorded, found } => {
                write!(f, "changed since: recorded {recorded}; now {found}")
            }
            Leave::NotRecorded(options) => {
                write!(f, "the values before {options} are not recorded")
            }
            Leave::TokensEnforced => f.write_str(
                "`HttpTokensEnforced` is on in the region, so that EC2 refuses http_tokens=optional",
            ),
            Leave::ManagedBy(manager) => write!(
                f,
                "managed by {}: the account cannot change them",
                Plain(manager)
            ),
            Leave::Gone(Some(state)) => write!(f, "the instance is {state}"),
            Leave::Gone(None) => f.write_str("EC2 no longer knows the instance"),
            Leave::Unreachable(why) => write!(f, "could not be described: {}", Plain(why)),
        }
    }
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
        only(&sent, |option| self.before.get(option).is_none())
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
        if left.iter().any(|left| only(left, is_evident).are_in(found)) {
            return None;
        }
        let recorded = only(left.last()?, is_evident).differing_from(found);
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

/// The instance, unless it is gone or could not be described.
pub(super) fn existing(found: Option<&ObservedInstance>) -> Result<&Instance, Leave> {
    match found {
        Some(ObservedInstance::Described(instance)) => match instance.state {
            Some(state) if state.is_final() => Err(Leave::Gone(Some(state))),
            _ => Ok(instance),
        },
        Some(ObservedInstance::Unreachable(why)) => Err(Leave::Unreachable(why.clone())),
        Some(ObservedInstance::NotKnown) | None => Err(Leave::Gone(None)),
    }
}

/// Some of the options.
pub(super) fn only(
    options: &MetadataOptions,
    keep: impl Fn(MetadataOption) -> bool,
) -> MetadataOptions {
    let mut kept = MetadataOptions::default();
    let settings = options.settings();
    settings
        .filter(|setting| keep(setting.option()))
        .for_each(|setting| kept.set(setting));
    kept
}

/// What is found in the place of the expected options.
pub(super) fn values_of(expected: &MetadataOptions, found: &MetadataOptions) -> String {
    let found = only(found, |option| expected.get(option).is_some()).to_string();
    match found.is_empty() {
        true => "not known".to_owned(),
        false => found,
    }
}
