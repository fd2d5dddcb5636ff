//! What a rollback does about one instance, or about the account's defaults of a region, and why.
//! Nothing is fetched here.

use std::fmt;

use imds_core::defaults::MetadataDefaults;
use imds_core::instance::{HttpTokens, Instance, MetadataOptions, State};
use imds_core::plain::Plain;

use super::options::{differing, has, over, to_send, without, words};
use crate::journal::{DefaultsChange, InstanceChange};

/// An instance as it is seen now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    /// It is there.
    Instance(Box<Instance>),
    /// EC2 does not know it.
    Unknown,
    /// EC2 did not answer, and why.
    Not(String),
}

/// What is to be done about an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Its options are set back.
    Restore {
        /// What the first call carries.
        send: MetadataOptions,
        /// What was set although it was not known what was there, and stays.
        stays: MetadataOptions,
    },
    /// Nothing: it is as it was before.
    AsItWas,
    /// Nothing: it is not as the journal left it.
    ChangedSince {
        /// As the journal left it.
        expected: MetadataOptions,
        /// As it is.
        found: MetadataOptions,
    },
    /// Nothing: these were set, and what was there before is not known.
    NotKnownBefore(MetadataOptions),
    /// Nothing: the account enforces tokens in the region, so that EC2 refuses to make them optional.
    TokensEnforced,
    /// Nothing: it ends or has ended; `None`: EC2 knows it no more.
    Gone(Option<State>),
    /// Nothing: it could not be seen, and why.
    NotSeen(String),
}

/// Decides about one instance. `enforced`: whether tokens are enforced in its region; `force`: also
/// where something else changed it since.
pub(crate) fn decide(change: &InstanceChange, seen: &Seen, enforced: bool, force: bool) -> Verdict {
    let found = match seen {
        Seen::Not(why) => return Verdict::NotSeen(why.clone()),
        Seen::Unknown => return Verdict::Gone(None),
        Seen::Instance(instance) => match instance.state.filter(|state| state.is_final()) {
            Some(state) => return Verdict::Gone(Some(state)),
            None => instance.options,
        },
    };
    let wanted = change.before;
    let stays = change
        .calls
        .iter()
        .fold(MetadataOptions::default(), |stays, call| {
            over(&stays, &without(&call.sent, &wanted))
        });
    let as_it_was = has(&found, &wanted);
    if stays != MetadataOptions::default() && (as_it_was || !force) {
        return Verdict::NotKnownBefore(stays);
    }
    if as_it_was {
        return Verdict::AsItWas;
    }
    let loosens = differing(&found, &wanted).http_tokens == Some(HttpTokens::Optional);
    if loosens && enforced {
        return Verdict::TokensEnforced;
    }
    let left = left(change);
    if !force
        && !left
            .iter()
            .any(|left| has(&found, &shown(left, &found, change)))
    {
        return Verdict::ChangedSince {
            expected: left.last().copied().unwrap_or(wanted),
            found,
        };
    }
    Verdict::Restore {
        send: to_send(0, &found, &wanted),
        stays,
    }
}

/// What is expected to be seen. An option that no call has set and no answer has shown is only
/// assumed to be as it was: that EC2 does not show it now either tells of no change.
fn shown(
    left: &MetadataOptions,
    found: &MetadataOptions,
    change: &InstanceChange,
) -> MetadataOptions {
    let told = change.calls.iter().fold(*found, |told, call| {
        let told = over(&told, &call.sent);
        match &call.answer {
            Some(Ok(after)) => over(&told, after),
            Some(Err(_)) | None => told,
        }
    });
    without(left, &without(left, &told))
}

/// How the journal may have left the instance: one way after an answer; one more with every call
/// that has none, or an error, for such a call may have taken effect.
fn left(change: &InstanceChange) -> Vec<MetadataOptions> {
    let mut left = vec![change.before];
    for call in &change.calls {
        let with_call: Vec<_> = left.iter().map(|left| over(left, &call.sent)).collect();
        match &call.answer {
            Some(Ok(after)) => {
                let asked = with_call.last().unwrap_or(&change.before);
                // An option that the answer left out is taken to be as asked for.
                left = vec![over(asked, after)];
            }
            Some(Err(_)) | None => {
                for options in with_call {
                    if !left.contains(&options) {
                        left.push(options);
                    }
                }
            }
        }
    }
    left
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Restore { send, stays } => {
                write!(f, "set {}", words(send))?;
                if *stays != MetadataOptions::default() {
                    write!(f, "; not known before, so it stays: {}", words(stays))?;
                }
                Ok(())
            }
            Verdict::AsItWas => f.write_str("it is as it was before"),
            Verdict::ChangedSince { expected, found } => {
                let left = differing(found, expected);
                write!(
                    f,
                    "changed since: it was left with {}, and has {}",
                    words(&left),
                    instead(found, &left)
                )
            }
            Verdict::NotKnownBefore(options) => {
                write!(f, "what was there before {} is not known", words(options))
            }
            Verdict::TokensEnforced => f.write_str(
                "`HttpTokensEnforced` is on in the region, so that http_tokens=optional is refused",
            ),
            Verdict::Gone(Some(state)) => write!(f, "the instance is {state}"),
            Verdict::Gone(None) => f.write_str("EC2 no longer knows the instance"),
            Verdict::NotSeen(why) => write!(f, "could not be seen: {}", Plain(why)),
        }
    }
}

/// The options that are found where others were expected.
pub(super) fn instead(found: &MetadataOptions, expected: &MetadataOptions) -> String {
    let beside = without(found, expected);
    match words(&without(found, &beside)) {
        words if words.is_empty() => "others that are not known".to_owned(),
        words => words,
    }
}

/// What is to be done about the account's defaults of a region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DefaultsVerdict {
    /// They are set back.
    Restore {
        /// As they are.
        from: MetadataDefaults,
        /// As they were.
        to: MetadataDefaults,
    },
    /// Nothing: they are as they were.
    AsTheyWere,
    /// Nothing: they are not as the journal left them.
    ChangedSince {
        /// As the journal left them.
        expected: MetadataDefaults,
        /// As they are.
        found: MetadataDefaults,
    },
    /// Nothing: the account cannot change them.
    ManagedBy(String),
    /// Nothing: they could not be seen, and why.
    NotSeen(String),
}

/// Decides about the account's defaults of a region.
pub(crate) fn decide_defaults(
    change: &DefaultsChange,
    seen: &Result<MetadataDefaults, String>,
    force: bool,
) -> DefaultsVerdict {
    let found = match seen {
        Ok(found) => found,
        Err(why) => return DefaultsVerdict::NotSeen(why.clone()),
    };
    if alike(found, &change.before) {
        return DefaultsVerdict::AsTheyWere;
    }
    if let Some(manager) = found.managed_by.as_ref().filter(|by| *by != "account") {
        return DefaultsVerdict::ManagedBy(manager.clone());
    }
    let mut left = vec![&change.before];
    for call in &change.calls {
        match &call.answer {
            Some(Ok(after)) => left = vec![after],
            Some(Err(_)) | None => left.push(&call.sent),
        }
    }
    if !force && !left.iter().any(|left| alike(found, left)) {
        return DefaultsVerdict::ChangedSince {
            expected: left.last().copied().unwrap_or(&change.before).clone(),
            found: found.clone(),
        };
    }
    DefaultsVerdict::Restore {
        from: found.clone(),
        to: MetadataDefaults {
            managed_by: found.managed_by.clone(),
            ..change.before.clone()
        },
    }
}

/// Whoever manages them.
pub(super) fn alike(one: &MetadataDefaults, other: &MetadataDefaults) -> bool {
    differences(one, other).is_empty()
}

impl fmt::Display for DefaultsVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DefaultsVerdict::Restore { from, to } => {
                write!(f, "set {}", differences(from, to).join(" "))
            }
            DefaultsVerdict::AsTheyWere => f.write_str("they are as they were before"),
            DefaultsVerdict::ChangedSince { expected, found } => write!(
                f,
                "changed since: they were left with {}, and have {}",
                differences(found, expected).join(" "),
                differences(expected, found).join(" ")
            ),
            DefaultsVerdict::ManagedBy(manager) => {
                write!(
                    f,
                    "managed by {}: the account cannot set them",
                    Plain(manager)
                )
            }
            DefaultsVerdict::NotSeen(why) => write!(f, "could not be seen: {}", Plain(why)),
        }
    }
}

/// Where they are not alike, what the other says.
pub(super) fn differences(one: &MetadataDefaults, other: &MetadataDefaults) -> Vec<String> {
    fn unlike<T: PartialEq + fmt::Display>(
        name: &str,
        one: &Option<T>,
        other: &Option<T>,
    ) -> Option<String> {
        let none = || "no-preference".to_owned();
        let value = || other.as_ref().map_or_else(none, T::to_string);
        (one != other).then(|| format!("{name}={}", value()))
    }
    let fields = [
        unlike("http_tokens", &one.http_tokens, &other.http_tokens),
        unlike("hop_limit", &one.hop_limit, &other.hop_limit),
        unlike("http_endpoint", &one.http_endpoint, &other.http_endpoint),
        unlike(
            "instance_metadata_tags",
            &one.instance_metadata_tags,
            &other.instance_metadata_tags,
        ),
        unlike(
            "http_tokens_enforced",
            &one.http_tokens_enforced,
            &other.http_tokens_enforced,
        ),
    ];
    fields.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests;
