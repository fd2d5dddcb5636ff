//! Which instances use IMDSv1, with the evidence, from CloudWatch's `MetadataNoToken`.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/viewing_metrics_with_cloudwatch.html>

use std::collections::BTreeMap;
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::instance::{Instance, InstanceId, State};
use crate::policy::{Action, Existing};

/// Whether software on an instance uses IMDSv1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Usage {
    /// IMDSv1 was not used in the window.
    Unused {
        /// The start of the window.
        since: Timestamp,
    },
    /// Software would fail if tokens were required.
    InUse {
        /// Successful calls without a token in the window.
        calls: u64,
        /// The start of the period of the last one.
        last_at: Timestamp,
    },
    /// Not known, and so never taken for unused.
    Unknown {
        /// Why.
        because: NotKnown,
    },
}

/// Why it is not known whether IMDSv1 is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotKnown {
    /// CloudWatch has no datapoint of the window.
    NoData,
    /// It was launched, or started again, within the window.
    StartedInWindow,
    /// It is stopped, so it did not run for a part of the window.
    Stopped,
    /// CloudWatch could not be asked.
    Unreadable(String),
}

/// The start of a period, and the calls of one instance in it.
pub type Datapoint = (Timestamp, f64);

/// CloudWatch's answer about instances, or why there is none.
pub type DatapointsAnswer = Result<BTreeMap<InstanceId, Vec<Datapoint>>, String>;

impl Usage {
    /// Evaluates an instance by the datapoints of the window that begins at `since`.
    pub fn evaluate(instance: &Instance, datapoints: &[Datapoint], since: Timestamp) -> Self {
        if let Some((calls, last_at)) = calls_in(datapoints) {
            return Usage::InUse { calls, last_at };
        }
        let unknown = |because| Usage::Unknown { because };
        match instance.launched_at {
            _ if instance.state.is_some_and(State::is_stopped) => unknown(NotKnown::Stopped),
            Some(started) if started <= since && !datapoints.is_empty() => Usage::Unused { since },
            Some(started) if started <= since => unknown(NotKnown::NoData),
            _ => unknown(NotKnown::StartedInWindow),
        }
    }

    /// Evaluates one of the instances that CloudWatch was asked about; without its answer the usage
    /// is unknown.
    pub fn from_answer(instance: &Instance, answer: &DatapointsAnswer, since: Timestamp) -> Self {
        match answer {
            Ok(points) => {
                let points = points.get(&instance.id).map_or(&[][..], Vec::as_slice);
                Usage::evaluate(instance, points, since)
            }
            Err(why) => Usage::Unknown {
                because: NotKnown::Unreadable(why.clone()),
            },
        }
    }
}

/// The start of the window of so many days that ends at `now`.
pub fn window_begin(days: u8, now: Timestamp) -> Timestamp {
    let window = SignedDuration::from_hours(24 * i64::from(days));
    now.checked_sub(window).unwrap_or(Timestamp::MIN)
}

impl Existing {
    /// The start of the window that ends at `now`.
    pub fn window_begin(&self, now: Timestamp) -> Timestamp {
        window_begin(self.usage_window_days, now)
    }

    /// The most that may be done to an instance of this usage.
    pub fn at_most(&self, usage: &Usage) -> Action {
        match usage {
            Usage::Unused { .. } => Action::Enforce,
            Usage::InUse { .. } => self.in_use,
            // It may be in use, so no more is done than if it were.
            Usage::Unknown {
                because: NotKnown::Unreadable(_),
            } => self.in_use.min(self.unknown),
            Usage::Unknown { .. } => self.unknown,
        }
    }
}

/// Calls without a token that were rejected after tokens were required: software fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectedCalls {
    /// How many calls were rejected.
    pub calls: u64,
    /// The start of the period of the last one.
    pub last_at: Timestamp,
}

impl RejectedCalls {
    /// Counts the datapoints of `MetadataNoTokenRejected`; `None`: no call was rejected.
    pub fn count(datapoints: &[Datapoint]) -> Option<Self> {
        calls_in(datapoints).map(|(calls, last_at)| RejectedCalls { calls, last_at })
    }
}

/// The calls, and the start of the period of the last one; `None`: there were no calls.
fn calls_in(datapoints: &[Datapoint]) -> Option<(u64, Timestamp)> {
    let with_calls = datapoints.iter().filter(|(_, calls)| *calls > 0.0);
    let last_at = with_calls.clone().map(|(at, _)| *at).max()?;
    let calls: f64 = with_calls.map(|(_, calls)| calls).sum();
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count, which saturates"
    )]
    Some((calls as u64, last_at))
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Usage::Unused { since } => write!(f, "IMDSv1 has not been used since {since}"),
            Usage::InUse { calls, last_at } => {
                write!(f, "IMDSv1 is in use: {calls} calls, the last at {last_at}")
            }
            Usage::Unknown { because } => {
                f.write_str("it is not known whether IMDSv1 is used: ")?;
                match because {
                    NotKnown::NoData => f.write_str("CloudWatch has no data"),
                    NotKnown::StartedInWindow => f.write_str("it started within the window"),
                    NotKnown::Stopped => f.write_str("it is stopped"),
                    NotKnown::Unreadable(why) => write!(f, "CloudWatch could not be asked: {why}"),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn while_cloudwatch_cannot_be_asked_no_more_is_done_than_if_it_were_in_use() {
        let existing = Existing {
            in_use: Action::Report,
            unknown: Action::Terminate,
            ..Existing::default()
        };
        let unread = Usage::Unknown {
            because: NotKnown::Unreadable("Throttling".to_owned()),
        };
        assert_eq!(existing.at_most(&unread), Action::Report);
        let no_data = Usage::Unknown {
            because: NotKnown::NoData,
        };
        assert_eq!(existing.at_most(&no_data), Action::Terminate);
    }
}
