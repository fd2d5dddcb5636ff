//! Why something is not restored.

use std::fmt;

use super::ObservedInstance;
use crate::instance::{Instance, State};
use crate::options::MetadataOptions;
use crate::plain::Plain;

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
    /// It could not be exempted first, and why: the function would enforce it again.
    NotExempt(String),
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
            Leave::NotExempt(why) => {
                write!(f, "not restored: its exemption: {}", Plain(why))
            }
            Leave::Unreachable(why) => write!(f, "could not be described: {}", Plain(why)),
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
